"""Operands that do not fit are named with what is needed, by every function that takes them."""

from __future__ import annotations

import re

import pytest
import torch

import basam
from basam.attention import (
    eager_attention,
    masked_attention,
    one_hot_attention,
    relative_attention,
    separable_attention,
    separable_bias,
)

HEADS, HEIGHT, WIDTH, DIM = 2, 3, 4, 8
Q = torch.zeros(1, HEADS, HEIGHT * WIDTH, DIM)
GIVEN = {
    "q": Q, "k": Q, "v": Q, "scale": 0.3, "slopes": torch.ones(HEADS), "height": HEIGHT, "width": WIDTH,
    "rows": Q.new_zeros(1, HEADS, HEIGHT * WIDTH, HEIGHT), "cols": Q.new_zeros(1, HEADS, HEIGHT * WIDTH, WIDTH),
    "table_h": torch.zeros(HEIGHT, HEIGHT, DIM), "table_w": torch.zeros(WIDTH, WIDTH, DIM),
}  # fmt: skip
TAKEN = {
    separable_attention: "q k v rows cols scale",
    eager_attention: "q k v rows cols scale",
    one_hot_attention: "q k v rows cols scale",
    relative_attention: "q k v table_h table_w slopes scale",
    masked_attention: "q k v height width slopes scale",
    separable_bias: "q table_h table_w slopes",
}
WRONG = [
    *((name, value, f"{name} is a {kind}: a torch.Tensor is needed") for name in "qkv" for value, kind in [("x", "str")]),
    ("q", None, "q is a NoneType: a torch.Tensor is needed"),
    ("q", Q[0], "q"),
    ("q", Q.long(), "floating dtype: got"),
    ("k", Q[:, :, :5], "q, k and v must be (B, heads, N, d) alike"),
    ("v", Q.double(), "q, k and v must have one floating dtype: got torch.float32, torch.float32, torch.float64"),
    ("rows", None, "rows is a NoneType: a torch.Tensor is needed"),
    ("rows", torch.zeros(3), "rows must be (B, heads, N, size) with (1, 2, 12) first: got (3,)"),
    ("cols", [1], "cols is a list: a torch.Tensor is needed"),
    ("cols", torch.zeros(1, HEADS, 12, 5), "a grid of 3 rows and 5 columns does not have N=12 tokens"),
    ("table_h", 3, "table_h is a int: a torch.Tensor is needed"),
    ("table_h", torch.zeros(3, 3, 7), "table_h must be (side, side, d) with d=8: got (3, 3, 7)"),
    ("table_w", torch.zeros(4, 3, DIM), "table_w must be (side, side, d) with d=8: got (4, 3, 8)"),
    ("table_w", torch.zeros(5, 5, DIM), "a grid of 3 rows and 5 columns does not have N=12 tokens"),
    ("slopes", [1.0, 1.0], "slopes is a list: a torch.Tensor is needed"),
    ("slopes", torch.ones(3), "slopes must be (heads,) with 2 heads: got (3,)"),
    ("slopes", torch.ones(1), "slopes must be (heads,) with 2 heads: got (1,)"),
    ("slopes", torch.ones(2, 2), "slopes must be (heads,) with 2 heads: got (2, 2)"),
    ("height", 2.5, "height=2.5: a whole number of at least 1 is needed"),
    ("height", -3, "a grid of -3 rows"),
    ("width", 5, "a grid of 3 rows and 5 columns does not have N=12 tokens"),
    ("scale", None, "scale=None: a number is needed"),
    ("scale", "x", "scale='x': a number is needed"),
    ("scale", float("nan"), "scale=nan: a number is needed"),
]
CASES = [(function, *wrong) for function, names in TAKEN.items() for wrong in WRONG if wrong[0] in names.split()]


@pytest.mark.parametrize(("function", "name", "value", "message"), CASES)
def test_what_does_not_fit_is_named(function, name, value, message) -> None:
    given = {each: GIVEN[each] for each in TAKEN[function].split()}
    function(**given)
    with pytest.raises((TypeError, ValueError), match=re.escape(message)) as caught:
        function(**given | {name: value})
    assert isinstance(caught.value, basam.BasamError)


@pytest.mark.parametrize("backend", [None, "Tiled", torch.zeros(2)])
def test_an_unknown_backend_is_named(backend) -> None:
    with pytest.raises(ValueError, match="allowed are 'auto', 'triton', 'tiled', 'eager'"):
        separable_attention(Q, Q, Q, GIVEN["rows"], GIVEN["cols"], scale=1.0, backend=backend)
