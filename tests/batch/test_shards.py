"""The part of a list that one process of several does."""

import pytest

from basam import BasamError
from basam.batch import Shard


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12])
def test_all_parts_together_are_the_whole_and_about_equal(count):
    items = list(range(10))
    parts = [Shard(index, count).part(items) for index in range(count)]
    assert sorted(item for part in parts for item in part) == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_of_a_launcher():
    assert Shard.of_environment({"RANK": "1", "WORLD_SIZE": "8"}) == Shard(1, 8)
    assert Shard.of_environment({}) == Shard(0, 1)
    assert Shard.of_environment({"RANK": "", "WORLD_SIZE": ""}) == Shard(0, 1)
    assert Shard.parse("0/8") == Shard(0, 8)


@pytest.mark.parametrize("text", ["2/2", "3/2", "1", "1/2/3", "a/b", "-1/2", "²/3"])
def test_other_forms_are_refused(text):
    with pytest.raises(BasamError, match="I/N with I from 0 to N - 1 is needed"):
        Shard.parse(text)


@pytest.mark.parametrize("environment", [{"RANK": "x", "WORLD_SIZE": "2"}, {"RANK": "2", "WORLD_SIZE": "2"}])
def test_a_launcher_that_says_something_else_is_refused(environment):
    with pytest.raises(BasamError, match="in the environment"):
        Shard.of_environment(environment)
