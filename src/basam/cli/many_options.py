"""Options of the commands that take many photographs, `segment` and `everything`, and texts that they take apart."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from basam.cli.options import pixels_of_text

DEFAULT_KINDS = "mask,overlay"


class DType(str, Enum):
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


EncoderType = Annotated[DType, typer.Option(help="Of the image encoder; the rest keeps float32.")]
PhotoWords = Annotated[
    list[str] | None,
    typer.Argument(help="Photographs, folders of them, patterns, or - for names from standard input.", show_default=False),
]
Write = Annotated[
    str,
    typer.Option("--write", metavar="KIND,KIND", help="Of mask, overlay, cutout, coco, labelme, labels, geojson, svg and csv."),
]
Tolerance = Annotated[float, typer.Option(min=0, help="Pixels by which polygons may leave a mask's edge; 0: not at all.")]
MinArea = Annotated[int, typer.Option(min=0, help="Parts of masks of fewer pixels are left out.", show_default="none")]
FillHoles = Annotated[int, typer.Option(min=0, help="Holes of fewer pixels are filled.", show_default="none")]
Largest = Annotated[bool, typer.Option("--largest", help="Of each mask the largest part alone.")]
Out = Annotated[Path, typer.Option(help="Folder for the files; made where absent.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Do photos again that are done already.")]
ShardText = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Part I, from 0, of N parts of the photos.",
        show_default="RANK/WORLD_SIZE of a launcher",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray", metavar="local|ADDRESS", help="On a Ray cluster, or one started here.", show_default=False),
]
RayWorkers = Annotated[
    int | None,
    typer.Option("--ray-workers", min=1, help="Models that work at once.", show_default="as many as the cluster has room for"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON list instead of the table.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print failures only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell of every photo as it is done, and every note.")]


def parse_long_side(text: str) -> int | Literal["auto"] | None:
    if text in ("auto", "native"):
        return None if text == "native" else "auto"
    side = pixels_of_text(text)
    if side is None:
        raise typer.BadParameter(f"{text!r}: 'auto', 'native' or a number of pixels is needed", param_hint="--long-side")
    return side


def check_mode_switches(plain: bool, switches: dict[str, Any], mode_file: Path | None) -> dict[str, Any]:
    """The fields of a mode that were given, as `dataclasses.replace` takes them."""
    changes = {name: getattr(value, "value", value) for name, value in switches.items() if value is not None}
    if plain and (changes or mode_file is not None):
        raise typer.BadParameter(
            "plain SAM takes no --strength, --scaling, --slope, --positions, --aspect or --mode", param_hint="--plain"
        )
    return changes


def check_words(
    photos: list[str] | None, shard: str | None, ray: str | None, workers: int | None, quiet: bool, verbose: bool
) -> None:
    """Refuse options that do not go together."""
    if not photos:
        raise typer.BadParameter("photographs are needed: files, folders, patterns, or -", param_hint="PHOTOS")
    if ray is not None and shard is not None:
        raise typer.BadParameter("Ray hands the photos out itself: it takes no --shard", param_hint="--ray")
    if ray is None and workers is not None:
        raise typer.BadParameter("goes with --ray", param_hint="--ray-workers")
    if quiet and verbose:
        raise typer.BadParameter("--quiet and --verbose contradict each other", param_hint="--verbose")
