"""`basam everything`: files of each kind, resume, photos without objects, and what cannot be."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from basam.cli import app

ALL = "mask,overlay,cutout,coco,labelme,labels,geojson,svg,csv"
ANY = ("--iou", "-1", "--stability", "-1", "--points-per-side", "2", "--nms", "1")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 100, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def run(model, tmp_path):
    def call(*words, command="everything"):
        given = [command, *map(str, words), "--model", str(model), "--out", str(tmp_path / "out")]
        return CliRunner().invoke(app, given, env={"COLUMNS": "80"})

    return call


def endings(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_files_of_every_kind_and_resume(run, photo, tmp_path):
    result = run(photo, *ANY, "--write", ALL, "--json")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)
    assert row["masks"] > 1
    written = [path for paths in row["files"].values() for path in paths]
    assert sorted(path.rsplit("/", 1)[-1] for path in written) == [
        name for name in endings(tmp_path / "out") if name not in ("coco.json", "records.jsonl")
    ]
    coco = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert len(coco["annotations"]) == row["masks"]
    labels = np.asarray(Image.open(tmp_path / "out" / "a_labels.png"))
    assert labels.shape == (70, 100)
    assert labels.max() <= row["masks"]
    again = run(photo, *ANY, "--write", ALL)
    assert "1 of 1 photos were done already in the same way" in again.output
    other = run(photo, *ANY, "--nms", "0.1", "--write", "csv", "--json")
    assert other.exit_code == 0
    (fewer,) = json.loads(other.stdout)
    assert 0 < fewer["masks"] < row["masks"]
    assert len(json.loads((tmp_path / "out" / "coco.json").read_text())["annotations"]) == fewer["masks"]
    assert [name for name in endings(tmp_path / "out") if name.startswith("a")] == ["a_objects.csv"]


def test_a_photo_without_objects_is_done(run, photo, tmp_path):
    result = run(photo, "--points-per-side", "1", "--iou", "1", "--write", "csv,coco,labels,geojson")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert re.search(
        r"no mask reaches --iou 1 and --stability 0.95 \(the highest: predicted IoU -?[0-9.]+\); its files are", said
    )
    assert not np.asarray(Image.open(tmp_path / "out" / "a_labels.png")).any()
    coco = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert (len(coco["images"]), coco["annotations"]) == (1, [])
    none_left = run(photo, *ANY, "--min-area", "100000", "--write", "csv", "--overwrite")
    assert re.search(r"and --min-area 100000 \(the highest: .*\); its files are empty", " ".join(none_left.output.split()))


def test_what_cannot_be_is_one_line(run, photo, tmp_path):
    for words, message in (
        (("--write", "mask,pdf"), "--write pdf: allowed are mask, overlay"),
        (("--spacing", "500"), "spacing=500: larger than the photo of 100 x 70 px"),
        (("--spacing", "5", "--points-per-side", "3"), "--spacing"),
        (("--iou", "2"), "--iou"),
    ):
        result = run(photo, *words)
        assert result.exit_code == 2, words
        assert message in " ".join(result.output.split()), result.output
    (tmp_path / "out" / "a_objects.csv").write_text("mine")
    result = run(photo, "--points-per-side", "1", "--write", "csv")
    assert "was not written by basam, and is left as it is" in result.output
    assert (tmp_path / "out" / "a_objects.csv").read_text() == "mine"


def test_segment_writes_the_same_kinds(run, photo, tmp_path):
    words = (photo, "--box", "5,6,40,44", "--box", "0,0,99,69", "--no-focus", "--min-area", "4", "--json")
    result = run(*words, "--write", ALL, command="segment")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    names = endings(tmp_path / "out")
    assert {"a_mask_0.png", "a_mask_1.png", "a_cutout_1.png", "a_labelme.json", "a_polygons.svg", "coco.json"} <= set(names)
    assert rows[1]["cutout"].endswith("a_cutout_1.png")
    for index, row in enumerate(rows):
        mask = np.asarray(Image.open(row["mask"])) > 0
        assert row["area"] == pytest.approx(mask.mean())
        annotation = json.loads((tmp_path / "out" / "coco.json").read_text())["annotations"][index]
        assert annotation["area"] == mask.sum()
        if mask.any():
            cut = Image.open(row["cutout"])
            left, top = int(cut.text["left"]), int(cut.text["top"])
            alpha = np.asarray(cut)[..., 3]
            assert np.array_equal(alpha >= 128, mask[top : top + alpha.shape[0], left : left + alpha.shape[1]])


def test_what_only_rasters_take_is_not_dropped_without_a_word(run, photo):
    result = run(photo, *ANY, "--window", "64", "--bands", "3,2,1")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "window=64, bands=(3, 2, 1) are for georeferenced rasters" in said
    assert "note: " not in run(photo, *ANY, "--write", "csv").output
