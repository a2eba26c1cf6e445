"""The four ways of fine-tuning: which numbers of a model are trained, and what becomes of them in an adapter.

| way | trained |
|---|---|
| `bias` | the slopes, one per head and global layer |
| `decoder` | the slopes and the mask decoder |
| `lora` | the slopes and `peft`'s LoRA on the projections to queries, keys and values, of encoder and decoder |
| `full` | the slopes and every parameter that prompts of points and boxes use |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from basam.errors import InputError
from basam.families import LearnedSlopes, family_of
from basam.files import require
from basam.lab.tuning.recipe import START_SLOPE, WAYS, Lora
from basam.method import BiasMode
from basam.model import Adapter, LoraPair, attach, attachment_of, detach, own_attachment

# Names that projections to q, k and v have in every implementation of SAM, fused or not.
PROJECTION = re.compile(r"(^|\.)(qkv|q_proj|k_proj|v_proj)$")
# Never trained: random features that positions are written in (a buffer in Meta's code), and the reading of mask prompts,
# which tuning does not give.
FIXED = re.compile(r"positional_embedding|gaussian_matrix|mask_embed\.|mask_downscaling")


def tuned_mode(mode: BiasMode | None = None) -> BiasMode:
    """The mode that is tuned with: `mode` with learned slopes, which act at every size.

    The schedule is `constant`: under `extrapolation` slopes are multiplied by 0 up to the trained number of tokens, so that
    no gradient would reach them there, and what is learnt from data needs no rule for where it holds. The price is that a
    tuned model is not plain SAM at the trained size, which it is not meant to be. Without a `mode` it is the
    published method: a mode that was calibrated before tuning does not apply to the tuned weights.
    """
    return replace(mode or BiasMode(), slopes="learned", schedule="constant")


def prepare(model: nn.Module, way: str, mode: BiasMode, *, slope: float = START_SLOPE, lora: Lora | None = None) -> nn.Module:
    """Make what `way` trains trainable and nothing else, and attach `model` with `mode` and learned slopes.

    `peft` comes first and `attach` second: `attach` then finds the projections as they will run, so that a factor on the
    decoder's queries acts on what LoRA adds as well. A model that is attached already is detached for it.

    Args:
        mode: with `slopes="learned"`, see `tuned_mode`.
        slope: what all slopes start from.

    Returns:
        `model` itself.

    Raises:
        ValueError: unknown way, a mode without learned slopes, or a model without global layers.
        ImportError: `peft` is not installed (`lora` only).
    """
    if way not in WAYS:
        raise InputError(f"tune={way!r}: allowed are {', '.join(WAYS)}")
    if mode.slopes != "learned" or not mode.strength:
        raise InputError(
            f"mode has slopes={mode.slopes!r}, strength={mode.strength:g}: learned slopes and a strength are needed"
        )
    family = family_of(model)
    geometry = family.geometry(model)
    if not geometry.global_layers:
        raise InputError(f"{type(model).__name__} has no global layers, so there are no slopes to learn")
    detach(model)
    model.requires_grad_(False)
    if way == "lora":
        add_lora(model, lora or Lora())
    slopes = LearnedSlopes.uniform(len(geometry.global_layers), geometry.heads, slope)
    attach(model, mode, slopes)
    # The mask decoder is so named in every family.
    for name, parameter in model.named_parameters():
        chosen = way == "full" or (way == "decoder" and name.startswith("mask_decoder."))
        if chosen and not name.startswith(family.idle) and FIXED.search(name) is None:
            parameter.requires_grad_(True)
    return model


def add_lora(model: nn.Module, lora: Lora) -> None:
    """Put `peft`'s LoRA into every projection to q, k and v, in place."""
    peft = require("peft", "tune")
    targets = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and PROJECTION.search(name)]
    config = peft.LoraConfig(r=lora.rank, lora_alpha=lora.scale * lora.rank, target_modules=targets)
    peft.inject_adapter_in_model(config, model)


def lora_layers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Modules with LoRA, by their names, which are those of the plain model."""
    return ((name, module) for name, module in model.named_modules() if hasattr(module, "lora_A"))


def slopes_of(model: nn.Module) -> LearnedSlopes:
    """The learned slopes of a prepared model."""
    attachment = attachment_of(model)
    if attachment is None or attachment.learned is None:
        raise InputError("this model has no learned slopes: prepare it first, with basam.lab.tuning.prepare")
    return attachment.learned


def adapter_of(model: nn.Module, base: str, base_sha256: str, sections: dict[str, Any] | None = None) -> Adapter:
    """What was trained of a prepared model, as an adapter of `base`; `sections`: those of its mode file beside the mode.

    Raises:
        ValueError: the model is not prepared.
    """
    slopes = deepcopy(slopes_of(model)).cpu()
    attachment = own_attachment(model)
    pairs, scale = {}, 1.0
    for name, layer in lora_layers(model):
        pairs[name] = LoraPair(copy_of(layer.lora_A["default"].weight), copy_of(layer.lora_B["default"].weight))
        scale = float(layer.scaling["default"])
    weights = {
        name: copy_of(parameter)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and ".lora_" not in name
    }
    return Adapter(base, base_sha256, attachment.mode, slopes, weights, pairs, scale, sections or {})


def copy_of(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone()
