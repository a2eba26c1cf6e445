"""Attention by the Triton kernels, as operators that autograd and torch.compile know.

An operator is opaque to torch.compile: one node of its graph per call. Sizes of images are ordinary arguments of the kernels,
so that neither compiles anything again for another image. Outside of torch.compile the functions behind the operators are
called directly: going through the dispatcher takes as long as a small kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from basam.attention.triton_call import Call, usable

# Bias, in bytes, that is held at one time where the kernels make it; what needs more goes in parts, one after another.
BIAS_BYTES = 512 << 20


def token_major(q: Tensor) -> Tensor:
    """An empty tensor like q `(B, heads, N, d)` in the order of `(B, N, heads, d)`: merging heads afterwards copies nothing."""
    batch, heads, tokens, head_dim = q.shape
    return q.new_empty((batch, tokens, heads, head_dim)).transpose(1, 2)


def parts(size: int, bias_bytes: int) -> Iterator[slice]:
    """`size` heads or images in parts whose bias fits `BIAS_BYTES`; all of them have `bias_bytes`."""
    step = max(1, size * BIAS_BYTES // bias_bytes)
    return (slice(start, start + step) for start in range(0, size, step))


def forward(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, height: int, width: int, scale: float, keep: bool
) -> tuple[Tensor, Tensor]:
    """Output, in the order of `token_major`, and what the backward pass wants where `keep`."""
    q, k, v = usable(q), usable(k), usable(v)
    call = Call(q, (height, width), (rows.shape[-1], cols.shape[-1]), scale)
    out = token_major(q)
    return out, call.forward(q, k, v, *call.pad(rows, cols), out, keep)


def forward_fake(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, height: int, width: int, scale: float, keep: bool
) -> tuple[Tensor, Tensor]:
    shape = (q.shape[0] * q.shape[1], q.shape[2]) if keep else (0, 0)
    return token_major(q), q.new_empty(shape, dtype=torch.float32)


def backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, out: Tensor, lse: Tensor,
    height: int, width: int, scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of q, k, v, rows and cols."""
    grad, q, k, v = usable(grad), usable(q), usable(k), usable(v)
    call = Call(q, (height, width), (rows.shape[-1], cols.shape[-1]), scale)
    dq, dk, dv = (token_major(q) for _ in range(3))
    if out.stride() != dq.stride():  # the kernels read both by the same strides
        out = token_major(q).copy_(out)
    ddown, dacross = call.backward(grad, q, k, v, *call.pad(rows, cols), out, lse, dq, dk, dv)
    drows, dcols = call.unpad(ddown, dacross)
    return dq, dk, dv, like(drows, rows), like(dcols, cols)


def like(gradient: Tensor, bias: Tensor) -> Tensor:
    """A gradient `(groups, N, size)` in the shape and dtype of the bias, contiguous."""
    return torch.empty_like(bias, memory_format=torch.contiguous_format).copy_(gradient.unflatten(0, bias.shape[:2]))


