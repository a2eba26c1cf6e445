"""Options shared by `segment` and `everything`, the commands for many photographs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from basam.batch import PhotoSettings
from basam.batch.writers import KINDS
from basam.cli.options import (
    AdapterName,
    Device,
    EncoderDtype,
    MaxPixels,
    MaxSide,
    ModeFile,
    ModelName,
    join,
    pixels_of_text,
    split_names,
)
from basam.masks import Cleaning


@dataclass(frozen=True, kw_only=True)
class PhotoOptions:
    """Options of both commands, beside their own."""

    photos: Annotated[
        list[str] | None,
        typer.Argument(help="Photographs, folders of them, patterns, or - for names from standard input.", show_default=False),
    ] = None
    model: ModelName = PhotoSettings.model
    adapter: AdapterName = PhotoSettings.adapter
    long_side: Annotated[
        str,
        typer.Option(
            metavar="auto|native|N",
            rich_help_panel="Photographs",
            help="Long side of the whole photo, and of crops, in model pixels; auto: up to 4 times the training token count.",
        ),
    ] = str(PhotoSettings.long_side)
    max_side: MaxSide = PhotoSettings.max_side
    max_pixels: MaxPixels = PhotoSettings.max_pixels
    mode: ModeFile = PhotoSettings.mode_file
    dtype: EncoderDtype = PhotoSettings.dtype
    device: Device = PhotoSettings.device
    write: Annotated[
        str | None,
        typer.Option(
            metavar="KIND,KIND",
            rich_help_panel="Results",
            help=f"Kinds of files: {', '.join(KINDS[:-1])} and {KINDS[-1]}.",
            show_default=join(PhotoSettings.kinds),
        ),
    ] = None
    tolerance: Annotated[
        float,
        typer.Option(
            min=0, rich_help_panel="Results", help="Pixels by which polygons may deviate from a mask's edge; 0: none."
        ),
    ] = PhotoSettings.tolerance
    min_area: Annotated[
        int,
        typer.Option(min=0, rich_help_panel="Results", help="Drop regions of masks with fewer pixels.", show_default="none"),
    ] = Cleaning.min_area
    fill_holes: Annotated[
        int, typer.Option(min=0, rich_help_panel="Results", help="Fill holes with fewer pixels.", show_default="none")
    ] = Cleaning.fill_holes
    largest: Annotated[
        bool, typer.Option("--largest", rich_help_panel="Results", help="Keep only the largest region of a mask.")
    ] = Cleaning.largest
    out: Annotated[Path, typer.Option(rich_help_panel="Results", help="Folder for the files; created if absent.")] = Path("out")
    overwrite: Annotated[bool, typer.Option("--overwrite", rich_help_panel="Results", help="Do finished photos again.")] = (
        PhotoSettings.overwrite
    )
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", rich_help_panel="Results", help="Without prompts, also replace results that were made with prompts."
        ),
    ] = PhotoSettings.replace
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            rich_help_panel="Several machines",
            help="Part I, from 0, of N parts of the photos.",
            show_default="RANK/WORLD_SIZE of a launcher",
        ),
    ] = None
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="local|ADDRESS",
            rich_help_panel="Several machines",
            help="Run on a Ray cluster, or on one started here.",
            show_default=False,
        ),
    ] = None
    ray_workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel="Several machines",
            help="Number of models that run in parallel.",
            show_default="as many as fit on the cluster",
        ),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of the table.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print failures only.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Report every photo as it is done, and every note.")] = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> PhotoOptions:
        """From the values of all options of a command."""
        return cls(**{field.name: given[field.name] for field in fields(cls)})

    @property
    def kinds(self) -> tuple[str, ...] | None:
        """The kinds of files that were given."""
        return None if self.write is None else split_names("--write", self.write)

    def check(self, *, plain: bool, photos_needed: bool = True) -> None:
        """Raise for options that exclude one another."""
        if photos_needed and not self.photos:
            raise typer.BadParameter("photographs are needed: files, folders, patterns, or -", param_hint="PHOTOS")
        if plain and self.mode is not None:
            raise typer.BadParameter("plain SAM has no mode", param_hint="--plain")
        if self.ray is not None and self.shard is not None:
            raise typer.BadParameter("Ray distributes the photos itself; leave --shard out", param_hint="--ray")
        if self.ray is None and self.ray_workers is not None:
            raise typer.BadParameter("needs --ray", param_hint="--ray-workers")
        if self.quiet and self.verbose:
            raise typer.BadParameter("--quiet and --verbose contradict each other", param_hint="--verbose")

    @property
    def side(self) -> int | Literal["auto"] | None:
        """`long_side` for `PhotoSettings`."""
        if self.long_side in ("auto", "native"):
            return None if self.long_side == "native" else "auto"
        side = pixels_of_text(self.long_side)
        if side is None:
            raise typer.BadParameter(
                f"{self.long_side!r}: 'auto', 'native' or a number of pixels is needed", param_hint="--long-side"
            )
        return side

    def settings(self, *, other_kinds: Sequence[str] = ()) -> dict[str, Any]:
        """Arguments of the settings of both commands.

        Args:
            other_kinds: kinds of files that photographs do not have; default kinds are written if only such kinds are given.

        Raises:
            ValueError: an unknown kind of file, or a number below 0.
            ImportError: a kind of file needs a library that is missing.
        """
        from basam.batch.writers import check_kinds  # here, so that `--help` does not import numpy
        from basam.model import check_model_name

        check_model_name(self.model)
        kinds = tuple(kind for kind in self.kinds or PhotoSettings.kinds if kind not in other_kinds) or PhotoSettings.kinds
        return {
            "model": self.model,
            "adapter": self.adapter,
            "device": self.device,
            "dtype": self.dtype,
            "mode_file": self.mode,
            "long_side": self.side,
            "max_side": self.max_side,
            "max_pixels": self.max_pixels,
            "kinds": check_kinds(kinds),
            "cleaning": Cleaning(self.fill_holes, self.min_area, self.largest),
            "tolerance": self.tolerance,
            "overwrite": self.overwrite,
            "replace": self.replace,
        }


def takes_photos(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `PhotoOptions` after its own; it gets their values as keywords."""
    own = [one for one in inspect.signature(command, eval_str=True).parameters.values() if one.kind is not one.VAR_KEYWORD]
    kinds = get_type_hints(PhotoOptions, include_extras=True)
    shared = [
        inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=kinds[option.name])
        for option in fields(PhotoOptions)
    ]
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + shared
    vars(command)["__signature__"] = inspect.Signature(parameters)
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command
