"""The commands by name, with their lines in `basam --help`; the module of a command is imported when it is given."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

# In the order of the help; a command is the function `basam.cli.NAME.NAME`.
NAMES = ("segment", "everything", "merge", "evaluate", "info", "download", "scenes", "calibrate", "tune", "benchmark", "web")


def line_of(name: str) -> str:
    """A command's text in `basam --help`: the beginning of its docstring, read without an import."""
    tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    return " ".join((ast.get_docstring(function) or "").partition("\n\n")[0].split())


class LazyCommand(TyperCommand):
    """A command known by name and line; when its arguments are parsed, the command in its module takes over."""

    def load(self) -> Any:
        """The command itself, with its options: a `TyperCommand`."""
        alone = typer.Typer(add_completion=False)
        command = getattr(importlib.import_module(f"basam.cli.{self.name}"), str(self.name))
        paragraphs = (inspect.getdoc(command) or "").split("\n\n")
        alone.command(help="\n\n".join(" ".join(one.split()) for one in paragraphs))(command)
        return get_command(alone)

    def make_context(self, *args: Any, **settings: Any) -> Any:
        """The context of the command itself, for its help, its completions and its run."""
        return self.load().make_context(*args, **settings)


class LazyGroup(TyperGroup):
    """The group of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name in NAMES:
            self.add_command(LazyCommand(name, help=line_of(name)))
