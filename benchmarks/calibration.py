"""Both calibrations compared on held-out photographs: chosen on a training split, measured on the test split.

    python benchmarks/calibration.py ../shared/data --out calibration                   # all three sets, with nano
    python benchmarks/calibration.py ../shared/data --out calibration --sets isic       # one of them

For every set FOLDER gets the mode of each calibration, the plot of the one without masks and `SET.md`, the tables. The
interval is the percentile bootstrap over photographs of the mean paired difference to plain SAM (10,000 draws by the seed).
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from datetime import date
from pathlib import Path

SETS = {
    "isic": ("ISIC2017", "train", "test"),
    "duts": ("standin-DUTS", "DUTS-TR", "DUTS-TE"),
    "coco": ("COCO", "train2017", "val2017"),
}


def interval(differences: list[float], seed: int) -> tuple[float, float]:
    """95 % interval of the mean by the percentile bootstrap."""
    import numpy as np

    values = np.array(differences)
    draws = np.random.default_rng(seed).integers(len(values), size=(10_000, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def run(kind: str, options: argparse.Namespace) -> str:
    import basam
    from basam.data import Issues, SampleError, open_dataset
    from basam.evaluation.calibration import labelled, report, unlabelled
    from basam.evaluation.calibration.choice import Candidate, describe, paired_difference
    from basam.evaluation.calibration.plot import plot_calibration
    from basam.mode_files import write_mode

    folder, train, test = SETS[kind]
    predictor = basam.Predictor.from_pretrained(options.model)
    chosen_on = open_dataset(kind, options.data / folder, train)
    held_out = open_dataset(kind, options.data / folder, test)
    sizes, seed = options.sizes, options.seed

    start = time.perf_counter()
    by_masks = labelled.calibrate(
        predictor, chosen_on, sizes, count=options.count, seed=seed, progress=lambda *step: show(kind, *step)
    )
    masks_seconds = time.perf_counter() - start
    start = time.perf_counter()
    photos = [sample.image_path for sample in chosen_on]
    by_attention = unlabelled.calibrate_unlabelled(
        predictor,
        photos,
        sizes,
        modes=unlabelled.modes_to_try(slopes=options.slopes),
        count=options.unlabelled_count,
        seed=seed,
        progress=lambda *step: show(kind, "attention", *step),
    )
    attention_seconds = time.perf_counter() - start
    plot_calibration(
        options.out / f"{kind}.png", by_attention, f"{options.model}, {len(by_attention.photos)} of {chosen_on.title}"
    )
    for name, result in (("masks", by_masks), ("attention", by_attention)):
        found = report.provenance(result.candidates, result.chosen, on=chosen_on.title, sizes=sizes, seed=seed)
        write_mode(options.out / f"{kind}-{name}.json", result.chosen.mode, found)

    methods = {
        "plain": basam.BiasMode.off(),
        "default": basam.BiasMode(),
        "calibrated by masks": by_masks.chosen.mode,
        "calibrated by attention": by_attention.chosen.mode,
        # Picked or not: what the correction closest to the trained attention would have done.
        "best mode but plain, by attention": max(by_attention.candidates[1:], key=lambda candidate: candidate.mean).mode,
        "best mode but plain, by masks": max(by_masks.candidates[1:], key=lambda candidate: candidate.mean).mode,
    }
    modes = list(dict.fromkeys(methods.values()))
    rows: dict[basam.BiasMode, list[tuple[float, ...]]] = {mode: [] for mode in modes}
    samples = labelled.pick_samples(held_out.samples, options.test_count, seed)
    for done, sample in enumerate(samples, start=1):
        try:
            scores = labelled.measure_photo(predictor, sample, modes, sizes, labelled.PROMPTS, seed, Issues())
        except SampleError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        for mode in modes:
            rows[mode].append(scores[mode])
        show(kind, "held out", done, len(samples))
    measured = {mode: Candidate(mode, tuple(rows[mode])) for mode in modes}
    plain = measured[basam.BiasMode.off()]

    table = []
    for name, mode in methods.items():
        candidate = measured[mode]
        differences = [a - b for a, b in zip(candidate.by_photo, plain.by_photo, strict=True)]
        low, high = interval(differences, seed)
        paired = "" if mode == plain.mode else f"{sum(differences) / len(differences):+.4f} ({low:+.4f} to {high:+.4f})"
        table.append([name, describe(mode), *(f"{v:.4f}" for v in (candidate.mean, *candidate.by_size)), paired])
    header = ["method", "mode", "mean IoU", *(f"{size} px" for size in sizes), "minus plain (95 % interval)"]
    parts = [
        f"Chosen on {len(by_masks.photos)} photographs of {chosen_on.title} by masks ({masks_seconds:.0f} s) and on "
        f"{len(by_attention.photos)} by attention ({attention_seconds:.0f} s); measured on {len(plain.scores)} photographs of "
        f"{held_out.title}.",
        markdown(header, table),
    ]
    for title, result, what in (("masks", by_masks, "mean IoU"), ("attention", by_attention, "closeness")):
        lines = []
        for candidate in result.candidates:
            difference, deviation = paired_difference(candidate.by_photo, result.plain.by_photo)
            paired = "" if candidate is result.plain else f"{difference:+.4f} ± {deviation:.4f}"
            numbers = [f"{value:.4f}" for value in (candidate.mean, *candidate.by_size)]
            lines.append([describe(candidate.mode), *numbers, paired, "chosen" if candidate is result.chosen else ""])
        columns = ["candidate", what, *(f"{size} px" for size in sizes), "minus plain ± standard error", ""]
        parts.append(f"Candidates by {title} on the training split:\n\n" + markdown(columns, lines))
    return "\n\n".join(parts) + "\n"


def show(kind: str, name: str, done: int, total: int) -> None:
    print(f"{kind}: {name} {done}/{total}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with ISIC2017, standin-DUTS and COCO")
    parser.add_argument("--out", type=Path, default=Path("calibration"))
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--model", default="nano")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--count", type=int, default=16, help="training photographs, by masks")
    parser.add_argument("--unlabelled-count", type=int, default=12, help="training photographs, by attention")
    parser.add_argument("--slopes", type=float, nargs="+", default=[0.0, 0.1], help="tried by attention")
    parser.add_argument("--test-count", type=int, default=32, help="held-out photographs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    from basam.models import resolve

    path = resolve(options.model)
    weights = path / "model.safetensors" if path.is_dir() else path
    fingerprint = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
    print(f"{date.today()}, {options.model} (weights sha256 {fingerprint}), seed {options.seed}\n")
    for kind in options.sets:
        text = run(kind, options)
        (options.out / f"{kind}.md").write_text(text, encoding="utf-8")
        print(f"## {SETS[kind][0]}\n\n{text}", flush=True)


if __name__ == "__main__":
    main()
