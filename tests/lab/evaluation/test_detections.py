"""Boxes of a detector: read, clipped, ordered, and refused with the entry's number."""

import json

import numpy as np
import pytest

from basam.lab.data import CocoSample, Dataset, Issues
from basam.lab.evaluation.detections import read_detections

GOOD = {"image_id": 139, "category_id": 7, "bbox": [1.5, 2, 4, 3], "score": 0.5}


@pytest.fixture
def dataset(tmp_path):
    annotations = tmp_path / "instances_val2017.json"
    annotations.write_text(json.dumps({"images": [], "annotations": [], "categories": [{"id": 7, "name": "cat"}]}))
    sample = CocoSample("139", tmp_path / "139.jpg", 8, 12, (), {7: "cat"}, annotations.name)
    return Dataset("coco", "COCO", "COCO", "val2017", "test", tmp_path, (sample,), Issues(), annotations)


@pytest.fixture
def read(tmp_path, dataset):
    def read(*entries, content=None):
        path = tmp_path / "boxes.json"
        path.write_text(json.dumps(list(entries)) if content is None else content)
        return read_detections(path, dataset)

    return read


def test_boxes_become_corners_best_first(read):
    detections = read(GOOD, GOOD | {"score": 0.9, "bbox": [8, 6, 100, 100]}, GOOD | {"image_id": 5})
    best, other = detections.of_sample["139"]
    assert best.box.tolist() == [8, 6, 12, 8], "clipped to the image"
    assert other.box.tolist() == [1.5, 2, 5.5, 5]
    assert (best.score, best.category_id, best.order, detections.elsewhere) == (0.9, 7, 1, 1)
    assert (other.prompt().arguments()["box"] == np.array([1.5, 2, 5.5, 5])).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox": [1, 2, 0, 3]}, r"detection 1: bbox=\[1, 2, 0, 3\] has no area"),
        ({"bbox": [1, 2, 3]}, "must be four finite numbers"),
        ({"bbox": [1, 2, 3, float("nan")]}, "must be four finite numbers"),
        ({"bbox": [20, 2, 3, 3]}, "lies outside image 139 of 12 x 8"),
        ({"score": 1.2}, "score=1.2 must be a number from 0 to 1"),
        ({"score": "high"}, "score='high'"),
        ({"category_id": 8}, "category_id=8 is not in instances_val2017.json"),
    ],
)
def test_a_bad_entry_is_named(read, change, message):
    with pytest.raises(ValueError, match=message):
        read(GOOD, GOOD | change)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ('{"images": []}', "a list of detections is needed, this is an object with 'images'"),
        ('[{"image_id": 139, "segmentation": {}}]', "detection 0 has no category_id, bbox, score"),
        ('[{"image_id": 5, "category_id": 7, "bbox": [1, 1, 2, 2], "score": 1}]', "none of its 1 detections is on an image of"),
        ("[]", "none of its 0 detections"),
    ],
)
def test_a_file_that_is_no_detections(read, content, message):
    with pytest.raises(ValueError, match=message):
        read(content=content)


def test_other_data_sets_have_no_detections(tmp_path):
    folder = Dataset("folder", "mine", "mine", "all", "unknown", tmp_path, ())
    with pytest.raises(ValueError, match="mine all: detections are prompts for COCO only"):
        read_detections(tmp_path / "boxes.json", folder)
