"""The attention kernel beside attention that materialises its bias, from 8 x 8 tokens up; and what low precision costs.

    python benchmarks/kernel.py            # 12 heads of 64, as in SAM ViT-B
    python benchmarks/kernel.py --grids 8 16 --repeats 101

`materialised`: the N x N bias is made from rows and columns and given to scaled_dot_product_attention, as transformers' sdpa
path does. The two run in turn; times are medians, the ratio is of medians. The error is against float64.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date

import torch
import torch.nn.functional as F
from torch import Tensor

from basam.attention import eager_attention, separable_attention


def materialised(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    bias = (rows[..., :, None] + cols[..., None, :]).flatten(-2)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)


def ours(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    return separable_attention(q, k, v, rows, cols, scale=scale)


def compare(tensors: Sequence[Tensor], repeats: int) -> tuple[float, float]:
    """Median milliseconds of `materialised` and `ours`, which take turns after one run each that is not counted."""
    paths: tuple[Callable[..., Tensor], ...] = (materialised, ours)
    times: tuple[list[float], list[float]] = ([], [])
    for run in range(repeats + 1):
        for path, seconds in zip(paths, times, strict=True):
            start = time.perf_counter()
            path(*tensors, 0.125)
            if run:
                seconds.append(time.perf_counter() - start)
    return statistics.median(times[0]) * 1000, statistics.median(times[1]) * 1000


def largest_error(*tensors: Tensor) -> float:
    """Of the tiles against float64, on the first two heads of the first image."""
    low = [tensor[:1, :2] for tensor in tensors]
    q, k, v, rows, cols = (tensor.double() for tensor in low)
    exact = eager_attention(q, k, v, rows, cols, 0.125)
    return float((separable_attention(*low, scale=0.125, backend="tiled").double() - exact).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grids", type=int, nargs="+", default=[8, 12, 16, 24, 32, 48, 64], help="tokens a side")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4], help="images (or windows) a call")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--repeats", type=int, help="runs of each; by default more for small grids")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    print(f"{date.today()}, {os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}, seed 0\n")
    print("| grid | batch | dtype | materialised ms | basam ms | materialised / basam | largest error of basam |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for side in options.grids:
        for batch in options.batches if side <= 32 else [1]:
            for name in options.dtypes:
                dtype = getattr(torch, name)
                n = side * side
                q, k, v = torch.randn(3, batch, options.heads, n, 64).to(dtype).unbind(0)
                rows, cols = torch.randn(2, batch, options.heads, n, side).to(dtype).unbind(0)
                repeats = options.repeats or max(5, min(301, 200_000_000 // (batch * n * n * 12)))
                theirs, mine = compare((q, k, v, rows, cols), repeats)
                print(
                    f"| {side} x {side} | {batch} | {name} | {theirs:.2f} | {mine:.2f} | {theirs / mine:.2f} | "
                    f"{largest_error(q, k, v, rows, cols):.1e} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
