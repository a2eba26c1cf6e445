"""Calibration with nano on real photographs: the statistics are those of attention, and test splits stay closed."""

import math
from pathlib import Path

import pytest

import basam
from basam.lab.calibration import TestSplitError, calibrate, calibrate_unlabelled, modes_to_try
from basam.lab.data import open_dataset

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason=f"no photographs in {DATA}")]


def test_strength_sharpens_the_attention_of_nano():
    photos = [sample.image_path for sample in open_dataset("coco", DATA / "COCO", "train2017")][:2]
    predictor = basam.Predictor.from_pretrained("nano")
    result = calibrate_unlabelled(predictor, photos, [512], modes=modes_to_try((0.5, 1.0), (0.0,)), queries=16)
    for photo in range(2):
        for layer in range(len(result.layers)):
            cells = [result.statistics[candidate.mode][photo][0][layer] for candidate in result.candidates]
            assert all(0 < cell.entropy < math.log(cell.keys) and 0 < cell.total_variation < 1 for cell in cells)
        plain, half, full = (result.statistics[candidate.mode][photo][0][0].entropy for candidate in result.candidates)
        assert plain > half > full  # the first global layer, whose input the correction has not changed


def test_val2017_is_a_test_split():
    with pytest.raises(TestSplitError, match="COCO val2017 is a test split"):
        calibrate(basam.Predictor.from_pretrained("nano"), open_dataset("coco", DATA / "COCO", "val2017"), [256])
