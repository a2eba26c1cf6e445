"""Cases of the Triton kernels beside attention written as the formula reads, in float64.

TRITON_INTERPRET=1 python -m tests.attention.triton_cases 0 3     # cases 0 and 3 in Triton's interpreter; errors as JSON lines
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from basam.attention import eager_neighborhood, separable_bias, triton_plan
from basam.attention.triton_ops import triton_attention, triton_relative, triton_windows

FLOAT, BRAIN, HALF = torch.float32, torch.bfloat16, torch.float16


@dataclass(frozen=True)
class Case:
    """What attention is computed on, a grid of height x width.

    `window`: inside windows of this side; `near`: of every query to the neighborhood of this height and width.
    """

    batch: int
    heads: int
    height: int
    width: int
    head_dim: int
    dtype: torch.dtype
    window: int = 0
    near: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        windows = f" in windows of {self.window}" if self.window else ""
        if self.near[0]:
            windows = f" near {self.near[0]}x{self.near[1]}"
        sizes = f"{self.batch}x{self.heads} {self.height}x{self.width}{windows}"
        return f"{sizes} d={self.head_dim} {str(self.dtype).removeprefix('torch.')}"


# In tiles of 16 x 16 these have one row a tile, two and four; rows and columns that change places; ragged edges; two pieces of
# a head dimension; one that is no multiple of 16; the smallest grid there is.
TINY = (
    Case(1, 1, 5, 16, 16, FLOAT),
    Case(1, 1, 18, 3, 16, HALF),
    Case(1, 1, 4, 9, 80, FLOAT),
    Case(1, 1, 1, 1, 16, BRAIN),
    Case(2, 2, 6, 3, 80, BRAIN, window=3),
    # Neighborhoods: a side as short as the neighborhood, places changed, odd sizes, several heads.
    Case(1, 1, 18, 4, 16, HALF, near=(8, 4)),
    Case(1, 2, 6, 9, 80, FLOAT, near=(4, 4)),
)
# The same with more blocks of queries and tiles of keys, which take the interpreter two minutes.
LARGER = (
    Case(1, 2, 3, 5, 16, FLOAT),
    Case(2, 1, 5, 16, 16, FLOAT),
    Case(1, 2, 2, 17, 24, BRAIN),
    Case(1, 1, 6, 7, 96, HALF),
    Case(2, 2, 5, 6, 16, FLOAT, window=4),
    Case(2, 1, 5, 6, 16, FLOAT, near=(3, 4)),
    Case(1, 2, 9, 17, 16, FLOAT, near=(4, 4)),
    Case(1, 1, 3, 33, 16, FLOAT, near=(3, 16)),
    Case(1, 2, 6, 6, 16, FLOAT, near=(5, 5)),
    Case(1, 1, 13, 12, 16, HALF, near=(7, 7)),
    Case(1, 1, 5, 40, 24, BRAIN, near=(4, 8)),
    Case(1, 1, 8, 18, 16, BRAIN, near=(2, 16)),
    Case(1, 1, 17, 16, 16, HALF, near=(16, 16)),
)
# As users have them.
REAL = (
    Case(2, 3, 7, 13, 64, BRAIN),
    Case(1, 12, 64, 64, 64, BRAIN),
    Case(1, 2, 43, 64, 64, HALF),
    Case(1, 2, 64, 43, 64, BRAIN),
    Case(1, 2, 33, 20, 64, FLOAT),
    Case(1, 16, 64, 64, 80, BRAIN),
    Case(1, 2, 9, 70, 80, FLOAT),
    Case(1, 1, 5, 130, 128, HALF),
    Case(1, 2, 21, 12, 96, BRAIN),
    Case(1, 1, 1, 7, 24, FLOAT),
    Case(2, 12, 64, 64, 64, BRAIN, window=14),
    Case(1, 16, 43, 30, 80, HALF, window=14),
    Case(1, 2, 20, 17, 64, FLOAT, window=7),
    Case(1, 1, 128, 96, 64, BRAIN, near=(64, 64)),
    Case(1, 2, 70, 90, 80, HALF, near=(64, 64)),
    Case(2, 1, 43, 100, 64, BRAIN, near=(43, 64)),
    Case(1, 2, 33, 40, 64, FLOAT, near=(16, 16)),
    Case(1, 1, 75, 73, 64, BRAIN, near=(72, 72)),
    Case(1, 2, 21, 50, 80, FLOAT, near=(7, 13)),
)


def exact(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, grid: tuple[int, int], near: tuple[int, int], scale: float
) -> Tensor:
    if near != grid:
        return eager_neighborhood(q, k, v, rows, cols, grid, near, scale)
    bias = (rows[..., :, None] + cols[..., None, :]).flatten(-2)
    return (scale * (q @ k.mT) + bias).softmax(-1) @ v


def error(found: Tensor, wanted: Tensor) -> float:
    """Largest difference over the largest value (0.1, where that is nothing); infinite where something is not finite."""
    found, wanted = found.detach().double(), wanted.detach()
    worst = (found - wanted).abs().max() / wanted.abs().max().clamp(min=0.1)
    return float(worst) if bool(found.isfinite().all()) else float("inf")


def errors_of(case: Case, device: str) -> dict[str, float]:
    """Of the output, with bias given and made, and of every gradient; a tensor that must be the same twice and is not: inf."""
    generator = torch.Generator(device).manual_seed(0)

    def normal(*shape: int, spread: float = 1.0) -> Tensor:
        return (spread * torch.randn(*shape, generator=generator, device=device)).to(case.dtype)

    scale = 1.17 * case.head_dim**-0.5
    if case.window:
        return {"windows": windows_error(case, normal, scale)}
    tokens, grid = case.height * case.width, (case.height, case.width)
    near = case.near if case.near[0] else grid
    qkv = normal(case.batch, tokens, 3, case.heads, case.head_dim)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)  # slices of one projection, as in SAM
    rows, cols = (normal(case.batch, case.heads, tokens, side, spread=2).float() for side in near)
    tensors = [t.detach().requires_grad_() for t in (q, k, v, rows, cols)]
    with torch.no_grad():
        plain = triton_attention(*tensors, scale, grid)
    out = triton_attention(*tensors, scale, grid)
    weight = normal(*out.shape)
    out.backward(weight)
    wide = [t.detach().double().requires_grad_() for t in tensors]
    wanted = exact(*wide, grid, near, scale)
    wanted.backward(weight.double())
    found = {"out": error(out, wanted) if torch.equal(plain, out) else float("inf")}
    for name, ours, theirs in zip(("q", "k", "v", "rows", "cols"), tensors, wide, strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert (ours.grad.shape, ours.grad.dtype) == (ours.shape, ours.dtype)
        found[f"d{name}"] = error(ours.grad, theirs.grad)
    tables = (
        normal(case.height, near[0], case.head_dim, spread=0.3),
        normal(case.width, near[1], case.head_dim, spread=0.3),
    )
    slopes = torch.rand(case.heads, generator=generator, device=device)
    ways = (("relative", tables, slopes), ("mask", (None, None), slopes), ("no mask", tables, None))
    for name, given, mask in ways[: 2 if case.near[0] else 3]:
        made = triton_relative(q, k, v, *given, mask, grid, near, scale)
        wide_tables = None if given[0] is None else given
        bias = separable_bias(q.double(), grid, near, wide_tables, None if mask is None else mask.double())
        found[name] = error(made, exact(*(t.double() for t in (q, k, v)), *bias, grid, near, scale))
    return found


def windows_error(case: Case, normal: object, scale: float) -> float:
    """Beside windows that are cut out of a padded projection."""
    assert callable(normal)
    qkv = normal(case.batch, case.height, case.width, 3, case.heads, case.head_dim)
    fill = normal(3, case.heads, case.head_dim)
    tables = [normal(case.window, case.window, case.head_dim, spread=0.3) for _ in range(2)]
    found = triton_windows(qkv, case.window, fill, *tables, scale)
    wanted = torch.zeros_like(found, dtype=torch.float64)
    side = case.window
    padded = fill.double().expand(case.batch, case.height + side, case.width + side, -1, -1, -1).clone()
    padded[:, : case.height, : case.width] = qkv
    for top in range(0, case.height, side):
        for left in range(0, case.width, side):
            cut = padded[:, top : top + side, left : left + side].flatten(1, 2)
            q, k, v = cut.permute(2, 0, 3, 1, 4)
            square = side, side
            out = exact(q, k, v, *separable_bias(q, square, square, (tables[0], tables[1]), None), square, square, scale)
            out = out.transpose(1, 2).reshape(case.batch, side, side, -1)
            part = wanted[:, top : top + side, left : left + side]
            part.copy_(out[:, : part.shape[1], : part.shape[2]])
    return error(found, wanted)


def limit(case: Case, name: str) -> float:
    """What an error may be: twice and more what was measured on an H200; gradients are rounded twice."""
    low = {FLOAT: 5e-6, HALF: 1e-3, BRAIN: 8e-3}[case.dtype]
    return 2 * low if name.startswith("d") else low


def small_tiles(case: Case) -> None:
    """Blocks of 32 queries and tiles of 16 keys, so that a few tokens make several of each; of neighborhoods as many rows of
    keys as on a GPU."""
    parameters = triton_plan.LaunchParameters(32, 1, 1)
    keys = (32 if case.dtype == FLOAT else 64) if case.near[0] else 16
    table = triton_plan.KernelTable(keys, parameters, parameters, parameters)
    triton_plan.DEFAULT.update(dict.fromkeys(triton_plan.DEFAULT, replace(table)))


if __name__ == "__main__":
    assert os.environ.get("TRITON_INTERPRET") == "1"
    torch.set_num_threads(1)
    for number in map(int, sys.argv[1:]):
        case = (*TINY, *LARGER)[number]
        small_tiles(case)
        print(json.dumps({case.name: errors_of(case, "cpu")}), flush=True)
