"""What a config.json of SAM 2 or SAM 3 must not say is named with its file, before anything is built."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import basam
from basam.families.base import UnsupportedModelError
from basam.model import model_info
from tests.helpers.tiny_sam2 import tiny_sam2
from tests.helpers.tiny_sam3 import tiny_sam3

VISION, BACKBONE = ("vision_config",), ("vision_config", "backbone_config")
PROMPTS, DECODER = ("prompt_encoder_config",), ("mask_decoder_config",)
OF_BOTH = [
    ((), "vision_config", "x", "an object is needed"),
    (VISION, "backbone_config", 3, "an object is needed"),
    (VISION, "backbone_feature_sizes", 3, "the configuration says backbone_feature_sizes=3"),
    (VISION, "backbone_feature_sizes", [1, 2, 3], "the configuration says backbone_feature_sizes=[1, 2, 3]"),
    ((), "prompt_encoder_config", "x", "an object is needed"),
    (PROMPTS, "image_size", "x", "a whole number of pixels is needed"),
    (PROMPTS, "image_size", 2.5, "a whole number of pixels is needed"),
    (PROMPTS, "image_size", {}, "a whole number of pixels is needed"),
    (PROMPTS, "patch_size", True, "a whole number of pixels is needed"),
    (DECODER, "num_attention_heads", 3, "do not divide its hidden_size"),
    (DECODER, "num_attention_heads", -2, "a whole number above 0 is needed"),
    (DECODER, "mlp_dim", "64", "a whole number above 0 is needed"),
    (DECODER, "num_hidden_layers", None, "a whole number above 0 is needed"),
    (DECODER, "attention_downsample_rate", 0, "a whole number above 0 is needed"),
    (DECODER, "iou_head_depth", 2.5, "a whole number above 0 is needed"),
    (DECODER, "hidden_size", 64, "one number of channels is needed"),
    (PROMPTS, "hidden_size", 64, "one number of channels is needed"),
    (PROMPTS, "mask_input_channels", -16, "a whole number above 0 is needed"),
    (VISION, "fpn_hidden_size", 64, "one number of channels is needed"),
    (VISION, "fpn_hidden_size", "32", "a whole number above 0 is needed"),
    (BACKBONE, "num_channels", [3], "a whole number above 0 is needed"),
]
OF_SAM2 = [
    (BACKBONE, "blocks_per_stage", 3, "a list of 4 whole numbers of at least 1 is needed"),
    (BACKBONE, "blocks_per_stage", [1, 1], "a list of 4 whole numbers of at least 1 is needed"),
    (BACKBONE, "blocks_per_stage", [1, 1, "2", 1], "a list of 4 whole numbers of at least 1 is needed"),
    (BACKBONE, "global_attention_blocks", ["a"], "a list of whole numbers of at least 0 is needed"),
    (BACKBONE, "global_attention_blocks", [2.5], "a list of whole numbers of at least 0 is needed"),
    (BACKBONE, "num_attention_heads_per_stage", [1, 2, 3, 8], "they do not divide embed_dim_per_stage"),
    (BACKBONE, "num_attention_heads_per_stage", [1], "a list of 4 whole numbers of at least 1 is needed"),
    (BACKBONE, "embed_dim_per_stage", 3, "a list of 4 whole numbers of at least 1 is needed"),
    (BACKBONE, "window_size_per_stage", [8, 4, 0, 7], "a list of 4 whole numbers of at least 1 is needed"),
    (BACKBONE, "patch_stride", [8, 8], "4 is needed"),
    (BACKBONE, "query_stride", 3, "2 is needed"),
    (BACKBONE, "num_query_pool_stages", 1, "3 is needed"),
    (VISION, "num_feature_levels", 9, "3 is needed"),
    (VISION, "fpn_top_down_levels", [9], "levels are 0 to 3"),
    (VISION, "fpn_kernel_size", 3, "1 is needed"),
    (VISION, "backbone_channel_list", [128, 64, 32], "a list of 4 whole numbers of at least 1 is needed"),
    (VISION, "backbone_channel_list", [16, 32, 64, 128], "in reverse is needed"),
    (BACKBONE, "hidden_size", 24, "the first of embed_dim_per_stage=[16, 32, 64, 128] is needed"),
    (BACKBONE, "hidden_size", None, "a whole number above 0 is needed"),
    (BACKBONE, "mlp_ratio", "4", "a number above 0 is needed"),
    (BACKBONE, "mlp_ratio", -1.0, "a number above 0 is needed"),
    (BACKBONE, "patch_kernel_size", [7, 5], "7 is needed"),
    (BACKBONE, "patch_padding", 2, "3 is needed"),
    (BACKBONE, "window_positional_embedding_background_size", 7, "a list of 2 whole numbers of at least 1 is needed"),
]
OF_SAM3 = [
    (BACKBONE, "patch_size", 0, "a whole number of pixels is needed"),
    (BACKBONE, "patch_size", "x", "a whole number of pixels is needed"),
    (BACKBONE, "global_attn_indexes", 3, "a list of whole numbers of at least 0 is needed"),
    (BACKBONE, "num_hidden_layers", "4", "a whole number above 0 is needed"),
    (BACKBONE, "num_attention_heads", 3, "they do not divide the hidden_size"),
    (BACKBONE, "window_size", -3, "a whole number above 0 is needed"),
    (BACKBONE, "window_size", 0, "a whole number above 0 is needed"),
    (BACKBONE, "intermediate_size", 0, "a whole number above 0 is needed"),
    (BACKBONE, "pretrain_image_size", "42", "a whole number of pixels is needed"),
    (BACKBONE, "pretrain_image_size", 7, "at least the patch_size of 14 is needed"),
    (VISION, "scale_factors", 4.0, "4.0, 2.0, 1.0 and any of"),
    (VISION, "scale_factors", [4.0, 2.0, 1.0, 8.0], "4.0, 2.0, 1.0 and any of"),
    (VISION, "scale_factors", [2.0, 1.0, 0.5], "4.0, 2.0, 1.0 and any of"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {"sam2": tmp_path_factory.mktemp("sam2"), "sam3": tmp_path_factory.mktemp("sam3")}
    tiny_sam2().save_pretrained(found["sam2"])
    tiny_sam3().save_pretrained(found["sam3"])
    return found


def changed(folder: Path, out: Path, place: tuple[str, ...], name: str, value: Any) -> Path:
    """A folder with the weights of another and one field of its config.json changed."""
    config = json.loads((folder / "config.json").read_text())
    part = config
    for step in place:
        part = part[step]
    part[name] = value
    out.mkdir()
    (out / "config.json").write_text(json.dumps(config))
    (out / "model.safetensors").symlink_to(folder / "model.safetensors")
    return out


@pytest.mark.parametrize(
    ("kind", "place", "name", "value", "message"),
    [(kind, *case) for kind, own in (("sam2", OF_SAM2), ("sam3", OF_SAM3)) for case in (*OF_BOTH, *own)],
)
def test_a_wrong_value_is_named(folders, tmp_path, kind, place, name, value, message) -> None:
    folder = changed(folders[kind], tmp_path / "model", place, name, value)
    for read in (model_info, basam.load):
        with pytest.raises(UnsupportedModelError, match=re.escape(message)) as caught:
            read(folder)
        assert str(caught.value).startswith(f"{folder / 'config.json'}: ")
        assert name in str(caught.value)
        assert repr(value) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["sam2", "sam3"])
def test_what_transformers_refuses_is_one_line(folders, tmp_path, kind) -> None:
    folder = changed(folders[kind], tmp_path / "model", BACKBONE, "hidden_act", "nope")
    with pytest.raises(UnsupportedModelError, match="does not take this configuration: KeyError: 'nope'") as caught:
        basam.load(folder)
    assert "\n" not in str(caught.value)
