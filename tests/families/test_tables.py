"""Which tensors a configuration of SAM 2 or SAM 3 promises: those of the model that `transformers` builds of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn
from typer.testing import CliRunner

import basam
from basam.cli import app
from basam.families.sam2 import layout as sam2_layout
from basam.families.sam2 import official
from basam.families.sam2 import sizes as sam2_sizes
from basam.families.sam3_tracker import layout as sam3_layout
from basam.families.sam3_tracker import sizes as sam3_sizes
from basam.families.shared import pyramid_files, pyramid_layout
from basam.families.shared.layout import Table
from basam.model import family_of_file
from tests.helpers.tiny_sam2 import sam2_config, tiny_sam2
from tests.helpers.tiny_sam3 import sam3_config, tiny_sam3

VISION, BACKBONE = ("vision_config",), ("vision_config", "backbone_config")
PROMPTS, DECODER = ("prompt_encoder_config",), ("mask_decoder_config",)
OF_BOTH: list[dict[tuple[str, ...], dict[str, Any]]] = [
    {},
    {DECODER: {"mlp_dim": 24, "num_hidden_layers": 3, "iou_head_depth": 4, "iou_head_hidden_dim": 20}},
    {DECODER: {"num_hidden_layers": 1, "iou_head_depth": 1, "num_multimask_outputs": 4, "attention_downsample_rate": 4}},
    {PROMPTS: {"mask_input_channels": 8, "num_point_embeddings": 6}},
    {
        VISION: {"fpn_hidden_size": 48},
        PROMPTS: {"hidden_size": 48},
        DECODER: {"hidden_size": 48, "num_attention_heads": 4},
        BACKBONE: {"num_channels": 4},
    },
]
OF_SAM2: list[dict[tuple[str, ...], dict[str, Any]]] = [
    {BACKBONE: {"mlp_ratio": 2.3, "window_positional_embedding_background_size": [5, 9]}},
    {BACKBONE: {"blocks_per_stage": [2, 1, 4, 3], "global_attention_blocks": [5], "window_size_per_stage": [6, 3, 5, 7]}},
    # Widths that stay the same, or shrink, from stage to stage.
    {
        BACKBONE: {"embed_dim_per_stage": [16, 16, 40, 24], "num_attention_heads_per_stage": [1, 1, 4, 2]},
        VISION: {"backbone_channel_list": [24, 40, 16, 16]},
    },
]
OF_SAM3: list[dict[tuple[str, ...], dict[str, Any]]] = [
    {BACKBONE: {"hidden_size": 40, "num_attention_heads": 5, "intermediate_size": 56, "num_hidden_layers": 5}},
    {BACKBONE: {"pretrain_image_size": 70}},
    {VISION: {"scale_factors": [4.0, 2.0, 1.0]}},
    {VISION: {"scale_factors": [4.0, 2.0, 1.0, 2.0, 0.5]}},
]


def changed(config: Any, changes: dict[tuple[str, ...], dict[str, Any]]) -> dict[str, Any]:
    found = copy.deepcopy(config.to_dict())
    for place, values in changes.items():
        part = found
        for step in place:
            part = part[step]
        part.update(values)
    return found


def of_transformers(build: Any, config: dict[str, Any]) -> Table:
    return {key: tuple(value.shape) for key, value in build(config).state_dict().items()}


def build_sam2(config: dict[str, Any]) -> nn.Module:
    with torch.device("meta"):
        return transformers.Sam2Model(transformers.Sam2Config(**pyramid_files.plain_config(config)))


def build_sam3(config: dict[str, Any]) -> nn.Module:
    pytest.importorskip("transformers.models.sam3.modeling_sam3", reason="it needs torchvision here", exc_type=ImportError)
    with torch.device("meta"):
        return transformers.Sam3TrackerModel(transformers.Sam3TrackerConfig(**pyramid_files.plain_config(config)))


def expected_sam2(config: dict[str, Any]) -> Table:
    sam2_sizes.geometry(config)
    return pyramid_layout.table_to_transformers(sam2_layout.expected_tensors(config), official.RULES)


def expected_sam3(config: dict[str, Any]) -> Table:
    sam3_sizes.geometry(config)
    return sam3_layout.expected_tensors(config)


@pytest.mark.parametrize("changes", [*OF_BOTH, *OF_SAM2])
def test_tensors_of_sam_2_follow_from_its_configuration(changes: dict[tuple[str, ...], dict[str, Any]]) -> None:
    config = changed(sam2_config(), changes)
    assert expected_sam2(config) == of_transformers(build_sam2, config)


@pytest.mark.parametrize("name", sam2_sizes.PUBLISHED)
def test_tensors_of_every_published_sam_2(name: str) -> None:
    hiera = {"model_type": "sam2_hiera_det_model", **sam2_sizes.PUBLISHED[name]}
    config = {"vision_config": {"backbone_config": hiera, "backbone_channel_list": hiera["embed_dim_per_stage"][::-1]}}
    assert expected_sam2(config) == of_transformers(build_sam2, config)


@pytest.mark.parametrize("changes", [*OF_BOTH, *OF_SAM3])
def test_tensors_of_sam_3_follow_from_its_configuration(changes: dict[tuple[str, ...], dict[str, Any]]) -> None:
    config = changed(sam3_config(), changes)
    assert expected_sam3(config) == of_transformers(build_sam3, config)


def test_configurations_that_say_nothing_are_the_published_ones() -> None:
    assert expected_sam2({}) == of_transformers(build_sam2, {})
    assert expected_sam3({}) == of_transformers(build_sam3, {})


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
    for read in (basam.load, family_of_file(tmp_path).summary):
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
    for read in (basam.load, family_of_file(tmp_path).summary):
        with pytest.raises(basam.UnsupportedModelError, match=r"tensors unexpected: .*mask_decoder\.iou_token\.weight \(1\)$"):
            read(tmp_path)


def test_what_only_videos_need_may_be_there(tmp_path: Path) -> None:
    tiny_sam2().save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    state |= {"memory_attention.layers.0.norm.weight": torch.ones(3), "occlusion_spatial_embedding_parameter": torch.ones(1, 3)}
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "sam2_video"}))
    summary = family_of_file(tmp_path).summary(tmp_path)
    assert (summary.architecture, summary.tensors) == ("SAM 2.1 Hiera 16 x 8", len(state))
    assert summary.layout == "transformers Sam2VideoModel"
    assert summary.parameters == sum(parameter.numel() for parameter in basam.load(tmp_path).parameters())


def test_the_part_that_only_videos_need_lacks_all_others(tmp_path: Path) -> None:
    tiny_sam2().save_pretrained(tmp_path)
    save_file(
        {"memory_attention.layers.0.norm.weight": torch.ones(3)}, tmp_path / "model.safetensors", metadata={"format": "pt"}
    )
    for read in (basam.load, family_of_file(tmp_path).summary):
        with pytest.raises(
            basam.UnsupportedModelError, match=r"tensors missing: mask_decoder\.conv_s0\.bias, .* \.\.\. \(\d{3}\)$"
        ):
            read(tmp_path)
