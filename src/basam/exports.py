"""Public names of a folder, imported when they are first used, so that `basam --help` does not wait for torch.

A folder's `__init__.pyi` lists its public names, for people, type checkers and `exports`, as in Scientific Python's
SPEC 1. `from basam.lab.data.factory import open_dataset as open_dataset` there makes `basam.lab.data.open_dataset` public.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def exports(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose `__init__.pyi` lists what it exports."""
    module = sys.modules[package]
    stub = Path(str(module.__file__)).with_name("__init__.pyi")
    imports = [node for node in ast.parse(stub.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: node.module or package for node in imports for alias in node.names}

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        # A whole module where the package itself is its home, as `from basam.families.shared import checkpoints`.
        value = importlib.import_module(f"{home}.{name}") if home == package else getattr(importlib.import_module(home), name)
        setattr(module, name, value)
        return value

    return get, lambda: sorted({*vars(module), *homes}), sorted(homes)
