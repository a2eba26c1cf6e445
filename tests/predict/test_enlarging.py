"""Logits where the mask may be are those of the whole frame, and no mask is dropped that would have been stable enough."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from basam.masks import tight_box
from basam.predict import Frame
from basam.predict.enlarging import Enlarging

FRAMES = {
    "own-size": Frame.fit(96, 128, 128, 16, False),
    "padded": Frame.fit(90, 123, 123, 16, False),
    "square": Frame.fit(300, 200, 64, 16, True),
    "enlarged": Frame.fit(20, 31, 64, 16, False),
    "reduced": Frame.fit(700, 1000, 256, 16, False),
    "one-row": Frame.fit(1, 40, 64, 16, False),
}


def blobs(frame, count=40):
    """Smooth logits, as a decoder gives them: discs of all sizes, some of them in the padding."""
    generator = np.random.default_rng(0)
    height, width = (side // 4 for side in frame.padded)
    rows, columns = np.mgrid[:height, :width]
    out = []
    for _ in range(count):
        y, x, radius = generator.uniform(0, height), generator.uniform(0, width), generator.uniform(0.3, height)
        slope, noise = generator.uniform(0.2, 3), generator.normal(size=(height, width)) * 0.2
        out.append(slope * (radius - np.hypot(rows - y, columns - x)) + noise)
    return torch.tensor(np.stack(out), dtype=torch.float32)


@pytest.mark.parametrize("name", FRAMES)
def test_a_part_is_that_of_the_whole(name):
    frame = FRAMES[name]
    low = blobs(frame)
    enlarging = Enlarging(frame, (low.shape[-2], low.shape[-1]))
    whole = frame.masks_out(low[None])[0]
    seen = 0
    for one, expected in zip(low, whole, strict=True):
        rectangle = enlarging.where_above(one, -1.0)
        if rectangle is None:
            assert (expected <= -1).all()
            continue
        top, bottom, left, right = rectangle
        outside = expected.clone()
        outside[top:bottom, left:right] = -torch.inf
        assert (outside <= -1).all()
        torch.testing.assert_close(enlarging.part(one, rectangle), expected[top:bottom, left:right], atol=2e-4, rtol=1e-4)
        seen += 1
    assert seen > 20


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("level", [-1.0, 1.5])
def test_a_box_is_that_of_the_enlarged_mask(name, level):
    frame = FRAMES[name]
    low = blobs(frame)
    enlarging = Enlarging(frame, (low.shape[-2], low.shape[-1]))
    empty = 0
    for one in low:
        rectangle = (0, frame.original[0], 0, frame.original[1])
        above = enlarging.mask(one, rectangle, level).numpy()
        found = enlarging.box(one, level)
        if above.any():
            assert found is not None
            assert found.tolist() == tight_box(above).tolist()
        else:
            assert found is None
            empty += 1
    assert 0 < empty < 30 or level < 0


@pytest.mark.parametrize("name", FRAMES)
def test_no_stable_mask_is_dropped_unseen(name):
    frame = FRAMES[name]
    low = blobs(frame, 200)
    whole = frame.masks_out(low[None])[0]
    stability = (whole > 1).sum((1, 2)) / (whole > -1).sum((1, 2))
    most = Enlarging(frame, (low.shape[-2], low.shape[-1])).most_stable(low, 0.0, 1.0)
    there = ~stability.isnan()
    assert (most[there] >= stability[there] - 0.02).all()
    if name in ("own-size", "padded", "reduced"):
        assert (most < 0.9).sum() > 10  # and it tells something
