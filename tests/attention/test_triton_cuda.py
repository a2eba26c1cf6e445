"""The Triton kernels on a GPU: at users' sizes, twice the same, memory linear in the tokens, within models and training."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

import basam
from basam.attention import neighborhood_attention, separable_attention
from basam.attention.triton_ops import triton_relative
from tests.attention.triton_cases import REAL, Case, errors_of, limit
from tests.helpers.tiny import tiny_encoder, tiny_sam

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("case", REAL, ids=lambda case: case.name)
def test_kernels_equal_the_formula(case: Case) -> None:
    found = errors_of(case, "cuda")
    assert {name: worst for name, worst in found.items() if not worst <= limit(case, name)} == {}


def operands(heads: int, height: int, width: int, head_dim: int, grad: bool = False) -> list[torch.Tensor]:
    generator = torch.Generator("cuda").manual_seed(0)
    sizes = (head_dim, head_dim, head_dim, height, width)
    tensors = [torch.randn(1, heads, height * width, size, generator=generator, device="cuda") for size in sizes]
    return [(t.bfloat16() if index < 3 else t).requires_grad_(grad) for index, t in enumerate(tensors)]


@pytest.mark.parametrize("near", [None, (64, 64)])
def test_two_runs_are_equal_to_the_bit(near: tuple[int, int] | None) -> None:
    runs = []
    for _ in range(2):
        q, k, v, rows, cols = operands(4, 70, 90, 64)
        if near is not None:
            rows, cols = rows[..., : near[0]], cols[..., : near[1]]
        tensors = [t.requires_grad_() for t in (q, k, v, rows, cols)]
        out = neighborhood_attention(*tensors, (70, 90), near or (70, 90), 0.125)
        out.square().sum().backward()
        runs.append([out.detach(), *(t.grad for t in tensors)])
    assert all(torch.equal(first, second) for first, second in zip(*runs, strict=True))


def test_a_kernel_that_was_compiled_for_another_size_serves_this_one() -> None:
    for height, width in ((64, 64), (30, 64), (64, 30), (70, 65), (64, 64)):
        tensors = operands(2, height, width, 64)
        out = separable_attention(*tensors, scale=0.125, backend="triton")
        wanted = separable_attention(*(t.double() for t in tensors), scale=0.125, backend="eager")
        assert (out.double() - wanted).abs().max() <= 8e-3 * wanted.abs().max()


def test_memory_is_linear_to_4096_pixels() -> None:
    peaks = []
    for side in (128, 256):
        q, k, v, _, _ = operands(12, side, side, 64)
        tables = [torch.randn(side, side, 64, device="cuda").bfloat16() for _ in range(2)]
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        triton_relative(q, k, v, *tables, None, (side, side), (side, side), 0.125)
        torch.cuda.synchronize()
        peaks.append(torch.cuda.max_memory_allocated() - before)
    assert peaks[1] <= 5 * peaks[0]  # four times the tokens
    assert peaks[1] <= 1 << 30  # N x N logits of one head would be 17 GB


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("autocast", [False, True])
def test_autocast_bfloat16_and_compiling(compiled: bool, autocast: bool) -> None:
    model = basam.attach(tiny_encoder().cuda())
    image = torch.randn(2, 3, 96, 128, device="cuda")
    with torch.inference_mode():
        wanted = model(image)[0]
        encoder = torch.compile(model, mode="max-autotune-no-cudagraphs") if compiled else model
        if autocast:
            with torch.autocast("cuda", torch.bfloat16):
                found = encoder(image)[0]
        else:
            found = encoder(image)[0]
    assert (found.float() - wanted).abs().max() <= (0.05 if autocast else 5e-3) * wanted.abs().max()


@pytest.mark.parametrize("reach", ["image", "trained"])
def test_compiling_is_one_graph(reach: Literal["image", "trained"]) -> None:
    from torch._dynamo.utils import counters

    model = basam.attach(tiny_encoder().cuda(), basam.BiasMode(reach=reach))
    with torch.inference_mode():
        counters.clear()
        torch.compile(model, fullgraph=True)(torch.randn(1, 3, 96, 96, device="cuda"))
    assert counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("reach", ["image", "trained"])
def test_training_steps_are_those_of_the_cpu(reach: Literal["image", "trained"]) -> None:
    losses = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        model = basam.attach(tiny_encoder().to(device), basam.BiasMode(reach=reach)).train()
        image = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(1)).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
        track = []
        for _ in range(3):
            loss = model(image)[0].square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            track.append(loss.item())
        losses.append(track)
    assert losses[1] == pytest.approx(losses[0], rel=2e-3)


def test_a_batch_of_images_equals_one_at_a_time() -> None:
    predictor = basam.Predictor(tiny_sam().cuda().eval())
    generator = torch.Generator().manual_seed(0)
    images = [(255 * torch.rand(*size, 3, generator=generator)).byte().numpy() for size in ((64, 96), (64, 96), (80, 64))]
    predictor.set_image_batch(images)
    boxes = [[3, 4, 40, 50], [10, 10, 60, 60], [0, 0, 64, 64]]
    masks, _, low_res = predictor.predict_batch(box_batch=boxes)
    for image, box, mask, logits in zip(images, boxes, masks, low_res, strict=True):
        predictor.set_image(image)
        alone = predictor.predict(box=box)
        assert mask.shape == alone[0].shape
        assert abs(logits - alone[2]).max() <= 2e-3 * abs(alone[2]).max()
