"""What a config.json must not say is named with its file, before anything is built."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers.activations import ACT2FN

import basam
from basam import BasamError
from basam.errors import InputError
from basam.families.base import UnsupportedModelError
from basam.families.shared import config_fields
from basam.model import model_info
from tests.families.conftest import mobile
from tests.helpers.tiny import tiny_sam
from tests.helpers.tiny_sam2 import tiny_sam2
from tests.helpers.tiny_sam3 import tiny_sam3

VISION, BACKBONE = ("vision_config",), ("vision_config", "backbone_config")
TINYVIT = ("tinyvit",)
ROTARY = (*BACKBONE, "rope_parameters")
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
# Fields that no tensor shows, of every model.
IN_COMMON = [
    (DECODER, "hidden_act", "nope", "one of gelu, gelu_10, "),
    (DECODER, "hidden_act", None, "one of gelu, gelu_10, "),
    (PROMPTS, "layer_norm_eps", "1e-6", "a number with a point, such as 1e-06, is needed"),
    (PROMPTS, "layer_norm_eps", 0, "a number with a point, such as 1e-06, is needed"),
    (VISION, "initializer_range", None, "a number with a point, such as 1e-06, is needed"),
    ((), "dtype", "nope", "a type such as float32 is needed"),
    ((), "dtype", "auto", "a type such as float32 is needed"),
    (DECODER, "hidden_act", "prelu", "one of gelu, gelu_10, "),
    ((), "attn_implementation", "flash_attention_2", "eager or sdpa is needed"),
    ((), "quantization_config", {}, "quantised weights are not supported"),
]
OF_BOTH += [
    *IN_COMMON,
    (VISION, "model_type", "nope", "is needed, which the grids and feature maps rest on"),
    (VISION, "backbone_feature_sizes", None, "the configuration says backbone_feature_sizes=None"),
    (BACKBONE, "model_type", "hiera", "is needed, which the grids and feature maps rest on"),
    (BACKBONE, "hidden_act", "nope", "one of gelu, gelu_10, "),
    (BACKBONE, "num_attention_heads", None, "a whole number above 0 is needed"),
    (DECODER, "dynamic_multimask_via_stability", 1, "true or false is needed"),
    (DECODER, "dynamic_multimask_stability_thresh", "0.98", "a number with a point"),
]
OF_SAM2 = [
    (BACKBONE, "blocks_per_stage", [1, 2, 100_000_000, 2], "at most 1000 is needed"),
    (VISION, "fpn_kernel_size", None, "a whole number is needed"),
    (BACKBONE, "num_query_pool_stages", None, "a whole number is needed"),
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
    (BACKBONE, "rope_parameters", 3, "an object is needed"),
    (ROTARY, "rope_type", "linear", "'axial' is needed"),
    (ROTARY, "rope_theta", "x", "a number above 0 is needed"),
    (BACKBONE, "image_size", 7, "at least the patch_size of 14 is needed"),
    (BACKBONE, "hidden_dropout", 1.5, "a number from 0 to 1 is needed"),
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


OF_SAM1 = [
    *IN_COMMON,
    ((), "vision_config", "x", "an object is needed"),
    ((), "mask_decoder_config", 7, "an object is needed"),
    ((), "tie_word_embeddings", 0, "true or false is needed"),
    (VISION, "global_attn_indexes", "x", "a list of layers, counted from 0, of the"),
    (VISION, "global_attn_indexes", [-1], "a list of layers, counted from 0, of the"),
    (VISION, "num_hidden_layers", "x", "a whole number above 0 and up to 1000 is needed"),
    (VISION, "num_hidden_layers", 100_000_000, "a whole number above 0 and up to 1000 is needed"),
    (DECODER, "iou_head_depth", 100_000_000, "a whole number above 0 and up to 1000 is needed"),
    (VISION, "mlp_ratio", 4, "a number with a point"),
    (VISION, "attention_dropout", None, "a number from 0 to 1 is needed"),
    (VISION, "mlp_dim", 1.5, "a whole number is needed"),
    (VISION, "model_type", [], "a text is needed"),
    (PROMPTS, "patch_size", 0, "a whole number of pixels is needed"),
    (PROMPTS, "image_size", [1, 2, 3], "a whole number of pixels is needed"),
    (DECODER, "num_attention_heads", 7, "they do not divide its hidden_size of"),
    (DECODER, "num_attention_heads", -1, "a whole number above 0 is needed"),
]
OF_SAM = [(VISION, "global_attn_indexes", [99], "a list of layers, counted from 0, of the 4 is needed")]
OF_MOBILE = [
    ((), "tinyvit", "x", "an object is needed"),
    (TINYVIT, "depths", [2, 2, 100_000_000, 2], "a list of 4 whole numbers of at least 1 is needed"),
    (TINYVIT, "depths", None, "a list of 4 whole numbers of at least 1 is needed"),
    (TINYVIT, "widths", [16, 32], "a list of 4 whole numbers of at least 1 is needed"),
    (TINYVIT, "windows", [0, 7, "14", 7], "a list of 4 whole numbers of at least 0 is needed"),
    (TINYVIT, "heads", [0, 3, 5, 7], "they must divide widths="),
    (TINYVIT, "expansion", 0, "a whole number above 0 is needed"),
    (TINYVIT, "image_size", 100, "a multiple of 16 is needed"),
    (TINYVIT, "colour", 1, "tinyvit has colour=1: known are widths, "),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {"sam": tiny_sam, "mobile": mobile, "sam2": tiny_sam2, "sam3": tiny_sam3}
    found = {kind: tmp_path_factory.mktemp(kind) for kind in made}
    for kind, build in made.items():
        build().save_pretrained(found[kind])
        assert model_info(found[kind]).summary.parameters > 0, "what is changed below was right"
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
    [
        (kind, *case)
        for kind, cases in {
            "sam": (*OF_SAM1, *OF_SAM),
            "mobile": (*OF_SAM1, *OF_MOBILE),
            "sam2": (*OF_BOTH, *OF_SAM2),
            "sam3": (*OF_BOTH, *OF_SAM3),
        }.items()
        for case in cases
    ],
)
def test_a_wrong_value_is_named(folders, tmp_path, kind, place, name, value, message) -> None:
    folder = changed(folders[kind], tmp_path / "model", place, name, value)
    for read in (model_info, basam.load):
        with pytest.raises((UnsupportedModelError, InputError), match=re.escape(message)) as caught:
            read(folder)
        assert str(caught.value).startswith(f"{folder / 'config.json'}: ")
        assert name in str(caught.value)
        assert repr(value) in str(caught.value) or repr(max(value)) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["sam", "mobile", "sam2", "sam3"])
def test_what_transformers_alone_refuses_is_one_line(folders, tmp_path, kind) -> None:
    """Of fields that are about nothing here: whatever it says, on any number of lines."""
    folder = changed(folders[kind], tmp_path / "model", VISION, "id2label", "x")
    with pytest.raises(UnsupportedModelError, match="does not take this configuration: 'str' object") as caught:
        basam.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"vision_config": {"mlp_ratio": NaN}}', "mlp_ratio=nan in vision_config: a number with a point"),
        ('{"vision_config": {"layer_norm_eps": Infinity}}', "layer_norm_eps=inf in vision_config: a number with a point"),
        ('{"vision_config": {"mlp_dim": ' + 5000 * "9" + "}}", "is not JSON"),
        ('{"vision_config": ' + 100_000 * "[", "is not JSON"),
    ],
)
def test_what_json_lets_through_is_named(tmp_path, text, message) -> None:
    (tmp_path / "config.json").write_text(text.replace("{", '{"model_type": "sam", ', 1))
    for read in (model_info, basam.load):
        with pytest.raises(BasamError, match=re.escape(message)):
            read(tmp_path)


@pytest.mark.parametrize(
    "kind", ["SamConfig", "SamVisionConfig", "SamHQConfig", "Sam2Config", "Sam2VideoConfig", "Sam3TrackerConfig"]
)
def test_what_transformers_writes_in_full_is_taken(tmp_path, kind) -> None:
    """Every field of every part, defaults included, as older versions wrote them."""
    config = getattr(transformers, kind)().to_dict()
    config_fields.check_fields(json.loads(json.dumps(config)), tmp_path)


def test_the_functions_are_those_of_transformers() -> None:
    assert set(ACT2FN) <= {*config_fields.ACTIVATIONS, *config_fields.LEARNT}


def test_a_function_of_a_newer_transformers_is_taken(monkeypatch) -> None:
    monkeypatch.setitem(ACT2FN, "newest", ACT2FN["gelu"])
    assert config_fields.is_activation("newest")
    assert not config_fields.is_activation("nope")


@pytest.mark.parametrize("kind", ["sam", "mobile", "sam2", "sam3"])
def test_no_kind_of_value_is_refused_by_load_alone(folders, tmp_path, kind) -> None:
    """Each field of each configuration with a value of another kind: what `info` takes, transformers builds."""
    config = json.loads((folders[kind] / "config.json").read_text())
    tried = 0
    for place, name in fields_of(config):
        for number, value in enumerate((None, "nope", 1.5)):
            folder = changed(folders[kind], tmp_path / f"{tried} {name} {number}", place, name, value)
            tried += 1
            try:
                model_info(folder)
            except BasamError:
                continue
            basam.load(folder)
    assert tried > 100


def fields_of(config: dict[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every field with the way to it, but for those about the file itself and about classes."""
    for name, value in config.items():
        if name not in ("transformers_version", "architectures", "_name_or_path", "id2label", "label2id"):
            yield place, name
            if isinstance(value, dict):
                yield from fields_of(value, (*place, name))
