"""attach, detach, attached: check -> match -> replace. Either every module is replaced or none is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import nn

from basam.checks import instance_of
from basam.errors import InputError, InputTypeError, OrderError
from basam.families import Attachment, Geometry, LearnedSlopes, Replaced, family_of
from basam.families.shared import GridAttention, query_replacements
from basam.method import BiasMode
from basam.model.mode_files import save_mode

Model = TypeVar("Model", bound=nn.Module)


def attachment_of(model: nn.Module) -> Attachment | None:
    """The attachment of `model` itself, or None if it is not attached. That of a `Predictor` is `predictor.attachment`."""
    instance_of(model, "model", nn.Module)
    return next((module.basam_own for module in model.modules() if isinstance(module, Replaced)), None)


def own_attachment(model: nn.Module) -> Attachment:
    """`attachment_of` a model that is attached.

    Raises:
        RuntimeError: it is not.
    """
    attachment = attachment_of(model)
    if attachment is None:
        raise OrderError("the model was detached: attach it again")
    return attachment


def set_own_mode(model: nn.Module, mode: BiasMode, others: dict[str, Any] | None = None) -> None:
    """Set a model's own mode, and other sections of its mode file by name; its tensors do not change."""
    model.__dict__["basam_mode"] = mode
    model.__dict__["basam_sections"] = dict(others or {})


def own_mode(model: nn.Module) -> BiasMode:
    """A model's own mode: the one beside its weights, else `BiasMode()`."""
    mode: BiasMode = model.__dict__.get("basam_mode", BiasMode())
    return mode


def own_section(model: nn.Module, name: str) -> dict[str, Any]:
    """Another section of a model's mode file, such as `focus`; empty if there is none."""
    section = model.__dict__.get("basam_sections", {}).get(name, {})
    if not isinstance(section, dict):
        raise InputError(f"{name}={section!r} in the model's mode file: an object is needed")
    return section


def attach(model: Model, mode: BiasMode | None = None, slopes: LearnedSlopes | None = None) -> Model:
    """Correct the attention of `model` for the number of tokens, in place, and let it take images of any size.

    Parameters keep their names and values. Images must be padded to a multiple of the patch; `basam.Predictor` does that.
    Attaching again replaces the mode.

    Args:
        model: a SAM of a known family.
        mode: the correction. None: the model's own, which `basam.load` read beside its weights, else `BiasMode()`: the
            published method, which is the identity at the trained size.
        slopes: what `BiasMode(slopes="learned")` takes, and only it. None keeps those of an earlier call. They stay
            outside the model's parameters; `attachment_of(model).learned` has them.

    Returns:
        `model` itself.

    Raises:
        UnsupportedModelError: the model is of no known family, or a part of it is of a class that changes what attaching
            replaces; the class is named, and the model is left as it was.
        TypeError: `mode` is not a BiasMode.
        ValueError: the mode needs learned slopes and there are none, or they belong to another model.
    """
    family = family_of(model)
    mode = own_mode(model) if mode is None else mode
    geometry = family.geometry(model)
    present = attachment_of(model)
    if slopes is None and present is not None:
        slopes = present.learned
    check_mode(mode, slopes, geometry)
    if present is not None:
        present.mode, present.learned = mode, slopes
        return model
    attachment = Attachment(mode, geometry, (geometry.trained_side, geometry.trained_side), learned=slopes, save_mode=save_mode)
    replacements = [*family.replacements(model), *query_replacements(model)]
    for module, replacement in replacements:
        module.__dict__["basam_replaced"] = type(module)
        module.__dict__["basam_own"] = attachment
        module.__class__ = replacement
    for number, attention in enumerate(global_attentions(model, geometry)):
        attention.__dict__["basam_layer"] = number
    return model


def detach(model: Model) -> Model:
    """Restore `model` to its state before `attach`, bit for bit; a plain model is not changed. Returns `model`."""
    instance_of(model, "model", nn.Module)
    for module in model.modules():
        if isinstance(module, Replaced):
            module.__class__ = module.__dict__.pop("basam_replaced")
            del module.__dict__["basam_own"]
            module.__dict__.pop("basam_layer", None)
    return model


def check_mode(mode: BiasMode, slopes: LearnedSlopes | None, geometry: Geometry) -> None:
    """Raise unless `mode` is a mode that fits the slopes and the model; see `attach` for the errors."""
    if not isinstance(mode, BiasMode):
        raise InputTypeError(f"mode={mode!r}: a basam.BiasMode is needed")
    if slopes is None:
        if mode.slopes == "learned":
            raise InputError("slopes='learned', but this model has none: basam.load(name, adapter=...) brings them")
        return
    instance_of(slopes, "slopes", LearnedSlopes)
    expected = (len(geometry.global_layers), geometry.heads)
    if tuple(slopes.log.shape) != expected:
        raise InputError(f"learned slopes of {tuple(slopes.log.shape)} global layers and heads: this model has {expected}")


def global_attentions(model: nn.Module, geometry: Geometry) -> list[GridAttention]:
    """Attention of the global layers of an attached model, in the order of the encoder.

    Where layers with windows are of the same class, there is one for every layer.
    """
    attentions = [module for module in model.modules() if isinstance(module, GridAttention)]
    return [attentions[index] for index in geometry.global_layers] if len(attentions) == geometry.layers else attentions


@contextmanager
def attached(model: Model, mode: BiasMode | None = None) -> Iterator[Model]:
    """`attach` for the length of a `with` block; afterwards the model is as before, plain or with its own mode.

    That holds whatever the block does to the model: a model that it detached is attached again.
    """
    before = attachment_of(model)
    previous = None if before is None else (before.mode, before.learned)
    attach(model, mode)
    try:
        yield model
    finally:
        if previous is None:
            detach(model)
        else:
            attach(model, *previous)
            own_attachment(model).learned = previous[1]
