"""Learned slopes: positive, differentiable through the kernel, of their own in every copy, and no part of the model."""

from __future__ import annotations

import copy

import pytest
import torch

import basam
from basam.families.slopes import LearnedSlopes
from basam.model import attachment_of
from tests.helpers.tiny import tiny_sam

LEARNED = basam.BiasMode(slopes="learned", schedule="constant")
BOX = torch.tensor([[[5.0, 9.0, 40.0, 50.0]]])


def masks_of(model, pixels):
    return model(pixel_values=pixels, input_boxes=BOX).pred_masks


@pytest.fixture
def pixels():
    return torch.randn(1, 3, 96, 112, generator=torch.Generator().manual_seed(3))


def test_equal_slopes_are_those_of_a_mode(tiny, pixels):
    with torch.no_grad(), basam.attached(tiny, basam.BiasMode(slope=0.3, schedule="constant")):
        expected = masks_of(tiny, pixels)
    basam.attach(tiny, LEARNED, LearnedSlopes.uniform(2, 2, 0.3))
    with torch.no_grad():
        assert (masks_of(tiny, pixels) - expected).abs().max() < 1e-5
        basam.attach(tiny, basam.BiasMode(slopes="learned", schedule="extrapolation", strength=0.5))
        weaker = masks_of(tiny, pixels)
        basam.attach(tiny, basam.BiasMode(slope=0.3, strength=0.5))
        assert (masks_of(tiny, pixels) - weaker).abs().max() < 1e-5
    assert (weaker - expected).abs().max() > 1e-3


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("head", [0, 1])
def test_every_number_acts_on_its_own_head_and_layer(tiny, pixels, layer, head):
    slopes = LearnedSlopes.uniform(2, 2, 0.2)
    basam.attach(tiny, LEARNED, slopes)
    seen = {}
    for index in (1, 3):
        tiny.vision_encoder.layers[index].attn.proj.register_forward_hook(
            lambda module, args, out, index=index: seen.__setitem__(index, args[0].detach())
        )
    with torch.no_grad():
        masks_of(tiny, pixels)
        before = dict(seen)
        slopes.log[layer, head] += 1
        masks_of(tiny, pixels)
    first = (1, 3)[layer]
    changed = (seen[first] - before[first]).abs().amax((0, 1, 2)).view(2, -1).amax(1) > 1e-6
    assert changed.tolist() == [head == 0, head == 1]
    assert torch.equal(seen[1], before[1]) == (layer == 1)


def test_gradients_are_those_of_finite_differences(tiny, pixels):
    tiny.double()
    slopes = LearnedSlopes.uniform(2, 2, 0.2).double()
    basam.attach(tiny, LEARNED, slopes)

    def loss():
        return tiny.vision_encoder(pixels.double()).last_hidden_state.square().mean()

    loss().backward()
    step = 1e-5
    for layer, head in ((0, 0), (0, 1), (1, 0), (1, 1)):
        with torch.no_grad():
            slopes.log[layer, head] += step
            above = loss()
            slopes.log[layer, head] -= 2 * step
            below = loss()
            slopes.log[layer, head] += step
        assert slopes.log.grad[layer, head].item() == pytest.approx(((above - below) / (2 * step)).item(), rel=1e-4)


def test_the_kernel_in_tiles_gives_the_same_gradient(tiny, monkeypatch):
    from basam.attention import cpu_tiles as tiled
    from basam.attention import dispatch

    slopes = LearnedSlopes.uniform(2, 2, 0.2)
    basam.attach(tiny, LEARNED, slopes)
    pixels = torch.randn(1, 3, 320, 288)  # 360 tokens: two tiles of at least 256 rows
    gradients = []
    for small in (dispatch.SMALL_BYTES, 0):
        monkeypatch.setattr(dispatch, "SMALL_BYTES", small)
        monkeypatch.setattr(tiled, "TILE_BYTES", {"cpu": 1 << 18})
        slopes.zero_grad()
        tiny.vision_encoder(pixels).last_hidden_state.square().mean().backward()
        gradients.append(slopes.log.grad.clone())
    assert gradients[0].abs().min() > 0
    assert torch.allclose(*gradients, rtol=1e-3)


def test_slopes_stay_positive_and_out_of_the_model(tiny, pixels):
    keys = list(tiny.state_dict())
    slopes = LearnedSlopes.uniform(2, 2, 0.01)
    basam.attach(tiny, LEARNED, slopes)
    assert list(tiny.state_dict()) == keys
    assert all(parameter is not slopes.log for parameter in tiny.parameters())
    optimiser = torch.optim.SGD(slopes.parameters(), lr=100)
    masks_of(tiny, pixels).square().mean().backward()
    optimiser.step()
    assert slopes.log.grad.abs().max() > 0
    assert slopes().min() > 0
    assert basam.detach(tiny) is tiny
    assert not any("basam_layer" in module.__dict__ for module in tiny.modules())


def test_copies_have_slopes_of_their_own(tiny, pixels):
    basam.attach(tiny, LEARNED, LearnedSlopes.uniform(2, 2, 0.2))
    copied = copy.deepcopy(tiny)
    with torch.no_grad():
        expected = masks_of(tiny, pixels)
        attachment_of(tiny).learned.log += 1
        assert torch.equal(masks_of(copied, pixels), expected)
        assert not torch.equal(masks_of(tiny, pixels), expected)
        other = basam.attach(tiny_sam(seed=4), LEARNED, LearnedSlopes.uniform(2, 2, 0.2))
        assert attachment_of(other).learned is not attachment_of(tiny).learned


def test_off_is_off_and_learned_slopes_come_back(tiny, pixels):
    with torch.no_grad():
        with basam.attached(tiny, basam.BiasMode.off()):
            plain = masks_of(tiny, pixels)
        basam.attach(tiny, LEARNED, LearnedSlopes.uniform(2, 2, 0.5))
        tuned = masks_of(tiny, pixels)
        with basam.attached(tiny, basam.BiasMode.off()):
            assert torch.equal(masks_of(tiny, pixels), plain)
        assert torch.equal(masks_of(tiny, pixels), tuned)
    assert not torch.equal(tuned, plain)


def test_learned_slopes_that_are_missing_or_of_another_model(tiny):
    with pytest.raises(ValueError, match="this model has none"):
        basam.attach(tiny, LEARNED)
    with pytest.raises(ValueError, match=r"\(3, 2\) global layers and heads: this model has \(2, 2\)"):
        basam.attach(tiny, LEARNED, LearnedSlopes.uniform(3, 2, 0.1))
    assert attachment_of(tiny) is None
    with pytest.raises(ValueError, match="must be finite and above 0"):
        LearnedSlopes.uniform(2, 2, 0.0)
