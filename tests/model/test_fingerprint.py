"""The fingerprint of weights, of a model and of its files."""

import pytest
import torch

import basam
from basam.model import model_fingerprint
from tests.helpers.tiny import tiny_sam


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_fingerprint_is_that_of_the_weights(tmp_path, dtype):
    model = tiny_sam().to(dtype)
    model.save_pretrained(tmp_path)
    loaded = basam.load(tmp_path)
    assert model_fingerprint(loaded) == model_fingerprint(model.float())
    loaded.mask_decoder.iou_token.weight.data[0, 0] += 1
    assert model_fingerprint(loaded) != model_fingerprint(model)


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="model='nano'"):
        model_fingerprint("nano")
