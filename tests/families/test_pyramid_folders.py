"""Folders of SAM 2 and SAM 3: every tensor is accounted for, what only videos need aside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import basam
from basam.cli import app
from basam.model import family_of_file, model_info
from tests.helpers.tiny_sam2 import tiny_sam2
from tests.helpers.tiny_sam3 import tiny_sam3


@pytest.mark.parametrize("build", [tiny_sam2, tiny_sam3])
@pytest.mark.parametrize(
    ("change", "kind", "key"),
    [
        (lambda state, key: state.pop(key), "missing", "mask_decoder.conv_s1.bias"),
        (lambda state, key: state.update({key: torch.ones(1)}), "unexpected", "extra"),
        (lambda state, key: state.update({key: torch.ones(3, 3)}), "of another shape", "prompt_encoder.no_mask_embed.weight"),
    ],
)
def test_info_and_load_name_the_tensor_and_the_file(build: Any, change: Any, kind: str, key: str, tmp_path: Path) -> None:
    build().save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    key = next((there for there in state if there.endswith(key)), key)
    change(state, key)
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    message = f"{tmp_path} does not fit its model: tensors {kind}: {key} (1)"
    for read in (basam.load, model_info):
        with pytest.raises(basam.UnsupportedModelError) as caught:
            read(tmp_path)
        assert str(caught.value) == message
    result = CliRunner().invoke(app, ["info", str(tmp_path)])
    assert result.exit_code == 2
    assert f"tensors {kind}: {key} (1)" in " ".join(result.stderr.split())


def test_a_tensor_that_is_there_under_two_prefixes_is_named(tmp_path: Path) -> None:
    tiny_sam3().save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    key = next(there for there in state if there.endswith("mask_decoder.iou_token.weight"))
    state[f"tracker_model.{key}"] = state[key].clone()
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    for read in (basam.load, model_info):
        with pytest.raises(basam.UnsupportedModelError, match=r"tensors unexpected: .*mask_decoder\.iou_token\.weight \(1\)$"):
            read(tmp_path)


def test_what_only_videos_need_may_be_there(tmp_path: Path) -> None:
    tiny_sam2().save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    state |= {"memory_attention.layers.0.norm.weight": torch.ones(3), "occlusion_spatial_embedding_parameter": torch.ones(1, 3)}
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "sam2_video"}))
    summary = family_of_file(tmp_path).read(tmp_path).summary
    assert (summary.architecture, summary.tensors) == ("SAM 2.1 Hiera 16 x 8", len(state))
    assert summary.layout == "transformers Sam2VideoModel"
    assert summary.parameters == sum(parameter.numel() for parameter in basam.load(tmp_path).parameters())


def test_the_part_that_only_videos_need_lacks_all_others(tmp_path: Path) -> None:
    tiny_sam2().save_pretrained(tmp_path)
    save_file(
        {"memory_attention.layers.0.norm.weight": torch.ones(3)}, tmp_path / "model.safetensors", metadata={"format": "pt"}
    )
    for read in (basam.load, model_info):
        with pytest.raises(
            basam.UnsupportedModelError, match=r"tensors missing: mask_decoder\.conv_s0\.bias, .* \.\.\. \(\d{3}\)$"
        ):
            read(tmp_path)
