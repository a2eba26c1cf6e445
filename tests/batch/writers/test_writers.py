"""Every kind of file, read back by the library that others read it with."""

from __future__ import annotations

import base64
import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO

from basam.batch import ResultFolder
from basam.batch.writers import KINDS, Outputs, check_kinds, check_size, files_of, merge_coco, names_of
from basam.masks import Cleaning, MaskResult, PhotoResults, RunMask, SoftMask, cleaned, outlines_of, without_small_regions
from tests.helpers.labelme_files import label_file_class

SIZE = (60, 80)


def disc(y, x, radius, hole=0.0):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    distance = np.hypot(rows - y, columns - x)
    return (distance <= radius) & (distance >= hole)


RING, SMALL = disc(30, 30, 20, 8), disc(30, 44, 5)
PARTS = disc(8, 60, 5) | disc(50, 70, 7)


@pytest.fixture
def results(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = [
        MaskResult(RunMask.of(RING), 0.75, "r-1", "ring <&\"'", 0.9, (12.0, 30.0)),
        MaskResult(RunMask.of(SMALL), 0.5, 7, "disc"),
        MaskResult(RunMask.of(PARTS), 0.25, 8),
    ]
    return PhotoResults(tmp_path / "a.png", SIZE, pixels, found, 0.0)


@pytest.fixture
def written(results, tmp_path):
    """All files of a photo, by what stands after its name."""
    folder = ResultFolder(tmp_path / "out")
    place = folder.place_of(results.photo)
    folder.write(place, "key", files_of(KINDS, place.stem, results), [])
    return {path.name.removeprefix("a"): path for path in folder.root.rglob("a*")}


def test_the_files_are_those_that_were_named(written, results):
    names = names_of(KINDS, results.photo.with_suffix(""), 3)
    assert sorted(written) == sorted(name.rsplit("/a", 1)[1] for each in names.values() for name in each)


def test_masks_and_labels(written):
    for index, mask in enumerate((RING, SMALL, PARTS)):
        assert np.array_equal(np.asarray(Image.open(written[f"_mask_{index}.png"])) > 0, mask)
    labels = np.asarray(Image.open(written["_labels.png"]))
    expected = np.zeros(SIZE)
    expected[PARTS], expected[RING], expected[SMALL] = 3, 1, 2  # the smallest on top
    assert labels.dtype == np.uint16
    order = sorted(((RING, 1), (SMALL, 2), (PARTS, 3)), key=lambda pair: -pair[0].sum())
    for mask, number in order:
        expected[mask] = number
    assert np.array_equal(labels, expected)


def test_more_objects_than_16_bits_hold_go_into_a_tiff(results, tmp_path):
    point = np.zeros(SIZE, dtype=bool)
    point[3, 4] = True
    many = [MaskResult(RunMask.of(RING), 0.5, 1)] + [MaskResult(RunMask.of(point), 0.5, 2)] * 65_535
    results = PhotoResults(results.photo, SIZE, results.pixels, many, 1.0)
    ((name, write),) = files_of(("labels",), results.photo.with_suffix(""), results).items()
    write(tmp_path / "labels.tif")
    labels = tifffile.imread(tmp_path / "labels.tif")
    assert name.endswith("_labels.tif")
    assert (labels.dtype, labels[3, 4], labels[30, 15]) == (np.uint32, 65_536, 1)


def test_an_overlay_has_the_photos_size(written, results):
    assert Image.open(written["_overlay.jpg"]).size == SIZE[::-1]


def test_cut_outs_hold_the_photos_pixels_and_the_mask(written, results):
    cut = Image.open(written["_cutout_0.png"])
    left, top = int(cut.text["left"]), int(cut.text["top"])
    rgba = np.asarray(cut)
    rows, columns = slice(top, top + rgba.shape[0]), slice(left, left + rgba.shape[1])
    assert np.array_equal(rgba[..., :3], results.pixels[rows, columns])
    assert np.array_equal(rgba[..., 3] == 255, RING[rows, columns])


def test_the_edge_of_a_cut_out_is_as_soft_as_the_logits(results, tmp_path):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    logits = 20.3 - np.hypot(rows - 30, columns - 30).astype(np.float32)
    soft = SoftMask.of_logits(logits[5:55, 8:60], 2, 5, 8)
    one = MaskResult(RunMask.of(logits > 0), 0.5, 1, soft=soft)
    files = files_of(("cutout",), results.photo, PhotoResults(results.photo, SIZE, results.pixels, [one], 1.0))
    (write,) = files.values()
    write(tmp_path / "cut.png")
    cut = Image.open(tmp_path / "cut.png")
    left, top = int(cut.text["left"]), int(cut.text["top"])
    alpha = np.asarray(cut)[..., 3]
    assert np.array_equal(alpha >= 128, (logits > 0)[top : top + alpha.shape[0], left : left + alpha.shape[1]])
    assert len(np.unique(alpha)) > 20
    assert alpha[30 - top, 30 - left] == 255


def test_a_cut_out_is_no_larger_than_its_mask_and_edge(results, tmp_path):
    logits = np.full(SIZE, -0.5, dtype=np.float32)  # the model is unsure of the whole photo
    logits[20:40, 30:45] = 0.5
    one = MaskResult(RunMask.of(logits > 0), 0.5, 1, soft=SoftMask.of_logits(logits, 3))
    (write,) = files_of(("cutout",), results.photo, PhotoResults(results.photo, SIZE, results.pixels, [one], 1.0)).values()
    write(tmp_path / "cut.png")
    cut = Image.open(tmp_path / "cut.png")
    assert (cut.text["left"], cut.text["top"], cut.size) == ("27", "17", (21, 26))
    unmixed = np.isin(np.asarray(cut)[..., 3], (0, 255))  # of the others, the background's colour is taken out
    assert np.array_equal(np.asarray(cut)[unmixed, :3], results.pixels[17:43, 27:48][unmixed])


def test_a_soft_edge_stays_near_the_masks_edge():
    logits = np.full((40, 40), -0.5, dtype=np.float32)
    logits[10:30, 10:30] = 0.5  # a model that is sure of nothing
    shares = SoftMask.of_logits(logits, 3).shares()
    assert (shares[:7, :7] == 0).all()
    assert (shares[14:26, 14:26] == 255).all()
    assert 0 < shares[8, 20] < 128 < shares[11, 20] < 255


def test_a_photo_that_was_read_smaller(results, tmp_path):
    small = np.asarray(Image.fromarray(results.pixels).resize((40, 30)))
    files = files_of(("cutout", "overlay"), results.photo, PhotoResults(results.photo, SIZE, small, results.masks[:1], 1.0))
    for name, write in files.items():
        write(tmp_path / name.rsplit("/", 1)[-1])
    assert np.asarray(Image.open(tmp_path / "a.png_cutout.png")).shape == (41, 41, 4)
    assert Image.open(tmp_path / "a.png_overlay.jpg").size == (40, 30)


def test_geojson_holds_the_masks_exactly_and_is_valid(written):
    features = json.loads(written["_polygons.geojson"].read_text())["features"]
    assert [feature["properties"]["label"] for feature in features] == ["ring <&\"'", "disc", None]
    for feature, mask in zip(features, (RING, SMALL, PARTS), strict=True):
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert shape.is_valid
        assert shape.area == mask.sum() == feature["properties"]["area"]
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
        assert np.array_equal(shapely.contains_xy(shape, columns + 0.5, rows + 0.5), mask)
    assert len(features[0]["geometry"]["coordinates"][0]) == 2  # outside and hole
    assert len(features[2]["geometry"]["coordinates"]) == 2  # two parts


def test_svg(written):
    root = ElementTree.fromstring(written["_polygons.svg"].read_text())
    paths = {path.get("id"): path for path in root}
    assert root.get("viewBox") == "0 0 80 60"
    assert [path.get("id") for path in root] == ["object-1", "object-3", "object-2"]
    assert (paths["object-1"].get("data-label"), paths["object-1"].get("data-id")) == ("ring <&\"'", "r-1")
    assert paths["object-1"].get("d").count("M") == 2
    assert paths["object-1"].get("fill-rule") == "evenodd"


def test_labelme(written, results):
    """The keys that `labelme.LabelFile` reads."""
    content = json.loads(written["_labelme.json"].read_text())
    assert {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"} == set(content)
    assert (written["_labelme.json"].parent / content["imagePath"]).resolve() == results.photo.resolve()
    assert (content["imageHeight"], content["imageWidth"], content["imageData"]) == (*SIZE, None)
    for shape in content["shapes"]:
        assert set(shape) == {"label", "points", "group_id", "shape_type", "flags", "description", "mask"}
        assert all(len(point) == 2 for point in shape["points"])
    ring, small, one, two = content["shapes"]
    assert (ring["shape_type"], small["shape_type"], small["label"], one["label"]) == ("mask", "polygon", "disc", "object")
    assert one["group_id"] == two["group_id"] != small["group_id"]
    (x0, y0), (x1, y1) = np.array(ring["points"]).astype(int)
    stored = np.asarray(Image.open(io.BytesIO(base64.b64decode(ring["mask"]))))
    assert np.array_equal(stored, RING[y0 : y1 + 1, x0 : x1 + 1])
    assert shapely.Polygon(small["points"]).area == SMALL.sum()


def test_labelme_is_read_by_labelme(written, monkeypatch):
    """The shapes as labelme's own reader hands them to its window; it also checks the size of the photo beside them."""
    label_file = label_file_class(monkeypatch)(str(written["_labelme.json"]))
    ring, small, one, two = label_file.shapes
    assert [shape["shape_type"] for shape in label_file.shapes] == ["mask", "polygon", "polygon", "polygon"]
    (x0, y0), (x1, y1) = np.array(ring["points"]).astype(int)
    assert np.array_equal(ring["mask"], RING[y0 : y1 + 1, x0 : x1 + 1])
    assert shapely.Polygon(small["points"]).area == SMALL.sum()
    assert sum(shapely.Polygon(each["points"]).area for each in (one, two)) == PARTS.sum()
    assert (small["label"], small["description"]) == ("disc", "id 7, score 0.5000, predicted IoU 0.5000")
    assert all(not shape["other_data"] for shape in label_file.shapes)


def test_csv(written):
    with written["_objects.csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["label"], row["score"]) for row in rows][:2] == [
        ("r-1", "ring <&\"'", "0.75"),
        ("7", "disc", "0.5"),
    ]
    assert (rows[0]["stability"], rows[0]["point_x"], rows[1]["stability"]) == ("0.9", "12.0", "")
    assert int(rows[0]["area"]) == RING.sum()
    assert [int(rows[1][name]) for name in ("x0", "y0", "x1", "y1")] == [39, 25, 50, 36]


def test_a_photo_without_objects_has_files_of_every_kind(results, tmp_path):
    nothing = PhotoResults(results.photo, SIZE, results.pixels, [], 1.0)
    folder = ResultFolder(tmp_path / "none")
    place = folder.place_of(results.photo)
    folder.write(place, "key", files_of(KINDS, place.stem, nothing), [])
    files = {path.name.removeprefix("a"): path for path in folder.root.rglob("a*")}
    endings = {"mask.png", "overlay.jpg", "labelme.json", "labels.png", "polygons.geojson", "polygons.svg", "objects.csv"}
    assert set(files) == {".txt", *(f"_{each}" for each in endings)}  # a cut-out of nothing is none
    assert not np.asarray(Image.open(files["_mask.png"])).any()
    assert not np.asarray(Image.open(files["_labels.png"])).any()
    assert files[".txt"].read_text() == ""
    assert json.loads(files["_polygons.geojson"].read_text())["features"] == []
    assert json.loads(files["_labelme.json"].read_text())["shapes"] == []
    assert len(files["_objects.csv"].read_text().splitlines()) == 1


def corner_and_three() -> np.ndarray:
    """Simplified as a whole, the three lie more than a pixel away from themselves."""
    mask = np.zeros((9, 11), bool)
    mask[0, 0] = mask[5, 2] = mask[5, 3] = mask[6, 3] = True
    return mask


@given(arrays(np.bool_, (9, 11)), st.sampled_from([0.0, 1.0, 2.5]))
@example(corner_and_three(), 1.0)
@settings(max_examples=150)
def test_outlines_are_valid_and_near_the_mask_whatever_it_is(mask, tolerance):
    polygons = outlines_of(RunMask.of(mask), tolerance)
    exact = shapely.union_all([shapely.box(x, y, x + 1, y + 1) for y, x in zip(*np.nonzero(mask), strict=True)])
    assert all(polygon.is_valid for polygon in polygons)
    found = shapely.union_all(polygons)
    assert exact.boundary.hausdorff_distance(found.boundary) <= tolerance + 1e-9 if mask.any() else not polygons


def run_of(tmp_path, results, names, found=None):
    """Photos of these names with these masks, in one run that writes a COCO file."""
    outputs = Outputs(ResultFolder(tmp_path / "run"), ("coco",))
    for name in names:
        Image.fromarray(results.pixels).save(tmp_path / name)
    places = [outputs.folder.place_of(tmp_path / name) for name in names]
    for place, image_id in zip(places, outputs.folder.image_ids(places, {}), strict=True):
        some = results.masks if found is None else found
        outputs.write(place, "k", PhotoResults(place.photo, SIZE, results.pixels, some, 1.0), [], image_id=image_id)
    outputs.finish()
    return tmp_path / "run" / "coco.json"


def test_coco_of_a_run_is_read_by_pycocotools(results, tmp_path):
    run_of(tmp_path, results, ["a.png"])
    coco = COCO(str(run_of(tmp_path, results, ["a.png", "b.png"], results.masks[1:2])))
    assert {each["name"] for each in coco.cats.values()} == {"disc"}
    coco = COCO(str(run_of(tmp_path, results, ["a.png"])))
    first, second = (coco.loadAnns(coco.getAnnIds(image))[0] for image in (1, 2))
    assert np.array_equal(coco.annToMask(first).astype(bool), RING)
    assert rle.area(second["segmentation"]) == second["area"] == SMALL.sum()
    assert {category["name"] for category in coco.cats.values()} == {"ring <&\"'", "disc", "object"}
    assert (first["score"], first["prompt_id"]) == (0.75, "r-1")
    # A later run: the first photo again, with fewer masks, and another one.
    run_of(tmp_path, results, ["a.png"], results.masks[:1])
    later = json.loads(run_of(tmp_path, results, ["c.png"], []).read_text())
    assert [image["file_name"] for image in later["images"]] == ["a.png", "b.png", "c.png"]
    assert [annotation["id"] for annotation in later["annotations"]] == [first["id"], second["id"]]
    # RLE is in the records alone, from which the file is made again.
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"records.jsonl", "coco.json"}


def test_a_coco_file_of_somebody_else_is_left_as_it_is(tmp_path):
    (tmp_path / "coco.json").write_text('{"mine": 1}')
    with pytest.raises(FileExistsError, match=r"coco\.json was not written by basam"):
        Outputs(ResultFolder(tmp_path), ("coco",))
    Outputs(ResultFolder(tmp_path), ("mask",))  # which has no such file
    (tmp_path / "table.csv").write_text("mine\n1\n")
    with pytest.raises(FileExistsError, match=r"table\.csv was not written by basam"):
        Outputs(ResultFolder(tmp_path), ("table",))


def test_what_cannot_be_written_is_named_before_the_work():
    with pytest.raises(ValueError, match="--write pdf: allowed are mask, overlay"):
        check_kinds(["mask", "pdf"])
    with pytest.raises(ValueError, match="--write: give at least one"):
        check_kinds([])
    assert check_kinds(["csv", "mask", "csv"]) == ("mask", "csv")
    check_size(("mask",), 10, 70_000)
    with pytest.raises(ValueError, match="a JPEG holds up to 65500 px along a side, the photo has 70000 x 10"):
        check_size(("overlay",), 10, 70_000)
    check_size(("coco",), 65_535, 65_537)
    with pytest.raises(ValueError, match="pycocotools counts up to 4294967295 pixels, the photo has 65536 x 65536"):
        check_size(("coco",), 65_536, 65_536)


def test_nothing_is_left_of_nothing():
    empty = np.zeros((0, 0), dtype=bool)
    found, changed = without_small_regions(empty, 3)
    assert found.shape == (0, 0)
    assert not changed


def test_cleaning():
    mask = RING.copy()
    mask[2:4, 2:4] = True
    soft = SoftMask.of_logits(np.where(mask, 9.0, -9.0).astype(np.float32), 2)
    one = MaskResult(RunMask.of(mask), 0.5, 1, soft=soft)
    (least,) = cleaned([one], Cleaning(min_area=5))
    assert np.array_equal(least.runs.mask(), RING)
    assert np.array_equal(least.soft.shares() == 255, RING)
    (filled,) = cleaned([one], Cleaning(fill_holes=10_000, largest=True))  # what is around the ring is no hole
    assert np.array_equal(filled.runs.mask(), disc(30, 30, 20))
    assert np.array_equal(filled.soft.shares() == 255, disc(30, 30, 20))
    assert cleaned([one], Cleaning(min_area=10_000)) == []
    assert cleaned([one], Cleaning()) == [one]
    with pytest.raises(ValueError, match="min_area=-1: a whole number of at least 0"):
        Cleaning(min_area=-1)


def test_ids_labels_and_scores_of_prompts_go_into_files(results, tmp_path):
    """An id that is a whole number is the annotation's, where no other prompt of the run has it."""
    given = {"id": [7, 7, "x", 3, 1_000_005, None], "score": [0.9, None, None, None, None, None]}
    found = [
        MaskResult(
            RunMask.of(SMALL),
            0.5,
            place + 1 if identity is None else identity,
            "cat",
            named=identity is not None,
            prompt_score=score,
        )
        for place, (identity, score) in enumerate(zip(given["id"], given["score"], strict=True))
    ]
    photo = PhotoResults(results.photo, SIZE, results.pixels, found, 0.0)
    file = run_of(tmp_path, results, ["a.png"], found)
    annotations = json.loads(file.read_text())["annotations"]
    made = 1_000_000
    assert [each["id"] for each in annotations] == [made + 1, made + 2, made + 3, 3, made + 5, made + 6]
    assert [each["prompt_id"] for each in annotations] == [7, 7, "x", 3, 1_000_005, 6]
    assert [(each["score"], each["predicted_iou"]) for each in annotations[:2]] == [(0.9, 0.5), (0.5, 0.5)]
    assert len(COCO(str(file)).anns) == 6
    folder = ResultFolder(tmp_path / "out")
    folder.write(folder.place_of(results.photo), "key", files_of(("csv", "labelme"), "a", photo), [])
    rows = list(csv.DictReader((tmp_path / "out" / "a_objects.csv").open()))
    assert [(row["id"], row["label"], row["score"], row["predicted_iou"]) for row in rows[:2]] == [
        ("7", "cat", "0.9", "0.5"),
        ("7", "cat", "0.5", "0.5"),
    ]
    shapes = json.loads((tmp_path / "out" / "a_labelme.json").read_text())["shapes"]
    assert (shapes[0]["label"], shapes[0]["description"]) == ("cat", "id 7, score 0.9000, predicted IoU 0.5000")


def test_files_are_numbered_by_the_places_of_the_prompts_that_were_answered(results):
    some = PhotoResults(results.photo, SIZE, results.pixels, results.masks[:2], 0.0, places=[0, 3], prompts=5)
    assert list(files_of(("mask", "csv"), "a", some)) == ["a_mask_0.png", "a_mask_3.png", "a_objects.csv"]


def photos_in(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"x")
    return [folder / name for name in names]


def image_ids(folder, photos):
    return folder.image_ids([folder.place_of(photo) for photo in photos], {})


def add(outputs, photo, image_id, results):
    place = outputs.folder.place_of(photo)
    outputs.write(place, "k", PhotoResults(photo, SIZE, results.pixels, results.masks, 0.0), [], image_id=image_id)


def test_ids_of_images_do_not_depend_on_who_does_them_when(results, tmp_path):
    photos = photos_in(tmp_path, *(f"{number:02}.png" for number in range(12)))
    results = replace(results, masks=results.masks[:1])

    def done(folder, order, shards=1):
        for shard in range(shards):
            outputs = Outputs(ResultFolder(folder), ("coco",))  # begun when the others have done something already
            ids = dict(zip(photos, image_ids(outputs.folder, photos), strict=True))
            for photo in order[shard::shards]:
                add(outputs, photo, ids[photo], results)
        outputs.finish()
        return (folder / "coco.json").read_bytes()

    once = done(tmp_path / "once", photos)
    assert [image["id"] for image in json.loads(once)["images"]] == list(range(1, 13))
    assert done(tmp_path / "back", photos[::-1]) == once
    assert done(tmp_path / "shards", photos, 3) == once


def test_a_later_list_leaves_the_ids_that_there_are(results, tmp_path):
    early = photos_in(tmp_path, "b.png", "d.png")
    outputs = Outputs(ResultFolder(tmp_path / "o"), ("coco",))
    for photo, image_id in zip(early, image_ids(outputs.folder, early), strict=True):
        add(outputs, photo, image_id, results)
    late = [*photos_in(tmp_path, "a.png"), early[0], *photos_in(tmp_path, "c.png"), early[1], *photos_in(tmp_path, "e.png")]
    first = Outputs(ResultFolder(tmp_path / "o"), ("coco",))
    ids = image_ids(first.folder, late)
    assert ids == [11, 1, 3, 2, 5]  # a.png would have b.png's
    add(first, late[4], ids[4], results)
    assert image_ids(ResultFolder(tmp_path / "o"), late) == ids  # another process of the run, that begins later


def test_folders_merge_and_the_last_one_counts(results, tmp_path):
    photos = photos_in(tmp_path, "a.png", "b.png", "c.png")
    for name, mine in (("one", photos[:2]), ("two", photos[1:])):
        outputs = Outputs(ResultFolder(tmp_path / name), ("coco",))
        for number, photo in enumerate(mine, start=1):
            add(outputs, photo, number, replace(results, masks=results.masks[: 1 if name == "one" else 2]))
    target = tmp_path / "coco.json"
    assert merge_coco([tmp_path / "one", tmp_path / "two"], target) == 3
    data = json.loads(target.read_text())
    names = {image["id"]: image["file_name"] for image in data["images"]}
    assert len(names) == 3
    masks = [names[each["image_id"]] for each in data["annotations"]]
    assert {name: masks.count(name) for name in names.values()} == {"a.png": 1, "b.png": 2, "c.png": 2}
    assert len({each["id"] for each in data["annotations"]}) == 5
    merge_coco([tmp_path / "one"], target)  # its own file
    assert len(json.loads(target.read_text())["images"]) == 2
    with pytest.raises(FileNotFoundError, match=r"records\.jsonl: no masks in it; --write coco records them"):
        merge_coco([tmp_path / "three"], target)
    target.write_text('{"info": "mine"}')
    with pytest.raises(FileExistsError, match="was not written by basam"):
        merge_coco([tmp_path / "one"], target)


@pytest.mark.parametrize("label", ["=1+1", "+A1", "-2", "@SUM(A1)", "\t=1", "plain"])
def test_no_cell_of_a_table_is_a_formula(tmp_path, label):
    results = PhotoResults(
        Path("=cmd.jpg"),
        (4, 4),
        np.zeros((4, 4, 3), np.uint8),
        [MaskResult(RunMask.of(np.eye(4, dtype=bool)), -0.5, label, label)],
        1.0,
    )
    (write,) = files_of(["csv"], "table", results).values()
    write(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert [row[name].lstrip("'") for name in ("photo", "id", "label")] == ["=cmd.jpg", label, label]
    assert not any(row[name].startswith(("=", "+", "-", "@", "\t")) for name in ("photo", "id", "label"))
    assert float(row["predicted_iou"]) == -0.5
