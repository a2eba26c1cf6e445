"""The arguments of the Triton kernels for one call: sizes, constants, number of programs, padded bias."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from basam.attention.triton_launch import launch
from basam.attention.triton_plan import (
    TILE_COLUMNS,
    TILE_ROWS,
    KernelTable,
    LaunchParameters,
    dense_tiles,
    halves,
    launch_table,
    neighborhood_tiles,
    up,
)
from basam.positions import window_starts

Pair = tuple[int, int]  # height and width


def precision(dtype: torch.dtype) -> str:
    """How float32 is multiplied: three passes of tf32 (the error of float32, on tensor cores) unless PyTorch is set to allow
    plain tf32. AMD's compiler knows no tf32x3, and has float32 multiplications of its own."""
    if dtype != torch.float32 or torch.version.hip is not None:
        return "ieee"
    return "tf32" if torch.backends.cuda.matmul.allow_tf32 else "tf32x3"


def major_of(device: torch.device) -> int:
    return torch.cuda.get_device_capability(device)[0] if device.type == "cuda" else 0


def usable(t: Tensor) -> Tensor:
    """Contiguous channels, and offsets within one head below 2 ** 31, because the kernels use 32-bit offsets."""
    return t if t.stride(-1) == 1 and t.shape[-2] * t.stride(-2) < 2**31 else t.contiguous()


def strides_of(*tensors: Tensor) -> tuple[int, ...]:
    """Of batch, heads and tokens where there are four axes; of groups and one more where there are three."""
    return tuple(step for t in tensors for step in t.stride()[:-1])


