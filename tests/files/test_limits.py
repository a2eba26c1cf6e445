"""Pictures of many pixels in files of few bytes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from basam.files import ImageError, limits, picture_size, read_photograph

SIZE = (13_000, 5_000)  # 65 megapixels


@pytest.mark.parametrize("name", ["a.png", "group4.tif", "tiff_adobe_deflate.tif"])
def test_a_bilevel_bomb_is_rejected(tmp_path, name):
    Image.new("1", SIZE).save(tmp_path / name, **({} if name == "a.png" else {"compression": name[:-4]}))
    for read in (read_photograph, picture_size):
        with pytest.raises(ImageError, match=r"13000 x 5000 px in \d+ bytes.*--max-pixels none"):
            read(tmp_path / name)
    assert picture_size(tmp_path / name, max_pixels=None) == SIZE


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_empty_picture_of_8_bits_is_read(tmp_path, mode):
    Image.new(mode, SIZE).save(tmp_path / "a.png", compress_level=9)
    assert picture_size(tmp_path / "a.png") == SIZE


def test_a_small_picture_may_be_of_few_bytes(tmp_path, monkeypatch):
    Image.new("1", (7_900, 8_000)).save(tmp_path / "a.png")
    assert read_photograph(tmp_path / "a.png").size == (7_900, 8_000)


def test_a_drawing_of_few_lines_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "BOMB_FROM", 1_000_000)
    page = np.ones((2_000, 1_500), dtype=bool)
    page[::40, ::7] = False
    Image.fromarray(page).save(tmp_path / "a.png")
    assert read_photograph(tmp_path / "a.png").size == (1_500, 2_000)
