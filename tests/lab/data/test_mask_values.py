"""Mask files of every depth and kind: values as they were stored, alpha channels, several pictures in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from basam.lab.data import MaskRule, SampleError
from basam.lab.data.mask_rules import read_objects

TRUTH = np.zeros((24, 32), dtype=bool)
TRUTH[6:16, 8:25] = True
GREY = TRUTH * np.uint8(255)
WHITE = np.full_like(GREY, 255)


def read(path: Path, rule: str | None = None) -> tuple[np.ndarray, list[str]]:
    content = read_objects(path, None if rule is None else MaskRule.parse(rule))
    return np.any([each.mask for each in content.instances], axis=0), [issue.problem for issue in content.issues]


def saved(folder: Path, values: np.ndarray | Image.Image, suffix: str = "png", **options: object) -> Path:
    image = values if isinstance(values, Image.Image) else Image.fromarray(values)
    path = folder / f"x.{suffix}"
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("values", "suffix", "notes"),
    [
        (TRUTH, "png", []),
        (GREY, "png", []),
        (GREY, "bmp", []),
        (GREY, "gif", []),
        (GREY, "pgm", []),
        (GREY, "webp", []),
        (TRUTH * np.uint8(1), "png", ["zero-one-mask"]),
        (TRUTH * np.uint8(2), "png", ["two-value-mask"]),
        (TRUTH * np.uint8(100), "png", ["two-value-mask"]),
        (TRUTH * np.uint16(255), "png", []),
        (TRUTH * np.uint16(65535), "png", []),
        (TRUTH * np.uint16(1), "png", ["zero-one-mask"]),
        (TRUTH * np.uint16(4095), "png", ["two-value-mask"]),
        (TRUTH * np.int32(255), "tif", []),
        (TRUTH * np.int32(65535), "tif", []),
        (TRUTH * np.float32(1), "tif", ["zero-one-mask"]),
        (TRUTH * np.float32(255), "tif", []),
        (TRUTH * np.float32(0.6), "tif", ["two-value-mask"]),
        (np.dstack([GREY] * 3), "png", []),
        (np.dstack([GREY, GREY * 0, GREY * 0]), "png", []),
    ],
    ids=lambda value: f"{value.dtype}-{value.max()}" if isinstance(value, np.ndarray) else str(value),
)
def test_two_values_are_an_object_and_nothing(tmp_path: Path, values: np.ndarray, suffix: str, notes: list[str]) -> None:
    path = saved(tmp_path, values, suffix, **({"lossless": True} if suffix == "webp" else {}))
    for rule in (None, "nonzero", "threshold"):
        mask, found = read(path, rule)
        assert np.array_equal(mask, TRUTH)
        assert found == ([] if rule == "nonzero" else notes)


def test_unsigned_32_bits_and_bits_fewer_than_eight(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "u.tif", TRUTH * np.uint32(0xFFFFFFFF))
    mask, notes = read(tmp_path / "u.tif")
    assert np.array_equal(mask, TRUTH)
    assert not notes


@pytest.mark.parametrize("bits", [2, 4])
def test_labels_in_few_bits_are_not_spread_over_eight(tmp_path: Path, bits: int) -> None:
    labels = TRUTH * np.uint8(2)
    labels[0, :3] = 1
    per_byte = 8 // bits
    packed = sum(labels[:, place::per_byte].astype(int) << (8 - bits * (place + 1)) for place in range(per_byte))
    path = tmp_path / "x.png"
    path.write_bytes(png(packed.astype(np.uint8), 32, 24, bits))
    assert np.asarray(Image.open(path)).max() > 2, "Pillow spreads them"
    assert np.array_equal(read(path, "label=2")[0], TRUTH)
    assert read(path, "label=1")[0].sum() == 3


def png(rows: np.ndarray, width: int, height: int, bits: int) -> bytes:
    """A grey PNG of packed rows."""
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def palette(index: np.ndarray, colours: list[tuple[int, int, int]], **info: int) -> Image.Image:
    image = Image.fromarray(index.astype(np.uint8), "P")
    image.putpalette([channel for colour in colours for channel in colour])
    image.info |= info
    return image


def test_palettes_of_black_and_white_and_of_one_colour(tmp_path: Path) -> None:
    for index, colours in (
        (TRUTH, [(0, 0, 0), (255, 255, 255)]),
        (~TRUTH, [(255, 255, 255), (0, 0, 0)]),
        (TRUTH, [(0, 0, 0), (200, 30, 0)]),
        (~TRUTH, [(200, 30, 0), (0, 0, 0)]),
    ):
        mask, notes = read(saved(tmp_path, palette(index, colours)))
        assert np.array_equal(mask, TRUTH), colours
        assert not notes


@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack"])
@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_files_in_which_0_is_white(tmp_path: Path, photometric: str, dtype: type, top: int) -> None:
    tifffile = pytest.importorskip("tifffile")
    shown = ~TRUTH if photometric == "miniswhite" else TRUTH
    tifffile.imwrite(tmp_path / "x.tif", (shown * top).astype(dtype), photometric=photometric)
    assert np.array_equal(read(tmp_path / "x.tif")[0], TRUTH)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("mode", ["L", "P", "I;16", "LA"])
def test_turned_files_are_turned_upright(tmp_path: Path, orientation: int, mode: str) -> None:
    turned = {5: TRUTH.T, 6: np.rot90(TRUTH, -1), 7: np.rot90(TRUTH.T, 2), 8: np.rot90(TRUTH, 1)}[orientation]
    image = Image.fromarray(TRUTH * np.uint16(65535)) if mode == "I;16" else Image.fromarray(GREY).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, image, "tif", exif=exif)
    assert np.array_equal(read(path)[0], turned)


@pytest.mark.parametrize(
    "image",
    [
        np.dstack([WHITE, WHITE, WHITE, GREY]),
        np.dstack([WHITE, GREY]),
        np.dstack([GREY * 0, GREY * 0, GREY * 0, GREY]),
        np.dstack([WHITE * 0 + 200, WHITE * 0 + 20, WHITE * 0, GREY // 2]),
        np.dstack([GREY, GREY, GREY, GREY]),
        palette(TRUTH, [(255, 255, 255), (255, 255, 255)], transparency=0),
        palette(TRUTH, [(9, 9, 9), (200, 0, 0)], transparency=0),
    ],
    ids=["white", "grey", "black", "half-transparent", "both", "palette", "palette-of-colours"],
)
def test_a_mask_in_the_alpha_channel(tmp_path: Path, image: np.ndarray | Image.Image) -> None:
    for rule in (None, "nonzero", "threshold"):
        mask, notes = read(saved(tmp_path, image), rule)
        assert np.array_equal(mask, TRUTH)
        assert notes[-1:] == ["alpha-mask"]


def test_a_photograph_cut_out_by_its_alpha_channel(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (*TRUTH.shape, 3), dtype=np.uint8)
    mask, notes = read(saved(tmp_path, np.dstack([photo, GREY])))
    assert np.array_equal(mask, TRUTH)
    assert notes == ["alpha-mask"]


def test_an_alpha_channel_that_says_nothing_is_dropped(tmp_path: Path) -> None:
    for opacity in (255, 128, 0):
        mask, notes = read(saved(tmp_path, np.dstack([GREY, GREY, GREY, WHITE * 0 + np.uint8(opacity)])))
        assert np.array_equal(mask, TRUTH)
        assert not notes


def test_colours_and_alpha_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    other = np.roll(GREY, 5, axis=1)
    for image in (np.dstack([GREY, 255 - GREY]), np.dstack([GREY, GREY, GREY, other])):
        with pytest.raises(SampleError, match=r"x\.png: mask cannot be read \(its colours and its alpha channel say different"):
            read(saved(tmp_path, image))


def test_pixels_without_a_value_count_nowhere(tmp_path: Path) -> None:
    values = TRUTH.astype(np.float32)
    values[0, :5] = np.nan
    mask, notes = read(saved(tmp_path, values, "tif"))
    assert np.array_equal(mask, TRUTH)
    assert "no-value" in notes
    values[:] = np.nan
    with pytest.raises(SampleError, match="no pixel holds a finite number"):
        read(saved(tmp_path, values, "tif"))


def test_of_several_pictures_the_largest_is_read(tmp_path: Path) -> None:
    small = Image.fromarray(GREY).resize((8, 6))
    path = tmp_path / "x.tif"
    small.save(path, save_all=True, append_images=[Image.fromarray(GREY)])
    assert np.array_equal(read(path)[0], TRUTH)
    Image.fromarray(GREY).save(path, save_all=True, append_images=[Image.fromarray(255 - GREY)])
    with pytest.raises(SampleError, match="it holds 2 pictures of 32 x 24: keep one mask a file"):
        read(path)
