"""Launches of the Triton kernels: what they are given for one call, and a way past Triton's own checks of every argument.

Triton looks at each argument of every launch, which for forty of them takes longer than a small kernel runs. What it compiles
depends on dtypes, alignments, strides and constants only: where all of these have been seen, the compiled kernel is launched
directly, as Triton's own tutorials do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from basam.attention.triton_plan import KernelTable, KeyTiles, LaunchParameters, halves, key_tiles, launch_table, up

# Compiled kernels by what they were compiled for, and by the strides of the images at hand.
READY: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
READY_KEPT = 4096
OPTIONS = ("num_warps", "num_stages", "enable_fp_fusion")


def launch(
    kernel: Any,
    grid: tuple[int, ...],
    tensors: Sequence[Tensor],
    sizes: Sequence[int | float],
    strides: Sequence[int],
    constants: dict[str, Any],
) -> None:
    """`kernel[grid](*tensors, *sizes, *strides, **constants)`; `constants` are in the order of the kernel's parameters."""
    # The interpreter, the only way to run on a CPU, compiles nothing.
    if tensors[0].device.type == "cpu":
        kernel[grid](*tensors, *sizes, *strides, **constants)
        return
    with torch.cuda.device_of(tensors[0]):
        operands = tuple((t.dtype, t.data_ptr() % 16 == 0) for t in tensors)
        key = (kernel, tensors[0].device, operands, tuple(strides), tuple(constants.values()))
        ready = READY.get(key)
        if ready is None:
            READY[key] = kernel[grid](*tensors, *sizes, *strides, **constants)
            while len(READY) > READY_KEPT:
                READY.popitem(last=False)
        else:
            values = (value for name, value in constants.items() if name not in OPTIONS)
            ready[(*grid, 1, 1)[:3]](*tensors, *sizes, *strides, *values)


def precision(dtype: torch.dtype) -> str:
    """How float32 is multiplied: three passes of tf32 (the error of float32, on tensor cores) unless PyTorch is set to allow
    plain tf32. AMD's compiler knows no tf32x3, and has float32 multiplications of its own."""
    if dtype != torch.float32 or torch.version.hip is not None:
        return "ieee"
    return "tf32" if torch.backends.cuda.matmul.allow_tf32 else "tf32x3"


def major_of(device: torch.device) -> int:
    return torch.cuda.get_device_capability(device)[0] if device.type == "cuda" else 0


def usable(t: Tensor) -> Tensor:
    """Channels next to each other, and offsets within one head below 2 ** 31, which is what the kernels count in."""
    return t if t.stride(-1) == 1 and t.shape[-2] * t.stride(-2) < 2**31 else t.contiguous()


def strides_of(*tensors: Tensor) -> tuple[int, ...]:
    """Of batch, heads and tokens where there are four axes; of groups and one more where there are three."""
    return tuple(step for t in tensors for step in t.stride()[:-1])


class Call:
    """What the kernels of one call share: the cut of the keys, sizes, constants.

    Args:
        q: `(B, heads, N, d)`.
        height, width: of the grid of keys and queries, in tokens; with `image` that of a window.
        image: height and width of the image that is in windows, N = height * width of it.
    """

    def __init__(self, q: Tensor, height: int, width: int, scale: float, image: tuple[int, int] | None = None) -> None:
        self.batch, self.heads, _, head_dim = q.shape
        self.height, self.width, self.scale, self.image = height, width, scale, image
        self.tokens = height * width
        self.table: KernelTable = launch_table(major_of(q.device), q.dtype.itemsize, head_dim)
        self.tiles: KeyTiles = key_tiles(height, width, self.table.block_n)
        self.down, self.across = (width, height) if self.tiles.swap else (height, width)
        windows = 1 if image is None else -(-image[0] // height) * -(-image[1] // width)
        self.groups = self.batch * windows * self.heads
        self.head_dim, (self.d1, self.d2) = head_dim, halves(head_dim)
        # The interpreter is the only place where this runs on a CPU.
        self.last = {"PRECISION": precision(q.dtype), "WIDEN": q.device.type == "cpu" and q.dtype == torch.bfloat16}

    def sizes(self) -> tuple[int | float, ...]:
        steps = (1, self.width) if self.tiles.swap else (self.width, 1)
        return self.tokens, self.down, self.across, *(self.image or (0, 0)), self.heads, *steps, self.scale

    def constants(self, parameters: LaunchParameters, **own: bool) -> dict[str, Any]:
        return {
            **{"HEAD": self.head_dim, "D1": self.d1, "D2": self.d2, "BLOCK_M": parameters.block_m},
            **{"TR": self.tiles.rows, "TC": self.tiles.columns, **own, **self.last},
            **{"num_warps": parameters.warps, "num_stages": parameters.stages},
            "enable_fp_fusion": True,  # Triton's default until 3.9, which says that it will change
        }

    def query_programs(self, parameters: LaunchParameters) -> tuple[int]:
        return (-(-self.tokens // parameters.block_m) * self.groups,)

    def key_programs(self) -> tuple[int]:
        return (-(-self.down // self.tiles.rows) * -(-self.across // self.tiles.columns) * self.groups,)

    def padded(self) -> tuple[int, int, int]:
        """Keys down and across in whole tiles, and queries in multiples of 16, so that all strides are."""
        return up(self.down, self.tiles.rows), up(self.across, max(16, self.tiles.columns)), up(self.tokens, 16)

    def bias_bytes(self) -> int:
        down, across, queries = self.padded()
        return 4 * self.groups * (down * queries + across * self.tokens)

    def pad(self, rows: Tensor, cols: Tensor) -> tuple[Tensor, Tensor]:
        """The bias as the kernels read it: down `(groups, R, N)`, across `(groups, N, C)`, float32, -inf where no key is."""
        down, across = (cols, rows) if self.tiles.swap else (rows, cols)
        down, across = down.flatten(0, 1).float().transpose(1, 2), across.flatten(0, 1).float()
        most_down, most_across, most_queries = self.padded()
        if most_down > self.down or most_queries > self.tokens:  # else one copy less
            down = F.pad(down, (0, most_queries - self.tokens, 0, most_down - self.down), value=float("-inf"))
        if most_across > self.across:
            across = F.pad(across, (0, most_across - self.across), value=float("-inf"))
        return down.contiguous(), across.contiguous()

    def make_bias(
        self, q: Tensor, table_h: Tensor | None, table_w: Tensor | None, slopes: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The same from queries, tables of relative positions and slopes."""
        from basam.attention.triton_bias import bias_kernel

        most_down, most_across, most_queries = self.padded()
        down = q.new_empty((self.groups, most_down, most_queries), dtype=torch.float32)
        across = q.new_empty((self.groups, self.tokens, most_across), dtype=torch.float32)
        block = 16 if max(self.height, self.width) <= 16 else 64
        lines = max(self.height * -(-self.width // block), self.width * -(-self.height // block))
        launch(
            bias_kernel,
            (lines * self.groups, -(-max(most_down, most_across) // block), 2),
            (q, *(q if t is None else t for t in (table_h, table_w, slopes)), down, across),
            (self.height, self.width, *(self.image or (0, 0)), self.heads, self.groups, most_down, most_across),
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
        """Into `out`; the base-2 log-sum-exp of the logits, `(groups, N)` (empty unless it is to be kept)."""
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
