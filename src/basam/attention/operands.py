"""What the operands of attention must be. Shapes and dtypes only, which nobody has to wait for, also on a GPU.

These checks run before every call, of which the smallest take less than a millisecond, so each line counts; `torch.compile`
traces them once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from basam.checks import real_number
from basam.errors import InputError, InputTypeError


def check_operands(q: Tensor, k: Tensor, v: Tensor, scale: float) -> None:
    """Refuse what is not q, k and v `(B, heads, N, d)` of one floating dtype, and a scale that is no number.

    Raises:
        TypeError: something is no tensor.
        ValueError: shapes or dtypes that differ, or a scale that is no number.
    """
    if not (isinstance(q, Tensor) and isinstance(k, Tensor) and isinstance(v, Tensor)):
        raise not_tensors(q=q, k=k, v=v)
    shape, dtype = q.shape, q.dtype
    if len(shape) != 4 or not (k.shape == shape == v.shape):
        raise InputError(f"q, k and v must be (B, heads, N, d) alike: got {tuple(shape)}, {tuple(k.shape)}, {tuple(v.shape)}")
    if not (k.dtype == dtype == v.dtype and dtype.is_floating_point):
        raise InputError(f"q, k and v must have one floating dtype: got {dtype}, {k.dtype}, {v.dtype}")
    # Not while compiling, where numbers may be symbols.
    if not torch.compiler.is_compiling() and (type(scale) is not float or scale != scale):
        real_number(scale, "scale")


def check_bias(q: Tensor, rows: Tensor, cols: Tensor) -> None:
    """Refuse a bias whose rows `(B, heads, N, H)` and cols `(B, heads, N, W)` are not of the grid of q."""
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
            raise InputError(f"window={tuple(window)}: each side must be from 1 to that of the grid, {tuple(grid)}")
        if bias.shape != (*q.shape[:3], size):
            raise InputError(f"{name} must be {(*q.shape[:3], size)} for a window of {window}: got {tuple(bias.shape)}")


def check_tokens(q: Tensor, height: int, width: int) -> None:
    if height * width != q.shape[2]:
        raise InputError(f"a grid of {height} rows and {width} columns does not have N={q.shape[2]} tokens")


def not_tensors(**given: Any) -> InputTypeError:
    name, value = next(each for each in given.items() if not isinstance(each[1], Tensor))
    return InputTypeError(f"{name} is a {type(value).__name__}: a torch.Tensor is needed")
