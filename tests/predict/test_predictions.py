"""Answers whose masks are enlarged when they are wanted are those of `predict`."""

from __future__ import annotations

import numpy as np
import pytest

import basam
from basam.masks import SoftMask, edge_width
from basam.predict import Region


@pytest.fixture(scope="module")
def predictor() -> basam.Predictor:
    noise = np.random.default_rng(3).integers(0, 90, (310, 420, 3), dtype=np.uint8)
    noise[100:220, 150:290] += 120
    found = basam.Predictor.from_pretrained("nano", device="cpu")
    found.set_image(noise, long_side=256)
    return found


POINTS, LABELS = np.array([[[200.0, 150.0]], [[140.0, 110.0]]]), np.array([[1], [1]])


@pytest.mark.parametrize("focus", [False, True, Region(120, 80, 200)])
def test_masks_boxes_and_soft_edges_are_those_of_predict(predictor, focus):
    masks, scores, low_res = predictor.predict(POINTS, LABELS, focus=focus)
    logits = predictor.predict(POINTS, LABELS, return_logits=True, focus=focus)[0]
    answers = predictor.predictions(POINTS, LABELS, focus=focus)
    assert [answer.view for answer in answers] == predictor.views
    for answer, wanted, score, low, full in zip(answers, masks, scores, low_res, logits, strict=True):
        np.testing.assert_allclose(answer.scores, score, atol=1e-5)
        height, width = answer.low_res.shape[1:]
        np.testing.assert_allclose(answer.low_res, low[:, :height, :width], atol=1e-4)
        for index, mask in enumerate(wanted):
            assert (answer.runs(index, 310, 420).mask() != mask).mean() < 1e-4
        best = int(score.argmax())
        if not wanted[best].any():
            assert answer.best_box is None
            assert answer.best_edges is None
            continue
        ys, xs = np.nonzero(wanted[best])
        box = answer.best_box + np.tile(answer.view.shift, 2)
        np.testing.assert_allclose(box, [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], atol=1)
        rows, columns = answer.view.window(310, 420)
        seen = wanted[best][rows, columns]
        assert answer.best_edges == (seen[0].any(), seen[-1].any(), seen[:, 0].any(), seen[:, -1].any())
        soft = answer.soft(best, 310, 420)
        there = np.zeros((310, 420), dtype=np.uint8)
        there[soft.top : soft.top + soft.shape[0], soft.left : soft.left + soft.shape[1]] = soft.shares()
        expected = SoftMask.of_logits(full[best], edge_width(310, 420)).shares()
        assert (abs(there.astype(int) - expected) > 2).mean() < 1e-2
