"""`BiasMode(decoder=...)`: scaled attention from tokens to the image, the same for every family."""

import copy
import json

import pytest
import torch

import basam
from basam.families import PromptTensors
from basam.families.registry import family_of
from basam.method import length_scale

PROMPTS = PromptTensors(torch.tensor([[[20.0, 30.0]]]), torch.tensor([[1]]))


def masks_of(model, side, mode=None):
    """Masks of one point on a square of `side` pixels; the features are those of a mode without the decoder's part."""
    family = family_of(model)
    basam.attach(model, basam.BiasMode.off())
    with torch.no_grad():
        features = family.encode(model, torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1)))
        basam.attach(model, mode or basam.BiasMode.off())
        return family.decode(model, features, PROMPTS, multimask=True)[0]


def scaled_by_hand(model, factor):
    twin = copy.deepcopy(basam.detach(model))
    found = [module for name, module in twin.mask_decoder.named_modules() if name.endswith("token_to_image")]
    assert len(found) == 3  # two layers, and the final one
    with torch.no_grad():
        for attention in found:
            attention.q_proj.weight *= factor
            attention.q_proj.bias *= factor
    return twin


def assert_close(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-5 * max(1.0, float(expected.abs().max())), rtol=1e-5)


def test_the_queries_are_scaled_by_lambda(each_model):
    family = family_of(each_model)
    side = 3 * family.geometry(each_model).image_size // 2
    geometry = family.geometry(each_model)
    factor = length_scale((side // geometry.patch) ** 2, geometry.trained_tokens)
    found = masks_of(each_model, side, basam.BiasMode(scaling="none", decoder="log", strength=1.0))
    assert_close(found, masks_of(scaled_by_hand(each_model, factor), side))
    assert not torch.allclose(found, masks_of(each_model, side))


def test_half_the_strength_is_half_the_way(each_model):
    side = 2 * family_of(each_model).geometry(each_model).image_size
    trained = family_of(each_model).geometry(each_model).trained_tokens
    factor = 1 + (length_scale(4 * trained, trained) - 1) / 2
    found = masks_of(each_model, side, basam.BiasMode(scaling="log", strength=0.5, decoder="log"))
    assert_close(found, masks_of(scaled_by_hand(each_model, factor), side))


def test_off_the_default_and_the_trained_size_leave_the_decoder_alone(each_model):
    side = family_of(each_model).geometry(each_model).image_size
    assert torch.equal(masks_of(each_model, 2 * side, basam.BiasMode()), masks_of(each_model, 2 * side))
    assert torch.equal(masks_of(each_model, side, basam.BiasMode(decoder="log", strength=1.0)), masks_of(each_model, side))


def test_names_and_values_of_parameters_stay(each_model):
    before = {key: value.clone() for key, value in each_model.state_dict().items()}
    basam.attach(each_model, basam.BiasMode(decoder="log", strength=1.0))
    after = each_model.state_dict()
    assert json.dumps(list(after)) == json.dumps(list(before))
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_an_unknown_choice_is_refused():
    with pytest.raises(ValueError, match="decoder='sqrt': allowed are none, log"):
        basam.BiasMode(decoder="sqrt", strength=1.0)
    with pytest.raises(ValueError, match="tinyvit_windows='yes': allowed are none, log-count"):
        basam.BiasMode(tinyvit_windows="yes", strength=1.0)
