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
from collections.abc import Callable
from datetime import date

import torch
import torch.nn.functional as F
from torch import Tensor

from basam.attention import separable_attention
from basam.attention.reference import eager_attention


def materialised(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    bias = (rows[..., :, None] + cols[..., None, :]).flatten(-2)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)


def seconds(function: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


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
                paths = {
                    "materialised": lambda a=(q, k, v, rows, cols): materialised(*a, 0.125),
                    "basam": lambda a=(q, k, v, rows, cols): separable_attention(*a, scale=0.125),
                }
                times: dict[str, list[float]] = {path: [] for path in paths}
                for path in paths.values():
                    path()
                for _ in range(repeats):
                    for path, function in paths.items():
                        times[path].append(seconds(function))
                theirs, ours = (statistics.median(times[path]) * 1000 for path in ("materialised", "basam"))
                few = [t[:1, :2].double() for t in (q, k, v, rows, cols)]
                low = [t[:1, :2] for t in (q, k, v, rows, cols)]
                error = (separable_attention(*low, scale=0.125, backend="tiled").double() - eager_attention(*few, 0.125)).abs().max()
                print(
                    f"| {side} x {side} | {batch} | {name} | {theirs:.2f} | {ours:.2f} | {theirs / ours:.2f} | {error:.1e} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
