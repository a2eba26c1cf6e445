"""`basam everything`: files of each kind, resume, photos without objects, and what cannot be."""

from __future__ import annotations

import csv
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
    assert "1 of 1 photos were done already" in again.output
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
    assert "bands=(3, 2, 1) are for georeferenced rasters" in said
    assert "note: " not in run(photo, *ANY, "--write", "csv").output


WINDOWS = (*ANY, "--write", "csv", "--json")


@pytest.mark.parametrize(
    "options", [("--window", "64", "--overlap", "16"), ("--window", "64", "--overlap", "0.25"), ("--overlap", "16")]
)
def test_a_photograph_in_windows(run, photo, tmp_path, options):
    result = run(photo, *WINDOWS, *options)
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)
    assert row["masks"] > 2
    rows = list(csv.DictReader((tmp_path / "out" / "a_objects.csv").open()))
    assert [int(each["id"]) for each in rows] == list(range(1, row["masks"] + 1))
    ious = [float(each["predicted_iou"]) for each in rows]
    assert ious == sorted(ious, reverse=True)
    assert max(int(each["x1"]) for each in rows) > 64
    assert not [name for name in endings(tmp_path / "out") if name.startswith(".")]
    assert "1 of 1 photos were done already" in run(photo, *WINDOWS[:-1], *options).output
    assert "1 of 1 photos were done already" not in run(photo, *WINDOWS[:-1], "--window", "96").output


def test_an_overlap_may_be_a_share(run, photo, tmp_path):
    tables = []
    for overlap in ("20", "0.3125"):
        assert run(photo, *WINDOWS, "--window", "64", "--overlap", overlap, "--overwrite").exit_code == 0
        tables.append((tmp_path / "out" / "a_objects.csv").read_text())
    assert tables[0] == tables[1]


@pytest.mark.parametrize("overlap", ["40", "0.9", "17.5", "3"])
def test_an_overlap_that_makes_no_sense(run, photo, overlap):
    result = run(photo, *WINDOWS[:-1], "--window", "64", "--overlap", overlap)
    assert result.exit_code == 2
    assert "overlap=" in result.output


def test_a_window_of_the_whole_photo_shows_what_the_photo_does(run, photo, tmp_path):
    found = []
    for options in ((), ("--window", "100")):
        assert run(photo, *WINDOWS, *options, "--overwrite").exit_code == 0
        rows = csv.DictReader((tmp_path / "out" / "a_objects.csv").open())
        found.append(sorted((row["area"], row["x0"], row["y0"], row["predicted_iou"]) for row in rows))
    assert found[0] == found[1]


def test_fewer_points_in_crops(run, photo, tmp_path):
    counts, crops = [], ("--points-per-side", "4", "--crops", "1", "--crop-nms", "1", "--mask-nms", "1")
    for downscale in ("1", "2"):
        words = *WINDOWS, *crops, "--crop-points-downscale", downscale
        result = run(photo, *words, "--overwrite")
        assert result.exit_code == 0, result.output
        counts.append(json.loads(result.stdout)[0]["masks"])
    assert counts[1] < counts[0]


def test_near_duplicates_of_crops_go_by_default(run, photo, tmp_path):
    counts = []
    for options in ((), ("--mask-nms", "1")):
        result = run(photo, *WINDOWS, "--nms", "0.5", "--crops", "1", "--crop-nms", "1", *options, "--overwrite")
        assert result.exit_code == 0, result.output
        counts.append(json.loads(result.stdout)[0]["masks"])
    assert counts[0] <= counts[1]


def test_results_of_prompts_in_the_same_folder_are_left_as_they_are(run, photo, model, tmp_path):
    out = str(tmp_path / "o")
    segment = ["segment", str(photo), "--model", str(model), "--box", "5,6,40,44", "--out", out]
    assert CliRunner().invoke(app, segment).exit_code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "o").iterdir()}
    for more in ((), ("--verbose",), ("--json",)):
        result = CliRunner().invoke(app, ["everything", str(photo), "--model", str(model), "--out", out, *more])
        assert result.exit_code == 0, result.output
        assert "its results are of prompts" in result.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "o").iterdir()} == before
