import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from basam.files import COLOURS, ImageError, distinct_colours, outline, overlay, read_image, write_image, write_mask
from basam.files.writing import replacing

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_exif_orientation_is_applied(tmp_path):
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png"), np.rot90(RGB, -1))


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "LA", "RGBA"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    suffix = ".tif" if mode in ("CMYK", "YCbCr") else ".png"
    image = Image.fromarray(RGB).convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    # Compressed: releases of Pillow before 13 do not read the uncompressed YCbCr TIFF that they write.
    image.save(tmp_path / f"a{suffix}", **({"compression": "tiff_lzw"} if suffix == ".tif" else {}))
    out = read_image(tmp_path / f"a{suffix}")
    assert out.shape == (20, 30, 3)
    assert out.dtype == np.uint8
    assert np.abs(out.astype(int) - np.asarray(image.convert("RGB")).astype(int)).max() <= 2


def test_alpha_lies_over_white(tmp_path):
    image = np.zeros((4, 6, 4), np.uint8)
    image[:, :3] = (200, 0, 0, 255)
    image[:, 3:, :3] = (0, 0, 255)  # blue, but fully transparent
    Image.fromarray(image).save(tmp_path / "a.png")
    out = read_image(tmp_path / "a.png")
    assert out[0, 0].tolist() == [200, 0, 0]
    assert out[0, 5].tolist() == [255, 255, 255]


def test_arrays_are_taken_as_they_are():
    assert read_image(RGB) is RGB


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (RGB.astype(np.float32), "image array of float32 from 0 to .*: floats must lie in 0 to 1"),
        (np.full((4, 4), np.nan), "image array of float64 from nan to nan: floats must lie in 0 to 1"),
        (RGB.astype(np.uint16), "image array of dtype uint16: uint8, or floats from 0 to 1, are needed"),
        (np.zeros((5, 6, 2), np.uint8), r"image array of shape \(5, 6, 2\): \(H, W\), "),
        (np.zeros((1, 3, 4, 5), np.uint8), r"image array of shape \(1, 3, 4, 5\): .* or \(C, H, W\) .*one image at a time"),
        (np.zeros((0, 4, 3), np.uint8), r"image array of shape \(0, 4, 3\) has no pixels"),
    ],
)
def test_other_arrays_are_refused(array, message):
    with pytest.raises(ValueError, match=message):
        read_image(array)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_may_be_first(channels):
    last = np.random.default_rng(0).integers(0, 256, (5, 6, channels), dtype=np.uint8)
    assert np.array_equal(read_image(np.moveaxis(last, 2, 0)), read_image(last))
    both = last.reshape(1, 30, channels)  # may be read both ways
    assert read_image(both).shape == (1, 30, 3)


def test_alpha_of_an_array_is_laid_over_white_and_warns_where_it_hides_everything():
    rgba = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)])
    with pytest.warns(UserWarning, match="alpha channel hides all of it"):
        assert (read_image(rgba) == 255).all()


def bomb(width, height):
    """A PNG header that claims width x height pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def test_files_that_are_no_images_are_named(tmp_path):
    jpeg = tmp_path / "whole.jpg"
    Image.fromarray(RGB).resize((300, 300)).save(jpeg)
    cases = {
        "text.jpg": (b"hello", "is not an image"),
        "empty.jpg": (b"", r"is empty \(0 bytes\)"),
        "cut.jpg": (jpeg.read_bytes()[:2000], "may be truncated"),
        "bomb.png": (bomb(60000, 60000), "decompression bomb"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=rf"{name}.*{message}"):
            read_image(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"none\.jpg: no such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(ValueError, match="image is a int"):
        read_image(3)


def test_masks_and_overlays_come_back(tmp_path):
    mask = np.zeros((20, 30), bool)
    mask[5:15, 8:20] = True
    write_mask(tmp_path / "deep" / "m.png", mask)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "deep" / "m.png")), mask.astype(np.uint8) * 255)
    tinted = overlay(RGB, mask[None])
    assert np.array_equal(tinted[~mask], RGB[~mask])
    assert (tinted[5, 8:20] == 255).all()  # outline
    assert (tinted[8, 10] != RGB[8, 10]).any()
    write_image(tmp_path / "o.jpg", tinted)
    assert Image.open(tmp_path / "o.jpg").size == (30, 20)
    assert outline(mask, 1).sum() == 2 * (10 + 12) - 4


def test_boxes_that_touch_have_different_colours():
    boxes = [(0, 0, 10, 10), *[(40 * k, 200, 40 * k + 5, 210) for k in range(5)], (10, 0, 20, 10), (5, 10, 15, 20)]
    colours = distinct_colours(boxes)
    assert colours[:6] == list(range(6))
    assert len({colours[0], colours[6], colours[7]}) == 3
    assert distinct_colours(boxes) == colours
    assert set(distinct_colours([(0, 0, 9, 9)] * 12)) == set(range(len(COLOURS)))


def test_the_number_of_a_mask_is_drawn_on_it():
    photo, masks = np.full((200, 300, 3), 90, np.uint8), np.zeros((2, 200, 300), bool)
    masks[0, 20:80, 20:280] = masks[1, 120:180, 20:280] = True
    first, other, bare = (overlay(photo, masks, numbers=numbers) for numbers in ((1, 2), (1, 8), None))
    rows = np.flatnonzero((first != other).any((1, 2)))
    assert rows.min() >= 120
    assert (first[20:80] != bare[20:80]).any()
    assert np.array_equal(first[~masks.any(0)], photo[~masks.any(0)])


def test_an_existing_file_is_never_half_overwritten(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("before")

    def break_off():
        with replacing(file) as temporary:
            temporary.write_text("half")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        break_off()
    assert file.read_text() == "before"
    assert os.listdir(tmp_path) == ["a.txt"]
    with replacing(file) as temporary:
        temporary.write_text("after")
    assert file.read_text() == "after"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write to the folder .*file"):
        write_mask(tmp_path / "file" / "m.png", np.zeros((2, 2), bool))
