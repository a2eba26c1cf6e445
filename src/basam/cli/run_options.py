"""Options of a run over many photographs that do not decide its results: where to, on which machines, what is printed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from basam.checks import Count, check_fields
from basam.help import Help

MACHINES = "Several machines"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of `segment` and `everything` beside their settings.

    Raises:
        typer.BadParameter: options that exclude one another.
    """

    out: Annotated[Path, Help("Folder for the files; made where absent.", "Results")] = Path("out")
    shard: Annotated[
        str | None, Help("Part I, from 0, of N parts of the photos.", MACHINES, "I/N", "RANK/WORLD_SIZE of a launcher")
    ] = None
    ray: Annotated[str | None, Help("Run on a Ray cluster, or on one started here.", MACHINES, "local|ADDRESS", "none")] = None
    ray_workers: Annotated[
        Count | None, Help("Number of models that run in parallel.", MACHINES, unset="as many as fit on the cluster")
    ] = None
    as_json: Annotated[bool, Help("Print one JSON list instead of the table.", option="--json")] = False
    quiet: Annotated[bool, Help("Print failures only.", option="--quiet,-q")] = False
    verbose: Annotated[bool, Help("Report every photo as it is done, and every note.", option="--verbose,-v")] = False

    def __post_init__(self) -> None:
        check_fields(self)
        if self.ray is not None and self.shard is not None:
            raise typer.BadParameter("Ray distributes the photos itself; leave --shard out", param_hint="--ray")
        if self.ray is None and self.ray_workers is not None:
            raise typer.BadParameter("needs --ray", param_hint="--ray-workers")
        if self.quiet and self.verbose:
            raise typer.BadParameter("--quiet and --verbose contradict each other", param_hint="--verbose")


def check_photos(photos: list[str] | None) -> None:
    if not photos:
        raise typer.BadParameter("photographs are needed: files, folders, patterns, or -", param_hint="PHOTOS")
