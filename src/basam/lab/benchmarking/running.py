"""One table of the gains of tuning: zero-shot, specialists and a generalist, with and without the correction, on test
splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from basam.checks import instance_of, path_of
from basam.files import MAX_PIXELS, check_extra, write_json
from basam.lab.benchmarking.settings import ZERO_SHOT, BenchmarkEntry, BenchmarkSettings
from basam.lab.data import Issues, Source, takes_rule
from basam.lab.evaluation import NATIVE, EvaluateSettings, evaluate
from basam.model import TENSORS, device_name, find_device, read_adapter, read_mode_file, resolve

# Keys of `metrics.METRICS`: what the papers of every kind report first, and IoU for all.
METRICS = {
    "dis5k": ("iou", "boundary_iou", "mae"),
    "duts": ("iou", "f_measure", "mae"),
    "cod10k": ("iou", "s_measure", "weighted_f"),
}
USUAL = ("iou", "dice")
FOCUSED = "-focus"  # after the kind of data, in the name of a run's folder


@dataclass(frozen=True)
class Benchmark:
    """Attributes:
    titles: of the data sets, by kind.
    rows: figures with `candidate`, `kind`, `method`, `size` and `prompt`.
    paired: differences of the corrected method to the uncorrected one, with `candidate` and `data`; see
        `pairing.compare_methods`.
    tuned: values about every adapter.
    """

    titles: dict[str, str]
    rows: list[dict[str, Any]]
    paired: list[dict[str, Any]]
    tuned: list[dict[str, Any]]
    issues: Issues

    def figure(self, metric: str, **where: Any) -> float | None:
        """The value of one cell of the table; None: not measured."""
        row = self.row(**where)
        return None if row is None else row.get(metric)

    def row(self, **where: Any) -> dict[str, Any] | None:
        """The row at a position of the table; None: not measured."""
        return next((row for row in self.rows if all(row[name] == value for name, value in where.items())), None)

    def places(self) -> list[tuple[str, str]]:
        """Candidates and methods in the order of the table."""
        return list(dict.fromkeys((row["candidate"], row["method"]) for row in self.rows))


def benchmark(
    settings: BenchmarkSettings,
    out: Path,
    *,
    workers: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
    command: Sequence[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Benchmark:
    """Evaluate every candidate on every data set; runs that are already below `out/runs` resume.

    Args:
        max_pixels: see `evaluate`.
        progress: called with the name of the run, the images done and the images in all.

    Raises:
        ValueError, OSError: see `evaluate`; adapters and data sets are opened before anything is measured.
    """
    instance_of(settings, "settings", BenchmarkSettings)
    find_device(settings.device)  # before anything is opened
    check_extra("evaluate")
    out = path_of(out, "out")
    sources = [Source.parse(source) for source in settings.data]
    titles = {one.kind: one.open().title for one in sources}
    tuned = [describe(candidate) for candidate in settings.entries]
    rows: list[dict[str, Any]] = []
    paired: list[dict[str, Any]] = []
    issues = Issues()
    for candidate in (BenchmarkEntry(ZERO_SHOT), *settings.entries):
        for source in sources:
            if candidate.kinds and source.kind not in candidate.kinds:
                continue
            for name, run in runs_of(settings, candidate, source).items():
                label = f"{candidate.name} on {titles[source.kind]}"
                show = None if progress is None else lambda done, whole, label=label: progress(label, done, whole)
                folder = out / "runs" / candidate.name / name
                outcome = evaluate(run, folder, workers=workers, max_pixels=max_pixels, command=command, progress=show)
                assert outcome.summary is not None, "one process is needed"
                rows += [{"candidate": candidate.name, "kind": source.kind, **row} for row in outcome.summary["rows"]]
                about = {"candidate": candidate.name, "data": titles[source.kind]}
                paired += [{**about, **entry} for entry in outcome.summary["paired"]]
                if candidate.adapter is None and name == source.kind and outcome.issues is not None:
                    issues.extend(outcome.issues)
    result = Benchmark(titles, rows, paired, tuned, issues)
    device = device_name(find_device(settings.device))
    write_json(out / "benchmark.json", {"titles": titles, "device": device, "tuned": tuned, "rows": rows, "paired": paired})
    return result


def runs_of(settings: BenchmarkSettings, candidate: BenchmarkEntry, source: Source) -> dict[str, EvaluateSettings]:
    """The evaluations of one entry on one data set, by folder name: whole photographs, and regions if requested."""
    whole = EvaluateSettings(
        kind=source.kind,
        root=str(source.root),
        split=source.split,
        name=source.name,
        mask_values=settings.mask_values if settings.mask_values and takes_rule(source.kind, settings.mask_values) else None,
        adapter=candidate.adapter,
        methods=candidate.methods,
        mode=settings.mode if candidate.adapter is None else None,
        metrics=METRICS.get(source.kind, USUAL),
        **{name: getattr(settings, name) for name in ("model", "sizes", "prompts", "seed", "limit", "dtype", "device")},
    )
    if not settings.focus:
        return {source.kind: whole}
    # Without a number of pixels regions have the trained side.
    return {source.kind: whole, f"{source.kind}{FOCUSED}": replace(whole, sizes=(NATIVE,), methods=("focus",))}


def describe(candidate: BenchmarkEntry) -> dict[str, Any]:
    """Size and training time of an adapter, from its own files."""
    assert candidate.adapter is not None
    folder = resolve(candidate.adapter)
    adapter = read_adapter(folder)
    provenance = read_mode_file(folder / "mode.json").found
    about = {name: provenance.get(name) for name in ("tuned", "steps", "kept", "seconds", "sizes", "data")}
    size = (folder / TENSORS).stat().st_size
    return {"candidate": candidate.name, "parameters": adapter.parameters, "bytes": size, **about}
