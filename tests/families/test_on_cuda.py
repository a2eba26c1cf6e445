"""Every family on a GPU: what it answers there is what it answers on a CPU."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import basam


@pytest.mark.cuda
@pytest.mark.parametrize("mode", [basam.BiasMode(slope=1.0, decoder="log"), basam.BiasMode.off()], ids=["corrected", "plain"])
def test_an_attached_model_equals_its_copy_on_the_cpu(each_model, mode) -> None:
    """In float32, at twice the trained size, where factor and mask are at work; two prompts."""
    side = 2 * basam.Predictor(each_model).attachment.geometry.image_size
    image = np.random.default_rng(0).integers(0, 256, (side * 3 // 4, side, 3), dtype=np.uint8)
    boxes = [[2, 3, side // 2, side // 2], [5, 5, side - 9, side // 2]]
    answers = []
    for device in ("cpu", "cuda"):
        predictor = basam.Predictor(copy.deepcopy(each_model).to(device), mode)
        predictor.set_image(image)
        answers.append(predictor.predict(box=boxes, return_logits=True)[2])
    assert np.abs(answers[0] - answers[1]).max() <= 2e-3 * np.abs(answers[0]).max()
