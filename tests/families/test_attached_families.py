"""What an attached model of any family goes through: copies, compilation, threads, adapters, and back."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

import basam
from basam.families.registry import family_of
from basam.lab.tuning import adapter_of, prepare, tuned_mode
from basam.model import attachment_of, model_fingerprint, put_on, read_adapter, write_adapter
from tests.families.conftest import MODELS
from tests.helpers.slowly import slowly

FULL = basam.BiasMode(slope=1.0, decoder="log")
OFF = basam.BiasMode.off()
BOX = [10, 5, 60, 50]


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def answer(model, mode, image):
    predictor = basam.Predictor(model, mode)
    predictor.set_image(image)
    return predictor.predict(box=BOX, return_logits=True)[2]


def close(found, expected):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max())


def test_copies_answer_alike_and_are_of_their_own(each_model):
    basam.attach(each_model, FULL)
    image = picture(140, 200)
    expected = answer(each_model, None, image)
    for other in (copy.deepcopy(each_model), pickle.loads(pickle.dumps(each_model))):
        np.testing.assert_array_equal(answer(other, None, image), expected)
        basam.detach(other)
        assert attachment_of(other) is None
        assert attachment_of(each_model).mode == FULL


def test_detaching_leaves_nothing_behind(each_model):
    before = [(type(module), sorted(vars(module))) for module in each_model.modules()]
    weights = {name: tensor.clone() for name, tensor in each_model.state_dict().items()}
    side = family_of(each_model).geometry(each_model).image_size
    pixels = torch.randn(1, 3, side, side)
    with torch.no_grad():
        plain = family_of(each_model).embedding(family_of(each_model).encode(each_model, pixels))
        basam.attach(each_model, FULL)
        answer(each_model, None, picture(140, 200))
        basam.detach(each_model)
        assert [(type(module), sorted(vars(module))) for module in each_model.modules()] == before
        assert list(each_model.state_dict()) == list(weights)
        assert all(torch.equal(value, weights[name]) for name, value in each_model.state_dict().items())
        again = family_of(each_model).embedding(family_of(each_model).encode(each_model, pixels))
    assert torch.equal(again, plain)


@pytest.mark.parametrize("each_model", slowly(MODELS, "meta"), indirect=True)
def test_a_compiled_encoder_is_the_eager_one(each_model):
    family = family_of(each_model)
    encoder = family.encoder(basam.attach(each_model, FULL))
    torch.compiler.reset()
    # For one size; `test_attaching.py` has several. With symbolic sizes, SAM 2's Hiera keeps the compiler at work for minutes.
    compiled = torch.compile(encoder, backend="eager", dynamic=False)
    multiple = family.geometry(each_model).multiple
    pixels = torch.randn(1, 3, 4 * multiple, 6 * multiple)
    with torch.no_grad():
        found, expected = compiled(pixels), encoder(pixels)
    for name in ("fpn_hidden_states", "last_hidden_state"):
        found, expected = getattr(found, name, found), getattr(expected, name, expected)
    found, expected = (output if isinstance(output, (tuple, list)) else (output,) for output in (found, expected))
    assert all((a - b).abs().max() <= 1e-4 for a, b in zip(found, expected, strict=True))
    torch.compiler.reset()


def test_threads_with_a_predictor_and_a_mode_each(each_model):
    images = [picture(90 + 30 * number, 210 - 20 * number, number) for number in range(4)]
    modes = [(FULL, OFF)[number % 2] for number in range(4)]
    expected = [answer(copy.deepcopy(each_model), mode, image) for mode, image in zip(modes, images, strict=True)]
    basam.attach(each_model)

    def work(number):
        found = [answer(each_model, modes[number], images[number]) for _ in range(3)]
        return all(np.abs(one - expected[number]).max() <= 1e-4 * np.abs(expected[number]).max() for one in found)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


@pytest.mark.parametrize("way", slowly(["bias", "decoder", "lora", "full"], "lora"))
def test_an_adapter_of_every_way_comes_back(each_model, way, tmp_path):
    if not family_of(each_model).geometry(each_model).global_layers:
        pytest.skip("no global layers")
    base = copy.deepcopy(each_model)
    image, mode = picture(140, 200), tuned_mode(replace(FULL, slope=0.1))
    tuned = prepare(each_model, way, mode, slope=0.2)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
        attachment_of(tuned).learned.log += 0.3
    write_adapter(tmp_path, adapter_of(tuned, "base", model_fingerprint(base)), "# card\n")
    loaded = put_on(copy.deepcopy(base), read_adapter(tmp_path), "adapter")
    close(answer(loaded, None, image), answer(tuned, None, image))
    assert np.abs(answer(loaded, None, image) - answer(base, OFF, image)).max() > 1e-3
