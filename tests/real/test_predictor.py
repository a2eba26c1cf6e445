"""The main job on real photographs: every lesion of the test folder, with the box of its ground truth."""

import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import basam
from basam.model import attachment_of

# The long side that larger photographs are reduced to in every run, but for some. The test marked slow takes those of 7 to 12
# megapixels as they are.
EVERY_RUN = 512


@pytest.fixture(scope="module")
def predictor():
    return basam.Predictor.from_pretrained("nano")


def pairs(data: Path):
    folder = data / "ISIC2017"
    photos = sorted((folder / "ISIC-2017_Test_v2_Data").glob("*.jpg"))
    return [(p, folder / "ISIC-2017_Test_v2_Part1_GroundTruth" / f"{p.stem}_segmentation.png") for p in photos]


def check(predictor, photo, truth_file, long_side):
    truth = np.asarray(Image.open(truth_file)) > 127
    ys, xs = np.nonzero(truth)
    box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    predictor.set_image(photo, long_side=long_side)
    logits, scores, _ = predictor.predict(box=box, multimask_output=False, return_logits=True)
    assert logits.shape == (1, *truth.shape)
    assert np.isfinite(logits).all()
    assert np.isfinite(scores).all()
    mask = logits[0] > 0
    return (mask & truth).sum() / (mask | truth).sum()


def test_every_lesion_of_the_test_folder(data, predictor):
    photos = pairs(data)
    assert len(photos) == 34
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ious = []
    for number, (photo, truth) in enumerate(photos):
        most = EVERY_RUN if number % 8 else 2 * EVERY_RUN
        longest = max(Image.open(photo).size)
        ious.append(check(predictor, photo, truth, None if longest <= most else most))
    # The initial nano reaches 0.80 at 256 px; far below that, something is broken, not merely weak.
    assert np.mean(ious) > 0.6
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    assert grown < 1.5, f"{grown:.2f} GB more at the peak"


@pytest.mark.slow
def test_photographs_of_7_to_12_megapixels_as_they_are(data, predictor):
    photos = [pair for pair in pairs(data) if max(Image.open(pair[0]).size) > 2 * EVERY_RUN]
    assert {max(Image.open(photo).size) for photo, _ in photos} >= {2592, 4288}
    wide = basam.Predictor(predictor.model, max_side=4288)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for photo, truth in photos:
        check(wide, photo, truth, None)
        height, width = attachment_of(wide.model).grid
        assert 16 * max(height, width) >= max(Image.open(photo).size)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    assert grown < 2.5, f"{grown:.2f} GB more at the peak"
