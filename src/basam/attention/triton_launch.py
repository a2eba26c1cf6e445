"""Launches of the Triton kernels, by a way past Triton's own checks of every argument.

Triton inspects every argument of every launch, which for forty arguments takes longer than a small kernel runs. The compiled
kernel depends only on dtypes, alignments, strides and constants: if all of these have been seen, it is launched directly, as in
Triton's own tutorials.
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
