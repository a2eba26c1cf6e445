"""Checks of the operands of attention. Shapes and dtypes only, which need no synchronisation on a GPU.

They run before every call, of which the smallest take less than a millisecond, so every line matters; `torch.compile` traces
them once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from basam.checks import real_number
from basam.errors import InputError, InputTypeError


def check_operands(q: Tensor, k: Tensor, v: Tensor, scale: float) -> None:
    """Raise unless q, k and v are `(B, heads, N, d)` of one floating dtype, and scale is a number.

    Raises:
        TypeError: not a tensor.
        ValueError: shapes or dtypes that differ, or a scale that is not a number.
    """
    if not (isinstance(q, Tensor) and isinstance(k, Tensor) and isinstance(v, Tensor)):
        raise not_tensors(q=q, k=k, v=v)
    shape, dtype = q.shape, q.dtype
    if len(shape) != 4 or not (k.shape == shape == v.shape):
        raise InputError(f"q, k and v must all be (B, heads, N, d): got {tuple(shape)}, {tuple(k.shape)}, {tuple(v.shape)}")
    if not (k.dtype == dtype == v.dtype and dtype.is_floating_point):
        raise InputError(f"q, k and v must have one floating dtype: got {dtype}, {k.dtype}, {v.dtype}")
    # Not while compiling, where numbers may be symbols.
    if not torch.compiler.is_compiling() and (type(scale) is not float or scale != scale):
        real_number(scale, "scale")


def check_bias(q: Tensor, rows: Tensor, cols: Tensor) -> None:
    """Raise unless rows `(B, heads, N, H)` and cols `(B, heads, N, W)` match the grid of q."""
    if not (isinstance(rows, Tensor) and isinstance(cols, Tensor)):
        raise not_tensors(rows=rows, cols=cols)
    shape = q.shape
    if not (rows.shape[:-1] == shape[:-1] == cols.shape[:-1]):
        name, bias = ("cols", cols) if rows.shape[:-1] == shape[:-1] else ("rows", rows)
        raise InputError(f"{name} must be (B, heads, N, size) with {tuple(shape[:3])} first: got {tuple(bias.shape)}")
    check_tokens(q, rows.shape[-1], cols.shape[-1])


def check_neighborhood(q: Tensor, rows: Tensor, cols: Tensor, grid: tuple[int, int], window: tuple[int, int]) -> None:
    """Raise unless rows `(B, heads, N, h)` and cols `(B, heads, N, w)` are the bias of an h x w `window` inside `grid`."""
    if not (isinstance(rows, Tensor) and isinstance(cols, Tensor)):
        raise not_tensors(rows=rows, cols=cols)
    check_tokens(q, *grid)
    for name, bias, length, size in zip(("rows", "cols"), (rows, cols), grid, window, strict=True):
        if not 1 <= size <= length:
            raise InputError(f"window={tuple(window)}: both sides must be from 1 to those of the grid, {tuple(grid)}")
        if bias.shape != (*q.shape[:3], size):
            raise InputError(f"{name} must be {(*q.shape[:3], size)} for a window of {window}: got {tuple(bias.shape)}")


def check_tokens(q: Tensor, height: int, width: int) -> None:
    if height * width != q.shape[2]:
        raise InputError(f"a grid of {height} rows and {width} columns does not have N={q.shape[2]} tokens")


def not_tensors(**given: Any) -> InputTypeError:
    name, value = next(pair for pair in given.items() if not isinstance(pair[1], Tensor))
    return InputTypeError(f"{name} is a {type(value).__name__}: a torch.Tensor is needed")
