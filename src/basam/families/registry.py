"""Which families there are: the folders beside this file that hold a `FAMILY` object, and those of other packages."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from torch import nn

import basam.families as package
from basam.families.base import Family, UnsupportedModelError


@cache
def families() -> tuple[Family, ...]:
    """All families, in the order of their module names."""
    folders = [info.name for info in pkgutil.iter_modules(package.__path__) if info.ispkg]
    modules = (importlib.import_module(f"{package.__name__}.{name}") for name in folders)
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
