"""Soft edges: no steps, and no colour of the background."""

from __future__ import annotations

import numpy as np
import pytest

from basam.masks import SoftMask, edge_width, foreground_colours


def distances(side=120, radius=40):
    y, x = np.mgrid[:side, :side] + 0.5
    return radius - np.hypot(x - side / 2, y - side / 2)


@pytest.mark.parametrize("slope", [0.02, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("reach", [4, 8, 20])
def test_an_unsure_edge_has_no_steps(slope, reach):
    inside = distances()
    shares = SoftMask.of_logits((inside * slope).astype(np.float32), reach).shares().astype(int)
    assert ((shares >= 128) == (inside > 0)).all()
    most = max(np.abs(np.diff(shares, axis=axis)).max() for axis in (0, 1))
    assert most <= 255 * (1.5 / reach if slope < 0.3 else max(0.45, 1.5 / reach))
    assert not shares[inside < -reach * 1.5].any()
    assert (shares[inside > reach * 1.5] == 255).all()


def test_a_sure_edge_stays_sharp():
    shares = SoftMask.of_logits((distances() * 20).astype(np.float32), 8).shares()
    assert ((shares > 0) & (shares < 255)).mean() < 0.01


@pytest.mark.parametrize("front", [(20, 60, 200), (0, 0, 0), (250, 240, 10)])
@pytest.mark.parametrize("back", [(255, 255, 255), (0, 0, 0), (30, 160, 40)])
def test_the_backgrounds_colour_is_taken_out(front, back):
    alpha = np.clip(128 + distances() * 20, 0, 255).astype(np.uint8)
    share = alpha[..., None] / 255
    photo = np.rint(share * np.array(front) + (1 - share) * np.array(back)).astype(np.uint8)
    colours = foreground_colours(photo, alpha, 16).astype(int)
    shown = alpha > 12
    assert np.abs(colours[shown] - front).max() <= 12
    assert np.array_equal(colours[alpha == 0], photo[alpha == 0])
    assert np.array_equal(colours[alpha == 255], photo[alpha == 255])


def test_texture_inside_stays():
    generator = np.random.default_rng(0)
    photo = generator.integers(0, 256, (120, 120, 3), dtype=np.uint8)
    hard = np.where(distances() > 0, 255, 0).astype(np.uint8)
    assert np.array_equal(foreground_colours(photo, hard, 16), photo)


def test_the_reach_grows_with_the_photo():
    assert edge_width(300, 400) == 4
    assert edge_width(3000, 4000) == 20
