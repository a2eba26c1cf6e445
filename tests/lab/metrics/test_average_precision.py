"""COCO's AP: known values and `pycocotools` itself as the oracle."""

import json
import random

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from basam.lab.metrics import coco_ap
from basam.masks import encode_mask
from tests.helpers.coco_results import result_of

KEYS = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")


def objects():
    """Three images of 200 x 150 with objects of every size in two categories; ids start at 0."""
    generator = np.random.default_rng(3)
    number = 0
    for image in (4, 9, 12):
        for side in (9, 14, 30, 45, 70, 99):
            mask = np.zeros((150, 200), dtype=bool)
            y, x = generator.integers(0, 150 - side), generator.integers(0, 200 - side)
            mask[y : y + side, x : x + side] = True
            yield number, image, number % 2 + 1, mask
            number += 1


@pytest.fixture
def annotations(tmp_path):
    entries = [
        {"id": number, "image_id": image, "category_id": category, "segmentation": encode_mask(mask)}
        | {"area": int(mask.sum()), "iscrowd": 0, "bbox": [0, 0, 1, 1]}
        for number, image, category, mask in objects()
    ]
    images = [{"id": image, "file_name": f"{image}.jpg", "width": 200, "height": 150} for image in (4, 9, 12)]
    content = {"images": images, "annotations": entries, "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}
    path = tmp_path / "instances_val.json"
    path.write_text(json.dumps(content))
    return path


def results(change=lambda mask: mask, score=lambda number: 0.9):
    return [result_of(image, category, change(mask), score(number), number) for number, image, category, mask in objects()]


def oracle(path, found):
    """Figures of pycocotools, which cannot match an annotation whose id is 0, so that ids are counted from 1."""
    content = json.loads(path.read_text())
    for entry in content["annotations"]:
        entry["id"] += 1
    truth = COCO()
    truth.dataset = content
    truth.createIndex()
    evaluator = COCOeval(truth, truth.loadRes(json.loads(json.dumps(found))), "segm")
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    return dict(zip(KEYS, evaluator.stats, strict=False))


def test_the_ground_truth_as_prediction_is_perfect(annotations, capfd):
    assert coco_ap(annotations, results()) == dict.fromkeys(KEYS, 1.0)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("shift", [1, 3, 8])
@pytest.mark.parametrize("ties", [True, False])
def test_a_shifted_copy_is_what_pycocotools_says(annotations, shift, ties):
    found = results(lambda mask: np.roll(mask, shift, axis=1), lambda number: 0.9 if ties else 0.5 + 0.02 * (number * 7 % 18))
    expected = oracle(annotations, found)
    assert coco_ap(annotations, found) == pytest.approx(expected, abs=1e-12)
    assert 0 < expected["ap"] < 1


def test_the_order_of_results_changes_nothing(annotations):
    found = results(lambda mask: np.roll(mask, 4, axis=0))
    expected = coco_ap(annotations, found)
    for seed in range(5):
        assert coco_ap(annotations, json.loads(json.dumps(random.Random(seed).sample(found, len(found))))) == expected


def test_missed_objects_and_images_count_only_where_evaluated(annotations):
    found = [result for result in results() if result["image_id"] == 4]
    assert coco_ap(annotations, found, image_ids=[4])["ap"] == 1
    assert coco_ap(annotations, found)["ap"] == pytest.approx(oracle(annotations, found)["ap"])
    assert coco_ap(annotations, [])["ap"] == 0
    with pytest.raises(ValueError, match="a result is of image 4, which is not among the 1 evaluated"):
        coco_ap(annotations, found, image_ids=[9])


def test_a_size_without_objects_is_no_number(annotations):
    content = json.loads(annotations.read_text())
    content["annotations"] = [entry for entry in content["annotations"] if entry["area"] < 1024]
    annotations.write_text(json.dumps(content))
    figures = coco_ap(annotations, results())
    assert np.isnan(figures["ap_large"])
    assert figures["ap_small"] == 1


def test_a_mask_on_a_crowd_is_excused(annotations):
    content = json.loads(annotations.read_text())
    crowd = np.zeros((150, 200), dtype=bool)
    crowd[:40, 150:] = True
    content["annotations"].append(content["annotations"][0] | {"id": 99, "iscrowd": 1, "segmentation": encode_mask(crowd)})
    stray = result_of(4, 1, crowd, 0.99, 99)
    without = coco_ap(annotations, [*results(), stray])["ap"]
    annotations.write_text(json.dumps(content))
    assert coco_ap(annotations, [*results(), stray])["ap"] == 1 > without
