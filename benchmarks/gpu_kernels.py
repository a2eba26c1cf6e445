"""The kernels part of `benchmarks/gpu.py`: attention beside everything else that adds a bias, and beside flash without one."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from gpu_bench import ENOUGH, Bench, milliseconds
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import flex_attention

from basam.attention import grid_attention, neighborhood_attention, one_hot_attention, separable_attention

# batch, heads, grid, head dimension
GRIDS = (
    (8, 12, 64, 64, 64),
    (1, 12, 64, 64, 64),
    (8, 12, 43, 64, 64),
    (1, 12, 63, 84, 64),
    (1, 12, 128, 128, 64),
    (1, 12, 178, 268, 64),
    (1, 12, 256, 256, 64),
    (8, 16, 64, 64, 80),
    (1, 16, 128, 128, 80),
)
BACKWARD_GRIDS = ((8, 12, 64, 64, 64), (1, 12, 128, 128, 64), (8, 16, 64, 64, 80))
FLEX_GRIDS = ((8, 12, 64, 64, 64), (1, 12, 63, 84, 64))


def operands(grid: tuple[int, ...], grad: bool) -> list[Tensor]:
    batch, heads, height, width, head_dim = grid
    qkv = torch.randn(batch, height * width, 3, heads, head_dim, device="cuda", dtype=torch.bfloat16)
    bias = (torch.randn(batch, heads, height * width, side, device="cuda") for side in (height, width))
    return [t.detach().requires_grad_(grad) for t in (*qkv.permute(2, 0, 3, 1, 4), *bias)]


def unbiased(backend: SDPBackend) -> Callable[..., Tensor]:
    def attention(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, scale=scale)

    return attention


def ours(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    return separable_attention(q, k, v, rows, cols, scale=scale, backend="triton")


def masked(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    mask = (rows[..., :, None] + cols[..., None, :]).flatten(-2).to(q.dtype)
    with sdpa_kernel(SDPBackend.EFFICIENT_ATTENTION):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)


def flex(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    width = cols.shape[-1]

    def bias(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return score + rows[b, h, i, j // width] + cols[b, h, i, j % width]

    out = flex_attention(q, k, v, score_mod=bias, scale=scale)
    assert isinstance(out, Tensor)
    return out


def from_tables(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    """As encoders run it: the bias is made of the queries and tables, which here stand for nothing."""
    height, width = rows.shape[-1], cols.shape[-1]
    tables = q.new_ones(height, height, q.shape[-1]), q.new_ones(width, width, q.shape[-1])
    batch, heads, tokens, head_dim = q.shape
    token = 3 * heads * head_dim  # q, k and v are slices of one projection: see `operands`
    strides = tokens * token, width * token, token, heads * head_dim, head_dim, 1
    qkv = q.as_strided((batch, height, width, 3, heads, head_dim), strides)
    return grid_attention(qkv, scale=scale, tables=tables)


def nearest(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    """To the 64 x 64 keys around every query; its TFLOP/s count all keys too, as if it multiplied them."""
    grid = rows.shape[-1], cols.shape[-1]
    near = min(64, grid[0]), min(64, grid[1])
    return neighborhood_attention(q, k, v, rows[..., : near[0]], cols[..., : near[1]], grid, near, scale)


WAYS: dict[str, Callable[..., Tensor]] = {
    "basam": ours,
    "basam, bias from tables": from_tables,
    "basam, 64 x 64 keys": nearest,
    "flash, no bias": unbiased(SDPBackend.FLASH_ATTENTION),
    "cuDNN, no bias": unbiased(SDPBackend.CUDNN_ATTENTION),
    "efficient, N x N mask": masked,
    "one-hot channels, flash": one_hot_attention,
}


def measure_kernel(way: Callable[..., Tensor], grid: tuple[int, ...], backward: bool, biased: bool = True) -> dict[str, Any]:
    batch, heads, height, width, head_dim = grid
    tensors = operands(grid, backward)
    scale = head_dim**-0.5
    flops = (10 if backward else 4) * batch * heads * (height * width) ** 2 * head_dim
    start = time.perf_counter()
    if backward:
        out = way(*tensors, scale)
        grad = torch.randn_like(out)
        wanted = tensors if biased else tensors[:3]
        call: Callable[[], Any] = functools.partial(torch.autograd.grad, out, wanted, grad, retain_graph=True)
        call()
    else:
        call = functools.partial(way, *tensors, scale)
        with torch.no_grad():
            call()
    torch.cuda.synchronize()
    first = time.perf_counter() - start
    with torch.set_grad_enabled(backward):
        found = milliseconds(call, 0.2)
    return {"ms": found, "tflops": flops / found / 1e9, "first_s": first}


def kernels(bench: Bench) -> None:
    memory = ENOUGH * torch.cuda.get_device_properties(0).total_memory
    for backward in (False, True):
        part = "backward" if backward else "forward"
        for grid in BACKWARD_GRIDS if backward else GRIDS:
            batch, heads, height, width, head_dim = grid
            for name, way in WAYS.items():
                if backward and "tables" in name:
                    continue
                if "N x N" in name and batch * heads * (height * width) ** 2 * 2 * (6 if backward else 4) > memory:
                    continue
                if "one-hot" in name and head_dim + height + width > 256:
                    continue
                what = {"grid": grid, "way": name}
                measure = functools.partial(measure_kernel, way, grid, backward, "no bias" not in name)
                bench.attempt(part, what, measure, seconds=5)


def flexes(bench: Bench) -> None:
    for dynamic in (False, True):
        torch._dynamo.reset()
        way = torch.compile(flex, dynamic=dynamic)
        for grid in FLEX_GRIDS:
            what = {"grid": grid, "way": f"flex, {'dynamic' if dynamic else 'static'} shapes"}
            bench.attempt("forward", what, functools.partial(measure_kernel, way, grid, False), seconds=30)
