"""`basam merge`: the masks of several folders of results -> one COCO file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from basam.cli import console
from basam.cli.console import one_line_errors


def merge(
    folders: Annotated[list[Path], typer.Argument(help="Folders of results that --write coco was given for.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The COCO file.")] = Path("coco.json"),
) -> None:
    """One COCO file of the masks in several folders, such as those of the shards of a run.

    The shards of a run together give what one run gives. A photo that lies in several folders has the masks of the last one.
    """
    with one_line_errors():
        from basam.batch.writers import merge_coco

        count = merge_coco(folders, out)
    console.say(f"number of photos: {count} -> {out}")
