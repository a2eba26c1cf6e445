"""Discovers families: the folders beside this file with a `FAMILY` object, and those of other packages.

Another package registers its family by an entry point in the group `basam.families`, in its `pyproject.toml`:

    [project.entry-points."basam.families"]
    my_sam = "my_package.my_sam:FAMILY"
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Callable
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

import basam.families as package
from basam.families.base import Family, UnsupportedModelError, is_instance

if TYPE_CHECKING:
    from torch import nn

GROUP = "basam.families"


@cache
def families() -> tuple[Family, ...]:
    """All families: this package's in the order of their folders, then those of other packages by name."""
    folders = [info.name for info in pkgutil.iter_modules(package.__path__) if info.ispkg]
    modules = (importlib.import_module(f"{package.__name__}.{name}") for name in folders)
    return (*(module.FAMILY for module in modules if hasattr(module, "FAMILY")), *registered())


def registered() -> list[Family]:
    """Families of other packages; one that cannot be loaded is named in a warning and left out."""
    loaded = []
    for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            family = entry.load()
            if isinstance(family, type):
                raise TypeError(f"{entry.value} is a class: an object of it is needed")
            if not isinstance(family, Family) or not isinstance(getattr(family, "name", None), str):
                raise TypeError(f"{entry.value} is a {type(family).__name__}: a basam.families.Family with a name is needed")
        except (Exception, SystemExit) as error:  # whatever another package raises: models of all other families keep working
            home = "" if entry.dist is None else f" of the package {entry.dist.name}"
            warnings.warn(f"the family {entry.name!r}{home} is left out: {error}", stacklevel=2)
            continue
        loaded.append(family)
    return loaded


def agrees(family: Family, question: Callable[[Any], bool], about: Any) -> bool:
    """What a family returns; an exception in a family of another package becomes a warning that names it, and False."""
    if type(family).__module__.startswith(f"{package.__name__}."):
        return question(about)
    try:
        return bool(question(about))
    except Exception as error:
        warnings.warn(f"the family {family.name!r} of {type(family).__module__} is passed over: {error!r}", stacklevel=3)
        return False


def family_of(model: nn.Module) -> Family:
    """The family of a live model.

    Raises:
        UnsupportedModelError: not a model of a known family, or one in a wrapper; names its class and the way out.
    """
    from torch import nn

    if not isinstance(model, nn.Module):
        raise UnsupportedModelError(f"{model!r} is not a model: a torch.nn.Module, such as basam.load returns, is needed")
    if any(is_instance(module, "torch.distributed.fsdp", "FullyShardedDataParallel") for module in model.modules()):
        raise UnsupportedModelError(
            f"{type(model).__name__} is sharded by FullyShardedDataParallel, which takes parameters out of modules: shard it "
            "with torch.distributed.fsdp.fully_shard, which works with attached models"
        )
    for family in families():
        if agrees(family, family.matches, model):
            return family
    name = f"{type(model).__module__}.{type(model).__qualname__}"
    for family in families():
        advice = family.advice(model)
        if advice is not None:
            raise UnsupportedModelError(f"{name} {advice}")
    for path, inner in model.named_modules():
        if path and any(agrees(family, family.matches, inner) for family in families()):
            raise UnsupportedModelError(
                f"{name} wraps a {type(inner).__name__}: attach the model inside, model.{path}; that is in place, so the "
                "wrapper runs it too"
            )
    known = "; ".join(family.name for family in families())
    raise UnsupportedModelError(f"{name} is not a SAM that basam supports: {known}")
