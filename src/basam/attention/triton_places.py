"""The queries and keys that a program of the Triton kernels works on.

If every query sees all keys, a block is BLOCK_M queries in a row. If (NEAR) a query sees only a neighborhood of `near_r` rows
and `near_c` columns of the grid around it, a block is a rectangle of TILE_COLUMNS columns: the fewer keys its queries see in
total, the fewer it visits. The bias is stored from the first key on that a tile of queries sees, so its memory is linear in the
queries; keys that a query of the tile does not see have -inf. The loops over keys then differ only in their bounds.

R and C count the rows and columns of the grid, after they changed places if they do; N = R C.
"""

from __future__ import annotations

import triton
import triton.language as tl

from basam.attention import triton_plan

TILE_ROWS, TILE_COLUMNS = tl.constexpr(triton_plan.TILE_ROWS), tl.constexpr(triton_plan.TILE_COLUMNS)


@triton.jit
def program(blocks):
    """The block and the group (image and head) that this program works on; blocks of a group run in neighbouring programs.

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
def key_tile(r0, c0, R, C, row_step, col_step, TR: tl.constexpr, TC: tl.constexpr):
    """Token numbers of one key tile. Beyond the grid they repeat its edge: always in bounds, and the bias is -inf there."""
    i = tl.arange(0, TR * TC)
    r = tl.minimum(r0 + i // TC, R - 1)
    c = tl.minimum(c0 + i % TC, C - 1)
    return r * row_step + c * col_step


@triton.jit
def first_key(place, length, near):
    """First of the `near` keys that a query at `place` of an axis sees; see `positions.window_starts`."""
    return tl.minimum(tl.maximum(place - near // 2, 0), length - near)


@triton.jit
def first_stored(place, length, near, TILE: tl.constexpr):
    """First key whose bias is stored for a query at `place` of an axis: the same one for all of its tile."""
    return first_key(place // TILE * TILE, length, near) // TILE * TILE


@triton.jit
def query_blocks(N, R, C, BLOCK_M: tl.constexpr, NEAR: tl.constexpr):
    """The number of blocks of queries of a grid, and of those in one row of blocks."""
    if NEAR:
        across = tl.cdiv(C, TILE_COLUMNS)
        return tl.cdiv(R, BLOCK_M // TILE_COLUMNS) * across, across
    else:
        return tl.cdiv(N, BLOCK_M), 1


@triton.jit
def query_block(
    start, top, left, across, N, R, C, near_r, near_c, row_step, col_step, BLOCK_M: tl.constexpr, NEAR: tl.constexpr
):  # fmt: skip
    """Of a block of queries: numbers, the same moved inside the grid, which are inside, row and column of the first key stored.

    There are `across` blocks per row from `top` and `left` on; `start` queries come before this one.
    """
    i = tl.arange(0, BLOCK_M)
    if NEAR:
        top += start // BLOCK_M // across * (BLOCK_M // TILE_COLUMNS)
        left += start // BLOCK_M % across * TILE_COLUMNS
        r, c = top + i // TILE_COLUMNS, left + i % TILE_COLUMNS
        queries = tl.minimum(r, R - 1) * row_step + tl.minimum(c, C - 1) * col_step
        low_r, low_c = first_stored(top, R, near_r, TILE_ROWS), first_stored(left, C, near_c, TILE_COLUMNS)
        return queries, queries, (r < R) & (c < C), low_r, low_c
    else:
        numbers = start + i
        return numbers, tl.minimum(numbers, N - 1), numbers < N, 0, 0


@triton.jit
def keys_end(block, across, R, C, near_r, near_c, BLOCK_M: tl.constexpr, NEAR: tl.constexpr):
    """One past the last row and column of keys that any query of a block sees."""
    if NEAR:
        last_r = tl.minimum((block // across + 1) * (BLOCK_M // TILE_COLUMNS), R) - 1
        last_c = tl.minimum((block % across + 1) * TILE_COLUMNS, C) - 1
        return first_key(last_r, R, near_r) + near_r, first_key(last_c, C, near_c) + near_c
    else:
        return R, C


@triton.jit
def seen_by(low, high, length, near, TILE: tl.constexpr):
    """First, at the beginning of its tile, and one past the last query that sees any of the keys `low` to `high` of an axis."""
    start = tl.where(low < near, 0, low - near + 1 + near // 2)
    return start // TILE * TILE, tl.where(high < length - near, high + near // 2 + 1, length)


@triton.jit
def queries_of_keys(
    r0, c0, N, R, C, near_r, near_c, BLOCK_M: tl.constexpr, TR: tl.constexpr, TC: tl.constexpr, NEAR: tl.constexpr
):  # fmt: skip
    """The queries that see any of a tile of keys: top, left, blocks per row, and queries in all blocks."""
    if NEAR:
        ROWS: tl.constexpr = BLOCK_M // TILE_COLUMNS
        top, bottom = seen_by(r0, r0 + TR - 1, R, near_r, ROWS)
        left, right = seen_by(c0, c0 + TC - 1, C, near_c, TILE_COLUMNS)
        across = tl.cdiv(right - left, TILE_COLUMNS)
        return top, left, across, tl.cdiv(bottom - top, ROWS) * across * BLOCK_M
    else:
        return 0, 0, 1, N
