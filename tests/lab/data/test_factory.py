"""What `open_dataset` says when it is pointed at the wrong thing."""

import re

import pytest

from basam.lab.data import DatasetError, open_dataset


def test_unknown_kind_lists_the_known_ones(tmp_path):
    with pytest.raises(DatasetError, match=r"kind 'dits' is unknown: known are dis5k, duts, .*coco, folder"):
        open_dataset("dits", tmp_path)


def test_root_that_is_absent_or_a_file(write):
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        open_dataset("duts", write.root / "nowhere")
    with pytest.raises(DatasetError, match="a file, not a folder"):
        open_dataset("duts", write.text("file.txt"))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("duts", "DUTS-TR/DUTS-TR-Image with DUTS-TR/DUTS-TR-Mask"),
        ("dis5k", "DIS-TE4/im with DIS-TE4/gt"),
        ("isic", "ISIC-2017_Test_v2_Data with ISIC-2017_Test_v2_Part1_GroundTruth"),
        ("coco", "annotations/instances_*.json"),
        ("camouflage", "Imgs and GT"),
        ("folder", "a folder of images (images, image, imgs, im, photos) beside one of masks"),
    ],
)
def test_wrong_root_says_what_was_expected_and_found(kind, expected, write):
    write.text("holiday/notes.txt")
    write.text("readme.md")
    with pytest.raises(DatasetError, match=re.escape(expected) + r".*holiday/, readme.md"):
        open_dataset(kind, write.root)


def test_wrong_root_points_to_the_right_one_nearby(write):
    write.pair("DUTS/DUTS-TE/DUTS-TE-Image/a.jpg", "DUTS/DUTS-TE/DUTS-TE-Mask/a.png")
    right = re.escape(str(write.root / "DUTS"))
    for wrong in (write.root, write.root / "DUTS" / "DUTS-TE"):
        with pytest.raises(DatasetError, match=f"Did you mean {right}\\?"):
            open_dataset("duts", wrong)


def test_unknown_and_ambiguous_splits_list_those_present(write):
    for part in ("a", "b"):
        write.pair(f"{part}/images/x.jpg", f"{part}/masks/x.png")
    with pytest.raises(DatasetError, match="no split 'test2'; present are a, b"):
        open_dataset("folder", write.root, "test2")
    with pytest.raises(DatasetError, match=r"which split\? present are a, b"):
        open_dataset("folder", write.root)
    assert open_dataset("folder", write.root, "B").split == "b"


def test_a_split_without_its_masks(write):
    write.image("DIS-TE1/im/a.jpg")
    with pytest.raises(DatasetError, match="split DIS-TE1 needs the folders DIS-TE1/im and DIS-TE1/gt; DIS-TE1/gt is missing"):
        open_dataset("dis5k", write.root)


def test_a_split_without_a_pair_says_why(write):
    write.image("images/a.jpg")
    write.mask("masks/b.png")
    with pytest.raises(
        DatasetError, match=r"no pair of image and mask in images and masks: .*without a mask.*without an image"
    ):
        open_dataset("folder", write.root)
