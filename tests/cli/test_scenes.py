"""`basam everything` on georeferenced rasters: files, resume, and what cannot be."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import shapely
from PIL import Image
from rasterio.transform import Affine
from typer.testing import CliRunner

from basam import AutomaticMasks
from basam.cli import app

# Turned by 30 degrees, pixels of half a metre.
TURNED = Affine(0.4330127, -0.25, 391_000, 0.25, 0.4330127, 5_820_000)
WORDS = ("--iou", "-1", "--stability", "-1", "--points-per-side", "2", "--nms", "1", "--window", "64", "--overlap", "16")


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "scene.tif"
    pixels = np.random.default_rng(0).integers(0, 256, (3, 90, 130), dtype=np.uint8)
    with rasterio.open(
        path, "w", driver="GTiff", height=90, width=130, count=3, dtype="uint8", crs="EPSG:32633", transform=TURNED
    ) as file:
        file.write(pixels)
    return path


@pytest.fixture
def run(model, tmp_path):
    def call(*words):
        given = ["everything", *map(str, words), "--model", str(model), "--out", str(tmp_path / "out")]
        return CliRunner().invoke(app, given, env={"COLUMNS": "80"})

    return call


def left(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_files_are_in_the_rasters_crs(run, scene, tmp_path):
    result = run(scene, *WORDS, "--tolerance", "0", "--write", "overlay,labels,geojson,csv", "--json")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)
    assert (row["windows"], row["width"], row["height"]) == (6, 130, 90)
    assert left(tmp_path / "out") == ["records.jsonl", *sorted(path[0].rsplit("/", 1)[1] for path in row["files"].values())]
    with rasterio.open(tmp_path / "out" / "scene_labels.tif") as file:
        labels = file.read(1)
        assert (file.crs.to_epsg(), file.nodata, labels.dtype) == (32633, 0, np.uint16)
        assert file.transform.almost_equals(TURNED)
    content = json.loads((tmp_path / "out" / "scene_polygons.geojson").read_text())
    assert content["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32633"
    assert rasterio.crs.CRS.from_user_input(content["crs"]["properties"]["name"]).to_epsg() == 32633
    assert len(content["features"]) == row["masks"] > 2
    rows = list(csv.DictReader((tmp_path / "out" / "scene_objects.csv").open()))
    columns, lines = np.meshgrid(np.arange(130) + 0.5, np.arange(90) + 0.5)
    a, b, c, d, e, f = TURNED[:6]
    easting, northing = a * columns + b * lines + c, d * columns + e * lines + f
    for feature, told in zip(content["features"], rows, strict=True):
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert shape.is_valid
        assert all(part.exterior.is_ccw for part in shape.geoms)
        inside = shapely.contains_xy(shape, easting, northing)
        assert inside.sum() == feature["properties"]["pixels"] == int(told["area"])
        assert inside[labels == feature["id"]].all()
        assert int(told["id"]) == feature["id"]
    assert Image.open(tmp_path / "out" / "scene_overlay.jpg").size == (130, 90)
    again = run(scene, *WORDS, "--tolerance", "0", "--write", "overlay,labels,geojson,csv")
    assert "1 of 1 photos were done already" in again.output


def test_gis_programs_get_a_package_colours_overviews_and_areas(run, scene, tmp_path):
    pyogrio = pytest.importorskip("pyogrio")
    result = run(scene, *WORDS, "--write", "labels,geojson,gpkg,csv")
    assert result.exit_code == 0, result.output
    features = json.loads((tmp_path / "out" / "scene_polygons.geojson").read_text())["features"]
    about, _, geometry, columns = pyogrio.raw.read(tmp_path / "out" / "scene_polygons.gpkg", layer="objects")
    assert about["crs"] == "EPSG:32633"
    table = dict(zip(about["fields"], columns, strict=True))
    rows = list(csv.DictReader((tmp_path / "out" / "scene_objects.csv").open()))
    assert len(features) == len(geometry) == len(rows) > 2
    for index, (feature, row) in enumerate(zip(features, rows, strict=True)):
        assert shapely.equals(shapely.from_wkb(geometry[index]), shapely.from_geojson(json.dumps(feature["geometry"])))
        for name, value in feature["properties"].items():
            assert table[name][index] == value
        assert float(row["area_m2"]) == feature["properties"]["area_m2"] == pytest.approx(int(row["area"]) / 4, rel=1e-5)
    with rasterio.open(tmp_path / "out" / "scene_labels.tif") as file:
        colours = [file.colormap(1)[feature["id"]] for feature in features]
        assert file.overviews(1) == []
        assert (0, 0, 0) not in {colour[:3] for colour in colours}
    assert [path.name for path in (tmp_path / "out").iterdir() if "partial" in path.name] == []


def test_photographs_beside_rasters_keep_their_own_kinds(run, scene, tmp_path):
    Image.new("RGB", (90, 60)).save(tmp_path / "photo.png")
    result = run(scene, tmp_path / "photo.png", *WORDS, "--write", "gpkg,csv")
    assert result.exit_code == 0, result.output
    assert {"scene_polygons.gpkg", "scene_objects.csv", "photo_objects.csv"} <= set(left(tmp_path / "out"))


def test_a_run_that_was_stopped_goes_on_where_it_was(run, scene, tmp_path, monkeypatch):
    find, seen = AutomaticMasks.find, []

    def stopping(self, image, **more):
        seen.append(image.shape)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return find(self, image, **more)

    monkeypatch.setattr(AutomaticMasks, "find", stopping)
    result = run(scene, *WORDS)
    assert result.exit_code == 130, result.output
    assert left(tmp_path / "out") == [".scene.windows.jsonl"]
    assert run(scene, *WORDS).exit_code == 0
    assert len(seen) == 4 + 3
    monkeypatch.setattr(AutomaticMasks, "find", find)
    labels = (tmp_path / "out" / "scene_labels.tif").read_bytes()
    shutil.rmtree(tmp_path / "out")
    assert run(scene, *WORDS).exit_code == 0
    assert (tmp_path / "out" / "scene_labels.tif").read_bytes() == labels


def test_a_window_that_fails_fails_the_scene_and_is_named(run, scene, tmp_path, monkeypatch):
    find, count = AutomaticMasks.find, []

    def failing(self, image, **more):
        count.append(image)
        if len(count) == 2:
            raise ValueError("no luck")
        return find(self, image, **more)

    monkeypatch.setattr(AutomaticMasks, "find", failing)
    result = run(scene, *WORDS)
    assert result.exit_code == 2
    assert "scene.tif: window 2 of 6, columns 48 to 111, rows 0 to 63: ValueError: no luck" in " ".join(result.output.split())
    assert left(tmp_path / "out") == [".scene.windows.jsonl", "records.jsonl"]


def test_a_disk_that_is_full_leaves_nothing_half_written(run, scene, tmp_path, monkeypatch):
    def failing(self, *values, **more):
        raise rasterio.errors.RasterioIOError("TIFFAppendToStrip: write error")

    monkeypatch.setattr("rasterio.io.DatasetWriter.write", failing, raising=False)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=0))
    result = run(scene, *WORDS, "--write", "labels")
    assert result.exit_code == 2
    assert "no room to write" in " ".join(result.output.split())
    assert "scene_labels.tif" not in left(tmp_path / "out")
    assert not [name for name in left(tmp_path / "out") if "partial" in name]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("kind", ["transform", "world file", "neither", "with CRS", "--no-geo"])
def test_coordinates_without_a_crs_are_noted(run, scene, tmp_path, kind):
    path = tmp_path / "plain.tif"
    with rasterio.open(scene) as source:
        pixels = source.read()
    place = {} if kind in ("world file", "neither") else {"transform": TURNED}
    crs = {"crs": "EPSG:32633"} if kind == "with CRS" else {}
    with rasterio.open(path, "w", driver="GTiff", height=90, width=130, count=3, dtype="uint8", **place, **crs) as file:
        file.write(pixels)
    if kind == "world file":
        path.with_suffix(".tfw").write_text("0.5\n0\n0\n-0.5\n400000\n5800000\n")
    result = run(path, *WORDS[:-4], "--write", "csv", "--verbose", *(["--no-geo"] if kind == "--no-geo" else []))
    assert result.exit_code == 0, result.output
    assert ("(CRS)" in result.output) == (kind in ("transform", "world file"))


def test_a_scene_without_objects_has_empty_files(run, scene, tmp_path):
    result = run(scene, *WORDS[4:], "--iou", "1", "--write", "overlay,labels,geojson,csv")
    assert result.exit_code == 0, result.output
    assert "no mask reaches --iou 1" in " ".join(result.output.split())
    with rasterio.open(tmp_path / "out" / "scene_labels.tif") as file:
        assert not file.read(1).any()
    assert json.loads((tmp_path / "out" / "scene_polygons.geojson").read_text())["features"] == []
    assert len((tmp_path / "out" / "scene_objects.csv").read_text().splitlines()) == 1


def test_what_cannot_be_is_one_line(run, scene, tmp_path, monkeypatch):
    for words, message in (
        (("--write", "mask"), "--write mask: of a georeferenced raster there are overlay, labels, geojson, gpkg, csv"),
        (("--bands", "1,2"), "one or three numbers from 1"),
        (("--bands", "7"), "bands 1 to 3: bands 7 (--bands)"),
        (("--no-geo", "--bands", "1"), "--bands"),
        (("--window", "64", "--overlap", "60"), "overlap=60: more than half of the window of 64 px"),
    ):
        result = run(scene, *words)
        assert result.exit_code == 2, words
        assert message in " ".join(result.output.replace("│", " ").split()), result.output
    plain = tmp_path / "plain.png"
    Image.new("RGB", (80, 70)).save(plain)
    assert "no coordinate reference system (CRS)" in " ".join(run(plain, "--geo").output.split())
    (tmp_path / "out" / "scene_labels.tif").write_text("mine")
    assert "was not written by basam" in run(scene, *WORDS).output
    assert (tmp_path / "out" / "scene_labels.tif").read_text() == "mine"
    monkeypatch.setitem(sys.modules, "rasterio", None)
    assert "the extra geo" in " ".join(run(scene, *WORDS).output.split())


def test_photographs_stay_photographs(run, scene, tmp_path):
    result = run(scene, *WORDS[:-4], "--no-geo", "--json")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)
    assert set(row["files"]) == {"mask", "overlay"}
    assert math.isfinite(row["best_iou"])
