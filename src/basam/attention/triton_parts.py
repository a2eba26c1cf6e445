"""What the Triton kernels share: loads and stores of query and key tiles, the bias of a tile, multiplication.

Importing this needs the `triton` package, but neither a GPU nor a driver; `TRITON_INTERPRET=1`, set before the import, runs the
kernels on a CPU.

A head dimension that is no power of two goes in two pieces, 80 = 64 + 16: padding 80 to 128 would multiply 1.6 times as much.
Where one piece is enough, `second` stands for the first and is never used.
"""

from __future__ import annotations

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
# Sizes differ with every image: specialising on "divisible by 16" or "equal to 1" would compile the kernel again. Strides are
# specialised on: loads are only wide, and pipelined, where the compiler knows that they are multiples of 16.
SIZES = ["N", "R", "C", "H", "W", "heads", "row_step", "col_step", "stride_lb"]


@triton.jit
def program(blocks):
    """Which block of which group (image and head) this program works on; the blocks of a group run next to each other.

    The second axis of a CUDA grid ends at 65,535, which the windows of a few large images exceed; the first one does not.
    """
    return tl.program_id(0) % blocks, (tl.program_id(0) // blocks).to(tl.int64)


@triton.jit
def place_of(group, heads, R, C, H, W, WINDOWS: tl.constexpr):
    """Image, head, and the top and left token of the window of a group; of an image of H x W tokens in windows of R x C."""
    h = group % heads
    if WINDOWS:
        across = tl.cdiv(W, C)
        windows = across * tl.cdiv(H, R)
        window = (group // heads % windows).to(tl.int32)
        return group // heads // windows, h, window // across * R, window % across * C
    return group // heads, h, 0, 0


@triton.jit
def tokens_of(y, x, H, W):
    """Token numbers of places in an image, which places are inside; those outside get the number of one at the edge."""
    return tl.minimum(y, H - 1) * W + tl.minimum(x, W - 1), (y < H) & (x < W)


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
def key_tile(r0, c0, R, C, row_step, col_step, TR: tl.constexpr, TC: tl.constexpr):
    """Token numbers of one key tile. Beyond the grid they repeat its edge: always in bounds, and the bias is -inf there."""
    i = tl.arange(0, TR * TC)
    r = tl.minimum(r0 + i // TC, R - 1)
    c = tl.minimum(c0 + i % TC, C - 1)
    return r * row_step + c * col_step


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
