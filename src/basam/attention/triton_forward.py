"""The forward kernel of attention with a separable bias, and the kernel that makes the bias; see `triton_tiles`.

    logits[i, (r, c)] = scale * q_i . k_(r, c) + down[i, r] + across[i, c]

What differs from ordinary flash attention is the order in which keys are visited. A key tile is TR grid rows by TC columns; the
outer loop goes over strips of TC columns, the inner loop down the grid rows of a strip. So the bias of the columns is loaded
once per strip and stays in registers, and that of the rows is a vector per grid row, which where TR is 1 never meets the tile:
the running maximum takes it. Columns beyond the grid have a bias of -inf, so that a ragged width costs no mask in the loop.
"""

from __future__ import annotations

import triton
import triton.language as tl

from basam.attention.triton_parts import (
    LOG2E,
    SIZES,
    dot,
    dot_pieces,
    key_tile,
    load,
    program,
    row_bias,
    store,
    strip_bias,
    tile_rows_bias,
)


@triton.jit(do_not_specialize=SIZES)
def forward_kernel(
    q, k, v, down, across, out, lse,
    N, R, C, heads, row_step, col_step, scale,
    stride_qb, stride_qh, stride_qn, stride_kb, stride_kh, stride_kn, stride_vb, stride_vh, stride_vn,
    stride_dg, stride_dr, stride_ag, stride_an, stride_ob, stride_oh, stride_on, stride_lb,
    HEAD: tl.constexpr, D1: tl.constexpr, D2: tl.constexpr, BLOCK_M: tl.constexpr, TR: tl.constexpr, TC: tl.constexpr,
    KEEP_LSE: tl.constexpr, PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """One program: BLOCK_M queries of one head of one image against all keys."""
    block, group = program(tl.cdiv(N, BLOCK_M))
    b, h = group // heads, group % heads
    q += b * stride_qb + h * stride_qh
    k += b * stride_kb + h * stride_kh
    v += b * stride_vb + h * stride_vh
    out += b * stride_ob + h * stride_oh
    down += group * stride_dg
    across += group * stride_ag

    numbers = block * BLOCK_M + tl.arange(0, BLOCK_M)
    inside = numbers < N
    queries = tl.minimum(numbers, N - 1)  # the last block repeats the last query and does not store it
    q1, q2 = load(q, queries, stride_qn, HEAD, D1, D2)
    acc1 = tl.zeros([BLOCK_M, D1], tl.float32)
    acc2 = acc1
    if D2 > 0:
        acc2 = tl.zeros([BLOCK_M, D2], tl.float32)
    # A finite floor instead of -inf: a tile of nothing but -inf then weighs 0, not NaN.
    top = tl.full([BLOCK_M], -1.0e30, tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    scale *= LOG2E

    for c0 in tl.range(0, C, TC):
        strip = strip_bias(across, queries, stride_an, c0, TR, TC)
        row = row_bias(down, queries, stride_dr, 0)
        for r0 in tl.range(0, R, TR):
            keys = key_tile(r0, c0, R, C, row_step, col_step, TR, TC)
            k1, k2 = load(k, keys, stride_kn, HEAD, D1, D2)
            x = dot_pieces(q1, q2, k1, k2, D2, PRECISION, WIDEN) * scale + strip
            if TR == 1:
                ahead = row_bias(down, queries, stride_dr, tl.minimum(r0 + 1, R - 1))  # of the next tile, while this one works
                new_top = tl.maximum(top, tl.max(x, 1) + row)
                p = tl.exp2(x + (row - new_top)[:, None])
                row = ahead
            else:
                x += tile_rows_bias(down, queries, stride_dr, r0, TR, TC)
                new_top = tl.maximum(top, tl.max(x, 1))
                p = tl.exp2(x - new_top[:, None])
            shrink = tl.exp2(top - new_top)
            total = total * shrink + tl.sum(p, 1)
            top = new_top
            p = p.to(v.dtype.element_ty)
            v1, v2 = load(v, keys, stride_vn, HEAD, D1, D2)
            acc1 = dot(p, v1, acc1 * shrink[:, None], PRECISION, WIDEN)
            if D2 > 0:
                acc2 = dot(p, v2, acc2 * shrink[:, None], PRECISION, WIDEN)

    inverse = (1.0 / total)[:, None]
    store(out, numbers, stride_on, acc1 * inverse, acc2 * inverse, inside, HEAD, D1, D2)
    if KEEP_LSE:  # in units of log 2, which is what the backward pass wants
        tl.store(lse + group * stride_lb + numbers, top + tl.log2(total), mask=inside)


@triton.jit(do_not_specialize=["H", "W", "heads", "padded"])
def bias_kernel(
    q, table, slopes, bias,
    H, W, heads, padded,
    stride_qb, stride_qh, stride_qn, stride_bg, stride_b,
    HEAD: tl.constexpr, D1: tl.constexpr, D2: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_K: tl.constexpr,
    ROWS: tl.constexpr, KEYS_FIRST: tl.constexpr, TABLE: tl.constexpr, SLOPES: tl.constexpr,
    PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """The bias for BLOCK_K grid rows of keys (ROWS; else grid columns) of BLOCK_Q queries that lie in one of them.

    `table` is `(axis, axis, d)`, contiguous; `bias` is `(groups, padded, queries)` where KEYS_FIRST, else
    `(groups, queries, padded)`. Key positions beyond the axis get -inf.
    """
    if ROWS:
        axis, length = H, W
    else:
        axis, length = W, H
    block, group = program(axis * tl.cdiv(length, BLOCK_Q))
    b, h = group // heads, group % heads
    line = block % axis
    place = block // axis * BLOCK_Q + tl.arange(0, BLOCK_Q)
    there = place < length
    tokens = line * W + place if ROWS else place * W + line
    keys = tl.program_id(1) * BLOCK_K + tl.arange(0, BLOCK_K)
    value = tl.zeros([BLOCK_Q, BLOCK_K], tl.float32)
    if TABLE:
        q1, q2 = load(q + b * stride_qb + h * stride_qh, tl.where(there, tokens, 0), stride_qn, HEAD, D1, D2)
        t1, t2 = load(table, line * axis + tl.minimum(keys, axis - 1), HEAD, HEAD, D1, D2)
        value = dot_pieces(q1, q2, t1, t2, D2, PRECISION, WIDEN)
    if SLOPES:
        value -= tl.load(slopes + h) * tl.abs(keys - line).to(tl.float32)[None, :]
    value = tl.where((keys < axis)[None, :], value, float("-inf"))
    bias += group * stride_bg
    if KEYS_FIRST:
        at = bias + keys[:, None] * stride_b + tokens[None, :]
        tl.store(at, tl.trans(value), mask=(keys < padded)[:, None] & there[None, :])
    else:
        at = bias + tokens[:, None] * stride_b + keys[None, :]
        tl.store(at, value, mask=there[:, None] & (keys < padded)[None, :])
