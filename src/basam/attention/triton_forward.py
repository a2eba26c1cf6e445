"""The forward kernel of attention with a separable bias, and the kernel that makes the bias; see `triton_call`.

    logits[i, (r, c)] = scale * q_i . k_(r, c) + down[i, r] + across[i, c]

What differs from ordinary flash attention is the order in which keys are visited. A key tile is TR grid rows by TC columns; the
outer loop goes over strips of TC columns, the inner loop down the grid rows of a strip. So the bias of the columns is loaded
once per strip and stays in registers, and that of the rows is a vector per grid row, which where TR is 1 never meets the tile:
the running maximum takes it. Columns beyond the grid have a bias of -inf, so that a ragged width costs no mask in the loop.

SAM's windows use the same kernels without being copied: a group is then a head of a window, whose tokens are read from the
image. Where a window extends beyond the image SAM pads it, after normalising, with zeros that it does not mask: keys and values
there are the projection of zero, which is its bias (`fill`).
"""

from __future__ import annotations

import triton
import triton.language as tl

from basam.attention.triton_parts import (
    LOG2E,
    SIZES,
    dot,
    dot_pieces,
    filled,
    load,
    row_bias,
    store,
    strip_bias,
    tile_rows_bias,
)
from basam.attention.triton_places import key_tile, keys_end, place_of, program, query_block, query_blocks, tokens_of


@triton.jit(do_not_specialize=SIZES)
def forward_kernel(
    q, k, v, down, across, out, lse, fill,
    N, R, C, H, W, near_r, near_c, heads, row_step, col_step, scale,
    stride_qb, stride_qh, stride_qn, stride_kb, stride_kh, stride_kn, stride_vb, stride_vh, stride_vn,
    stride_dg, stride_dr, stride_ag, stride_an, stride_ob, stride_oh, stride_on, stride_lb,
    HEAD: tl.constexpr, D1: tl.constexpr, D2: tl.constexpr, BLOCK_M: tl.constexpr, TR: tl.constexpr, TC: tl.constexpr,
    NEAR: tl.constexpr, KEEP_LSE: tl.constexpr, WINDOWS: tl.constexpr, PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """One program: BLOCK_M queries of one head of one image, or of one window, against all keys that any of them sees.

    R and C count the rows and columns of the grid, after they changed places if they do; N = R C. `fill` is `(3, heads, d)`.
    """
    blocks, blocks_across = query_blocks(N, R, C, BLOCK_M, NEAR)
    block, group = program(blocks)
    b, h, top, left = place_of(group, heads, R, C, H, W, WINDOWS)
    q += b * stride_qb + h * stride_qh
    k += b * stride_kb + h * stride_kh
    v += b * stride_vb + h * stride_vh
    out += b * stride_ob + h * stride_oh
    down += group * stride_dg
    across += group * stride_ag

    # The last block repeats the last query and does not store it.
    numbers, queries, inside, low_r, low_c = query_block(
        block * BLOCK_M, 0, 0, blocks_across, N, R, C, near_r, near_c, row_step, col_step, BLOCK_M, NEAR
    )
    end_r, end_c = keys_end(block, blocks_across, R, C, near_r, near_c, BLOCK_M, NEAR)
    tokens = queries
    if WINDOWS:
        tokens, in_image = tokens_of(top + queries // C, left + queries % C, H, W)
        inside &= in_image
    q1, q2 = load(q, tokens, stride_qn, HEAD, D1, D2)
    acc1 = tl.zeros([BLOCK_M, D1], tl.float32)
    acc2 = acc1
    if D2 > 0:
        acc2 = tl.zeros([BLOCK_M, D2], tl.float32)
    # A finite floor instead of -inf: a tile of nothing but -inf then weighs 0, not NaN.
    highest = tl.full([BLOCK_M], -1.0e30, tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    scale *= LOG2E

    for c0 in tl.range(low_c, end_c, TC):
        strip = strip_bias(across, queries, stride_an, c0 - low_c, TR, TC)
        row = row_bias(down, queries, stride_dr, 0)
        for r0 in tl.range(low_r, end_r, TR):
            if WINDOWS:
                i = tl.arange(0, TR * TC)
                keys, seen = tokens_of(top + r0 + i // TC, left + c0 + i % TC, H, W)
            else:
                keys = key_tile(r0, c0, R, C, row_step, col_step, TR, TC)
            k1, k2 = load(k, keys, stride_kn, HEAD, D1, D2)
            if WINDOWS:
                k1, k2 = filled(k1, k2, fill + (heads + h) * HEAD, seen, HEAD, D1, D2)
            x = dot_pieces(q1, q2, k1, k2, D2, PRECISION, WIDEN) * scale + strip
            if TR == 1:
                # Of the next tile, while this one works.
                ahead = row_bias(down, queries, stride_dr, tl.minimum(r0 + 1, end_r - 1) - low_r)
                new_highest = tl.maximum(highest, tl.max(x, 1) + row)
                p = tl.exp2(x + (row - new_highest)[:, None])
                row = ahead
            else:
                x += tile_rows_bias(down, queries, stride_dr, r0 - low_r, TR, TC)
                new_highest = tl.maximum(highest, tl.max(x, 1))
                p = tl.exp2(x - new_highest[:, None])
            shrink = tl.exp2(highest - new_highest)
            total = total * shrink + tl.sum(p, 1)
            highest = new_highest
            p = p.to(v.dtype.element_ty)
            v1, v2 = load(v, keys, stride_vn, HEAD, D1, D2)
            if WINDOWS:
                v1, v2 = filled(v1, v2, fill + (2 * heads + h) * HEAD, seen, HEAD, D1, D2)
            acc1 = dot(p, v1, acc1 * shrink[:, None], PRECISION, WIDEN)
            if D2 > 0:
                acc2 = dot(p, v2, acc2 * shrink[:, None], PRECISION, WIDEN)

    inverse = (1.0 / total)[:, None]
    store(out, tokens, stride_on, acc1 * inverse, acc2 * inverse, inside, HEAD, D1, D2)
    if KEEP_LSE:  # in units of log 2, which is what the backward pass wants
        tl.store(lse + group * stride_lb + numbers, highest + tl.log2(total), mask=inside)
