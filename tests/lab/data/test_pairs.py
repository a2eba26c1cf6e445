"""Defects of paired folders: each is named, counted and treated as its policy says."""

import unicodedata

import numpy as np
import pytest

from basam.lab.data import SampleError, open_dataset, splits_of


@pytest.fixture
def folder(write):
    """A folder data set with one good pair; `reopen()` reads it again."""
    write.pair("images/good.jpg", "masks/good.png")
    write.reopen = lambda: open_dataset("folder", write.root)
    return write


def only_issue(dataset, samples=1):
    """The one issue of checking `dataset`, of whose samples `samples` can be listed."""
    assert len(dataset) == samples
    (issue,) = dataset.check()
    return issue


def test_missing_halves(folder):
    folder.image("images/lonely.jpg")
    folder.mask("masks/ghost.png")
    dataset = folder.reopen()
    assert [sample.id for sample in dataset] == ["images/good"]
    assert dataset.issues.counts() == {"no-mask": 1, "no-image": 1}
    assert [line.split(":")[0] for line in dataset.issues.lines()] == [
        "1 x image without a mask [left out]",
        "1 x mask or annotation without an image [left out]",
    ]
    assert "ghost.png" in dataset.issues.lines()[1]


def test_two_files_of_one_name(folder):
    folder.image("images/good.png")
    folder.pair("images/other.jpg", "masks/other.png")
    issue = only_issue(folder.reopen())
    assert issue.problem == "ambiguous"
    assert issue.detail == "good.jpg, good.png"


def test_other_files_are_counted(folder):
    folder.text("images/Thumbs.db")
    folder.text("masks/._good.png")
    assert folder.reopen().issues.counts() == {"other-file": 2}


@pytest.mark.parametrize(("kind", "values"), [("empty-mask", 0), ("empty-mask", 100)])
def test_empty_mask(folder, kind, values):
    folder.image("images/x.jpg")
    folder.mask("masks/x.png", np.full((8, 12), values, dtype=np.uint8))
    dataset = folder.reopen()
    assert only_issue(dataset, samples=2).problem == kind
    with pytest.raises(SampleError, match=r"x\.png: mask without a pixel"):
        dataset[1].load()


def test_grey_mask_is_cut_at_half_and_reported(folder):
    values = np.zeros((8, 12), dtype=np.uint8)
    values[0, :4] = [127, 128, 254, 255]
    folder.image("images/x.jpg")
    folder.mask("masks/x.png", values)
    dataset = folder.reopen()
    issue = only_issue(dataset, samples=2)
    assert (issue.problem, issue.policy) == ("non-binary-mask", "read")
    assert "3 pixels" in issue.detail
    assert np.flatnonzero(dataset[1].load().instances[0].mask[0]).tolist() == [1, 2, 3]


def test_sizes_that_differ(folder):
    folder.image("images/x.jpg", size=(13, 8))
    folder.mask("masks/x.png")
    issue = only_issue(folder.reopen(), samples=2)
    assert issue.problem == "size-mismatch"
    assert "image 13 x 8, mask 12 x 8" in issue.detail


def test_exif_orientation_is_applied_before_sizes_are_compared(folder):
    folder.image("images/x.jpg", size=(8, 12), orientation=6)
    folder.mask("masks/x.png")
    dataset = folder.reopen()
    assert not list(dataset.check())
    assert dataset[1].image().size == (12, 8)
    folder.image("images/x.jpg", size=(12, 8), orientation=6)
    assert "one of the two is turned" in only_issue(folder.reopen(), samples=2).detail


@pytest.mark.parametrize("name", ["images/x.jpg", "masks/x.png"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_broken_files_are_named_and_the_rest_is_read(folder, name, damage):
    folder.image("images/x.jpg", size=(12, 8))
    folder.mask("masks/x.png")
    path = folder.root / name
    path.write_bytes({"truncated": path.read_bytes()[:-30], "empty": b"", "text": b"no image"}[damage])
    dataset = folder.reopen()
    issue = only_issue(dataset, samples=2)
    assert issue.problem == ("unreadable-image" if name.startswith("images") else "unreadable-mask")
    assert issue.where == str(path)
    assert issue.detail
    assert dataset.check().broken == [issue]
    assert dataset[0].load().instances


def test_nothing_is_decoded_on_opening(folder):
    folder.text("images/x.jpg", "no image")
    folder.text("masks/x.png", "no image")
    assert len(folder.reopen()) == 2


def test_isic_superpixels_and_foreign_images(write):
    write.pair("ISIC-2017_Test_v2_Data/ISIC_1.jpg", "ISIC-2017_Test_v2_Part1_GroundTruth/ISIC_1_segmentation.png")
    write.pair("ISIC-2017_Test_v2_Data/IMD002.jpg", "ISIC-2017_Test_v2_Part1_GroundTruth/IMD002_segmentation.png")
    write.mask("ISIC-2017_Test_v2_Data/ISIC_1_superpixels.png")
    write.text("ISIC-2017_Test_v2_Data/ISIC-2017_Test_v2_Data_metadata.csv")
    dataset = open_dataset("isic2017", write.root)
    assert len(dataset) == 2
    assert dataset.issues.counts() == {"foreign-image": 1, "superpixels": 1, "other-file": 1}


def test_cod10k_leaves_photographs_without_an_animal_out(write):
    write.pair("Test/Image/COD10K-CAM-1-Aquatic-1.jpg", "Test/GT_Object/COD10K-CAM-1-Aquatic-1.png")
    write.image("Test/Image/COD10K-NonCAM-2-Land-3.jpg")
    write.mask("Test/GT_Object/COD10K-NonCAM-2-Land-3.png", np.zeros((8, 12), np.uint8))
    dataset = open_dataset("cod10k", write.root)
    assert [sample.id for sample in dataset] == ["Test/Image/COD10K-CAM-1-Aquatic-1"]
    assert dataset.issues.counts() == {"no-object": 1}


@pytest.mark.parametrize("name", ["Müller", "été [1]", "한글", "Å"])
def test_two_spellings_of_one_name_pair_up(folder, name):
    composed, decomposed = unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)
    for image, mask in ((composed, decomposed), (decomposed + " 2", composed + " 2")):
        folder.pair(f"images/{image}.jpg", f"masks/{mask}.png")
    dataset = folder.reopen()
    assert sorted(sample.id for sample in dataset) == sorted([f"images/{composed}", f"images/{composed} 2", "images/good"])
    assert not list(dataset.check())
    folder.image(f"images/{decomposed}.jpg")
    assert dataset[0].load().instances
    assert folder.reopen().issues.counts() == {"ambiguous": 1}


def test_what_systems_leave_behind_is_no_data(folder):
    for place in ("", "images/", "masks/", "__MACOSX/images/", "__MACOSX/masks/", ".cache/images/", ".cache/masks/"):
        for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._good.jpg", ".hidden.png"):
            folder.text(place + name)
    folder.pair("__MACOSX/images/x.jpg", "__MACOSX/masks/x.png")
    folder.pair("images/__MACOSX/x.jpg", "masks/__MACOSX/x.png")
    dataset = folder.reopen()
    assert [sample.id for sample in dataset] == ["images/good"]
    assert set(dataset.issues.counts()) == {"other-file"}
    assert splits_of("folder", folder.root) == ["all"]
