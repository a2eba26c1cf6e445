"""Launches of the Triton kernels, as operators that autograd and torch.compile know.

An operator is opaque to torch.compile: one node of its graph per call. Sizes of images are ordinary arguments of the kernels,
so that neither compiles anything again for another image.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from basam.attention.triton_plan import KernelTable, KeyTiles, LaunchParameters, halves, key_tiles, launch_table, up

# Bias, in bytes, that is held at one time where the kernel makes it itself; more heads go one after another.
BIAS_BYTES = 512 << 20
# Queries and keys of one program that makes bias.
BIAS_BLOCK = 64


def precision(dtype: torch.dtype) -> str:
    """How float32 is multiplied: three passes of tf32 (the error of float32, on tensor cores) unless PyTorch is told to allow
    plain tf32. AMD's compiler knows no tf32x3, and has float32 multiplications of its own."""
    if dtype != torch.float32 or torch.version.hip is not None:
        return "ieee"
    return "tf32" if torch.backends.cuda.matmul.allow_tf32 else "tf32x3"


def major_of(device: torch.device) -> int:
    return torch.cuda.get_device_capability(device)[0] if device.type == "cuda" else 0


def usable(t: Tensor) -> Tensor:
    """Channels next to each other, and offsets within one head below 2 ** 31, which is what the kernels count in."""
    return t if t.stride(-1) == 1 and t.shape[-2] * t.stride(-2) < 2**31 else t.contiguous()


def token_major(q: Tensor) -> Tensor:
    """An empty tensor like q `(B, heads, N, d)` in the order of `(B, N, heads, d)`: merging heads afterwards copies nothing."""
    batch, heads, tokens, head_dim = q.shape
    return q.new_empty((batch, tokens, heads, head_dim)).transpose(1, 2)


