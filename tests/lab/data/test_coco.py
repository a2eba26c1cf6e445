"""COCO's annotations: every way of giving a mask, crowds, and annotations that make no sense."""

import json

import numpy as np
import pytest
from pycocotools import mask as oracle

from basam.lab.data import DatasetError, SampleError, open_dataset, splits_of
from basam.lab.metrics import coco_ap
from basam.masks import decode_segmentation, encode_mask
from tests.helpers.coco_results import result_of

TRUTH = np.zeros((8, 12), dtype=bool)
TRUTH[2:5, 3:9] = True
COUNTS = [26, 3, 5, 3, 5, 3, 5, 3, 5, 3, 5, 3, 27]  # down the columns, background first


def compressed(mask):
    rle = oracle.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


@pytest.mark.parametrize(
    "segmentation",
    [[[3, 2, 9, 2, 9, 5, 3, 5]], {"size": [8, 12], "counts": COUNTS}, compressed(TRUTH)],
    ids=["polygon", "counts", "compressed"],
)
def test_every_form_of_a_mask(coco, segmentation):
    coco.add_image(139)
    coco.add(1768, 139, segmentation)
    dataset = open_dataset("coco", coco.save(), "val2017")
    (sample,) = dataset
    (instance,) = sample.load().instances
    assert (dataset.name, dataset.split, dataset.is_test, sample.id) == ("COCO", "val2017", True, "139")
    assert (instance.id, instance.category, instance.category_id) == ("1768", "cat", 7)
    assert (instance.mask == TRUTH).all()
    assert not list(dataset.check())


def test_polygons_are_those_of_pycocotools(coco):
    parts = [[1.3, 0.2, 9.7, 3.1, 4.4, 7.9], [10.1, 5.2, 11.9, 5.2, 11.9, 7.7, 10.3, 7.6]]
    expected = oracle.decode(oracle.merge(oracle.frPyObjects(parts, 8, 12))).astype(bool)
    assert (decode_segmentation(parts, 8, 12) == expected).all()
    assert decode_segmentation(encode_mask(expected), 8, 12).sum() == expected.sum()
    assert json.loads(json.dumps(encode_mask(expected))) == compressed(expected)


def test_crowds_and_images_without_objects_are_counted(coco):
    for number in (1, 2, 3):
        coco.add_image(number)
    coco.add(10, 1, compressed(TRUTH))
    coco.add(11, 1, {"size": [8, 12], "counts": COUNTS}, iscrowd=1)
    coco.add(12, 2, {"size": [8, 12], "counts": COUNTS}, iscrowd=1)
    dataset = open_dataset("coco", coco.save())
    assert [sample.id for sample in dataset] == ["1"]
    assert [instance.id for instance in dataset[0].load().instances] == ["10"]
    assert dataset.issues.counts() == {"crowd": 2, "no-object": 2}


def test_crowds_are_objects_where_the_rule_says_so(coco):
    coco.add_image(1)
    coco.add(10, 1, compressed(TRUTH))
    coco.add(11, 1, {"size": [8, 12], "counts": COUNTS}, iscrowd=1)
    coco.add_image(2)
    coco.add(12, 2, {"size": [8, 12], "counts": COUNTS}, iscrowd="1")
    root = coco.save()
    dataset = open_dataset("coco", root, mask_values="crowds")
    assert [[instance.id for instance in sample.load().instances] for sample in dataset] == [["10", "11"], ["12"]]
    assert not dataset.issues.counts()
    results = [result_of(1, 7, TRUTH, 0.9, 10), result_of(2, 7, TRUTH, 0.8, 12)]
    # One of three objects is missed: precision is 1 up to a recall of 2/3, which are 67 of COCO's 101 places.
    assert coco_ap(dataset.annotations, results, [1, 2], crowds_are_objects=True)["ap"] == pytest.approx(67 / 101)
    assert coco_ap(dataset.annotations, results, [1, 2])["ap"] == pytest.approx(1)
    with pytest.raises(DatasetError, match="are for kind 'folder'"):
        open_dataset("coco", root, mask_values="nonzero")
    with pytest.raises(DatasetError, match="are for kind 'coco'"):
        open_dataset("cod10k", root, mask_values="crowds")


