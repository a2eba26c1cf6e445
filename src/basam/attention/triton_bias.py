"""The kernel that makes the separable bias of SAM's layers as the attention kernels read it; see `bias.separable_bias`."""

from __future__ import annotations

import triton
import triton.language as tl

from basam.attention.triton_parts import dot_pieces, load
from basam.attention.triton_places import TILE_COLUMNS, TILE_ROWS, first_key, first_stored, place_of, program, tokens_of


@triton.jit
def axis_bias(
    q, table, slopes, bias, R, C, H, W, near, heads, groups, padded,
    stride_qb, stride_qh, stride_qn, stride_bg, stride_b,
    HEAD: tl.constexpr, D1: tl.constexpr, D2: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_K: tl.constexpr,
    ROWS: tl.constexpr, KEYS_FIRST: tl.constexpr, TABLE: tl.constexpr, SLOPES: tl.constexpr, WINDOWS: tl.constexpr,
    PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """For BLOCK_Q queries that lie in one grid row (ROWS; else column), and BLOCK_K of the rows of keys stored for them.

    `bias` is `(groups, padded, queries)` where KEYS_FIRST, else `(groups, queries, padded)`; keys that they do not see: -inf.
    """
    axis = R if ROWS else C
    length = C if ROWS else R
    block, group = program(axis * tl.cdiv(length, BLOCK_Q))
    if group < groups:
        b, h, top, left = place_of(group, heads, R, C, H, W, WINDOWS)
        line = block % axis
        place = block // axis * BLOCK_Q + tl.arange(0, BLOCK_Q)
        there = place < length
        queries = line * C + place if ROWS else place * C + line
        keys = tl.program_id(1) * BLOCK_K + tl.arange(0, BLOCK_K)
        first = first_key(line, axis, near)
        key = first_stored(line, axis, near, TILE_ROWS if KEYS_FIRST else TILE_COLUMNS) + keys
        seen = (key >= first) & (key < first + near)
        value = tl.zeros([BLOCK_Q, BLOCK_K], tl.float32)
        if TABLE:
            tokens = tl.where(there, queries, 0)
            if WINDOWS:
                tokens, _ = tokens_of(top + tokens // C, left + tokens % C, H, W)
            q1, q2 = load(q + b * stride_qb + h * stride_qh, tokens, stride_qn, HEAD, D1, D2)
            t1, t2 = load(table, line * near + tl.where(seen, key - first, 0), HEAD, HEAD, D1, D2)
            value = dot_pieces(q1, q2, t1, t2, D2, PRECISION, WIDEN)
        if SLOPES:
            value -= tl.load(slopes + h) * tl.abs(key - line).to(tl.float32)[None, :]
        value = tl.where(seen[None, :], value, float("-inf"))
        bias += group * stride_bg
        if KEYS_FIRST:
            at = bias + keys[:, None] * stride_b + queries[None, :]
            tl.store(at, tl.trans(value), mask=(keys < padded)[:, None] & there[None, :])
        else:
            at = bias + queries[:, None] * stride_b + keys[None, :]
            tl.store(at, value, mask=there[:, None] & (keys < padded)[None, :])


@triton.jit(do_not_specialize=["R", "C", "H", "W", "near_r", "near_c", "heads", "groups", "padded_down", "padded_across"])
def bias_kernel(
    q, table_h, table_w, slopes, down, across,
    R, C, H, W, near_r, near_c, heads, groups, padded_down, padded_across,
    stride_qb, stride_qh, stride_qn, stride_dg, stride_dr, stride_ag, stride_an,
    HEAD: tl.constexpr, D1: tl.constexpr, D2: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_K: tl.constexpr,
    SWAP: tl.constexpr, TABLE: tl.constexpr, SLOPES: tl.constexpr, WINDOWS: tl.constexpr,
    PRECISION: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """Down and across of all groups: the last axis of programs says which of the grid's axes, rows first.

    Tables are `(R, near_r, d)` and `(C, near_c, d)`, contiguous; all four count rows and columns before they change places.
    """
    # Where they change places, the grid's rows are what `across` is of, and its columns what `down` is of.
    if tl.program_id(2) == 0:
        axis_bias(
            q, table_h, slopes, across if SWAP else down,
            R, C, H, W, near_r, heads, groups, padded_across if SWAP else padded_down,
            stride_qb, stride_qh, stride_qn, stride_ag if SWAP else stride_dg, stride_an if SWAP else stride_dr,
            HEAD, D1, D2, BLOCK_Q, BLOCK_K, True, not SWAP, TABLE, SLOPES, WINDOWS, PRECISION, WIDEN,
        )  # fmt: skip
    else:
        axis_bias(
            q, table_w, slopes, down if SWAP else across,
            R, C, H, W, near_c, heads, groups, padded_down if SWAP else padded_across,
            stride_qb, stride_qh, stride_qn, stride_dg if SWAP else stride_ag, stride_dr if SWAP else stride_an,
            HEAD, D1, D2, BLOCK_Q, BLOCK_K, False, SWAP, TABLE, SLOPES, WINDOWS, PRECISION, WIDEN,
        )  # fmt: skip
