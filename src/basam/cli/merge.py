"""`basam merge`: the masks of several folders of results -> one COCO file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from basam.cli import console
from basam.cli.console import one_line_errors


def merge(
    folders: Annotated[list[Path], typer.Argument(help="Folders of results written with --write coco.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The COCO file.")] = Path("coco.json"),
) -> None:
    """Write one COCO file of the masks in several folders, such as the shards of a run.

    The shards of a run give the same file as one run. A photo that is in several folders has the masks of the last one.
    """
    with one_line_errors():
        from basam.batch.writers import merge_coco

        count = merge_coco(folders, out)
    console.say(f"number of photos: {count} -> {out}")
