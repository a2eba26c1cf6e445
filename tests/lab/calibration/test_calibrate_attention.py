"""Pooling, entropy and total variation on attention made by hand; recording on a small model against its plain formula."""

import math

import pytest
import torch

import basam
from basam.attention import separable_bias
from basam.families import family_of
from basam.families.shared import GridAttention
from basam.lab.calibration import attention as attention_module
from basam.lab.calibration.attention import axis_pooling, entropy, patches_at, pooled_attention, total_variation
from basam.lab.calibration.capture import Places, recording
from tests.helpers.tiny_sam2 import tiny_sam2
from tests.helpers.tiny_sam3 import tiny_sam3


@pytest.mark.parametrize(("length", "trained", "ratio"), [(8, 4, 2.0), (7, 4, 2.0), (10, 4, 2.5), (3, 4, 0.75), (9, 4, 2.0)])
def test_pooling_keeps_all_of_every_patch(length, trained, ratio):
    pooling = axis_pooling(length, trained, ratio)
    assert pooling.shape == (length, trained)
    torch.testing.assert_close(pooling.sum(1), torch.ones(length, dtype=torch.float64))


def test_a_patch_that_two_trained_ones_share_goes_to_both():
    expected = [[1, 0], [1, 0], [0.5, 0.5], [0, 1], [0, 1]]
    torch.testing.assert_close(axis_pooling(5, 2, 2.5), torch.tensor(expected, dtype=torch.float64))
    assert axis_pooling(4, 4, 1.0).equal(torch.eye(4, dtype=torch.float64))


def test_padding_beyond_the_trained_grid_goes_to_its_last_patch():
    assert axis_pooling(5, 2, 2.0)[-1].tolist() == [0, 1]


def test_a_place_has_its_query_in_every_grid():
    places = torch.tensor([0.0, 0.9, 1.0, 3.99])
    assert patches_at(places, 1, 4).tolist() == [0, 0, 1, 3]
    assert patches_at(places, 2.5, 10).tolist() == [0, 2, 2, 9]
    assert patches_at(places, 2.6, 10).tolist()[-1] == 9  # rounding does not lead out of the grid


def test_uniform_attention_stays_uniform_when_it_is_pooled():
    nothing = torch.zeros(3, 8), torch.zeros(64, 8), torch.zeros(3, 8), torch.zeros(3, 8)
    pooled = pooled_attention(*nothing, 1.0, axis_pooling(8, 4, 2), axis_pooling(8, 4, 2))
    torch.testing.assert_close(pooled, torch.full((3, 4, 4), 1 / 16))
    torch.testing.assert_close(entropy(pooled), torch.full((3,), math.log(16)))


def test_entropy_and_total_variation_of_single_keys():
    here, there = torch.zeros(2, 1, 4, 4)
    here[0, 1, 1] = there[0, 2, 3] = 1
    assert entropy(here).item() == 0
    assert total_variation(here, here).item() == 0
    assert total_variation(here, there).item() == 1
    assert total_variation(here, (here + there) / 2).item() == 0.5


def test_rows_are_those_of_the_whole_matrix_in_whatever_tiles(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(24, 8, generator=generator) for _ in range(2))
    rows, cols = torch.randn(24, 4, generator=generator), torch.randn(24, 6, generator=generator)
    pools = axis_pooling(4, 2, 2), axis_pooling(6, 3, 2)
    whole = (0.3 * q @ k.T + (rows[:, :, None] + cols[:, None, :]).flatten(1)).softmax(-1)
    expected = whole.view(24, 2, 2, 3, 2).sum((2, 4))
    for tile in (1, 1000, 1 << 20):
        monkeypatch.setattr(attention_module, "TILE_BYTES", tile)
        torch.testing.assert_close(pooled_attention(q, k, rows, cols, 0.3, *pools), expected)


