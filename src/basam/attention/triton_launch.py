"""Launches of the Triton kernels, by a way past Triton's own checks of every argument.

Triton looks at each argument of every launch, which for forty of them takes longer than a small kernel runs. What it compiles
depends on dtypes, alignments, strides and constants only: where all of these have been seen, the compiled kernel is launched
directly, as Triton's own tutorials do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

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
