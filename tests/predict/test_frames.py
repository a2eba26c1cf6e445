"""Sizes of images on their way into models that were trained on squashed photos, or whose windows want no padding."""

import numpy as np
import pytest

from basam.families import Geometry
from basam.predict import Frame

SAM2 = Geometry(16, 64, 4, (1,), 2, multiple=32, aspect="axes", squashed=True)
SAM3 = Geometry(14, 72, 4, (1,), 2, squashed=True, round_to=336)
SAM1 = Geometry(16, 64, 4, (1,), 2)


@pytest.mark.parametrize(
    ("geometry", "square", "resized", "padded"),
    [
        (SAM1, False, (683, 1024), (688, 1024)),
        (SAM1, True, (683, 1024), (1024, 1024)),
        (SAM2, False, (683, 1024), (704, 1024)),
        (SAM2, True, (1024, 1024), (1024, 1024)),
        (SAM3, False, (672, 1008), (672, 1008)),
        (SAM3, True, (1008, 1008), (1008, 1008)),
    ],
)
def test_a_photo_of_three_to_two(geometry, square, resized, padded):
    frame = Frame.of_model(geometry, 1000, 1500, 1024, square)
    assert (frame.resized, frame.padded) == (resized, padded)
    # The lower right corner of the photo is that of the resized one, whatever each axis is scaled by.
    np.testing.assert_allclose(frame.points_in(np.array([1500.0, 1000.0])), resized[::-1])


def test_sides_are_rounded_to_the_nearest_multiple_and_never_to_nothing():
    assert Frame.of_model(SAM3, 1000, 1500, 1500).resized == (1008, 1344)
    assert Frame.of_model(SAM3, 60, 1500, 1500).resized == (336, 1344)
    assert Frame.of_model(SAM3, 60, 80, 80).resized == (336, 336)
