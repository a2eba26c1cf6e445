"""Calibration on held-out photographs: chosen on a training split, measured on the test split.

    python -m studies.calibration ../shared/data --out calibration                   # all three sets, with nano
    python -m studies.calibration ../shared/data --out calibration --sets isic       # one of them
    python -m studies.calibration ../shared/data --out calibration --reuse           # measure the modes in that folder

For every set FOLDER gets the chosen mode and `SET.md`, the tables. The
interval is the percentile bootstrap over photographs of the mean paired difference to plain SAM (10,000 draws by the seed).
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from basam import BiasMode, Predictor

SETS = {
    "isic": ("ISIC2017", "train", "test"),
    "duts": ("standin-DUTS", "DUTS-TR", "DUTS-TE"),
    "coco": ("COCO", "train2017", "val2017"),
}


def reported(folder: str) -> str | None:
    """What is no published data set goes by the name of its folder."""
    return folder if folder.startswith("standin-") else None


def interval(differences: list[float], seed: int) -> tuple[float, float]:
    """95 % interval of the mean by the percentile bootstrap."""
    import numpy as np

    values = np.array(differences)
    draws = np.random.default_rng(seed).integers(len(values), size=(10_000, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def calibrate(kind: str, options: argparse.Namespace, predictor: Predictor) -> tuple[dict[str, BiasMode], str]:
    """Calibrate on the training split: methods to measure, and the table of candidates."""
    import basam
    from basam.lab import markdown
    from basam.lab.calibration import describe, labelled
    from basam.lab.calibration import findings as report
    from basam.lab.data import open_dataset
    from basam.lab.evaluation import paired_difference
    from basam.model import model_fingerprint, write_mode

    folder, train, _ = SETS[kind]
    dataset = open_dataset(kind, options.data / folder, train, name=reported(folder))
    sizes, seed = options.sizes, options.seed
    start = time.perf_counter()
    result = labelled.calibrate(
        predictor, dataset, sizes, count=options.count, seed=seed, progress=lambda *step: show(kind, *step)
    )
    seconds = time.perf_counter() - start
    found = report.provenance(result.candidates, result.chosen, how="mean IoU", data=dataset.title, sizes=sizes, seed=seed)
    write_mode(options.out / f"{kind}.json", result.chosen.mode, found, fingerprint=model_fingerprint(predictor.model))
    lines = []
    for candidate in result.candidates:
        difference, deviation = paired_difference(candidate.by_photo, result.plain.by_photo)
        paired = "" if candidate is result.plain else f"{difference:+.4f} ± {deviation:.4f}"
        numbers = [f"{value:.4f}" for value in (candidate.mean, *candidate.by_size)]
        lines.append([describe(candidate.mode), *numbers, paired, "chosen" if candidate is result.chosen else ""])
    columns = ["candidate", "mean IoU", *(f"{size} px" for size in sizes), "minus plain ± standard error", ""]
    title = f"Candidates on {len(result.plain.scores)} photographs of {dataset.title} ({seconds:.0f} s):"
    # Chosen or not: what would the best correction have done?
    best = max(result.candidates[1:], key=lambda candidate: candidate.mean).mode
    methods = {"full": basam.BiasMode(strength=1.0), "calibrated": result.chosen.mode, "best but plain": best}
    return methods, f"{title}\n\n{markdown(columns, lines)}"


def run(kind: str, options: argparse.Namespace) -> str:
    import basam
    from basam.lab import markdown
    from basam.lab.calibration import Candidate, describe, labelled
    from basam.lab.data import Issues, SampleError, open_dataset
    from basam.model import read_mode

    predictor = basam.Predictor.from_pretrained(options.model)
    candidates = ""
    if options.reuse:
        methods = {"calibrated": read_mode(options.out / f"{kind}.json")}
    else:
        methods, candidates = calibrate(kind, options, predictor)
    folder, _, test = SETS[kind]
    dataset = open_dataset(kind, options.data / folder, test, name=reported(folder))
    methods = {"plain": basam.BiasMode.off(), **methods}
    modes = list(dict.fromkeys(methods.values()))
    rows: dict[BiasMode, list[tuple[float, ...]]] = {mode: [] for mode in modes}
    samples = labelled.pick_samples(dataset.samples, options.test_count, options.seed)
    for done, sample in enumerate(samples, start=1):
        try:
            scores = labelled.measure_photo(predictor, sample, modes, options.sizes, labelled.PROMPTS, options.seed, Issues())
        except SampleError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        for mode in modes:
            rows[mode].append(scores[mode])
        show(kind, "held out", done, len(samples))
    measured = {mode: Candidate(mode, tuple(rows[mode])) for mode in modes}
    plain = measured[methods["plain"]].by_photo
    table = []
    for name, mode in methods.items():
        candidate = measured[mode]
        differences = [a - b for a, b in zip(candidate.by_photo, plain, strict=True)]
        low, high = interval(differences, options.seed)
        paired = f"{sum(differences) / len(differences):+.4f} ({low:+.4f} to {high:+.4f})"
        numbers = [f"{value:.4f}" for value in (candidate.mean, *candidate.by_size)]
        table.append([name, describe(mode), *numbers, "" if mode == methods["plain"] else paired])
    header = ["method", "mode", "mean IoU", *(f"{size} px" for size in options.sizes), "minus plain (95 % interval)"]
    held_out = f"Held out: {len(plain)} photographs of {dataset.title}.\n\n{markdown(header, table)}"
    return "\n\n".join(part for part in (held_out, candidates) if part) + "\n"


def show(kind: str, name: str, done: int, total: int) -> None:
    print(f"{kind}: {name} {done}/{total}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with ISIC2017, standin-DUTS and COCO")
    parser.add_argument("--out", type=Path, default=Path("calibration"))
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--reuse", action="store_true", help="take SET.json from --out")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--count", type=int, default=16, help="training photographs")
    parser.add_argument("--test-count", type=int, default=32, help="held-out photographs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    from basam.model import resolve

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
