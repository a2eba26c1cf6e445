"""COCO files as they are: one malformed annotation is left out by its name, what is wrong with ids is said at once."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from basam.lab.data import DatasetError, SampleError, open_dataset

SQUARE = [[3, 2, 9, 2, 9, 5, 3, 5]]
COUNTS = [26, 3, 5, 3, 5, 3, 5, 3, 5, 3, 5, 3, 27]
NAN, INFINITE = float("nan"), float("inf")

MALFORMED = {
    "truncated": {"size": [8, 12], "counts": "Rb01Z"},
    "no-text-of-coco": {"size": [8, 12], "counts": "é"},
    "endless-number": {"size": [8, 12], "counts": "oooooooooooooooooo0"},
    "float-counts": {"size": [8, 12], "counts": [26.0, 70.0]},
    "negative-counts": {"size": [8, 12], "counts": [30, -4, 70]},
    "negative-in-text": {"size": [8, 12], "counts": "N"},
    "text-counts": {"size": [8, 12], "counts": ["26", "70"]},
    "null-counts": {"size": [8, 12], "counts": None},
    "huge-counts": {"size": [8, 12], "counts": [10**30, 96]},
    "too-many": {"size": [8, 12], "counts": [97]},
    "nothing": {"size": [8, 12], "counts": []},
    "no-size": {"counts": COUNTS},
    "null-size": {"size": None, "counts": COUNTS},
    "one-side": {"size": [8], "counts": COUNTS},
    "text-size": {"size": ["8", "12"], "counts": COUNTS},
    "turned-size": {"size": [12, 8], "counts": COUNTS},
    "no-counts": {"size": [8, 12]},
    "null-coordinate": [[3, 2, None, 2, 9, 5]],
    "text-coordinate": [["3", "2", "9", "2", "9", "5"]],
    "true": [[True, 2, 9, 2, 9, 5]],
    "nan": [[3, 2, NAN, 2, 9, 5]],
    "infinite": [[3, 2, INFINITE, 2, 9, 5]],
    "far": [[3, 2, 1e9, 2, 9, 5]],
    "farther": [[3, 2, 10**400, 2, 9, 5]],
    "far-below": [[3, -(10**7), 9, 2, 9, 5]],
    "odd": [[3, 2, 9, 2, 9, 5, 3]],
    "flat-list": [3, 2, 9, 2, 9, 5],
    "pairs": [[[3, 2], [9, 2], [9, 5]]],
    "text": "polygon",
    "number": 5,
    "null": None,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_annotation_is_left_out_by_its_name(coco, name):
    for number in (1, 2):
        coco.add_image(number)
    coco.add(10, 1, SQUARE)
    coco.add(11, 1, MALFORMED[name])
    coco.add(20, 2, MALFORMED[name])
    dataset = open_dataset("coco", coco.save())
    issues = list(dataset.check().broken)
    assert [issue.where for issue in issues if issue.problem == "bad-annotation"] == [
        "instances_val2017.json, annotation 11 of image 1",
        "instances_val2017.json, annotation 20 of image 2",
    ]
    assert [instance.id for instance in dataset[0].load().instances] == ["10"]
    if name != "null":  # what has no segmentation is left out on opening
        with pytest.raises(SampleError, match=r"000000000002\.jpg: annotation cannot be understood \(in all of its 1 annot"):
            dataset[1].load()


def test_a_polygon_of_too_few_points_is_left_out_alone(coco):
    coco.add_image(1)
    coco.add(10, 1, [*SQUARE, [1, 1, 2, 2], []])
    coco.add(11, 1, [*SQUARE, [5, 5, 5, 5, 5, 5]])
    coco.add(12, 1, [[1, 1, 2, 2]])
    dataset = open_dataset("coco", coco.save())
    first, second = dataset[0].load().instances
    assert first.mask.sum() == second.mask.sum() == 18
    assert [(issue.problem, issue.detail) for issue in dataset.check()] == [
        ("few-points", "2 of 3 polygons"),
        ("bad-annotation", "a polygon needs at least three points, as x, y, x, y, ..."),
    ]


@pytest.mark.parametrize("side", [None, 0, -8, "8", 8.5, NAN, True])
def test_an_image_without_a_size_is_named_with_its_annotations(coco, side):
    for number in (1, 2):
        coco.add_image(number)
        coco.add(number, number, SQUARE)
    coco.content["images"][0]["height"] = side
    dataset = open_dataset("coco", coco.save())
    assert [sample.id for sample in dataset] == ["2"]
    (issue,) = dataset.issues.broken
    assert issue.where == "instances_val2017.json, annotation 1 of image 1"
    assert f"height {side!r}" in issue.detail
    del coco.content["images"][0]["height"]
    assert len(open_dataset("coco", coco.save()).issues.broken) == 1


def test_entries_that_are_no_annotations(coco):
    coco.add_image(1)
    coco.add(10, 1, SQUARE)
    coco.content["annotations"] += [None, {"id": 11}, 7, {"image_id": 1, "category_id": 7, "segmentation": SQUARE}]
    dataset = open_dataset("coco", coco.save())
    assert [issue.where.partition(", ")[2] for issue in dataset.issues.broken] == [
        "annotations[1] of image ?",
        "annotation 11 of image ?",
        "annotations[3] of image ?",
        "annotations[4] of image 1",
    ]
    assert len(dataset[0].load().instances) == 1


@pytest.mark.parametrize(
    ("where", "change", "message"),
    [
        ("images", {"id": "1"}, r"images\[1\] has the id '1': ids must be whole numbers"),
        ("images", {"id": 1}, r"images\[0\] and images\[1\] have the same id 1"),
        ("images", {"id": None}, r"images\[1\] has the id None"),
        ("annotations", {"id": "a"}, r"annotations\[1\] has the id 'a'"),
        ("annotations", {"id": 10}, r"annotations\[0\] and annotations\[1\] have the same id 10"),
        ("annotations", {"id": 1.5}, r"annotations\[1\] has the id 1.5"),
        ("annotations", {"image_id": "1"}, r"annotations\[1\] has the image_id '1'"),
        ("annotations", {"category_id": "7"}, r"annotations\[1\] has the category_id '7'"),
        ("annotations", {"category_id": [7]}, r"annotations\[1\] has the category_id \[7\]"),
        ("categories", {"id": "7"}, r"categories\[1\] has the id '7'"),
        ("categories", {"id": 7}, r"categories\[0\] and categories\[1\] have the same id 7"),
    ],
)
def test_ids_that_are_none_or_given_twice_are_an_error_on_opening(coco, where, change, message):
    for number in (1, 2):
        coco.add_image(number)
        coco.add(10 * number, number, SQUARE)
    coco.content["categories"].append({"id": 8, "name": "dog"})
    coco.content[where][1] |= change
    with pytest.raises(DatasetError, match=message):
        open_dataset("coco", coco.save())


def test_ids_may_start_at_0(coco):
    coco.content["categories"][0]["id"] = 0
    coco.add_image(0)
    coco.add(0, 0, SQUARE, category_id=0)
    (instance,) = open_dataset("coco", coco.save())[0].load().instances
    assert (instance.id, instance.category_id) == ("0", 0)


@pytest.mark.parametrize(
    ("value", "crowd"), [("0", False), ("1", True), ("false", False), ("True", True), (0.0, False), (1.0, True), (None, False)]
)
def test_iscrowd_as_text(coco, value, crowd):
    coco.add_image(1)
    coco.add(10, 1, SQUARE)
    coco.add(11, 1, SQUARE, iscrowd=value)
    dataset = open_dataset("coco", coco.save())
    assert len(dataset[0].load().instances) == (1 if crowd else 2)
    coco.content["annotations"][1]["iscrowd"] = "perhaps"
    (issue,) = open_dataset("coco", coco.save()).issues.broken
    assert issue.detail == "iscrowd is 'perhaps'"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark(coco, encoding):
    coco.add_image(1)
    coco.add(10, 1, SQUARE)
    path = coco.save() / "annotations" / "instances_val2017.json"
    path.write_text(json.dumps(coco.content), encoding=encoding)
    assert len(open_dataset("coco", coco.write.root)) == 1


def place(coco, file_name, *files):
    """An image entry for `file_name`, and files with a grey of their own below val2017."""
    number = len(coco.content["images"]) + 1
    coco.content["images"].append({"id": number, "file_name": file_name, "width": 12, "height": 8})
    coco.add(number, number, SQUARE)
    for path, grey in files:
        coco.write.image(f"val2017/{path}")
        Image.fromarray(np.full((8, 12, 3), grey, np.uint8)).save(coco.write.root / "val2017" / path)


def greys(coco):
    return [int(np.asarray(sample.image()).max()) for sample in open_dataset("coco", coco.save())]


def test_file_names_with_folders_are_looked_for_there_first(coco):
    place(coco, "x/a.png", ("x/a.png", 10), ("a.png", 90))
    place(coco, "y/a.png", ("y/a.png", 200))
    place(coco, "./z\\b.png", ("z/b.png", 30))
    assert greys(coco) == [10, 200, 30]


def test_the_last_part_of_a_file_name_alone_is_taken_where_it_is_plain(coco):
    place(coco, "val2017/a.png", ("a.png", 90))
    place(coco, "x/b.png", ("b.png", 50))
    assert greys(coco) == [90, 50]
    place(coco, "y/b.png")
    dataset = open_dataset("coco", coco.save())
    assert [sample.id for sample in dataset] == ["1"], "which of two images b.png is cannot be known"
    assert dataset.issues.counts() == {"no-mask": 1, "no-image": 2}


def test_spellings_and_litter(coco):
    place(coco, unicodedata.normalize("NFC", "Müller [1].png"), (unicodedata.normalize("NFD", "Müller [1].png"), 70))
    for name in (".DS_Store", "._a.png", "Thumbs.db", "__MACOSX/a.png", "desktop.ini"):
        coco.write.text(f"val2017/{name}")
    coco.write.text("annotations/._instances_val2017.json", "no JSON")
    assert greys(coco) == [70]
    assert not list(open_dataset("coco", coco.save()).check())
