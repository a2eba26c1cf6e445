"""What the Triton kernels share: loads and stores of tokens, the bias of a tile, multiplication; see also `triton_places`.

Importing this needs the `triton` package, but neither a GPU nor a driver; `TRITON_INTERPRET=1`, set before the import, runs the
kernels on a CPU.

A head dimension that is no power of two goes in two pieces, 80 = 64 + 16: padding 80 to 128 would multiply 1.6 times as much.
If one piece is enough, `second` is the first again and is never used.
"""

from __future__ import annotations

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
# Sizes differ with every image: specialising on "divisible by 16" or "equal to 1" would compile the kernel again. Strides are
# specialised on: loads are only wide, and pipelined, where the compiler knows that they are multiples of 16.
SIZES = ["N", "R", "C", "H", "W", "near_r", "near_c", "heads", "row_step", "col_step", "stride_lb"]


@triton.jit
def filled(first, second, fill, inside, HEAD: tl.constexpr, D1: tl.constexpr, D2: tl.constexpr):
    """Both pieces of tokens, those that are not `inside` replaced by the one token at `fill`."""
    outside = load_piece(fill, tl.zeros([1], tl.int32), 0, 0, D1, HEAD)
    first = tl.where(inside[:, None], first, outside)
    if D2 > 0:
        second = tl.where(inside[:, None], second, load_piece(fill, tl.zeros([1], tl.int32), 0, D1, D2, HEAD))
    return first, second


@triton.jit
def dot(a, b, acc, PRECISION: tl.constexpr, WIDEN: tl.constexpr):
    """a b + acc in float32. WIDEN is for the interpreter, which multiplies bfloat16 wrongly (triton issue 11584)."""
    if WIDEN:
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, acc, input_precision=PRECISION)


@triton.jit
def dot_pieces(a1, a2, b1, b2, D2: tl.constexpr, PRECISION: tl.constexpr, WIDEN: tl.constexpr):
    """a b^T over both pieces of the head dimension."""
    logits = dot(a1, tl.trans(b1), None, PRECISION, WIDEN)
    if D2 > 0:
        logits = dot(a2, tl.trans(b2), logits, PRECISION, WIDEN)
    return logits


@triton.jit
def load_piece(base, tokens, stride, start: tl.constexpr, D: tl.constexpr, HEAD: tl.constexpr):
    """`(tokens, D)` of `base` from channel `start`; channels beyond the head are zero."""
    d = start + tl.arange(0, D)
    at = base + tokens[:, None] * stride + d[None, :]
    if start + D > HEAD:
        return tl.load(at, mask=(d < HEAD)[None, :], other=0.0)
    return tl.load(at)


@triton.jit
def load(base, tokens, stride, HEAD: tl.constexpr, D1: tl.constexpr, D2: tl.constexpr):
    """Both pieces of these tokens."""
    first = load_piece(base, tokens, stride, 0, D1, HEAD)
    second = first
    if D2 > 0:
        second = load_piece(base, tokens, stride, D1, D2, HEAD)
    return first, second


@triton.jit
def store_piece(base, tokens, stride, value, inside, start: tl.constexpr, D: tl.constexpr, HEAD: tl.constexpr):
    d = start + tl.arange(0, D)
    at = base + tokens[:, None] * stride + d[None, :]
    tl.store(at, value.to(base.dtype.element_ty), mask=inside[:, None] & (d < HEAD)[None, :])


@triton.jit
def store(base, tokens, stride, first, second, inside, HEAD: tl.constexpr, D1: tl.constexpr, D2: tl.constexpr):
    """Both pieces of the tokens that are `inside`, in the dtype of `base`."""
    store_piece(base, tokens, stride, first, inside, 0, D1, HEAD)
    if D2 > 0:
        store_piece(base, tokens, stride, second, inside, D1, D2, HEAD)


@triton.jit
def strip_bias(across, queries, stride, c0, TR: tl.constexpr, TC: tl.constexpr):
    """`(queries, TR * TC)`: the bias of the grid columns of a strip, repeated for every row of a tile, in units of log 2."""
    columns = c0 + tl.arange(0, TR * TC) % TC
    return tl.load(across + queries[:, None] * stride + columns[None, :]).to(tl.float32) * LOG2E


@triton.jit
def row_bias(down, queries, stride, r):
    """`(queries,)`: the bias of grid row `r`, in units of log 2."""
    return tl.load(down + r * stride + queries).to(tl.float32) * LOG2E


@triton.jit
def tile_rows_bias(down, queries, stride, r0, TR: tl.constexpr, TC: tl.constexpr):
    """`(queries, 1)` where a tile is one grid row, else `(queries, TR * TC)`: by selection, without a gather."""
    bias = row_bias(down, queries, stride, r0)[:, None]
    i = tl.arange(0, TR * TC)
    for j in tl.static_range(1, TR):
        bias = tl.where((i // TC == j)[None, :], row_bias(down, queries, stride, r0 + j)[:, None], bias)
    return bias
