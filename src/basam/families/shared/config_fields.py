"""config.json of a checkpoint folder, and its fields that no tensor shows: which values `transformers` takes for them.

Nothing is built to know that. What tensors show is compared with them: `layout` and its neighbours.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from basam.checks import is_whole
from basam.errors import InputError
from basam.families.base import UnsupportedModelError

SECTIONS = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
BACKBONE = "backbone_config"  # a section of the first one

# The functions that `hidden_act` may name, which transformers calls ACT2FN.
ACTIVATIONS = (
    *("gelu", "gelu_10", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_python", "gelu_python_tanh", "gelu_pytorch_tanh"),
    *("hardswish", "laplace", "leaky_relu", "linear", "mish", "quick_gelu", "relu", "relu2", "relu6", "sigmoid", "silu"),
    *("sqrtsoftplus", "swish", "tanh"),
)
LEARNT = ("prelu", "xielu")  # those that have weights, which no SAM has
DTYPE = re.compile(r"(torch\.)?(bfloat16|float16|float32|float64|half|float|double)")
MOST = 1000  # of what there is one module each, such as layers, so that a number beyond reason is refused at once

Check = tuple[Callable[[Any], bool], str]  # and what is needed, in words


def is_size(value: Any) -> bool:
    return is_whole(value, 1)


def is_number(value: Any) -> bool:
    return is_whole(value) or isinstance(value, float)


def is_activation(value: Any) -> bool:
    """A name, of this list or of a newer `transformers`, which is imported for an unknown one alone."""
    if not isinstance(value, str) or value in ACTIVATIONS or value in LEARNT:
        return isinstance(value, str) and value not in LEARNT
    from transformers.activations import ACT2FN

    return value in ACT2FN


WHOLE: Check = (is_whole, "a whole number")
# transformers takes no whole number here, not even where one would do.
FRACTION: Check = (lambda value: isinstance(value, float) and math.isfinite(value), "a number with a point, such as 1e-06,")
FLAG: Check = (lambda value: isinstance(value, bool), "true or false")
TEXT: Check = (lambda value: isinstance(value, str), "a text")
SIDE: Check = (
    lambda value: all(map(is_size, value)) and len(value) in (1, 2) if isinstance(value, list) else is_size(value),
    "a whole number of pixels",
)
SHARE: Check = (lambda value: is_number(value) and 0 <= value <= 1, "a number from 0 to 1")

FIELDS: dict[str, Check] = {
    **dict.fromkeys(("initializer_range", "layer_norm_eps", "mlp_ratio"), FRACTION),
    **dict.fromkeys(("dynamic_multimask_stability_delta", "dynamic_multimask_stability_thresh"), FRACTION),
    **dict.fromkeys(("tie_word_embeddings", "dynamic_multimask_via_stability"), FLAG),
    **dict.fromkeys(("fpn_kernel_size", "fpn_stride", "fpn_padding", "num_feature_levels", "num_query_pool_stages"), WHOLE),
    **dict.fromkeys(("attention_dropout", "hidden_dropout"), SHARE),
    **dict.fromkeys(("image_size", "patch_size"), SIDE),
    "num_attention_heads": (is_size, "a whole number above 0"),
    "hidden_act": (is_activation, f"one of {', '.join(ACTIVATIONS)}"),
    "scale": WHOLE,
    "model_type": TEXT,
}
# The same where null stands for what is left out.
OPTIONAL: dict[str, Check] = {
    "dtype": (lambda value: isinstance(value, str) and DTYPE.fullmatch(value) is not None, "a type such as float32"),
    "output_hidden_states": FLAG,
    "mlp_dim": WHOLE,
    "layer_scale_init_value": FRACTION,
    "_attn_implementation": (lambda value: value in ("eager", "sdpa"), "eager or sdpa"),
    "attn_implementation": (lambda value: value in ("eager", "sdpa"), "eager or sdpa"),
    "quantization_config": (lambda value: False, "null, since quantised weights are not supported,"),
    "rope_parameters": (lambda value: isinstance(value, Mapping), "an object"),
}


def read_config(path: Path) -> dict[str, Any] | None:
    """config.json of a checkpoint folder; None where there is none.

    Raises:
        ValueError: config.json is no JSON object.
    """
    file = path / "config.json"
    if not file.is_file():
        return None
    try:
        config = json.loads(file.read_text())
    except (ValueError, RecursionError) as error:  # ValueError: also text that is not UTF-8, and numbers of thousands of digits
        raise InputError(f"{file} is not JSON ({error}): is the checkpoint complete?") from error
    if not isinstance(config, dict):
        raise InputError(f"{file} holds a {type(config).__name__}, not a JSON object: is the checkpoint complete?")
    return config


def sections(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The configuration and its parts, each with what to call it.

    Raises:
        UnsupportedModelError: a part is no object.
    """
    yield "", config
    for name in SECTIONS:
        part = config.get(name)
        if part is None:
            continue
        if not isinstance(part, Mapping):
            raise UnsupportedModelError(f"{name}={part!r}: an object is needed")
        yield f" in {name}", part
        backbone = part.get(BACKBONE)
        if isinstance(backbone, Mapping):
            yield f" in {name}.{BACKBONE}", backbone


def check_fields(config: Mapping[str, Any], path: Path) -> None:
    """Refuse what `transformers` does not take, of fields that are there.

    Args:
        path: of the folder, for the message.

    Raises:
        UnsupportedModelError: naming the field, its value and what is needed.
    """
    file = path / "config.json"
    try:
        for place, part in sections(config):
            for name, value in part.items():
                fits, needed = FIELDS.get(name) or OPTIONAL.get(name) or (None, "")
                if fits is None or (value is None and name in OPTIONAL):
                    continue
                if not fits(value):
                    raise UnsupportedModelError(f"{name}={value!r}{place}: {needed} is needed")
    except UnsupportedModelError as error:
        raise UnsupportedModelError(f"{file}: {error}") from error
