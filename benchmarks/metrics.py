"""Seconds that each metric takes on one prediction.

    python benchmarks/metrics.py            # of 2048 x 2048
    python benchmarks/metrics.py 512

The picture is made up: a disc, three bars and a small disc, predicted with soft edges, noise and one bar missing. HCE
follows outlines and grows with their length; the camouflage context measure grows with the area of the object.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from basam.files import require
from basam.lab.metrics import METRICS, measure


def scene(side: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (side, side) float32, ground truth bool and photograph uint8 RGB."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    discs = ((0.45, 0.4, 0.2), (0.85, 0.85, 0.03))
    truth = np.any([(rows - y) ** 2 + (columns - x) ** 2 < r**2 for y, x, r in discs], axis=0)
    for x in (0.7, 0.75, 0.8):
        truth |= (abs(columns - x) < 0.005) & (abs(rows - 0.4) < 0.3)
    predicted = truth & (columns < 0.78)
    soft = require("cv2", "evaluate").GaussianBlur(predicted.astype(np.float32), (0, 0), side / 300)
    noisy = soft + 0.05 * generator.standard_normal(truth.shape, dtype=np.float32)
    photograph = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
    return np.clip(noisy, 0, 1, dtype=np.float32), truth, photograph


def seconds(name: str, probabilities: np.ndarray, truth: np.ndarray, photograph: np.ndarray, runs: int = 3) -> float:
    """The shortest of `runs`, after one on a small picture that loads the libraries."""
    measure(probabilities[:64, :64], np.ones((64, 64), dtype=bool), [name], image=photograph[:64, :64])
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        measure(probabilities, truth, [name], image=photograph)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", type=int, nargs="?", default=2048, help="of the prediction in pixels (2048)")
    side = parser.parse_args().side
    case = scene(side)
    print(f"| metric at {side} x {side} | seconds |\n|---|---|")
    total = 0.0
    for name in METRICS:
        taken = seconds(name, *case)
        total += taken
        print(f"| `{name}` | {taken:.2f} |")
    print(f"| all | {total:.2f} |")


if __name__ == "__main__":
    main()
