"""attach, detach, attached: check -> match -> replace. Either every module is replaced or none is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch import nn

from basam.families import family_of
from basam.families.base import Attachment, Replaced
from basam.families.modules.queries import query_replacements
from basam.method import BiasMode

Model = TypeVar("Model", bound=nn.Module)


def attachment_of(model: nn.Module) -> Attachment | None:
    """The attachment of `model`, or None where it is plain."""
    return next((module.basam for module in model.modules() if isinstance(module, Replaced)), None)


def attach(model: Model, mode: BiasMode | None = None) -> Model:
    """Correct the attention of `model` for the number of tokens, in place, and let it take images of any size.

    Parameters keep their names and values. Images must be padded to a multiple of the patch; `basam.Predictor` does that.
    Attaching again replaces the mode.

    Args:
        model: a SAM of a known family.
        mode: the correction; by default `BiasMode()`, which is the identity at the trained size.

    Returns:
        `model` itself.

    Raises:
        UnsupportedModelError: the model is of no known family; it is left as it was.
        TypeError: `mode` is no BiasMode.
    """
    mode = BiasMode() if mode is None else mode
    if not isinstance(mode, BiasMode):
        raise TypeError(f"mode={mode!r}: a basam.BiasMode is needed")
    family = family_of(model)
    present = attachment_of(model)
    if present is not None:
        present.mode = mode
        return model
    geometry = family.geometry(model)
    attachment = Attachment(mode, geometry, (geometry.trained_side, geometry.trained_side))
    replacements = [*family.replacements(model), *query_replacements(model)]
    for module, replacement in replacements:
        module.__dict__["basam_replaced"] = type(module)
        module.__dict__["basam"] = attachment
        module.__class__ = replacement
    return model


def detach(model: Model) -> Model:
    """Make `model` what it was before `attach`, to the bit; a plain model is left alone. Returns `model`."""
    for module in model.modules():
        if isinstance(module, Replaced):
            module.__class__ = module.__dict__.pop("basam_replaced")
            del module.__dict__["basam"]
    return model


@contextmanager
def attached(model: Model, mode: BiasMode | None = None) -> Iterator[Model]:
    """`attach` for the length of a `with` block; afterwards the model is as it was before, plain or with its own mode."""
    before = attachment_of(model)
    mode_before = before.mode if before is not None else None
    attach(model, mode)
    try:
        yield model
    finally:
        if mode_before is None:
            detach(model)
        else:
            attach(model, mode_before)
