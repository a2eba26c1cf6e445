"""Operands that do not fit are named with what is needed."""

from __future__ import annotations

import re

import pytest
import torch

import basam
from basam.attention import separable_attention

HEADS, HEIGHT, WIDTH, DIM = 2, 3, 4, 8
Q = torch.zeros(1, HEADS, HEIGHT * WIDTH, DIM)
GIVEN = {
    "q": Q, "k": Q, "v": Q, "scale": 0.3,
    "rows": Q.new_zeros(1, HEADS, HEIGHT * WIDTH, HEIGHT), "cols": Q.new_zeros(1, HEADS, HEIGHT * WIDTH, WIDTH),
}  # fmt: skip
WRONG = [
    *((name, value, f"{name} is a {kind}: a torch.Tensor is needed") for name in "qkv" for value, kind in [("x", "str")]),
    ("q", None, "q is a NoneType: a torch.Tensor is needed"),
    ("q", Q[0], "q"),
    ("q", Q.long(), "floating dtype: got"),
    ("k", Q[:, :, :5], "q, k and v must all be (B, heads, N, d)"),
    ("v", Q.double(), "q, k and v must have one floating dtype: got torch.float32, torch.float32, torch.float64"),
    ("rows", None, "rows is a NoneType: a torch.Tensor is needed"),
    ("rows", torch.zeros(3), "rows must be (B, heads, N, size) with (1, 2, 12) first: got (3,)"),
    ("cols", [1], "cols is a list: a torch.Tensor is needed"),
    ("cols", torch.zeros(1, HEADS, 12, 5), "a grid of 3 rows and 5 columns does not have N=12 tokens"),
    ("scale", None, "scale=None: a number is needed"),
    ("scale", "x", "scale='x': a number is needed"),
    ("scale", float("nan"), "scale=nan: a number is needed"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_wrong_operands_are_named(name: str, value: object, message: str) -> None:
    separable_attention(**GIVEN)
    with pytest.raises((TypeError, ValueError), match=re.escape(message)) as caught:
        separable_attention(**GIVEN | {name: value})
    assert isinstance(caught.value, basam.BasamError)


@pytest.mark.parametrize("backend", [None, "Tiled", torch.zeros(2)])
def test_an_unknown_backend_is_named(backend) -> None:
    with pytest.raises(ValueError, match="allowed are 'auto', 'triton', 'tiled', 'eager'"):
        separable_attention(Q, Q, Q, GIVEN["rows"], GIVEN["cols"], scale=1.0, backend=backend)
