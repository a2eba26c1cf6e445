"""Files with several pictures, of other formats and above the limit."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from basam.files import MAX_PIXELS, ImageError, picture_size, read_image, read_photograph
from basam.files.tiff_pages import TiffFromPage

ROWS, COLUMNS = np.mgrid[0:36, 0:50]
RGB = np.dstack([COLUMNS * 255 // 49, ROWS * 255 // 35, (COLUMNS + ROWS) * 255 // 84]).astype(np.uint8)
GREY = RGB[..., 2]


def turned(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def assert_close(path, expected, tolerance):
    found = read_photograph(path)
    assert found.pixels.shape == expected.shape
    assert np.abs(found.pixels.astype(int) - expected).mean() <= tolerance
    assert picture_size(path) == found.size == expected.shape[1::-1]
    return [str(note) for note in found.notes]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "avif"])
def test_of_an_animation_the_first_picture_is_taken_and_named(tmp_path, suffix):
    first, second = Image.fromarray(RGB), Image.fromarray(255 - RGB)
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=[second, second.rotate(180)], quality=95)
    notes = assert_close(tmp_path / f"a.{suffix}", RGB, 12)
    assert notes == ["it holds 3 pictures: number 1, 50 x 36 px, was taken"]


def test_of_several_jpegs_in_one_file_the_largest_is_taken(tmp_path):
    full, small, other = Image.fromarray(RGB), Image.fromarray(255 - RGB).resize((20, 14)), Image.fromarray(255 - RGB)
    for name, pictures in (("phone", [full, small]), ("last", [small, full]), ("stereo", [full, other])):
        pictures[0].copy().save(tmp_path / f"{name}.jpg", "MPO", save_all=True, append_images=pictures[1:], quality=95)
    assert assert_close(tmp_path / "phone.jpg", RGB, 4) == []  # a preview or gain map, which many phones add
    assert assert_close(tmp_path / "last.jpg", RGB, 4) == ["it holds 2 pictures: number 2, 50 x 36 px, was taken"]
    assert assert_close(tmp_path / "stereo.jpg", RGB, 4) == ["it holds 2 pictures: number 1, 50 x 36 px, was taken"]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif", "tif"])
def test_orientation_of_every_format(tmp_path, suffix):
    for orientation, turn in ((3, lambda x: np.rot90(x, 2)), (6, lambda x: np.rot90(x, -1)), (8, np.rot90)):
        Image.fromarray(RGB).save(tmp_path / f"a.{suffix}", exif=turned(orientation), quality=95)
        assert assert_close(tmp_path / f"a.{suffix}", turn(RGB), 4) == []


def test_heic_is_read_with_the_extra_and_names_it_without(tmp_path, monkeypatch):
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(Image.fromarray(RGB)).save(tmp_path / "a.heic", quality=95)
    assert assert_close(tmp_path / "a.heic", RGB, 4) == []
    two = heif.from_pillow(Image.fromarray(RGB))
    two.add_from_pillow(Image.fromarray(255 - RGB))
    two.save(tmp_path / "two.heic", quality=95, primary_index=1)
    assert assert_close(tmp_path / "two.heic", 255 - RGB, 4) == ["it holds 2 pictures: number 2, 50 x 36 px, was taken"]
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r'a\.heic needs a library that is not installed: .*pip install -e "\.\[formats\]"'):
        read_image(tmp_path / "a.heic")


def test_avif_that_pillow_was_built_without_is_named(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "a.avif")
    monkeypatch.setattr("PIL.features.check", lambda name: False)
    with pytest.raises(ImageError, match=r"a\.avif is AVIF, which this build of Pillow does not read"):
        read_image(tmp_path / "a.avif")


@pytest.mark.parametrize("bits", [12, 16])
def test_pgm_and_jpeg_2000_say_their_depth(tmp_path, bits):
    imagecodecs = pytest.importorskip("imagecodecs")
    dark = np.rint(GREY / 3 / 255 * (2**bits - 1)).astype(np.uint16)
    (tmp_path / "a.jp2").write_bytes(imagecodecs.jpeg2k_encode(dark, bitspersample=bits, level=0, reversible=True))
    (tmp_path / "a.pgm").write_bytes(b"P5 50 36 %d\n" % (2**bits - 1) + dark.astype(">u2").tobytes())
    for name in ("a.jp2", "a.pgm"):
        assert np.abs(read_image(tmp_path / name)[..., 0].astype(float) - GREY / 3).max() <= 1.1


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_colours_of_jpeg_2000(tmp_path, monkeypatch, bits):
    imagecodecs = pytest.importorskip("imagecodecs")
    deep = np.rint(RGB / 255 * (2**bits - 1)).astype(np.uint16)
    (tmp_path / "a.jp2").write_bytes(imagecodecs.jpeg2k_encode(deep, bitspersample=bits, level=0, reversible=True))
    assert np.abs(read_image(tmp_path / "a.jp2").astype(int) - RGB).max() <= 1  # also where it is white
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ImageError, match=r'a\.jp2 needs a library that is not installed: .*pip install -e "\.\[formats\]"'):
        read_image(tmp_path / "a.jp2")


def test_what_is_no_photograph_is_refused_by_name(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.eps")
    with pytest.raises(ImageError, match=r"a\.eps is a file of the format EPS, which is not read as a photograph"):
        read_image(tmp_path / "a.eps")


def test_more_pixels_than_the_limit_are_refused_with_the_option_and_read_with_it(tmp_path, monkeypatch):
    for name in ("a.png", "a.tif", "a.jpg"):
        Image.fromarray(RGB).save(tmp_path / name)
        assert read_photograph(tmp_path / name, max_pixels=1800).size == (50, 36)
        assert read_image(tmp_path / name, max_pixels=None).shape == (36, 50, 3)
        for read in (read_photograph, read_image, picture_size):
            with pytest.raises(ImageError, match=rf"{name} has 50 x 36 px, more than the 1799 .*--max-pixels 1800 or none"):
                read(tmp_path / name, max_pixels=1799)
    # Pillow's own limit neither stops what is allowed here nor stays changed.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with ThreadPoolExecutor(4) as threads:
        shapes = list(threads.map(lambda number: read_image(tmp_path / f"a.{'png' if number % 2 else 'tif'}").shape, range(24)))
    assert set(shapes) == {(36, 50, 3)}
    assert Image.MAX_IMAGE_PIXELS == 100
    assert MAX_PIXELS == 178_956_970


def test_a_large_jpeg_is_read_smaller_where_less_is_asked_for(tmp_path, monkeypatch):
    large = Image.fromarray(RGB).resize((1600, 1200), Image.Resampling.BICUBIC)
    large.save(tmp_path / "a.jpg", quality=95, exif=turned(6))
    assert read_photograph(tmp_path / "a.jpg", long_side=100).image.size == (1200, 1600)
    monkeypatch.setattr("basam.files.pictures.SCALED_FROM", 1_000_000)
    for long_side, width in ((900, 1200), (800, 1200), (300, 600), (100, 150)):
        found = read_photograph(tmp_path / "a.jpg", long_side=long_side)
        assert (found.image.width, found.size) == (width, (1200, 1600))
        expected = large.rotate(-90, expand=True).resize(found.image.size, Image.Resampling.BOX)
        assert np.abs(found.pixels.astype(int) - np.asarray(expected)).mean() < 2


def test_a_file_that_begins_at_another_page_differs_in_its_header_only(tmp_path):
    content = b"MM\0*\0\0\0\x08" + bytes(range(100))
    (tmp_path / "a").write_bytes(content)
    with (tmp_path / "a").open("rb") as stream:
        moved = TiffFromPage(stream, 77)
        assert moved.read() == content[:4] + b"\0\0\0\x4d" + content[8:]
        moved.seek(6)
        assert moved.read(4) == b"\0\x4d\0\x01"
