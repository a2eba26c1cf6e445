"""`BiasMode(decoder=...)`: scaled attention from tokens to the image, the same for every family."""

import copy
import json

import pytest
import torch

import basam
from basam.families import family_of
from basam.families.modules.efficient_encoder import EfficientSamConfig
from basam.families.modules.efficient_sam import EfficientSam
from basam.method import length_scale

PROMPTS = {"points": torch.tensor([[[20.0, 30.0]]]), "labels": torch.tensor([[1]]), "boxes": None, "masks": None}


def mobile():
    from basam.families.modules.mobile_sam import MobileSamConfig, MobileSamModel

    tinyvit = {"widths": (8, 8, 8, 8), "depths": (1, 1, 1, 1), "heads": (0, 1, 1, 1), "channels": 32, "image_size": 128}
    vision = {"num_hidden_layers": 0, "image_size": 128, "num_pos_feats": 16}
    parts = {
        "prompt_encoder_config": {"hidden_size": 32, "image_size": 128},
        "mask_decoder_config": {"hidden_size": 32, "mlp_dim": 32},
    }
    model = MobileSamModel(MobileSamConfig(tinyvit=tinyvit, vision_config=vision, **parts))
    for parameter in model.mask_decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # transformers' own values are too small to tell results apart
    return model


def efficient():
    sizes = {"width": 16, "depth": 1, "heads": 1, "mlp": 16, "image_size": 128, "channels": 32}
    return EfficientSam(EfficientSamConfig(**sizes, decoder_inner=16, decoder_mlp=32, iou_hidden=16, upscaling=(8, 4)))


@pytest.fixture(params=["nano", "mobile", "efficient", "meta"])
def model(request):
    if request.param == "meta":
        return request.getfixturevalue("small_sam")(128)
    torch.manual_seed(0)
    return {"nano": basam.load, "mobile": mobile, "efficient": efficient}[request.param]().eval()


def masks_of(model, side, mode=None):
    """Masks of one point on a square of `side` pixels; the features are those of a mode without the decoder's part."""
    family = family_of(model)
    basam.attach(model, basam.BiasMode.off())
    with torch.no_grad():
        features = family.encode(model, torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1)))
        basam.attach(model, mode or basam.BiasMode.off())
        return family.decode(model, features, multimask=True, **PROMPTS)[0]


def scaled_by_hand(model, factor):
    twin = copy.deepcopy(basam.detach(model))
    found = [module for name, module in twin.mask_decoder.named_modules() if name.endswith("token_to_image")]
    assert len(found) == 3  # two layers, and the final one
    with torch.no_grad():
        for attention in found:
            attention.q_proj.weight *= factor
            attention.q_proj.bias *= factor
    return twin


def test_the_queries_are_scaled_by_lambda(model):
    family = family_of(model)
    side = 3 * family.geometry(model).image_size // 2
    factor = length_scale((side // 16) ** 2, family.geometry(model).trained_tokens)
    found = masks_of(model, side, basam.BiasMode(scaling="none", decoder="log"))
    torch.testing.assert_close(found, masks_of(scaled_by_hand(model, factor), side), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(found, masks_of(model, side))


def test_half_the_strength_is_half_the_way(model):
    side = 2 * family_of(model).geometry(model).image_size
    trained = family_of(model).geometry(model).trained_tokens
    factor = 1 + (length_scale(4 * trained, trained) - 1) / 2
    found = masks_of(model, side, basam.BiasMode(strength=0.5, decoder="log"))
    torch.testing.assert_close(found, masks_of(scaled_by_hand(model, factor), side), atol=1e-5, rtol=1e-5)


def test_off_the_default_and_the_trained_size_leave_the_decoder_alone(model):
    side = family_of(model).geometry(model).image_size
    assert torch.equal(masks_of(model, 2 * side, basam.BiasMode()), masks_of(model, 2 * side))
    assert torch.equal(masks_of(model, side, basam.BiasMode(decoder="log")), masks_of(model, side))


def test_names_and_values_of_parameters_stay(model):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    basam.attach(model, basam.BiasMode(decoder="log"))
    after = model.state_dict()
    assert json.dumps(list(after)) == json.dumps(list(before))
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_an_unknown_choice_is_refused():
    with pytest.raises(ValueError, match="decoder='sqrt': allowed are 'none', 'log'"):
        basam.BiasMode(decoder="sqrt")
    with pytest.raises(ValueError, match="tinyvit_windows='yes': allowed are 'none', 'log-count'"):
        basam.BiasMode(tinyvit_windows="yes")
