"""The families of SAM implementations. Each module of this folder with a `FAMILY` object is one; nothing lists them."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from torch import nn

from basam.families.base import Attachment, Family, Geometry, Prompts, UnsupportedModelError


@cache
def families() -> tuple[Family, ...]:
    """All families, in the order of their module names."""
    modules = (importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
    return tuple(module.FAMILY for module in modules if hasattr(module, "FAMILY"))


def family_of(model: nn.Module) -> Family:
    """The family of a live model.

    Raises:
        UnsupportedModelError: naming the class found and the families known.
    """
    for family in families():
        if family.matches(model):
            return family
    known = "; ".join(family.name for family in families())
    raise UnsupportedModelError(f"{type(model).__module__}.{type(model).__qualname__} is no SAM that basam knows: {known}")


__all__ = ["Attachment", "Family", "Geometry", "Prompts", "UnsupportedModelError", "families", "family_of"]