def backward_fake(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, out: Tensor, lse: Tensor,
    height: int, width: int, scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    drows, dcols = (torch.empty_like(t, memory_format=torch.contiguous_format) for t in (rows, cols))
    return token_major(q), token_major(q), token_major(q), drows, dcols


def relative(
    q: Tensor, k: Tensor, v: Tensor, table_h: Tensor | None, table_w: Tensor | None, slopes: Tensor | None,
    height: int, width: int, near_h: int, near_w: int, scale: float,
) -> Tensor:  # fmt: skip
    """Attention whose bias the kernels make themselves, some heads at a time; see `bias.separable_bias`."""
    q, k, v = usable(q), usable(k), usable(v)
    table_h, table_w, slopes = (None if t is None else t.contiguous() for t in (table_h, table_w, slopes))
    out = token_major(q)
    grid, near = (height, width), (near_h, near_w)
    call = Call(q, grid, near, scale)
    for part in parts(q.shape[1], call.bias_bytes()):
        some = q[:, part]
        if part.stop - part.start < q.shape[1]:
            call = Call(some, grid, near, scale)
        bias = call.make_bias(some, table_h, table_w, None if slopes is None else slopes[part])
        call.forward(some, k[:, part], v[:, part], *bias, out[:, part])
        del bias  # before the next part's is made
    return out


def relative_fake(
    q: Tensor, k: Tensor, v: Tensor, table_h: Tensor | None, table_w: Tensor | None, slopes: Tensor | None,
    height: int, width: int, near_h: int, near_w: int, scale: float,
) -> Tensor:  # fmt: skip
    return token_major(q)


def windows(
    qkv: Tensor, window: int, fill: Tensor | None, table_h: Tensor | None, table_w: Tensor | None, scale: float
) -> Tensor:
    """Attention inside SAM's windows, which are not cut out: `(B, H, W, 3, heads, d)` to `(B, H, W, heads * d)`.

    Args:
        fill: `(3, heads, d)`, value beyond the image in windows that extend there; None: zeros.
        table_h, table_w: relative positions, `(window, window, d)`; both or neither.
    """
    batch, height, width, _, heads, head_dim = qkv.shape
    fill = qkv.new_zeros(3, heads, head_dim) if fill is None else fill.to(qkv.dtype).contiguous()
    table_h, table_w = (None if t is None else t.contiguous() for t in (table_h, table_w))
    q, k, v = (usable(t) for t in qkv.flatten(1, 2).permute(2, 0, 3, 1, 4))
    out = token_major(q)
    side, image = (window, window), (height, width)
    call = Call(q, side, side, scale, image)
    for part in parts(batch, call.bias_bytes()):
        if part.stop - part.start < batch:
            call = Call(q[part], side, side, scale, image)
        bias = call.make_bias(q[part], table_h, table_w, None)
        call.forward(q[part], k[part], v[part], *bias, out[part], fill=fill)
        del bias
    return out.transpose(1, 2).reshape(batch, height, width, -1)


def windows_fake(
    qkv: Tensor, window: int, fill: Tensor | None, table_h: Tensor | None, table_w: Tensor | None, scale: float
) -> Tensor:
    return qkv.new_empty((*qkv.shape[:3], qkv.shape[4] * qkv.shape[5]))


FORWARD = torch.library.custom_op("basam::triton_forward", forward, mutates_args=())
BACKWARD = torch.library.custom_op("basam::triton_backward", backward, mutates_args=())
RELATIVE = torch.library.custom_op("basam::triton_relative", relative, mutates_args=())
WINDOWS = torch.library.custom_op("basam::triton_windows", windows, mutates_args=())
FORWARD.register_fake(forward_fake)
BACKWARD.register_fake(backward_fake)
RELATIVE.register_fake(relative_fake)
WINDOWS.register_fake(windows_fake)


class TritonAttention(torch.autograd.Function):
    """Saves its inputs, its output and the log-sum-exp of every query; the backward pass recomputes the tiles."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, height: int, width: int, scale: float
    ) -> Tensor:
        out, lse = FORWARD(q, k, v, rows, cols, height, width, scale, True)
        ctx.save_for_backward(q, k, v, rows, cols, out, lse)
        ctx.sizes = height, width, scale
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return (*BACKWARD(grad, *ctx.saved_tensors, *ctx.sizes), None, None, None)


def triton_attention(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float, grid: tuple[int, int] | None = None
) -> Tensor:
    """softmax(scale * q.k + rows + cols) v, differentiable in all five tensors; see `dispatch.separable_attention`.

    With `grid`, its height and width, a query sees only a neighborhood, as many rows and columns as the bias has; see
    `reference.eager_neighborhood`.
    """
    height, width = grid or (rows.shape[-1], cols.shape[-1])
    if torch.is_grad_enabled() and any(t.requires_grad for t in (q, k, v, rows, cols)):
        return TritonAttention.apply(q, k, v, rows, cols, height, width, scale)
    return (FORWARD if torch.compiler.is_compiling() else forward)(q, k, v, rows, cols, height, width, scale, False)[0]


def triton_relative(
    q: Tensor, k: Tensor, v: Tensor, table_h: Tensor | None, table_w: Tensor | None, slopes: Tensor | None,
    grid: tuple[int, int], near: tuple[int, int], scale: float,
) -> Tensor:  # fmt: skip
    """`relative`, without gradients, of a query to the `near` rows and columns of the grid around it.

    Args:
        table_h, table_w: relative positions of every row and column of queries to the keys that it sees, `(H, near[0], d)` and
            `(W, near[1], d)`; both or neither.
        slopes: `(heads,)` of the bias-mode mask.
    """
    call = RELATIVE if torch.compiler.is_compiling() else relative
    return call(q, k, v, table_h, table_w, slopes, *grid, *near, scale)


def triton_windows(
    qkv: Tensor, window: int, fill: Tensor | None, table_h: Tensor | None, table_w: Tensor | None, scale: float
) -> Tensor:
    """`windows`, without gradients."""
    call = WINDOWS if torch.compiler.is_compiling() else windows
    return call(qkv, window, fill, table_h, table_w, scale)
