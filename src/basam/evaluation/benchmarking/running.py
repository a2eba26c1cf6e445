"""One table of what tuning brings: zero-shot, specialists and a generalist, with and without the correction, on test splits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basam.data import Issues, PromptSpec, Source, open_dataset
from basam.evaluation.evaluating import evaluate
from basam.evaluation.settings import EvaluateSettings
from basam.files import write_json
from basam.method import BiasMode
from basam.model import TENSORS, read_adapter, resolve

ZERO_SHOT = "zero-shot"
METHODS = {"plain": "uncorrected", "basam": "corrected"}
# Keys of `metrics.METRICS`: what the papers of each kind report first, and IoU, which all have in common.
METRICS = {
    "dis5k": ("iou", "boundary_iou", "mae"),
    "duts": ("iou", "f_measure", "mae"),
    "cod10k": ("iou", "s_measure", "weighted_f"),
}
USUAL = ("iou", "dice")


@dataclass(frozen=True)
class BenchmarkEntry:
    """Rows of the table: an adapter (None: the base as it is) with and without the correction.

    With `kinds` it is a specialist: measured on data of these kinds only, and as it was tuned, with the correction.
    """

    name: str
    adapter: str | None = None
    kinds: tuple[str, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        return ("basam",) if self.kinds else tuple(METHODS)

    @classmethod
    def parse(cls, text: str) -> BenchmarkEntry:
        """`NAME=FOLDER`, or `NAME=FOLDER@KIND,KIND`.

        Raises:
            ValueError: neither of the two forms, or the name of the first row.
        """
        name, equals, rest = text.partition("=")
        folder, _, kinds = rest.partition("@")
        if not name or not equals or not folder or name == ZERO_SHOT:
            raise ValueError(f"adapter {text!r}: NAME=FOLDER or NAME=FOLDER@KIND,KIND is needed, with a name of its own")
        return cls(name, folder, tuple(kinds.split(",")) if kinds else ())


@dataclass(frozen=True)
class BenchmarkSettings:
    """What is compared, and on what.

    Attributes:
        data: `kind:ROOT[:split]`; without a split, the one that results are reported on.
        candidates: beside the base.
        sizes, prompts, limit, seed, dtype, device: as `evaluation.settings.Settings` has them.
        mode: the correction of the base; adapters have their own.
    """

    data: tuple[str, ...]
    candidates: tuple[BenchmarkEntry, ...] = ()
    model: str = "nano"
    sizes: tuple[int | str, ...] = (1024,)
    prompts: tuple[PromptSpec, ...] = (PromptSpec("gt-box"),)
    limit: int | None = None
    seed: int = 0
    mode: BiasMode | None = None
    dtype: str = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        names = [candidate.name for candidate in self.candidates]
        if len(set(names)) < len(names):
            raise ValueError(f"adapters {', '.join(names)}: each needs a name of its own")
        kinds = [Source.parse(source).kind for source in self.data]
        if not kinds or len(set(kinds)) < len(kinds):
            raise ValueError(f"data of kinds {', '.join(kinds) or 'none'}: at least one is needed, and each once")
        for candidate in self.candidates:
            for kind in candidate.kinds:
                if kind not in kinds:
                    raise ValueError(f"adapter {candidate.name} is for data of kind {kind!r}; there are {', '.join(kinds)}")


@dataclass(frozen=True)
class Benchmark:
    """Attributes:
    titles: of the data sets, by kind.
    rows: figures with `candidate`, `kind`, `method`, `size` and `prompt`.
    tuned: what is known of each adapter.
    """

    titles: dict[str, str]
    rows: list[dict[str, Any]]
    tuned: list[dict[str, Any]]
    issues: Issues

    def figure(self, metric: str, **where: Any) -> float | None:
        """The one figure at a place in the table; None where it was not measured."""
        found = [row for row in self.rows if all(row[name] == value for name, value in where.items())]
        return found[0].get(metric) if found else None

    def places(self) -> list[tuple[str, str]]:
        """Candidates and methods in the order of the table."""
        return list(dict.fromkeys((row["candidate"], row["method"]) for row in self.rows))


def benchmark(
    settings: BenchmarkSettings,
    out: Path,
    *,
    workers: int | None = None,
    command: Sequence[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Benchmark:
    """Evaluate every candidate on every data set; runs below `out/runs` that are there go on.

    Args:
        progress: told which run it is, and how many images of how many are done.

    Raises:
        ValueError, OSError: as `evaluate`; adapters and data sets are opened before anything is measured.
    """
    sources = [Source.parse(source) for source in settings.data]
    titles = {one.kind: open_dataset(one.kind, one.root, one.split).title for one in sources}
    tuned = [describe(candidate) for candidate in settings.candidates]
    rows: list[dict[str, Any]] = []
    issues = Issues()
    for candidate in (BenchmarkEntry(ZERO_SHOT), *settings.candidates):
        for source in sources:
            if candidate.kinds and source.kind not in candidate.kinds:
                continue
            run = EvaluateSettings(
                source.kind,
                str(source.root),
                source.split,
                model=settings.model,
                adapter=candidate.adapter,
                sizes=settings.sizes,
                methods=candidate.methods,
                mode=settings.mode if candidate.adapter is None else None,
                prompts=settings.prompts,
                metrics=METRICS.get(source.kind, USUAL),
                seed=settings.seed,
                limit=settings.limit,
                dtype=settings.dtype,
                device=settings.device,
            )
            label = f"{candidate.name} on {titles[source.kind]}"
            show = None if progress is None else lambda done, whole, label=label: progress(label, done, whole)
            folder = out / "runs" / candidate.name / source.kind
            outcome = evaluate(run, folder, workers=workers, command=command, progress=show)
            assert outcome.summary is not None, "one process is needed"
            rows += [{"candidate": candidate.name, "kind": source.kind, **row} for row in outcome.summary["rows"]]
            if candidate.adapter is None and outcome.issues is not None:
                issues.extend(outcome.issues)
    result = Benchmark(titles, rows, tuned, issues)
    write_json(out / "benchmark.json", {"titles": titles, "tuned": tuned, "rows": rows})
    return result


def describe(candidate: BenchmarkEntry) -> dict[str, Any]:
    """Numbers and time of an adapter, from its own files."""
    assert candidate.adapter is not None
    folder = resolve(candidate.adapter)
    adapter = read_adapter(folder)
    found = json.loads((folder / "mode.json").read_text(encoding="utf-8")).get("found", {})
    about = {name: found.get(name) for name in ("tuned", "steps", "kept", "seconds", "sizes", "data")}
    size = (folder / TENSORS).stat().st_size
    return {"candidate": candidate.name, "parameters": adapter.parameters, "bytes": size, **about}
