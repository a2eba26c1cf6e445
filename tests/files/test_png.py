"""PNG of 16 bits, with and without sBIT, tRNS, alpha and orientation; and what is left of it without the extra."""

import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from basam.files import ImageError, picture_size, read_image, read_photograph

ROWS, COLUMNS = np.mgrid[0:36, 0:50]
RGB = np.dstack([COLUMNS * 255 // 49, ROWS * 255 // 35, (COLUMNS + ROWS) * 255 // 84]).astype(np.uint8)
GREY = RGB[..., 2]
GREY_ALPHA, RGB_ALPHA = 4, 6
TURNED = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # EXIF with orientation 6


def write(path, values, colour=None, before=(), after=()):
    """A PNG of 16 bits by hand: Pillow writes none in colour."""
    colour = colour if colour is not None else 2 if values.ndim == 3 else 0
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), *before, (b"IDAT", zlib.compress(rows)), *after, (b"IEND", b"")]
    body = (struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(body))
    return path


def assert_reads(path, expected, tolerance=1):
    expected = np.repeat(expected[..., None], 3, 2) if expected.ndim == 2 else expected
    got = read_photograph(path).pixels.astype(int)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= tolerance


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
@pytest.mark.parametrize("values", [GREY, RGB], ids=["grey", "colour"])
def test_sbit_says_what_is_white(tmp_path, values, bits):
    said = [(b"sBIT", bytes([bits] * (3 if values.ndim == 3 else 1)))]
    for divisor in (1, 3):  # the second is dark: its brightest is no hint at the depth
        deep = np.rint(values / divisor / 255 * (2**bits - 1)).astype(np.uint16)
        assert_reads(write(tmp_path / "as_they_are.png", deep, before=said), np.rint(values / divisor))
        scaled_up = write(tmp_path / "scaled_up.png", deep << (16 - bits), before=said)
        assert_reads(scaled_up, np.rint(values / divisor))
        assert read_photograph(scaled_up).notes == ()


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("values", [GREY, RGB], ids=["grey", "colour"])
def test_without_sbit_the_depth_in_use_is_taken_and_noted(tmp_path, values, bits):
    path = write(tmp_path / "a.png", np.rint(values / 255 * (2**bits - 1)).astype(np.uint16))
    assert_reads(path, values)
    notes = [str(note) for note in read_photograph(path).notes]
    assert notes == ([] if bits == 16 else [f"whole numbers up to {2**bits - 1} were taken as {bits} bits"])


def test_alpha_and_a_transparent_colour_lie_over_white(tmp_path):
    alpha = np.full(GREY.shape, 65535, np.uint16)
    alpha[:10] = 0
    deep, deep_grey = RGB.astype(np.uint16) * 257, GREY.astype(np.uint16) * 257
    for values, plain, colour in ((deep, RGB, RGB_ALPHA), (deep_grey, GREY, GREY_ALPHA)):
        expected = plain.copy()
        expected[:10] = 255
        assert_reads(write(tmp_path / "a.png", np.dstack([values, alpha]), colour), expected)
        hidden = write(tmp_path / "a.png", np.dstack([values, alpha * 0]), colour)
        assert [note.kind for note in read_photograph(hidden).notes] == ["hidden"]
    expected = RGB.copy()
    expected[(RGB[3, 3] == RGB).all(axis=2)] = 255
    key = [(b"tRNS", struct.pack(">3H", *map(int, deep[3, 3])))]
    assert_reads(write(tmp_path / "a.png", deep, before=key), expected)
    expected = np.where(GREY == 0, 255, GREY)
    assert_reads(write(tmp_path / "a.png", deep_grey, before=[(b"tRNS", b"\0\0")]), expected)


@pytest.mark.parametrize("values", [GREY, RGB], ids=["grey", "colour"])
def test_orientation_before_and_after_the_pixels(tmp_path, values):
    deep = values.astype(np.uint16) * 257
    assert_reads(write(tmp_path / "a.png", deep, before=[(b"eXIf", TURNED)]), np.rot90(values, -1))
    assert picture_size(tmp_path / "a.png") == (36, 50)
    assert_reads(write(tmp_path / "a.png", deep, after=[(b"eXIf", TURNED)]), np.rot90(values, -1))


def test_without_the_extra_the_upper_bits_are_read_or_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    path = write(tmp_path / "a.png", RGB.astype(np.uint16) * 257)
    assert_reads(path, RGB)
    assert "the upper 8 of its 16 bits were read" in str(read_photograph(path).notes[0])
    assert 'pip install -e ".[formats]"' in str(read_photograph(path).notes[0])
    path = write(tmp_path / "dark.png", RGB.astype(np.uint16) * 16, RGB_ALPHA - 4)
    with pytest.raises(ImageError, match=r'dark\.png needs a library that is not installed: .*pip install -e "\.\[formats\]"'):
        read_photograph(path)


@pytest.mark.parametrize("alpha", [0, 1])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_an_alpha_channel_that_hides_everything_is_warned_of(tmp_path, mode, alpha):
    if mode == "P":
        image = Image.fromarray(GREY).quantize(16)
        image.save(tmp_path / "a.png", transparency=bytes([alpha] * 256))
    else:
        image = Image.fromarray(RGB).convert(mode)
        image.putalpha(alpha)
        image.save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match=r"a\.png: its alpha channel hides all of it: it was read as white"):
        assert (read_image(tmp_path / "a.png") >= 254).all()


def test_a_palette_with_colours_of_its_own_alpha(tmp_path):
    cut_out = Image.fromarray(RGB)
    cut_out.putalpha(Image.fromarray(np.where(COLUMNS < 25, np.uint8(0), np.uint8(255))))
    small = cut_out.quantize(64)
    small.save(tmp_path / "a.png")
    for source in (tmp_path / "a.png", small):
        pixels = read_image(source)
        assert (pixels[:, :25] == 255).all()
        assert np.abs(pixels[:, 25:].astype(int) - RGB[:, 25:]).mean() < 20
