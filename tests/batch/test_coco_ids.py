"""Ids and names of a user's COCO file stay, and masks go out as polygons for programs that take no RLE."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from typer.testing import CliRunner

from basam.batch import ResultFolder
from basam.batch.writers import Outputs
from basam.cli import app
from basam.masks import MaskResult, PhotoResults, RunMask

CATEGORIES = [{"id": 3, "name": "car", "supercategory": "vehicle"}, {"id": 18, "name": "dog"}, {"id": 90, "name": "unused"}]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    for name in ("1.png", "2.png", "sub/3.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(model):
    def call(*words):
        result = CliRunner().invoke(app, [*map(str, words), "--model", str(model), "--quiet"])
        assert result.exit_code == 0, result.output

    return call


def truth_of(ids):
    images = [{"id": each, "file_name": name} for each, name in zip(ids, ("2.png", "sub/3.png", "1.png"), strict=True)]
    boxes = [(ids[0], 18), (ids[1], 3), (ids[0], 3), (ids[2], 18)]
    entries = [{"image_id": image, "category_id": kind, "bbox": [10, 10, 40, 30], "score": 0.5} for image, kind in boxes]
    return {"images": images, "categories": CATEGORIES, "annotations": entries}


@pytest.mark.parametrize("ids", [(4711, 99, 7), (0, 1, 2), (3, 2, 1), ("b", "a", "c"), (10**12, 5, 6)])
@pytest.mark.parametrize("form", ["detections", "annotations"])
def test_ids_of_images_and_categories_stay(folder, run, ids, form):
    truth = truth_of(ids)
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "boxes.json").write_text(json.dumps(truth["annotations"] if form == "detections" else truth))
    more = ("--images-json", "truth.json") if form == "detections" else ()
    run("segment", "photos", "--prompts-from", "boxes.json", *more, "--out", "out", "--write", "coco")
    data = json.loads((folder / "out" / "coco.json").read_text())
    pairs = sorted((str(each["image_id"]), each["category_id"]) for each in data["annotations"])
    assert pairs == sorted((str(each["image_id"]), each["category_id"]) for each in truth["annotations"])
    assert data["categories"] == CATEGORIES
    assert {each["id"]: each["file_name"] for each in data["images"]} == {
        each["id"]: each["file_name"] for each in truth["images"]
    }
    assert len({each["id"] for each in data["annotations"]}) == 4


def test_ids_stay_in_shards_and_in_a_later_run(folder, run):
    (folder / "boxes.json").write_text(json.dumps(truth_of((4711, 99, 7))))
    words = ("segment", "photos", "--prompts-from", "boxes.json", "--write", "coco,mask")
    run(*words, "--out", "one")
    for shard in ("0/2", "1/2"):
        run(*words, "--out", "two", "--shard", shard)
        run(*words, "--out", f"part-{shard[0]}", "--shard", shard)
    one = (folder / "one" / "coco.json").read_bytes()
    assert (folder / "two" / "coco.json").read_bytes() == one
    assert CliRunner().invoke(app, ["merge", "part-0", "part-1", "--out", "merged.json"]).exit_code == 0
    assert (folder / "merged.json").read_bytes() == one
    # Photos that were numbered by their place before get the user's ids.
    run("segment", "photos", "--write", "coco", "--out", "three")
    run("segment", "photos", "--prompts-from", "boxes.json", "--write", "coco", "--out", "three")
    assert [each["id"] for each in json.loads((folder / "three" / "coco.json").read_text())["images"]] == [7, 99, 4711]


def test_labels_without_ids_are_numbered_by_the_prompts(folder, run):
    rows = [{"photo": name, "box": [5, 5, 50, 50], "label": label} for name, label in (("2.png", "b"), ("1.png", "a"))]
    (folder / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run("segment", "photos", "--prompts-from", "p.jsonl", "--write", "coco,yolo", "--out", "out")
    data = json.loads((folder / "out" / "coco.json").read_text())
    assert [(each["id"], each["name"]) for each in data["categories"]] == [(1, "b"), (2, "a")]
    assert (folder / "out" / "data.yaml").read_text() == '# classes of basam\nnames:\n  0: "b"\n  1: "a"\n'
    for name, number in (("2", "0"), ("1", "1")):
        text = (folder / "out" / "labels" / "photos" / f"{name}.txt").read_text()
        assert not text or text.split()[0] == number


def disc(radius, hole=0.0, x=40.0, y=30.0):
    rows, columns = np.mgrid[:60, :80]
    distance = np.hypot(rows - y, columns - x)
    return (distance <= radius) & (distance >= hole)


MASKS = {
    "whole": disc(20),
    "a hole": disc(20, 8),
    "two holes": disc(25) & ~disc(5, x=30) & ~disc(5, x=50),
    "two parts": disc(8, x=15) | disc(9, x=60),
    "parts with holes": disc(12, 5, x=15) | disc(14, 6, x=60),
    "at the border": disc(30, x=0, y=0),
    "all": np.ones((60, 80), bool),
    "one pixel": disc(0.5),
}


@pytest.mark.parametrize("name", MASKS)
def test_polygons_cover_the_mask(folder, name):
    mask = MASKS[name]
    outputs = Outputs(ResultFolder(folder / "out"), ("coco-polygons", "yolo"), tolerance=0.0)
    place = outputs.folder.place_of(folder / "photos" / "1.png")
    pixels = np.zeros((60, 80, 3), np.uint8)
    outputs.write(place, "k", PhotoResults(place.photo, (60, 80), pixels, [MaskResult(RunMask.of(mask), 0.5, 1)], 0.0), [])
    outputs.finish()
    coco = COCO(str(folder / "out" / "coco_polygons.json"))
    (annotation,) = coco.anns.values()
    assert all(isinstance(each, list) for each in annotation["segmentation"])
    drawn = coco.annToMask(annotation).astype(bool)
    assert (drawn != mask).sum() <= 0.03 * mask.sum() + 2  # slits and edges as pycocotools rounds them
    number, *values = (folder / "out" / "labels" / "photos" / "1.txt").read_text().split()
    ring = np.array(values, dtype=float).reshape(-1, 2) * [80, 60]
    assert number == "0"
    # Drawn four times larger, where the width of drawn lines is little.
    large = np.zeros((240, 320), np.uint8)
    cv2.fillPoly(large, [np.round(ring * 4).astype(np.int32)], 1)
    assert (large.astype(bool) != np.kron(mask, np.ones((4, 4), bool))).mean() < 0.03
