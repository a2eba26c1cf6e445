"""What `reach="trained"` will bring on a GPU, by arithmetic from a run of `benchmarks/gpu.py` without it; needs no GPU.

    python benchmarks/gpu_estimate.py docs/performance.md

The time of an encoder is that of its global attention, 4 N^2 d multiplications per head at the speed of the kernel, and a rest
that stays. Of the tiles that attention visits, neighborhoods leave the share that the kernels' own plan counts; the kernel with
tiles of several grid rows takes 1.12 times as long for each.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from basam.attention import visited_share

TRAINED = 64  # side of the grid that SAM was trained on
FEE = 1.12
SPEED = 305e12  # multiplications and additions per second that the kernel reached on large grids
GLOBAL_LAYERS = 4
MODELS = {"ViT-B": (12, 64), "ViT-H": (16, 80)}  # heads, head dimension
GOALS = {("ViT-B", 2048): 75.0, ("ViT-B", 4096): 18.0, ("ViT-H", 2048): 17.0, ("ViT-H", 4096): 4.4}


def share(height: int, width: int) -> float:
    return visited_share((height, width), (TRAINED, TRAINED))


def measured(page: str) -> dict[tuple[str, int], float]:
    """Images per second of single images by model and side, from the page's table."""
    found = re.findall(r"\| (ViT-\w), (\d+) px, batch 1 \| basam \| ([\d.]+)", page)
    return {(model, int(side)): float(speed) for model, side, speed in found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    images = measured(parser.parse_args().page.read_text())
    print("grid        share of the tiles   the windows alone")
    for height, width in ((128, 128), (192, 128), (256, 256), (268, 178)):
        print(f"{height} x {width}   {share(height, width):.3f}                {TRAINED**2 / (height * width):.3f}")
    print("\nmodel  side   images/s now   attention   estimate   goal")
    for (model, side), goal in GOALS.items():
        heads, head_dim = MODELS[model]
        tokens = (side // 16) ** 2
        attention = GLOBAL_LAYERS * heads * 4 * tokens**2 * head_dim / SPEED
        seconds = 1 / images[model, side]
        estimate = 1 / (seconds - attention * (1 - FEE * share(side // 16, side // 16)))
        line = f"{images[model, side]:>12.1f}   {1000 * attention:>6.1f} ms   {estimate:>8.1f}   {goal:>4.1f}"
        print(f"{model}  {side}   {line}")


if __name__ == "__main__":
    main()
