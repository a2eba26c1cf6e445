"""The fingerprint of weights, of a model and of its files."""

import pytest
import torch

import basam
from basam.families.shared import transformers_files
from basam.model import model_fingerprint
from basam.model.fingerprint import stored_fingerprint
from tests.helpers.tiny import tiny_sam


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_fingerprint_is_that_of_the_model(tmp_path, dtype):
    tiny_sam().to(dtype).save_pretrained(tmp_path)
    assert stored_fingerprint(transformers_files.loaded_state(tmp_path)) == model_fingerprint(basam.load(tmp_path))


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match=r"model='nano': a torch\.nn\.Module, such as basam.load gives, is needed"):
        model_fingerprint("nano")
