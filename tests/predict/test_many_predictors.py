"""Several predictors of one model: each has its own mode, image and grid, in one thread or in many."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import basam
from tests.helpers.tiny import photo, tiny_sam

BOX = [10, 5, 60, 50]
FULL = basam.BiasMode(strength=1.0, slope=1.0)
OFF = basam.BiasMode.off()


def answer(predictor: basam.Predictor) -> np.ndarray:
    return predictor.predict(box=BOX, return_logits=True)[2]


def alone(mode: basam.BiasMode, image: np.ndarray) -> np.ndarray:
    """What a model of its own answers."""
    predictor = basam.Predictor(tiny_sam(), mode)
    predictor.set_image(image)
    return answer(predictor)


def test_two_modes_of_one_model_do_not_mix(tiny):
    image = photo(140, 200)
    plain, corrected = basam.Predictor(tiny, OFF), basam.Predictor(tiny, FULL)
    plain.set_image(image)
    corrected.set_image(image)
    assert (plain.mode, corrected.mode) == (OFF, FULL)
    expected = [alone(mode, image) for mode in (OFF, FULL)]
    assert np.abs(expected[0] - expected[1]).max() > 0.01
    for _ in range(2):
        assert np.abs(answer(plain) - expected[0]).max() < 1e-5
        assert np.abs(answer(corrected) - expected[1]).max() < 1e-5


def test_interleaved_images_of_different_sizes(tiny):
    images = [photo(70, 100), photo(200, 90), photo(64, 64)]
    modes = [FULL, OFF, basam.BiasMode(decoder="log", strength=1.0)]
    predictors = [basam.Predictor(tiny, mode) for mode in modes]
    for predictor, image in zip(predictors, images, strict=True):
        predictor.set_image(image)
    expected = [alone(mode, image) for mode, image in zip(modes, images, strict=True)]
    for index in (2, 0, 1, 1, 2, 0):
        assert np.abs(answer(predictors[index]) - expected[index]).max() < 1e-5
    assert [predictor.attachment.grid for predictor in predictors] == [(5, 7), (13, 6), (4, 4)]


def test_a_predictor_keeps_its_mode_when_the_model_is_attached_anew(tiny):
    image = photo(140, 200)
    predictor = basam.Predictor(tiny, FULL)
    predictor.set_image(image)
    basam.attach(tiny, OFF)
    assert predictor.mode == FULL
    assert np.abs(answer(predictor) - alone(FULL, image)).max() < 1e-5
    assert basam.Predictor(tiny).mode == OFF
    basam.detach(tiny)
    with pytest.raises(RuntimeError, match="the model was detached: attach it again"):
        predictor.predict(box=BOX)
    basam.attach(tiny, OFF)
    assert np.abs(answer(predictor) - alone(FULL, image)).max() < 1e-5


def test_the_model_itself_goes_on_with_its_own_mode(tiny):
    pixels = torch.randn(1, 3, 96, 112, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = basam.attach(tiny_sam(), FULL)(pixel_values=pixels).pred_masks
        basam.attach(tiny, FULL)
        predictor = basam.Predictor(tiny, OFF)
        predictor.set_image(photo(70, 100))
        assert (tiny(pixel_values=pixels).pred_masks - expected).abs().max() < 1e-5
    assert np.abs(answer(predictor) - alone(OFF, photo(70, 100))).max() < 1e-5


def test_threads_with_a_predictor_each(tiny):
    images = [photo(56 + 16 * number, 100 + 24 * (number % 3), number) for number in range(6)]
    modes = [(FULL, OFF)[number % 2] for number in range(6)]
    expected = [alone(mode, image) for mode, image in zip(modes, images, strict=True)]

    def work(number: int) -> float:
        predictor = basam.Predictor(tiny, modes[number])
        worst = 0.0
        for _ in range(4):
            predictor.set_image(images[number])
            worst = max(worst, float(np.abs(answer(predictor) - expected[number]).max()))
        return worst

    basam.attach(tiny)
    with ThreadPoolExecutor(6) as pool:
        assert max(pool.map(work, range(6))) < 1e-5


def test_a_compiled_encoder_stays_one_graph_for_two_modes(tiny):
    image = photo(140, 200)
    basam.attach(tiny)
    torch.compiler.reset()
    tiny.vision_encoder.forward = torch.compile(tiny.vision_encoder.forward, backend="eager", fullgraph=True)
    for mode in (OFF, FULL, OFF):
        predictor = basam.Predictor(tiny, mode)
        predictor.set_image(image)
        assert np.abs(answer(predictor) - alone(mode, image)).max() < 1e-4


def test_copies_know_nothing_of_the_predictors_of_the_original(tiny):
    image = photo(140, 200)
    basam.attach(tiny, OFF)
    predictor = basam.Predictor(tiny, FULL)
    predictor.set_image(image)
    for other in (copy.deepcopy(tiny), pickle.loads(pickle.dumps(tiny))):
        assert basam.Predictor(other).mode == OFF
        with predictor.attachment.in_force():  # as from inside a call: it is no attachment of the copy
            assert other.vision_encoder.basam.mode == OFF
    assert np.abs(answer(copy.deepcopy(predictor)) - alone(FULL, image)).max() < 1e-5
