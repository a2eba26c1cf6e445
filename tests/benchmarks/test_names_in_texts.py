"""Names of modules that stand in texts, where no type checker sees them: programs that others start, imports that are timed."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\b(?:basam|studies)(?:\.[a-z_]\w*)+")


def is_there(name: str) -> bool:
    """Whether `basam.lab.data.open_dataset` is a module, or a name in one."""
    try:
        importlib.import_module(name)
    except ImportError:
        home, _, attribute = name.rpartition(".")
        return hasattr(importlib.import_module(home), attribute)
    return True


def test_modules_named_in_texts_are_there() -> None:
    named = []
    for folder in ("src", "benchmarks", "studies"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            constants = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
            texts = [text for text in constants if isinstance(text, str)]
            named += [(name, path.name) for text in texts for name in NAME.findall(text)]
    assert len(named) > 50
    assert [(name, where) for name, where in named if not is_there(name)] == []