class Call:
    """What the kernels of one call share: the cut of the keys, sizes, constants."""

    def __init__(self, q: Tensor, height: int, width: int, scale: float) -> None:
        self.batch, self.heads, self.tokens, head_dim = q.shape
        self.device = q.device
        self.table: KernelTable = launch_table(major_of(q.device), q.dtype.itemsize, head_dim)
        self.tiles: KeyTiles = key_tiles(height, width, self.table.block_n)
        self.height, self.width, self.scale = height, width, scale
        self.down, self.across = (width, height) if self.tiles.swap else (height, width)
        d1, d2 = halves(head_dim)
        self.shared: dict[str, Any] = {
            "HEAD": head_dim,
            "D1": d1,
            "D2": d2,
            "PRECISION": precision(q.dtype),
            # The interpreter is the only place where this runs on a CPU.
            "WIDEN": q.device.type == "cpu" and q.dtype == torch.bfloat16,
            "enable_fp_fusion": True,  # Triton's default until 3.9, which says that it will change
        }

    @property
    def groups(self) -> int:
        return self.batch * self.heads

    def sizes(self) -> tuple[int | float, ...]:
        steps = (1, self.width) if self.tiles.swap else (self.width, 1)
        return self.tokens, self.down, self.across, self.heads, *steps, self.scale

    def constants(self, launch: LaunchParameters) -> dict[str, Any]:
        tile = {"BLOCK_M": launch.block_m, "TR": self.tiles.rows, "TC": self.tiles.columns}
        return {**self.shared, **tile, "num_warps": launch.warps, "num_stages": launch.stages}

    def query_blocks(self, launch: LaunchParameters) -> tuple[int]:
        return (-(-self.tokens // launch.block_m) * self.groups,)

    def padded(self) -> tuple[int, int, int]:
        """Keys down and across in whole tiles, and queries in multiples of 16, so that all strides are."""
        return up(self.down, self.tiles.rows), up(self.across, max(16, self.tiles.columns)), up(self.tokens, 16)

    def pad(self, rows: Tensor, cols: Tensor) -> tuple[Tensor, Tensor]:
        """The bias as the kernels read it: down `(groups, R, N)`, across `(groups, N, C)`, -inf where no key is."""
        down, across = (cols, rows) if self.tiles.swap else (rows, cols)
        most_down, most_across, most_queries = self.padded()
        low = float("-inf")
        spare = (0, most_queries - self.tokens, 0, most_down - self.down)
        return (
            F.pad(down.flatten(0, 1).float().transpose(1, 2), spare, value=low).contiguous(),
            F.pad(across.flatten(0, 1).float(), (0, most_across - self.across), value=low).contiguous(),
        )

    def make(self, q: Tensor, table_h: Tensor | None, table_w: Tensor | None, slopes: Tensor | None) -> tuple[Tensor, Tensor]:
        """The same from queries, tables of relative positions and slopes, in one kernel per axis."""
        from basam.attention.triton_forward import bias_kernel

        most_down, most_across, most_queries = self.padded()
        down = q.new_empty((self.groups, most_down, most_queries), dtype=torch.float32)
        across = q.new_empty((self.groups, self.tokens, most_across), dtype=torch.float32)
        for rows, table in ((True, table_h), (False, table_w)):
            keys_first = rows != self.tiles.swap
            bias, keys = (down, most_down) if keys_first else (across, most_across)
            axis, length = (self.height, self.width) if rows else (self.width, self.height)
            grid = (axis * -(-length // BIAS_BLOCK) * self.groups, -(-keys // BIAS_BLOCK))
            bias_kernel[grid](
                q, q if table is None else table.contiguous(), q if slopes is None else slopes, bias,
                self.height, self.width, self.heads, keys, *q.stride()[:3], *bias.stride()[:2],
                BLOCK_Q=BIAS_BLOCK, BLOCK_K=BIAS_BLOCK, ROWS=rows, KEYS_FIRST=keys_first,
                TABLE=table is not None, SLOPES=slopes is not None, **self.shared,
            )  # fmt: skip
        return down, across

    def forward(self, q: Tensor, k: Tensor, v: Tensor, down: Tensor, across: Tensor, out: Tensor, keep: bool) -> Tensor:
        """Into `out`; the base-2 log-sum-exp of the logits, `(groups, N)` (empty unless it is to be kept)."""
        from basam.attention.triton_forward import forward_kernel

        lse = q.new_empty((self.groups, self.tokens) if keep else (0, 0), dtype=torch.float32)
        strides = [t.stride()[:3] for t in (q, k, v)] + [t.stride()[:2] for t in (down, across)] + [out.stride()[:3]]
        forward_kernel[self.query_blocks(self.table.forward)](
            q, k, v, down, across, out, lse, *self.sizes(), *(step for group in strides for step in group), lse.stride(0),
            KEEP_LSE=keep, **self.constants(self.table.forward),
        )  # fmt: skip
        return lse


def lse_shape(q: Tensor, keep: bool) -> tuple[int, int]:
    return (q.shape[0] * q.shape[1], q.shape[2]) if keep else (0, 0)


@torch.library.custom_op("basam::triton_forward", mutates_args=())
def triton_forward(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float, keep: bool
) -> tuple[Tensor, Tensor]:
    """Output, in the order of `token_major`, and what the backward pass wants where `keep`."""
    q, k, v = usable(q), usable(k), usable(v)
    call = Call(q, rows.shape[-1], cols.shape[-1], scale)
    out = token_major(q)
    return out, call.forward(q, k, v, *call.pad(rows, cols), out, keep)


@triton_forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float, keep: bool) -> tuple[Tensor, Tensor]:
    return token_major(q), q.new_empty(lse_shape(q, keep), dtype=torch.float32)


@torch.library.custom_op("basam::triton_relative", mutates_args=())
def triton_relative(
    q: Tensor, k: Tensor, v: Tensor, table_h: Tensor | None, table_w: Tensor | None, slopes: Tensor | None,
    height: int, width: int, scale: float,
) -> Tensor:  # fmt: skip
    """Attention whose bias the kernels make themselves, some heads at a time; see `sam_terms.separable_bias`. No gradients."""
    q, k, v = usable(q), usable(k), usable(v)
    batch, heads, tokens, _ = q.shape
    out = token_major(q)
    call = Call(q, height, width, scale)
    most_down, most_across, most_queries = call.padded()
    bias_bytes = 4 * batch * (most_down * most_queries + most_across * tokens)  # per head
    step = min(heads, max(1, BIAS_BYTES // bias_bytes))
    for start in range(0, heads, step):
        part = slice(start, start + step)
        some = Call(q[:, part], height, width, scale)
        bias = some.make(q[:, part], table_h, table_w, None if slopes is None else slopes[part].contiguous())
        some.forward(q[:, part], k[:, part], v[:, part], *bias, out[:, part], False)
    return out


@triton_relative.register_fake
def _(
    q: Tensor, k: Tensor, v: Tensor, table_h: Tensor | None, table_w: Tensor | None, slopes: Tensor | None,
    height: int, width: int, scale: float,
) -> Tensor:  # fmt: skip
    return token_major(q)


@torch.library.custom_op("basam::triton_backward", mutates_args=())
def triton_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, out: Tensor, lse: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of q, k, v, rows and cols."""
    from basam.attention.triton_backward import key_gradients_kernel, query_gradients_kernel

    grad, q, k, v, out = (usable(t) for t in (grad, q, k, v, out))
    call = Call(q, rows.shape[-1], cols.shape[-1], scale)
    down, across = call.pad(rows, cols)
    ddown, dacross, delta = torch.empty_like(down), torch.empty_like(across), torch.empty_like(lse)
    dq, dk, dv = (token_major(q) for _ in range(3))
    strides = [t.stride()[:3] for t in (q, k, v)] + [t.stride()[:2] for t in (down, across)] + [dq.stride()[:3]]
    common = (*call.sizes(), *(step for group in strides for step in group), *grad.stride()[:3], lse.stride(0))
    if out.stride() != dq.stride():  # the kernel reads both by the strides of dq
        out = token_major(q).copy_(out)
    launch = call.table.query
    query_gradients_kernel[call.query_blocks(launch)](
        q, k, v, down, across, out, grad, lse, delta, dq, ddown, dacross, *common, **call.constants(launch)
    )
    launch = call.table.key
    tiles = up(call.down, call.tiles.rows) // call.tiles.rows * (up(call.across, call.tiles.columns) // call.tiles.columns)
    key_gradients_kernel[(tiles * call.groups,)](
        q, k, v, down, across, grad, lse, delta, dk, dv, *common, **call.constants(launch)
    )
    ddown = ddown[:, : call.down, : call.tokens].transpose(1, 2)
    dacross = dacross[..., : call.across]
    drows, dcols = (dacross, ddown) if call.tiles.swap else (ddown, dacross)
    return dq, dk, dv, like(drows, rows), like(dcols, cols)


def like(gradient: Tensor, bias: Tensor) -> Tensor:
    """A gradient `(groups, N, size)` in the shape and dtype of the bias, contiguous."""
    return torch.empty_like(bias, memory_format=torch.contiguous_format).copy_(gradient.unflatten(0, bias.shape[:2]))


@triton_backward.register_fake
def _(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, out: Tensor, lse: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    drows, dcols = (torch.empty_like(t, memory_format=torch.contiguous_format) for t in (rows, cols))
    return token_major(q), token_major(q), token_major(q), drows, dcols


class TritonAttention(torch.autograd.Function):
    """Saves its inputs, its output and the log-sum-exp of every query; the backward pass recomputes the tiles."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
        out, lse = triton_forward(q, k, v, rows, cols, scale, True)
        ctx.save_for_backward(q, k, v, rows, cols, out, lse)
        ctx.scale = scale
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return (*triton_backward(grad, *ctx.saved_tensors, ctx.scale), None)


def triton_attention(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor, scale: float) -> Tensor:
    """softmax(scale * q.k + rows + cols) v, differentiable in all five tensors; see `door.separable_attention`."""
    if torch.is_grad_enabled() and any(t.requires_grad for t in (q, k, v, rows, cols)):
        return TritonAttention.apply(q, k, v, rows, cols, scale)
    return triton_forward(q, k, v, rows, cols, scale, False)[0]