class Call:
    """What the kernels of one call share: the cut of the keys, sizes, constants.

    Args:
        q: `(B, heads, N, d)`.
        grid: height and width of the grid of keys and queries, in tokens; with `image` that of a window.
        near: height and width of what a query sees of the grid.
        image: height and width of the image that is in windows, N = height * width of it.
    """

    def __init__(self, q: Tensor, grid: Pair, near: Pair, scale: float, image: Pair | None = None) -> None:
        self.batch, self.heads, _, head_dim = q.shape
        self.grid, self.near, self.scale, self.image = grid, near, scale, image
        self.tokens = grid[0] * grid[1]
        self.table: KernelTable = launch_table(major_of(q.device), q.dtype.itemsize, head_dim)
        block_n, self.local = self.table.block_n, near != grid
        self.tiles = neighborhood_tiles(grid, near, block_n) if self.local else dense_tiles(*grid, block_n)
        step = -1 if self.tiles.swap else 1
        self.down, self.across = grid[::step]
        self.near_down, self.near_across = near[::step]
        self.steps = (grid[1], 1)[::step]
        windows = 1 if image is None else -(-image[0] // grid[0]) * -(-image[1] // grid[1])
        self.groups = self.batch * windows * self.heads
        self.head_dim, (self.d1, self.d2) = head_dim, halves(head_dim)
        # The interpreter is the only place where this runs on a CPU.
        self.last = {"PRECISION": precision(q.dtype), "WIDEN": q.device.type == "cpu" and q.dtype == torch.bfloat16}

    def sizes(self) -> tuple[int | float, ...]:
        near = self.near_down, self.near_across
        return self.tokens, self.down, self.across, *(self.image or (0, 0)), *near, self.heads, *self.steps, self.scale

    def constants(self, parameters: LaunchParameters, **own: bool) -> dict[str, Any]:
        return {
            **{"HEAD": self.head_dim, "D1": self.d1, "D2": self.d2, "BLOCK_M": parameters.block_m},
            **{"TR": self.tiles.rows, "TC": self.tiles.columns, "NEAR": self.local, **own, **self.last},
            **{"num_warps": parameters.warps, "num_stages": parameters.stages},
            "enable_fp_fusion": True,  # Triton's default until 3.9, which announces a change
        }

    def query_programs(self, parameters: LaunchParameters) -> tuple[int]:
        if not self.local:
            return (-(-self.tokens // parameters.block_m) * self.groups,)
        return (-(-self.down // (parameters.block_m // TILE_COLUMNS)) * -(-self.across // TILE_COLUMNS) * self.groups,)

    def key_programs(self) -> tuple[int]:
        return (-(-self.down // self.tiles.rows) * -(-self.across // self.tiles.columns) * self.groups,)

    def padded(self) -> tuple[int, int, int]:
        """Keys down and across whose bias is stored, and queries in multiples of 16, so that all strides are."""
        return *self.tiles.stored, up(self.tokens, 16)

    def bias_bytes(self) -> int:
        down, across, queries = self.padded()
        return 4 * self.groups * (down * queries + across * self.tokens)

    def places(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Where the bias of the keys that a query sees is stored: `(1, N, keys)`, down and across."""
        stored_at = []
        tokens = torch.arange(self.tokens, device=device)
        for length, near, step, tile in (
            (self.down, self.near_down, self.steps[0], TILE_ROWS),
            (self.across, self.near_across, self.steps[1], TILE_COLUMNS),
        ):
            first = window_starts(length, near, device)
            place = tokens // step % length
            stored = first[place // tile * tile] // tile * tile
            stored_at.append((first[place] - stored)[None, :, None] + torch.arange(near, device=device))
        return stored_at[0], stored_at[1]

    def pad(self, rows: Tensor, cols: Tensor) -> tuple[Tensor, Tensor]:
        """The bias as the kernels read it: down `(groups, keys, N)`, across `(groups, N, keys)`, float32; -inf: no key."""
        down, across = (t.flatten(0, 1).float() for t in ((cols, rows) if self.tiles.swap else (rows, cols)))
        most_down, most_across, most_queries = self.padded()
        if self.local:
            empty = down.new_full((), float("-inf"))
            down, across = (
                empty.expand(*bias.shape[:2], most).scatter(2, place.expand(bias.shape), bias)
                for bias, place, most in zip((down, across), self.places(rows.device), self.tiles.stored, strict=True)
            )
        down = down.transpose(1, 2)
        if most_down > down.shape[1] or most_queries > self.tokens:  # else one copy less
            down = F.pad(down, (0, most_queries - self.tokens, 0, most_down - down.shape[1]), value=float("-inf"))
        if most_across > across.shape[2]:
            across = F.pad(across, (0, most_across - across.shape[2]), value=float("-inf"))
        return down.contiguous(), across.contiguous()

    def unpad(self, ddown: Tensor, dacross: Tensor) -> tuple[Tensor, Tensor]:
        """The gradients of rows and cols `(groups, N, keys)` of those of what `pad` made."""
        ddown = ddown[..., : self.tokens].transpose(1, 2)
        if self.local:
            ddown, dacross = (
                grad.gather(2, place.expand(len(grad), -1, -1))
                for grad, place in zip((ddown, dacross), self.places(ddown.device), strict=True)
            )
        ddown, dacross = ddown[..., : self.near_down], dacross[..., : self.near_across]
        return (dacross, ddown) if self.tiles.swap else (ddown, dacross)

    def make_bias(
        self, q: Tensor, table_h: Tensor | None, table_w: Tensor | None, slopes: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The same from queries, tables of relative positions and slopes."""
        from basam.attention.triton_bias import bias_kernel

        most_down, most_across, most_queries = self.padded()
        down = q.new_empty((self.groups, most_down, most_queries), dtype=torch.float32)
        across = q.new_empty((self.groups, self.tokens, most_across), dtype=torch.float32)
        height, width = self.grid
        block = 16 if max(height, width) <= 16 else 64
        lines = max(height * -(-width // block), width * -(-height // block))
        launch(
            bias_kernel,
            (lines * self.groups, -(-max(most_down, most_across) // block), 2),
            (q, *(q if t is None else t for t in (table_h, table_w, slopes)), down, across),
            (height, width, *(self.image or (0, 0)), *self.near, self.heads, self.groups, most_down, most_across),
            strides_of(q, down, across),
            {
                **{"HEAD": self.head_dim, "D1": self.d1, "D2": self.d2, "BLOCK_Q": block, "BLOCK_K": block},
                **{"SWAP": self.tiles.swap, "TABLE": table_h is not None, "SLOPES": slopes is not None},
                **{"WINDOWS": self.image is not None, **self.last, "num_warps": 1 if block == 16 else 4},
            },
        )
        return down, across

    def forward(
        self,
        q: Tensor, k: Tensor, v: Tensor, down: Tensor, across: Tensor, out: Tensor,
        keep: bool = False, fill: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Compute into `out`; returns the base-2 log-sum-exp of the logits, `(groups, N)`, empty unless the backward pass needs
        it."""
        from basam.attention.triton_forward import forward_kernel

        lse = q.new_empty((self.groups, self.tokens) if keep else (0, 0), dtype=torch.float32)
        launch(
            forward_kernel,
            self.query_programs(self.table.forward),
            (q, k, v, down, across, out, lse, q if fill is None else fill),
            self.sizes(),
            (*strides_of(q, k, v, down, across, out), lse.stride(0)),
            self.constants(self.table.forward, KEEP_LSE=keep, WINDOWS=self.image is not None),
        )
        return lse

    def backward(
        self,
        grad: Tensor, q: Tensor, k: Tensor, v: Tensor, down: Tensor, across: Tensor, out: Tensor, lse: Tensor,
        dq: Tensor, dk: Tensor, dv: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Into dq, dk and dv, which have the strides of out; the gradients of down and across."""
        from basam.attention.triton_backward import key_gradients_kernel, query_gradients_kernel

        ddown, dacross, delta = torch.empty_like(down), torch.empty_like(across), torch.empty_like(lse)
        strides = (*strides_of(q, k, v, down, across, out, grad), lse.stride(0))
        launch(
            query_gradients_kernel,
            self.query_programs(self.table.query),
            (q, k, v, down, across, out, grad, lse, delta, dq, ddown, dacross),
            self.sizes(),
            strides,
            self.constants(self.table.query),
        )
        launch(
            key_gradients_kernel,
            self.key_programs(),
            (q, k, v, down, across, grad, lse, delta, dk, dv),
            self.sizes(),
            strides,
            self.constants(self.table.key),
        )
        return ddown, dacross
