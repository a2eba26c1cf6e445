"""The backward kernels of attention with a separable bias; see `triton_forward` for the order of the keys.

With p the probabilities and dp = grad v^T, the logits get p (dp - delta), delta = sum(p dp) = out . grad. One kernel owns
queries, the other keys, so that no gradient needs an atomic addition and every run gives the same numbers: the gradient of the
columns' bias gathers in registers down a strip, that of the rows' bias is the sum of a tile over its columns.
"""

from __future__ import annotations

import triton
import triton.language as tl

from basam.attention.triton_parts import LOG2E, SIZES, dot, dot_pieces, load, store, strip_bias, tile_rows_bias
from basam.attention.triton_places import key_tile, keys_end, program, queries_of_keys, query_block, query_blocks


@triton.jit(do_not_specialize=SIZES)
def query_gradients_kernel(
    q, k, v, down, across, out, grad, lse, delta, dq, ddown, dacross,
    N, R, C, H, W, near_r, near_c, heads, row_step, col_step, scale,
    stride_qb, stride_qh, stride_qn, stride_kb, stride_kh, stride_kn, stride_vb, stride_vh, stride_vn,
    stride_dg, stride_dr, stride_ag, stride_an, stride_ob, stride_oh, stride_on,
    stride_gb, stride_gh, stride_gn, stride_lb,
    HEAD: tl.constexpr, D1: tl.constexpr, D2: tl.constexpr, BLOCK_M: tl.constexpr, TR: tl.constexpr, TC: tl.constexpr,
    NEAR: tl.constexpr, PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """dq, ddown and dacross (both float32) and delta of BLOCK_M queries, with the strides of out, down, across and lse."""
    blocks, blocks_across = query_blocks(N, R, C, BLOCK_M, NEAR)
    block, group = program(blocks)
    b, h = group // heads, group % heads
    q += b * stride_qb + h * stride_qh
    k += b * stride_kb + h * stride_kh
    v += b * stride_vb + h * stride_vh
    grad += b * stride_gb + h * stride_gh
    out += b * stride_ob + h * stride_oh
    dq += b * stride_ob + h * stride_oh
    down += group * stride_dg
    ddown += group * stride_dg
    across += group * stride_ag
    dacross += group * stride_ag

    numbers, queries, inside, low_r, low_c = query_block(
        block * BLOCK_M, 0, 0, blocks_across, N, R, C, near_r, near_c, row_step, col_step, BLOCK_M, NEAR
    )
    end_r, end_c = keys_end(block, blocks_across, R, C, near_r, near_c, BLOCK_M, NEAR)
    q1, q2 = load(q, queries, stride_qn, HEAD, D1, D2)
    g1, g2 = load(grad, queries, stride_gn, HEAD, D1, D2)
    o1, o2 = load(out, queries, stride_on, HEAD, D1, D2)
    d = tl.sum(o1.to(tl.float32) * g1.to(tl.float32), 1)
    dq1 = tl.zeros([BLOCK_M, D1], tl.float32)
    dq2 = dq1
    if D2 > 0:
        d += tl.sum(o2.to(tl.float32) * g2.to(tl.float32), 1)
        dq2 = tl.zeros([BLOCK_M, D2], tl.float32)
    tl.store(delta + group * stride_lb + numbers, d, mask=inside)
    norm = tl.load(lse + group * stride_lb + queries)
    i = tl.arange(0, TR * TC)

    for c0 in tl.range(low_c, end_c, TC):
        strip = strip_bias(across, queries, stride_an, c0 - low_c, TR, TC) - norm[:, None]
        gathered = tl.zeros([BLOCK_M, TR * TC], tl.float32)
        for r0 in tl.range(low_r, end_r, TR):
            keys = key_tile(r0, c0, R, C, row_step, col_step, TR, TC)
            k1, k2 = load(k, keys, stride_kn, HEAD, D1, D2)
            v1, v2 = load(v, keys, stride_vn, HEAD, D1, D2)
            x = dot_pieces(q1, q2, k1, k2, D2, PRECISION, WIDEN)
            bias = tile_rows_bias(down, queries, stride_dr, r0 - low_r, TR, TC)
            p = tl.exp2(x * (scale * LOG2E) + strip + bias)
            dx = p * (dot_pieces(g1, g2, v1, v2, D2, PRECISION, WIDEN) - d[:, None])
            gathered += dx
            for j in tl.static_range(TR):
                part = tl.sum(dx if TR == 1 else tl.where((i // TC == j)[None, :], dx, 0.0), 1)
                at = ddown + (r0 - low_r + j) * stride_dr + queries
                if c0 > low_c:  # strips after the first add to what this very program has stored
                    part += tl.load(at)
                tl.store(at, part, mask=inside)
            dx = dx.to(k.dtype.element_ty)
            dq1 = dot(dx, k1, dq1, PRECISION, WIDEN)
            if D2 > 0:
                dq2 = dot(dx, k2, dq2, PRECISION, WIDEN)
        if TR > 1:
            gathered = tl.sum(tl.reshape(gathered, [BLOCK_M, TR, TC]), 1)
        columns = c0 - low_c + tl.arange(0, TC)
        tl.store(dacross + queries[:, None] * stride_an + columns[None, :], gathered, mask=inside[:, None])
        tl.debug_barrier()  # what one strip has stored in ddown, the next one reads

    store(dq, numbers, stride_on, dq1 * scale, dq2 * scale, inside, HEAD, D1, D2)


@triton.jit(do_not_specialize=SIZES)
def key_gradients_kernel(
    q, k, v, down, across, grad, lse, delta, dk, dv,
    N, R, C, H, W, near_r, near_c, heads, row_step, col_step, scale,
    stride_qb, stride_qh, stride_qn, stride_kb, stride_kh, stride_kn, stride_vb, stride_vh, stride_vn,
    stride_dg, stride_dr, stride_ag, stride_an, stride_ob, stride_oh, stride_on,
    stride_gb, stride_gh, stride_gn, stride_lb,
    HEAD: tl.constexpr, D1: tl.constexpr, D2: tl.constexpr, BLOCK_M: tl.constexpr, TR: tl.constexpr, TC: tl.constexpr,
    NEAR: tl.constexpr, PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """dk and dv of one key tile over all queries that see any of it, with the strides of out."""
    tiles_down = tl.cdiv(R, TR)
    block, group = program(tiles_down * tl.cdiv(C, TC))
    b, h = group // heads, group % heads
    q += b * stride_qb + h * stride_qh
    k += b * stride_kb + h * stride_kh
    v += b * stride_vb + h * stride_vh
    grad += b * stride_gb + h * stride_gh
    dk += b * stride_ob + h * stride_oh
    dv += b * stride_ob + h * stride_oh
    down += group * stride_dg
    across += group * stride_ag
    lse += group * stride_lb
    delta += group * stride_lb

    c0 = (block // tiles_down) * TC
    r0 = (block % tiles_down) * TR
    keys = key_tile(r0, c0, R, C, row_step, col_step, TR, TC)
    i = tl.arange(0, TR * TC)
    key_inside = (r0 + i // TC < R) & (c0 + i % TC < C)
    k1, k2 = load(k, keys, stride_kn, HEAD, D1, D2)
    v1, v2 = load(v, keys, stride_vn, HEAD, D1, D2)
    dk1, dv1 = tl.zeros([TR * TC, D1], tl.float32), tl.zeros([TR * TC, D1], tl.float32)
    dk2, dv2 = dk1, dv1
    if D2 > 0:
        dk2, dv2 = tl.zeros([TR * TC, D2], tl.float32), tl.zeros([TR * TC, D2], tl.float32)

    top, left, blocks_across, stop = queries_of_keys(r0, c0, N, R, C, near_r, near_c, BLOCK_M, TR, TC, NEAR)
    for start in tl.range(0, stop, BLOCK_M):
        numbers, queries, inside, low_r, low_c = query_block(
            start, top, left, blocks_across, N, R, C, near_r, near_c, row_step, col_step, BLOCK_M, NEAR
        )
        q1, q2 = load(q, queries, stride_qn, HEAD, D1, D2)
        g1, g2 = load(grad, queries, stride_gn, HEAD, D1, D2)
        # A query beyond the last one weighs nothing: its log-sum-exp is taken for infinite.
        norm = tl.load(lse + numbers, mask=inside, other=float("inf"))
        d = tl.load(delta + queries)
        strip = strip_bias(across, queries, stride_an, c0 - low_c, TR, TC)
        bias = tile_rows_bias(down, queries, stride_dr, r0 - low_r, TR, TC) - norm[:, None]
        x = dot_pieces(q1, q2, k1, k2, D2, PRECISION, WIDEN)
        p = tl.exp2(x * (scale * LOG2E) + strip + bias)
        low = tl.trans(p.to(v.dtype.element_ty))
        dv1 = dot(low, g1, dv1, PRECISION, WIDEN)
        if D2 > 0:
            dv2 = dot(low, g2, dv2, PRECISION, WIDEN)
        # Only now, when p has been given away in low precision: fewer registers are alive at a time.
        dx = p * (dot_pieces(g1, g2, v1, v2, D2, PRECISION, WIDEN) - d[:, None])
        low = tl.trans(dx.to(q.dtype.element_ty))
        dk1 = dot(low, q1, dk1, PRECISION, WIDEN)
        if D2 > 0:
            dk2 = dot(low, q2, dk2, PRECISION, WIDEN)

    store(dk, keys, stride_on, dk1 * scale, dk2 * scale, key_inside, HEAD, D1, D2)
    store(dv, keys, stride_on, dv1, dv2, key_inside, HEAD, D1, D2)