@pytest.mark.parametrize(
    ("given", "split", "role"), [(None, "test", "test"), ("valid", "valid", "val"), ("val", "valid", "val")]
)
def test_roboflow_has_the_annotations_beside_the_images(write, given, split, role):
    for name in ("train", "valid", "test"):
        write.image(f"{name}/{name}_jpg.rf.01.jpg")
        categories = [{"id": 0, "name": "leaves"}, {"id": 3, "name": "oak"}]
        images = [{"id": 0, "file_name": f"{name}_jpg.rf.01.jpg", "width": 12, "height": 8}]
        annotations = [{"id": 0, "image_id": 0, "category_id": 3, "segmentation": [[3, 2, 9, 2, 9, 5, 3, 5]], "iscrowd": 0}]
        write.json(f"{name}/_annotations.coco.json", {"images": images, "categories": categories, "annotations": annotations})
    assert splits_of("coco", write.root) == ["test", "train", "valid"]
    dataset = open_dataset("coco", write.root, given)
    (sample,) = dataset
    (instance,) = sample.load().instances
    assert (dataset.split, dataset.role, sample.id, sample.image_path.name) == (split, role, "0", f"{split}_jpg.rf.01.jpg")
    assert (instance.id, instance.category_id, instance.category, instance.mask.sum()) == ("0", 3, "oak", 18)
    assert not dataset.issues.counts()
    assert open_dataset("coco", write.root / "train").split == "train"


def test_missing_images_and_images_nobody_annotated(coco):
    coco.add_image(1)
    coco.add_image(2, on_disk=False)
    coco.add(10, 1, compressed(TRUTH))
    coco.add(20, 2, compressed(TRUTH))
    coco.write.image("val2017/stray.jpg")
    dataset = open_dataset("coco", coco.save())
    assert len(dataset) == 1
    assert dataset.issues.counts() == {"no-mask": 1, "no-image": 1}


@pytest.mark.parametrize(
    ("segmentation", "more", "problem", "detail"),
    [
        ([], {}, "empty-mask", ""),
        ([[1, 2, 3, 4]], {}, "bad-annotation", "at least three points"),
        ("text", {}, "bad-annotation", "neither polygons nor RLE"),
        ({"size": [8, 13], "counts": COUNTS}, {}, "bad-annotation", "RLE of 13 x 8 for an image of 12 x 8"),
        ({"size": [8, 12], "counts": [1, 2]}, {}, "bad-annotation", "counts sum to 3"),
        ({"size": [8, 12], "counts": "416"}, {}, "bad-annotation", "counts sum to 11"),
        (compressed(TRUTH), {"category_id": 99}, "bad-annotation", "category 99 is not in the file"),
        (compressed(TRUTH), {"image_id": 5}, "no-image", "image 5 is not in the file"),
    ],
)
def test_defective_annotations_are_named_and_the_others_read(coco, segmentation, more, problem, detail):
    coco.add_image(1)
    coco.add(10, 1, compressed(TRUTH))
    coco.add(11, 1, segmentation, **more)
    dataset = open_dataset("coco", coco.save())
    (issue,) = dataset.check()
    assert issue.problem == problem
    assert detail in issue.detail
    assert "instances_val2017.json, annotation 1" in issue.where
    assert [instance.id for instance in dataset[0].load().instances] == ["10"]


def test_an_image_left_without_an_instance(coco):
    for number in (1, 2):
        coco.add_image(number)
        coco.add(number, number, [] if number == 2 else compressed(TRUTH))
    dataset = open_dataset("coco", coco.save())
    with pytest.raises(SampleError, match=r"000000000002\.jpg: mask without a pixel \(in all of its 1 annotations\)"):
        dataset[1].load()


def test_an_image_of_another_size_than_annotated(coco):
    coco.add_image(1)
    coco.add(1, 1, compressed(TRUTH))
    coco.write.image("val2017/000000000001.jpg", size=(13, 8))
    with pytest.raises(SampleError, match="image 13 x 8, annotations 12 x 8"):
        open_dataset("coco", coco.save())[0].load()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "the list 'images' is missing"),
        ('{"images": [], "annotations": []}', "the list 'categories' is missing"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', r"images\[0\] has no 'file_name'"),
    ],
)
def test_a_file_that_is_no_annotations(coco, content, message):
    coco.add_image(1)
    coco.write.text("annotations/instances_val2017.json", content)
    with pytest.raises(DatasetError, match=message):
        open_dataset("coco", coco.write.root)


def test_annotations_without_their_images(coco):
    coco.add_image(1, on_disk=False)
    coco.add(1, 1, compressed(TRUTH))
    with pytest.raises(DatasetError, match=r"no images of split val2017: expected one of .*val2017"):
        open_dataset("coco", coco.save())
