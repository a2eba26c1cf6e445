"""Weights that hold NaN or infinity are refused on load and by `basam info`, by their key in the user's file."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import basam
from basam.cli import app
from basam.families.shared import is_finite
from tests.helpers.tiny import tiny_sam


def refused(path, *keys):
    """By the library and on the command line."""
    message = rf"holds NaN or infinity in {', '.join(sorted(keys))} \({len(keys)}\): "
    with pytest.raises(basam.UnsupportedModelError, match=message):
        basam.load(path)
    result = CliRunner().invoke(app, ["info", str(path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"NaN or infinity in {', '.join(sorted(keys))} " in result.stderr


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_with_metas_keys(small_sam, tmp_path, suffix, value):
    state = {f"module.{key}": tensor.clone() for key, tensor in small_sam(128).state_dict().items()}
    file = tmp_path / f"sam{suffix}"
    write = torch.save if suffix == ".pth" else save_file
    write(state, file)
    basam.load(file)
    state["module.mask_decoder.iou_token.weight"][0, -1] = value
    state["module.image_encoder.neck.2.weight"].flatten()[5] = value
    write(state, file)
    refused(file, "module.mask_decoder.iou_token.weight", "module.image_encoder.neck.2.weight")


@pytest.mark.parametrize("name", ["mobile", "eff"])
def test_a_published_file(oracle, name):
    case = oracle(name)
    state = torch.load(case.file, weights_only=True)
    key = next(reversed([key for key, value in state.items() if value.is_floating_point()]))
    state[key].flatten()[-1] = float("nan")
    torch.save(state, case.file)
    refused(case.file, key)


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_folder(tmp_path, suffix):
    tiny_sam().half().save_pretrained(tmp_path)
    key = "vision_encoder.layers.1.attn.rel_pos_h"
    state = load_file(tmp_path / "model.safetensors")
    state[key][0, 0] = float("nan")
    (tmp_path / "model.safetensors").unlink()
    if suffix == "bin":
        torch.save(state, tmp_path / "pytorch_model.bin")
    else:
        save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    refused(tmp_path, key)


def test_a_folder_of_mobile_sam(tmp_path):
    from tests.families.conftest import mobile

    model = mobile()
    model.vision_encoder.neck[0].weight.data[0, 0] = float("inf")
    model.save_pretrained(tmp_path)
    refused(tmp_path, "vision_encoder.neck.0.weight")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_large_numbers_are_finite(dtype):
    large = min(torch.finfo(dtype).max, torch.finfo(torch.float32).max)
    assert is_finite(torch.full((3, 1000), large).to(dtype) / 1.01)
    assert is_finite(torch.zeros(0, dtype=dtype))


def test_what_float32_cannot_hold_is_not_finite():
    assert not is_finite(torch.tensor([1.0, 1e300], dtype=torch.float64))
    assert not is_finite(torch.tensor([float("inf"), -float("inf")]))
    assert is_finite(torch.tensor([3, 4]))
