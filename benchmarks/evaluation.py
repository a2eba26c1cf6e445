"""Where the time of `basam evaluate` goes: the share of each stage, at 1024 and 2048 px.

    python benchmarks/evaluation.py
    python benchmarks/evaluation.py --sizes 2048 --images 4 --workers 0 1

Images are generated at the size they are evaluated at (a bright disc on noise), so that masks and metrics are that large
too. Shares are of the main process; "waiting" is what metrics cost beyond what the model takes anyway.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from basam.lab.evaluation import EvaluateSettings, evaluate


def write_images(root: Path, count: int, size: int) -> None:
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size]
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        x, y = generator.uniform(0.3, 0.7, 2) * size
        mask = (rows - y) ** 2 + (columns - x) ** 2 < (0.25 * size) ** 2
        image = generator.integers(0, 120, (size, size, 3), dtype=np.uint8)
        image[mask] += 100
        Image.fromarray(image).save(root / "images" / f"{number}.jpg", quality=90)
        Image.fromarray(mask.astype(np.uint8) * 255).save(root / "masks" / f"{number}.png")


def measure(size: int, images: int, workers: int, model: str) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "data"
        write_images(root, images, size)
        settings = EvaluateSettings(kind="folder", root=str(root), model=model, sizes=(size,), methods=("plain", "basam"))
        outcome = evaluate(settings, Path(temporary) / "run", workers=workers)
    seconds = outcome.stages.seconds
    whole = sum(seconds.values())
    shares = [f"{seconds.get(stage, 0.0) / whole:.1%}" for stage in ("read", "encode", "decode", "wait", "write")]
    return f"| {size} | {workers} | {whole / images:.1f} | {' | '.join(shares)} | {outcome.worked / images:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048])
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1], help="0: metrics in the main process")
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    print(f"{date.today()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}, ", end="")
    print(f"{options.model}, {options.images} images of noise and a disc, seed 0, all default metrics, plain and basam\n")
    print("| size | workers | s an image | read | encode | decode | waiting for metrics | write | metrics, s an image |")
    print("|" + "---|" * 9, flush=True)
    for size in options.sizes:
        for workers in options.workers:
            print(measure(size, options.images, workers, options.model), flush=True)


if __name__ == "__main__":
    main()
