"""What a config.json must not say is named with its file, its field and its value."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

import basam
from basam import BasamError
from basam.errors import InputError
from basam.families.base import UnsupportedModelError
from basam.model import model_info
from tests.families.conftest import mobile
from tests.helpers.slowly import slowly
from tests.helpers.tiny import tiny_sam
from tests.helpers.tiny_sam2 import tiny_sam2
from tests.helpers.tiny_sam3 import tiny_sam3

VISION, BACKBONE = ("vision_config",), ("vision_config", "backbone_config")
TINYVIT = ("tinyvit",)
ROTARY = (*BACKBONE, "rope_parameters")
PROMPTS, DECODER = ("prompt_encoder_config",), ("mask_decoder_config",)
IN_COMMON: list[tuple[tuple[str, ...], str, Any]] = [
    ((), "vision_config", "x"),
    ((), "mask_decoder_config", 7),
    ((), "prompt_encoder_config", "x"),
    (PROMPTS, "image_size", "x"),
    (PROMPTS, "image_size", {}),
    (PROMPTS, "patch_size", "x"),
    (PROMPTS, "layer_norm_eps", "1e-6"),
    (PROMPTS, "mask_input_channels", -16),
    (DECODER, "num_attention_heads", 7),
    (DECODER, "num_attention_heads", -2),
    (DECODER, "mlp_dim", "64"),
    (DECODER, "mlp_dim", None),
    (DECODER, "num_hidden_layers", None),
    (DECODER, "num_hidden_layers", 100_000_000),
    (DECODER, "attention_downsample_rate", 0),
    (DECODER, "iou_head_depth", 2.5),
    (DECODER, "iou_head_depth", 100_000_000),
    (DECODER, "num_multimask_outputs", 100_000_000),
    (DECODER, "hidden_act", None),
    (DECODER, "hidden_size", 10**12),
    (VISION, "initializer_range", None),
]
OF_SAM1: list[tuple[tuple[str, ...], str, Any]] = [
    *IN_COMMON,
    ((), "dtype", "nope"),
    ((), "attn_implementation", "flash_attention_2"),
    (VISION, "global_attn_indexes", "x"),
    (VISION, "num_hidden_layers", "x"),
    (VISION, "num_hidden_layers", 100_000_000),
    (VISION, "mlp_ratio", "4"),
    (VISION, "mlp_dim", 1.5),
    (DECODER, "hidden_act", "nope"),
]
OF_SAM: list[tuple[tuple[str, ...], str, Any]] = [
    (VISION, "global_attn_indexes", [99]),
    (VISION, "global_attn_indexes", [-1]),
    (VISION, "num_attention_heads", 3),
    (VISION, "hidden_size", "32"),
    (VISION, "patch_size", 0),
]
OF_MOBILE: list[tuple[tuple[str, ...], str, Any]] = [
    ((), "tinyvit", "x"),
    (TINYVIT, "depths", [2, 2, 100_000_000, 2]),
    (TINYVIT, "depths", None),
    (TINYVIT, "widths", [16, 32]),
    (TINYVIT, "windows", [0, 7, "14", 7]),
    (TINYVIT, "image_size", 100),
    (TINYVIT, "image_size", "128"),
    (TINYVIT, "colour", 1),
]
OF_BOTH: list[tuple[tuple[str, ...], str, Any]] = [
    *IN_COMMON,
    (PROMPTS, "image_size", 2.5),
    (PROMPTS, "image_size", [1, 2, 3]),
    (PROMPTS, "patch_size", 0),
    (VISION, "backbone_config", 3),
    (VISION, "backbone_feature_sizes", 3),
    (VISION, "backbone_feature_sizes", [1, 2, 3]),
    (VISION, "fpn_hidden_size", "32"),
    (VISION, "model_type", "nope"),
    (BACKBONE, "num_channels", [3]),
    (BACKBONE, "hidden_act", "nope"),
    (DECODER, "dynamic_multimask_stability_thresh", "0.98"),
]
OF_SAM2: list[tuple[tuple[str, ...], str, Any]] = [
    (BACKBONE, "blocks_per_stage", [1, 2, 100_000_000, 2]),
    (BACKBONE, "model_type", "hiera"),
    (BACKBONE, "blocks_per_stage", 3),
    (BACKBONE, "blocks_per_stage", [1, 1]),
    (BACKBONE, "blocks_per_stage", [1, 1, "2", 1]),
    (BACKBONE, "global_attention_blocks", ["a"]),
    (BACKBONE, "global_attention_blocks", [0]),
    (BACKBONE, "num_attention_heads_per_stage", [1, 2, 3, 8]),
    (BACKBONE, "num_attention_heads_per_stage", [1]),
    (BACKBONE, "embed_dim_per_stage", 3),
    (BACKBONE, "window_size_per_stage", [8, 4, 0, 7]),
    (BACKBONE, "patch_stride", [8, 8]),
    (BACKBONE, "query_stride", [3, 3]),
    (BACKBONE, "num_query_pool_stages", 1),
    (BACKBONE, "mlp_ratio", "4"),
    (BACKBONE, "mlp_ratio", -1.0),
    (BACKBONE, "patch_kernel_size", [7, 5]),
    (BACKBONE, "patch_padding", [2, 2]),
    (BACKBONE, "window_positional_embedding_background_size", 7),
    (VISION, "num_feature_levels", 9),
    (VISION, "fpn_top_down_levels", [9]),
    (VISION, "fpn_kernel_size", None),
    (VISION, "fpn_stride", 2),
]
OF_SAM3: list[tuple[tuple[str, ...], str, Any]] = [
    (BACKBONE, "rope_parameters", 3),
    (ROTARY, "rope_type", "linear"),
    (ROTARY, "rope_theta", "x"),
    (BACKBONE, "patch_size", 0),
    (BACKBONE, "patch_size", "x"),
    (BACKBONE, "global_attn_indexes", 3),
    (BACKBONE, "global_attn_indexes", [1, 7]),
    (BACKBONE, "num_hidden_layers", "4"),
    (BACKBONE, "num_hidden_layers", 100_000_000),
    (BACKBONE, "num_attention_heads", 3),
    (BACKBONE, "num_attention_heads", None),
    (BACKBONE, "window_size", -3),
    (BACKBONE, "window_size", 0),
    (BACKBONE, "pretrain_image_size", "42"),
    (VISION, "scale_factors", [4.0, 2.0, 1.0, 8.0]),
    (VISION, "scale_factors", [2.0, 1.0, 0.5]),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {"sam": tiny_sam, "mobile": mobile, "sam2": tiny_sam2, "sam3": tiny_sam3}
    paths = {kind: tmp_path_factory.mktemp(kind) for kind in made}
    for kind, build in made.items():
        build().save_pretrained(paths[kind])
        assert model_info(paths[kind]).summary.parameters > 0, "what is changed below was right"
    return paths


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


# By default, of the longest lists every second field.
QUICK = {"sam": (*OF_SAM1, *OF_SAM), "mobile": OF_MOBILE, "sam2": OF_SAM2[::2], "sam3": OF_SAM3[::2]}
# Fields that kinds have in common are read by the same code.
AGAIN = {"mobile": OF_SAM1, "sam2": [*OF_BOTH, *OF_SAM2[1::2]], "sam3": [*OF_BOTH, *OF_SAM3[1::2]]}


@pytest.mark.parametrize("read", slowly([model_info, basam.load], basam.load))
@pytest.mark.parametrize(
    ("kind", "place", "name", "value"),
    [
        *((kind, *case) for kind, cases in QUICK.items() for case in cases),
        *(pytest.param(kind, *case, marks=pytest.mark.slow) for kind, cases in AGAIN.items() for case in cases),
    ],
)
def test_a_wrong_value_is_named(folders, tmp_path, kind, place, name, value, read) -> None:
    folder = changed(folders[kind], tmp_path / "model", place, name, value)
    started = time.monotonic()
    with pytest.raises((UnsupportedModelError, InputError)) as caught:
        read(folder)
    assert str(caught.value).startswith(f"{folder / 'config.json'}: ")
    assert f"{name}={value!r}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("kind", ["sam", "mobile", "sam2", "sam3"])
def test_a_size_of_another_model_is_a_tensor_that_does_not_fit(folders, tmp_path, kind) -> None:
    folder = changed(folders[kind], tmp_path / "model", DECODER, "mlp_dim", 16)
    for read in (model_info, basam.load):
        with pytest.raises(UnsupportedModelError, match=r"of another shape: .*mask_decoder\.transformer\.layers\.0\.mlp"):
            read(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"vision_config": {"mlp_ratio": NaN}}', "mlp_ratio=nan in vision_config"),
        ('{"vision_config": {"mlp_dim": ' + 5000 * "9" + "}}", "is not JSON"),
        ('{"vision_config": ' + 100_000 * "[", "is not JSON"),
    ],
)
def test_what_json_lets_through_is_named(tmp_path, text, message) -> None:
    (tmp_path / "config.json").write_text(text.replace("{", '{"model_type": "sam", ', 1))
    for read in (model_info, basam.load):
        with pytest.raises(BasamError, match=re.escape(message)):
            read(tmp_path)
