"""Photographs of a data set: what is odd about them becomes an issue, what is too large is named, and both are read upright."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from basam.files import NOTE_KINDS
from basam.lab.data import SampleError, open_dataset
from basam.lab.data.issues import PROBLEMS
from basam.lab.data.photos import PROBLEM_OF

RGB = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture
def root(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 20:40] = 255
    for stem in "abc":
        Image.fromarray(mask).save(tmp_path / "masks" / f"{stem}.png")
    Image.fromarray(RGB).save(tmp_path / "images" / "a.png")
    with tifffile.TiffWriter(tmp_path / "images" / "b.tif") as writer:
        writer.write(RGB[::4, ::4], photometric="rgb", subfiletype=1)
        writer.write((RGB.astype(np.uint16) * 16), photometric="rgb")
    Image.fromarray(np.dstack([RGB, mask * 0])).save(tmp_path / "images" / "c.webp", lossless=True)
    return tmp_path


def test_every_kind_of_note_is_a_problem():
    assert set(PROBLEM_OF) == set(NOTE_KINDS)
    assert {PROBLEMS[problem].policy for problem in PROBLEM_OF.values()} == {"read"}


def test_odd_photographs_are_read_and_named(root):
    plain, deep, hidden = (sample.load() for sample in open_dataset("folder", root))
    assert plain.image.mode == deep.image.mode == hidden.image.mode == "RGB"
    assert plain.issues == ()
    assert np.array_equal(np.asarray(plain.image), RGB)
    assert np.abs(np.asarray(deep.image).astype(int) - RGB).max() <= 1
    assert [issue.problem for issue in deep.issues] == ["several-pictures", "chosen-range"]
    assert "number 2, 60 x 40 px, was taken" in str(deep.issues[0])
    assert [issue.problem for issue in hidden.issues] == ["hidden-image"]


def test_photographs_and_masks_above_the_limit_are_named(root):
    dataset = open_dataset("folder", root)
    assert [sample.load().image.size for sample in dataset.limited_to(2400)] == [(60, 40)] * 3
    for limited in (dataset.limited_to(2399), dataset.limited_to(100)):
        assert (limited.title, len(limited)) == (dataset.title, 3)
        for sample in limited:
            with pytest.raises(
                SampleError, match=r"\.(png|tif|webp): image cannot be read \(has 60 x 40 px, .*--max-pixels 2400"
            ):
                sample.load()
    Image.new("L", (600, 400), 255).save(root / "masks" / "a.png")
    with pytest.raises(SampleError, match=r"a\.png: mask cannot be read \(has 600 x 400 px"):
        dataset.limited_to(2400)[0].load()
