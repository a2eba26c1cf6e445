"""A cluster that is not there is one clear line, soon."""

import pytest

from basam import BasamError
from basam.batch import ray_running

pytest.importorskip("ray", reason='Ray is absent: pip install -e ".[ray]"')


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere.invalid:6379", "[::1]:99999"])
def test_nothing_answers(address):
    with pytest.raises(BasamError, match="--ray local starts a cluster here"), ray_running(address):
        pass


def test_a_word_that_is_no_address():
    with pytest.raises(BasamError, match="--ray nonsense: Ray does not start"), ray_running("nonsense"):
        pass
