"""The commands by name, each with the line that `basam --help` shows; the module of a command is imported once it is given."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

# In the order of the help; each is a function `basam.cli.NAME.NAME`, and its line is the first of its docstring.
LINES = {
    "segment": "Segment photographs at their own resolution.",
    "everything": "Find everything in photographs: the model is prompted with a grid of points, "
    "and the best mask of each object stays.",
    "merge": "One COCO file of the masks in several folders, such as those of the shards of a run.",
    "evaluate": "Evaluate a model on a data set at any sizes, with and without the correction.",
    "info": "Print the family, trained grid and global layers of a model, and what attaching changes, or an adapter's slopes.",
    "download": "Download models into the cache, where `basam.load` finds them.",
    "scenes": "Generated scenes with exact masks at any size, laid out as DIS5K, DUTS, ISIC 2017, COD10K or COCO.",
    "calibrate": "Choose slope, strength and positions for a model on your kind of photographs.",
    "tune": "Tune a model on your photographs and masks; the result is the folder OUT/adapter.",
    "benchmark": "Compare a base with adapters, each with and without the correction, on the test splits of several data sets.",
    "web": "Segment photographs in the browser, by clicks and boxes.",
}


class LazyCommand(TyperCommand):
    """A command of which name and line are known; once words for it are parsed, the one in its module takes over."""

    def load(self) -> Any:
        """The command itself, with its options: a `TyperCommand`."""
        alone = typer.Typer(add_completion=False)
        command = getattr(importlib.import_module(f"basam.cli.{self.name}"), str(self.name))
        paragraphs = (inspect.getdoc(command) or "").split("\n\n")
        alone.command(help="\n\n".join(" ".join(one.split()) for one in paragraphs))(command)
        return get_command(alone)

    def make_context(self, *args: Any, **settings: Any) -> Any:
        """The context of the command itself, from which its help, its completions and its run go on."""
        return self.load().make_context(*args, **settings)


class LazyGroup(TyperGroup):
    """The group of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, line in LINES.items():
            self.add_command(LazyCommand(name, help=line))
