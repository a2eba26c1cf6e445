"""Which kernels are used where, why not, and what is used instead."""

from __future__ import annotations

import importlib.util
import warnings

import pytest
import torch

from basam.attention import dispatch, eager_attention, separable_attention, triton_problem
from basam.attention.fallbacks import blocked_attention, fallback_attention, one_hot_attention
from basam.attention.tiled_ops import TiledAttention

CUDA = torch.device("cuda")


def operands(height: int, width: int, head_dim: int, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes = (head_dim, head_dim, head_dim, height, width)
    return [torch.randn(2, 3, height * width, size, generator=generator).to(dtype) for size in sizes]


@pytest.mark.parametrize("attention", [one_hot_attention, blocked_attention])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (8, 2)])
def test_fallbacks_equal_the_formula(attention, height, width) -> None:
    tensors = operands(height, width, 8)
    assert (attention(*tensors, 0.35) - eager_attention(*tensors, 0.35)).abs().max() <= 1e-12


def test_many_queries_go_block_by_block(monkeypatch) -> None:
    monkeypatch.setattr("basam.attention.fallbacks.MASK_BYTES", 1)
    tensors = operands(10, 20, 4)
    assert (blocked_attention(*tensors, 0.5) - eager_attention(*tensors, 0.5)).abs().max() <= 1e-12


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_bias_is_rounded_to_the_dtype(dtype) -> None:
    tensors = operands(4, 4, 8, dtype)
    exact = eager_attention(*(t.double() for t in tensors), 0.35)
    out = fallback_attention(*tensors, 0.35)
    assert out.dtype == dtype
    assert (out.double() - exact).abs().max() <= {torch.float16: 4e-3, torch.bfloat16: 3e-2}[dtype]


@pytest.fixture
def gpu(monkeypatch):
    """As if there were a GPU of this capability, with this Triton."""

    def pretend(capability: tuple[int, int], version: str = "3.7.1") -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(triton_problem, "version", lambda name: version)
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())

    return pretend


@pytest.mark.parametrize("capability", [(8, 0), (8, 9), (9, 0), (10, 0), (12, 0)])
@pytest.mark.parametrize("head_dim", [16, 24, 64, 80, 128])
def test_nothing_keeps_the_kernels_from_these(gpu, capability, head_dim) -> None:
    gpu(capability)
    assert triton_problem.triton_problem(CUDA, torch.bfloat16, head_dim) is None


@pytest.mark.parametrize(
    ("capability", "version", "dtype", "head_dim", "reason"),
    [
        ((7, 5), "3.7.1", torch.float16, 64, "compute capability 8.0, this GPU has 7.5"),
        (
            (10, 0),
            "3.6.0",
            torch.bfloat16,
            80,
            "Triton 3.6.0 compiles a head dimension of 80 wrongly for this GPU; 3.7 does not",
        ),
        ((9, 0), "3.7.1", torch.float64, 64, "not float64"),
        ((9, 0), "3.7.1", torch.bfloat16, 8, "head dimensions from 16 to 128, not 8"),
        ((9, 0), "3.7.1", torch.bfloat16, 160, "head dimensions from 16 to 128, not 160"),
    ],
)
def test_what_keeps_them_is_said(gpu, capability, version, dtype, head_dim, reason) -> None:
    gpu(capability, version)
    assert reason in str(triton_problem.triton_problem(CUDA, dtype, head_dim))


def test_a_power_of_two_is_no_problem_for_an_early_triton(gpu) -> None:
    gpu((10, 0), "3.6.0")
    assert triton_problem.triton_problem(CUDA, torch.bfloat16, 64) is None


def test_without_the_package(gpu, monkeypatch) -> None:
    gpu((9, 0))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "the package triton is not installed" in str(triton_problem.triton_problem(CUDA, torch.bfloat16, 64))


@pytest.mark.parametrize("kind", ["mps", "xpu"])
def test_other_devices_are_named(kind) -> None:
    assert f"they run on CUDA, not on {kind}" in str(triton_problem.triton_problem(torch.device(kind), torch.float32, 64))


def test_asked_for_and_not_possible_is_an_error() -> None:
    tensors = operands(2, 3, 16, torch.float32)
    with pytest.raises(
        ValueError, match="backend='triton': they run on CUDA, not on cpu; backend='auto' takes what is possible"
    ):
        separable_attention(*tensors, scale=1.0, backend="triton")


def test_each_reason_is_a_warning_once(monkeypatch) -> None:
    monkeypatch.setattr(dispatch, "WARNED", set())
    with pytest.warns(UserWarning, match="the Triton kernels are not used, PyTorch's fused attention is: they run on CUDA"):
        dispatch.warn_of("they run on CUDA, not on mps")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dispatch.warn_of("they run on CUDA, not on mps")
    with pytest.warns(UserWarning, match="not float64"):
        dispatch.warn_of("they multiply float32, bfloat16 and float16, not float64")


def test_what_a_device_without_kernels_computes_and_its_gradients() -> None:
    """The path that MPS and XPU take, here on a CPU."""
    tensors = [t.requires_grad_() for t in operands(3, 4, 8)]
    wanted = [t.detach().clone().requires_grad_() for t in tensors]
    out = TiledAttention.apply(*tensors, 0.35, True)
    out.square().sum().backward()
    eager_attention(*wanted, 0.35).square().sum().backward()
    for ours, theirs in zip(tensors, wanted, strict=True):
        assert (ours.grad - theirs.grad).abs().max() <= 1e-10
