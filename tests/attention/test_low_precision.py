"""Products in low precision on a CPU that has none: what reaches the libraries, and what comes back."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from basam.attention import low_precision
from basam.attention.low_precision import fast_products
from tests.helpers.seen import products_in

LOW = [torch.bfloat16, torch.float16]


@pytest.fixture
def none_native(monkeypatch):
    """A CPU that multiplies in float32 and float64 only."""
    monkeypatch.setattr(low_precision, "native", lambda dtype: dtype not in LOW)


def every_product(x):
    """All that encoders multiply with, on a `(4, 6, 6)` tensor."""
    image = x[None]
    return [
        F.linear(x, x[0], x[0, 0]),
        F.conv2d(image, x[:, :4, :1].unsqueeze(-1)),
        torch.einsum("bij,bjk->bik", x, x),
        torch.matmul(x, x),
        x.matmul(x),
        x @ x,
    ]


@pytest.mark.parametrize("dtype", LOW)
def test_products_are_taken_in_float32_and_rounded_once(none_native, dtype):
    x = torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    with torch.no_grad(), products_in() as seen, fast_products(x):
        found = every_product(x)
    assert seen == {torch.float32}
    for ours, wide in zip(found, every_product(x.float()), strict=True):
        assert ours.dtype == dtype
        assert torch.equal(ours, wide.to(dtype))


def test_a_cpu_with_products_of_its_own_keeps_them(monkeypatch):
    monkeypatch.setattr(low_precision, "native", lambda dtype: True)
    x = torch.ones(4, 6, 6, dtype=torch.bfloat16)
    with torch.no_grad(), products_in() as seen, fast_products(x):
        every_product(x)
    assert seen == {torch.bfloat16}


def test_float32_and_float64_are_left_alone(none_native):
    for dtype in (torch.float32, torch.float64):
        x = torch.ones(4, 6, 6, dtype=dtype)
        with torch.no_grad(), products_in() as seen, fast_products(x):
            every_product(x)
        assert seen == {dtype}
        assert low_precision.native(dtype)


def test_where_something_is_differentiated_a_layer_computed_anew_is_the_same(none_native):
    x = torch.ones(4, 6, 6, dtype=torch.bfloat16, requires_grad=True)
    with products_in() as seen, fast_products(x):
        out = checkpoint(torch.matmul, x, x, use_reentrant=False)
    out.sum().backward()
    assert seen == {torch.bfloat16}
    assert torch.equal(x.grad, torch.full_like(x, 12))


def test_operands_of_two_dtypes_are_refused_as_before(none_native):
    x = torch.ones(2, 2, dtype=torch.bfloat16)
    with torch.no_grad(), fast_products(x), pytest.raises(RuntimeError, match="dtype"):
        F.linear(x.float(), x)


def test_the_graph_of_a_compiled_function_is_not_broken():
    def multiply(x):
        with fast_products(x):
            return x @ x

    x = torch.randn(8, 8).bfloat16()
    with torch.no_grad():
        assert torch.equal(torch.compile(multiply, backend="eager", fullgraph=True)(x), x @ x)


@pytest.mark.parametrize("answer", [True, False])
def test_onednn_says_what_the_machine_has(monkeypatch, answer):
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace(_is_mkldnn_bf16_supported=lambda: answer))
    fresh = low_precision.native.__wrapped__  # not what the machine's own answer left in the cache
    assert fresh(torch.bfloat16) is answer
    assert fresh(torch.float16) is False  # a build of PyTorch that does not say
    assert fresh(torch.float32) is True
