"""Calibration with nano: test splits of real data stay closed."""

import pytest

import basam
from basam.lab.calibration import TestSplitError, calibrate
from basam.lab.data import open_dataset

pytestmark = pytest.mark.real


def test_val2017_is_a_test_split(data):
    with pytest.raises(TestSplitError, match="COCO val2017 is a test split"):
        calibrate(basam.Predictor.from_pretrained("nano"), open_dataset("coco", data / "COCO", "val2017"), [256])
