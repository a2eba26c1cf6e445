"""Noise as a function of position."""

from __future__ import annotations

import numpy as np
import pytest

from basam.lab.scenes.draws import Draws, cosine, direction, hsv, sine
from basam.lab.scenes.noise import Noise
from basam.lab.scenes.raster import Window, full


def noise(octaves: int = 10) -> Noise:
    return Noise(Draws(5), (3.0, 5.0), octaves, 0.6)


def test_another_size_is_the_same_field() -> None:
    small, large = noise(4).sample(128, full(128)), noise(4).sample(512, full(512))
    assert np.abs(small - large.reshape(128, 4, 128, 4).mean(axis=(1, 3))).max() < 0.05


def test_octaves_that_pixels_cannot_show_are_left_out_and_shift_nothing() -> None:
    shared = Noise(Draws(5), 4.0, 10)
    first = shared.sample(64, full(64))
    shared.sample(512, full(512))
    assert np.array_equal(shared.sample(64, full(64)), first)
    rough = [np.abs(np.diff(shared.sample(size, full(size)), axis=0)).mean() * size for size in (64, 512)]
    assert rough[1] > 1.5 * rough[0]


def test_windows_and_shifts_agree_with_the_whole() -> None:
    whole = noise().sample(96, full(96))
    assert np.array_equal(noise().sample(96, Window(10, 3, 50, 90)), whole[10:50, 3:90])
    moved = noise().sample(96, full(96), (0.25, 0.125))
    assert np.allclose(moved[:72, :84], whole[24:, 12:], atol=1e-4)


def test_variance_is_about_one() -> None:
    fields = np.stack([Noise(Draws(seed), 16.0, 8).sample(256, full(256)) for seed in range(12)])
    assert fields.mean() == pytest.approx(0, abs=0.1)
    assert fields.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_sine_without_a_maths_library(kind: type) -> None:
    turns = np.linspace(-3, 3, 997).astype(kind)
    assert np.abs(sine(turns) - np.sin(2 * np.pi * turns.astype(float))).max() < 3e-6
    assert np.abs(cosine(turns) - np.cos(2 * np.pi * turns.astype(float))).max() < 3e-6
    assert direction(0.125) == pytest.approx((0.5**0.5, 0.5**0.5), abs=1e-6)


def test_colours_of_hues() -> None:
    assert hsv(0, 1, 1) == (1, 0, 0)
    assert hsv(1 / 3, 1, 0.5) == pytest.approx((0, 0.5, 0))
    assert hsv(0.9, 0, 0.4) == (0.4, 0.4, 0.4)


def test_child_streams_do_not_disturb_their_parent() -> None:
    first, second = Draws(1), Draws(1)
    first.child().units(1000)
    second.child()
    assert first.unit() == second.unit()
    assert 0 <= min(Draws(2).units(1000)) < 0.01 < 0.99 < max(Draws(2).units(1000)) < 1
    assert {Draws(seed).integer(2, 4) for seed in range(40)} == {2, 3, 4}