@pytest.mark.parametrize("mode", [basam.BiasMode.off(), basam.BiasMode(slope=0.5, positions="extend")])
def test_recorded_is_the_attention_of_the_corrected_layers(tiny, mode):
    model = basam.attach(tiny, mode)
    seen = []
    layers = model.vision_encoder.layers
    hooks = [layers[n].attn.register_forward_pre_hook(lambda module, args: seen.append((module, args[0]))) for n in (1, 3)]
    places = Places(torch.tensor([[0.1, 0.1], [2.7, 3.9], [1.5, 0.5]]), (3, 4))
    pixels = torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        with recording(model, places, (2.0, 2.0)) as recorded:
            watched = model.vision_encoder(pixels).last_hidden_state
        for hook in hooks:
            hook.remove()
        assert torch.equal(watched, model.vision_encoder(pixels).last_hidden_state)
        assert len(recorded) == 2
        for (module, hidden), layer in zip(seen, recorded, strict=True):
            q, k, _ = module.qkv(hidden).unflatten(-1, (3, 2, 16)).flatten(1, 2).permute(2, 0, 3, 1, 4)
            slopes = module.basam.mask_slopes(2, module.basam_layer)
            rows, cols = separable_bias(q, *module.tables(q, 6, 8), None if slopes is None else slopes.to(q))
            bias = (rows[..., :, None] + cols[..., None, :]).flatten(-2)
            whole = (module.scale * module.basam.factor * q @ k.mT + bias).softmax(-1)[0, :, [0, 5 * 8 + 7, 3 * 8 + 1]]
            torch.testing.assert_close(layer, whole.view(2, 3, 3, 2, 4, 2).sum((3, 5)), rtol=1e-5, atol=1e-6)
            torch.testing.assert_close(layer.sum((-2, -1)), torch.ones(2, 3))


def test_nothing_is_left_of_the_recording(tiny):
    model = basam.attach(tiny)
    places = Places(torch.tensor([[0.5, 0.5]]), (4, 4))
    with recording(model, places, (1.0, 1.0)) as recorded:
        pass
    model.vision_encoder(torch.randn(1, 3, 64, 64))
    assert recorded == []
    assert all("attend_grid" not in vars(module) for module in model.modules())


def test_a_plain_model_cannot_be_recorded(tiny):
    places = Places(torch.tensor([[0.5, 0.5]]), (4, 4))
    with pytest.raises(basam.UnsupportedModelError, match="no attached layer"), recording(tiny, places, (1.0, 1.0)):
        pass


@pytest.mark.parametrize(("build", "size"), [(tiny_sam2, (128, 256)), (tiny_sam3, (126, 252))])
def test_encoders_without_relative_positions_are_recorded_as_well(build, size):
    model = basam.attach(build(), basam.BiasMode(slope=0.5))
    height, width = (side // family_of(model).geometry(model).patch for side in size)
    places = Places(torch.tensor([[0.5, 0.5], [height - 1.5, width - 1.5]]), (height, width))
    pixels = torch.randn(1, 3, *size)
    weights = []
    with torch.no_grad():
        with recording(model, places, (1.0, 1.0)) as recorded:
            watched = model.vision_encoder(pixels).fpn_hidden_states
        module = next(module for module in model.modules() if isinstance(module, GridAttention))
        module.attend_grid = lambda qkv: weights.append(qkv) or type(module).attend_grid(module, qkv)
        again = model.vision_encoder(pixels).fpn_hidden_states
    assert all(torch.equal(a, b) for a, b in zip(watched, again, strict=True))
    assert len(recorded) == 2
    q, k, _ = weights[0].flatten(1, 2).permute(2, 0, 3, 1, 4)
    i = torch.arange(height * width)
    distance = (i[:, None] // width - i // width).abs() + (i[:, None] % width - i % width).abs()
    slope = module.basam.mask_slopes(1, 0)[0]
    whole = (module.scale * module.basam.factor * q @ k.mT - slope * distance).softmax(-1)[0, :, [0, -width - 2]]
    torch.testing.assert_close(recorded[0], whole.view(-1, 2, height, width).float(), rtol=1e-4, atol=1e-5)
