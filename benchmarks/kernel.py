"""The attention kernel beside attention that materialises its bias, from 8 x 8 tokens up; and what low precision costs.

    python benchmarks/kernel.py            # 12 heads of 64, as in SAM ViT-B
    python benchmarks/kernel.py --grids 8 16 --repeats 101
    OMP_NUM_THREADS=1 python benchmarks/kernel.py --grids 64 268x178 256 --dtypes bfloat16 --heads 1 --repeats 3 --clock cpu

`materialised`: the N x N bias is made from rows and columns and given to scaled_dot_product_attention, as transformers' sdpa
path does; left out where it takes more than 2 GB. `neighborhood`: every query sees `--window` x `--window` keys, as with
`BiasMode(reach="trained")`; left out where that is the whole grid. All run in turn; times are medians, ratios are of medians.
The error is that of the tiles against float64, on grids of at most 64 x 64 tokens.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Callable
from datetime import date

import torch
import torch.nn.functional as F
from encoder import CLOCKS
from torch import Tensor

from basam.attention import eager_attention, neighborhood_attention, separable_attention

SCALE = 0.125
MATERIALISED_BYTES = 2 << 30


def materialised(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    bias = (rows[..., :, None] + cols[..., None, :]).flatten(-2)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=SCALE)


def medians(ways: dict[str, Callable[[], Tensor]], repeats: int, clock: str) -> dict[str, float]:
    """Median milliseconds of ways that take turns, after one run each that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(repeats + 1):
        for name, way in ways.items():
            start = CLOCKS[clock]()
            way()
            if run:
                times[name].append(CLOCKS[clock]() - start)
    return {name: statistics.median(seconds) * 1000 for name, seconds in times.items()}


def largest_error(*tensors: Tensor) -> float:
    """Of the tiles against float64, on the first two heads of the first image."""
    low = [tensor[:1, :2] for tensor in tensors]
    q, k, v, rows, cols = (tensor.double() for tensor in low)
    exact = eager_attention(q, k, v, rows, cols, SCALE)
    return float((separable_attention(*low, scale=SCALE, backend="tiled").double() - exact).abs().max())


def grid_of(text: str) -> tuple[int, int]:
    """`64` or `268x178` as rows and columns."""
    height, _, width = text.partition("x")
    return int(height), int(width or height)


def row(grid: tuple[int, int], batch: int, dtype_name: str, options: argparse.Namespace) -> str:
    """One line of the table."""
    height, width = grid
    dtype, tokens = getattr(torch, dtype_name), height * width
    window = min(options.window, height), min(options.window, width)
    q, k, v = torch.randn(3, batch, options.heads, tokens, 64).to(dtype).unbind(0)
    rows, cols, near_rows, near_cols = (
        torch.randn(batch, options.heads, tokens, side).to(dtype) for side in (height, width, *window)
    )
    ways: dict[str, Callable[[], Tensor]] = {"basam": lambda: separable_attention(q, k, v, rows, cols, scale=SCALE)}
    if batch * options.heads * tokens**2 * dtype.itemsize <= MATERIALISED_BYTES:
        ways["materialised"] = lambda: materialised(q, k, v, rows, cols)
    if window != grid:
        ways["near"] = lambda: neighborhood_attention(q, k, v, near_rows, near_cols, grid, window, SCALE)
    found = medians(ways, options.repeats or max(5, min(301, 200_000_000 // (batch * tokens**2 * 12))), options.clock)

    def cells(name: str, above: str, below: str) -> str:
        return f"{found[name]:.2f} | {found[above] / found[below]:.2f}" if name in found else "- | -"

    theirs, near = cells("materialised", "materialised", "basam"), cells("near", "basam", "near")
    error = f"{largest_error(q, k, v, rows, cols):.1e}" if tokens <= 64 * 64 else "-"
    return f"| {height} x {width} | {batch} | {dtype_name} | {found['basam']:.2f} | {theirs} | {near} | {error} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    grids = [(side, side) for side in (8, 12, 16, 24, 32, 48, 64, 128)]
    parser.add_argument("--grids", type=grid_of, nargs="+", default=grids, help="tokens a side, or rows x columns")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4], help="images (or windows) a call")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--window", type=int, default=64, help="keys along a side of a neighborhood")
    parser.add_argument("--repeats", type=int, help="runs of each; by default more for small grids")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall", help="cpu: seconds that the process computed")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    machine = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores, {platform.machine()}"
    print(f"{date.today()}, {machine}, torch {torch.__version__}, seed 0, {options.clock} clock\n")
    print(
        "| grid | batch | dtype | basam ms | materialised ms | materialised / basam | neighborhood ms | basam / neighborhood "
        "| largest error |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for grid in options.grids:
        for batch in options.batches if max(grid) <= 32 else [1]:
            for name in options.dtypes:
                print(row(grid, batch, name, options), flush=True)


if __name__ == "__main__":
    main()
