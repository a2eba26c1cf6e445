"""The commands by name, with their lines in `basam --help`; the module of a command is imported when it is given."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

# In the order of the help; a command is the function `basam.cli.NAME.NAME`, and its line the first of its docstring.
LINES = {
    "segment": "Segment photographs at native resolution.",
    "everything": "Segment everything in photographs: the model is prompted with a grid of points, "
    "and duplicates and poor masks are dropped.",
    "merge": "Write one COCO file of the masks in several folders, such as the shards of a run.",
    "evaluate": "Evaluate a model on a data set at any sizes, with and without the correction.",
    "info": "Print the family, trained grid and global layers of a model, and what attaching changes, or an adapter's slopes.",
    "download": "Download models into the cache, where `basam.load` finds them.",
    "scenes": "Generate scenes with exact masks at any size, in the layout of DIS5K, DUTS, ISIC 2017, COD10K or COCO.",
    "calibrate": "Choose slope, strength and positions for a model on your kind of photographs.",
    "tune": "Tune a model on your photographs and masks; writes the adapter OUT/adapter.",
    "benchmark": "Compare a base with adapters, with and without the correction, on the test splits of several data sets.",
    "web": "Segment photographs in the browser, by clicks and boxes.",
}


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
        for name, line in LINES.items():
            self.add_command(LazyCommand(name, help=line))
