"""Options that the commands for many photographs share, `segment` and `everything`, and how a command gets them."""

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
    """What both commands take beside their own options."""

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
            help="Of the whole photo, and of crops, in model pixels; auto: up to 4 times the trained tokens.",
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
            help=f"Of {', '.join(KINDS[:-1])} and {KINDS[-1]}.",
            show_default=join(PhotoSettings.kinds),
        ),
    ] = None
    tolerance: Annotated[
        float,
        typer.Option(min=0, rich_help_panel="Results", help="Pixels by which polygons may leave a mask's edge; 0: not at all."),
    ] = PhotoSettings.tolerance
    min_area: Annotated[
        int,
        typer.Option(
            min=0, rich_help_panel="Results", help="Parts of masks of fewer pixels are left out.", show_default="none"
        ),
    ] = Cleaning.min_area
    fill_holes: Annotated[
        int, typer.Option(min=0, rich_help_panel="Results", help="Holes of fewer pixels are filled.", show_default="none")
    ] = Cleaning.fill_holes
    largest: Annotated[
        bool, typer.Option("--largest", rich_help_panel="Results", help="Of each mask the largest part alone.")
    ] = Cleaning.largest
    out: Annotated[Path, typer.Option(rich_help_panel="Results", help="Folder for the files; made where absent.")] = Path("out")
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel="Results", help="Do photos again that are done already.")
    ] = PhotoSettings.overwrite
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
            help="On a Ray cluster, or one started here.",
            show_default=False,
        ),
    ] = None
    ray_workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel="Several machines",
            help="Models that work at once.",
            show_default="as many as the cluster has room for",
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
        """Refuse options that do not go together."""
        if photos_needed and not self.photos:
            raise typer.BadParameter("photographs are needed: files, folders, patterns, or -", param_hint="PHOTOS")
        if plain and self.mode is not None:
            raise typer.BadParameter("plain SAM takes no --mode", param_hint="--plain")
        if self.ray is not None and self.shard is not None:
            raise typer.BadParameter("Ray hands the photos out itself: it takes no --shard", param_hint="--ray")
        if self.ray is None and self.ray_workers is not None:
            raise typer.BadParameter("goes with --ray", param_hint="--ray-workers")
        if self.quiet and self.verbose:
            raise typer.BadParameter("--quiet and --verbose contradict each other", param_hint="--verbose")

    @property
    def side(self) -> int | Literal["auto"] | None:
        """`long_side` as `PhotoSettings` has it."""
        if self.long_side in ("auto", "native"):
            return None if self.long_side == "native" else "auto"
        side = pixels_of_text(self.long_side)
        if side is None:
            raise typer.BadParameter(
                f"{self.long_side!r}: 'auto', 'native' or a number of pixels is needed", param_hint="--long-side"
            )
        return side

    def settings(self, *, other_kinds: Sequence[str] = ()) -> dict[str, Any]:
        """Arguments that the settings of both commands take.

        Args:
            other_kinds: of files that photographs do not have; the usual ones are written where no others are wanted.

        Raises:
            ValueError: an unknown kind of file, or a number below 0.
            ImportError: a kind of file needs a library that is missing.
        """
        from basam.batch.writers import check_kinds  # needs numpy, which `--help` does not wait for
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
    own = [each for each in inspect.signature(command, eval_str=True).parameters.values() if each.kind is not each.VAR_KEYWORD]
    kinds = get_type_hints(PhotoOptions, include_extras=True)
    shared = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=kinds[each.name])
        for each in fields(PhotoOptions)
    ]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + shared
    vars(command)["__signature__"] = inspect.Signature(parameters)
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command
