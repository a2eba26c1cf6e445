"""TIFF of every kind comes out as it is: the right value of every pixel, whatever the layout."""

import itertools
import struct
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from basam.files import ImageError, picture_size, read_image, read_photograph

ROWS, COLUMNS = np.mgrid[0:36, 0:50]
# Smooth, without a symmetry, from black to white.
RGB = np.dstack([COLUMNS * 255 // 49, ROWS * 255 // 35, (COLUMNS + ROWS) * 255 // 84]).astype(np.uint8)
RGB[2:9, 4:20] = (255, 255, 255)
GREY = RGB[..., 2]
TURNS = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x, 1),
}


def save(path, values, *, orientation=1, tags=(), **options):
    extra = [(274, "H", 1, orientation, True), *tags]
    tifffile.imwrite(path, values, extratags=extra, metadata=options.pop("metadata", None), **options)
    return path


def assert_reads(path, expected, tolerance=1):
    got = read_photograph(path).pixels.astype(int)
    expected = np.repeat(expected[..., None], 3, 2) if expected.ndim == 2 else expected
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= tolerance


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "I", "F"])
def test_uncompressed_and_turned_in_every_mode(tmp_path, mode, orientation):
    if mode.startswith("I;16"):
        image = Image.fromarray(GREY.astype(np.uint16) * 257)
        image = image if mode == "I;16" else Image.frombytes("I;16B", image.size, np.asarray(image).astype(">u2").tobytes())
    elif mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(Image.fromarray(RGB), *profiles, outputMode="LAB")
    elif mode in ("I", "F"):
        image = Image.fromarray(GREY.astype(np.int32) * 257 if mode == "I" else GREY.astype(np.float32) / 255)
    else:
        image = Image.fromarray(RGB).convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    exif = Image.Exif()
    exif[274] = orientation
    image.save(tmp_path / "upright.tif")
    image.save(tmp_path / "turned.tif", exif=exif)
    upright = read_photograph(tmp_path / "upright.tif").pixels
    expected = Image.fromarray(GREY).convert("RGB") if mode[0] in "IF" else Image.fromarray(RGB) if mode == "LAB" else image
    assert np.abs(upright.astype(int) - np.asarray(expected.convert("RGB"))).mean() < 3
    assert_reads(tmp_path / "turned.tif", TURNS[orientation](upright), 0)
    height, width = TURNS[orientation](GREY).shape
    assert picture_size(tmp_path / "turned.tif") == (width, height)
    # Also where somebody has opened it with Pillow, by its name.
    assert np.array_equal(read_image(Image.open(tmp_path / "turned.tif")), TURNS[orientation](upright))


def test_ycbcr_that_does_not_say_that_it_is_not_subsampled(tmp_path):
    """Without the tag, whose default is 2 x 2."""
    image = Image.fromarray(RGB).convert("YCbCr")
    image.save(tmp_path / "one.tif")
    content = (tmp_path / "one.tif").read_bytes()
    start = int.from_bytes(content[4:8], "little")
    count = int.from_bytes(content[start : start + 2], "little")
    tags = [content[start + 2 + 12 * index :][:12] for index in range(count)]
    kept = [tag for tag in tags if int.from_bytes(tag[:2], "little") != 530]
    new = len(kept).to_bytes(2, "little") + b"".join(kept) + bytes(4)
    place = len(content) + len(content) % 2
    (tmp_path / "two.tif").write_bytes(content[:4] + place.to_bytes(4, "little") + content[8:].ljust(place - 8, b"\0") + new)
    assert_reads(tmp_path / "two.tif", np.asarray(image.convert("RGB")))


KINDS = [(np.uint8, 255), (np.uint16, 65535), (np.uint32, 65535), (np.float16, 1), (np.float32, 1), (np.float64, 1)]


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(("dtype", "white"), KINDS)
def test_grey_of_every_depth_with_0_as_black_or_white(tmp_path, dtype, white, byteorder, compression):
    scaled = GREY / 255 * white
    stored = scaled.astype(dtype) if white == 1 else np.rint(scaled).astype(dtype)
    for (photometric, values), orientation, tile in itertools.product(
        (("minisblack", stored), ("miniswhite", (white - stored).astype(dtype))), (1, 7), (None, (16, 32))
    ):
        options = {"photometric": photometric, "byteorder": byteorder, "compression": compression, "tile": tile}
        save(tmp_path / "a.tif", values, orientation=orientation, **options)
        assert_reads(tmp_path / "a.tif", TURNS[orientation](GREY))


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("extra", [None, "unassalpha", "assocalpha", "unspecified"])
@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_colours_of_every_depth_and_planar_configuration(tmp_path, dtype, white, extra, planar, compression):
    values = (RGB / 255 * white).astype(dtype) if white == 1 else np.rint(RGB / 255 * white).astype(dtype)
    if extra:
        values = np.dstack([values, np.full(GREY.shape, white, dtype)])
    stored = np.ascontiguousarray(np.moveaxis(values, 2, 0)) if planar == "separate" else values
    for byteorder, orientation, tile in itertools.product("<>", (1, 6), (None, (16, 32))):
        options = {"photometric": "rgb", "planarconfig": planar, "byteorder": byteorder, "tile": tile}
        options |= {"compression": compression, "extrasamples": [extra] if extra else None}
        save(tmp_path / "a.tif", stored, orientation=orientation, **options)
        assert_reads(tmp_path / "a.tif", TURNS[orientation](RGB))


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_without_the_extra_a_page_is_read_rightly_or_the_extra_is_named(tmp_path, monkeypatch, byteorder, compression):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    read, refused, reasons = [], [], []
    for (dtype, white), values, planar, orientation in itertools.product(KINDS, (GREY, RGB), ("contig", "separate"), (1, 6)):
        stored = (values / 255 * white).astype(dtype) if white == 1 else np.rint(values / 255 * white).astype(dtype)
        stored = np.ascontiguousarray(np.moveaxis(stored, 2, 0)) if planar == "separate" and values.ndim == 3 else stored
        options = {
            "photometric": "rgb" if values.ndim == 3 else "minisblack",
            "byteorder": byteorder,
            "compression": compression,
        }
        options |= {"planarconfig": planar} if values.ndim == 3 else {}
        save(tmp_path / "a.tif", stored, orientation=orientation, **options)
        kind = np.dtype(dtype).name, values.ndim, planar
        try:
            assert_reads(tmp_path / "a.tif", TURNS[orientation](values))
            read.append(kind)
        except ImageError as error:
            refused.append(kind)
            reasons.append(str(error))
    assert {("uint8", 3, "separate"), ("uint16", 2, "contig"), ("uint16", 3, "contig")} <= set(read)
    assert {("float16", 2, "contig"), ("float32", 3, "contig"), ("uint16", 3, "separate")} <= set(refused)
    assert all('pip install -e ".[formats]"' in reason for reason in reasons)


def test_alpha_of_deep_colours_lies_over_white(tmp_path):
    alpha = np.full(GREY.shape, 65535, np.uint16)
    alpha[:10] = 0
    alpha[10:20] = 32768
    expected = RGB.astype(float)
    expected[:10] = 255
    expected[10:20] = (expected[10:20] + 255) / 2
    deep = RGB.astype(np.uint16) * 257
    for kind, colours in (("unassalpha", deep), ("assocalpha", (deep * (alpha[..., None] / 65535)).astype(np.uint16))):
        save(tmp_path / "a.tif", np.dstack([colours, alpha]), photometric="rgb", extrasamples=[kind])
        assert_reads(tmp_path / "a.tif", expected, 2)
    save(tmp_path / "a.tif", np.dstack([deep, alpha * 0]), photometric="rgb", extrasamples=["unassalpha"])
    assert [note.kind for note in read_photograph(tmp_path / "a.tif").notes] == ["hidden"]


def test_deep_cmyk_and_palettes(tmp_path):
    cmyk = np.dstack([255 - RGB, np.zeros_like(GREY)])
    save(tmp_path / "a.tif", cmyk.astype(np.uint16) * 257, photometric="separated")
    assert_reads(tmp_path / "a.tif", RGB)
    colours = np.stack([np.arange(256), np.arange(256)[::-1], np.full(256, 30)]).astype(np.uint16)
    for scale in (257, 1):  # of 16 bits, as the standard has it, and of 8, as some write them
        save(tmp_path / "a.tif", GREY, photometric="palette", colormap=colours * scale)
        assert_reads(tmp_path / "a.tif", colours.T[GREY])
    wide = np.zeros((3, 65536), np.uint16)
    wide[:, :256] = colours * 257
    save(tmp_path / "a.tif", GREY.astype(np.uint16), photometric="palette", colormap=wide)
    assert_reads(tmp_path / "a.tif", colours.T[GREY])


def test_bands_that_are_no_colours_are_named(tmp_path):
    save(tmp_path / "a.tif", np.dstack([RGB, GREY, GREY]), photometric="minisblack", planarconfig="contig")
    assert_reads(tmp_path / "a.tif", RGB, 0)
    assert "the first three of its 5 bands" in str(read_photograph(tmp_path / "a.tif").notes[0])
    save(
        tmp_path / "b.tif",
        np.dstack([GREY, RGB[..., 0]]).astype(np.uint16) * 257,
        photometric="minisblack",
        planarconfig="contig",
    )
    assert_reads(tmp_path / "b.tif", GREY)
    assert "its first band was taken" in str(read_photograph(tmp_path / "b.tif").notes[0])


def packed(values, bits):
    """Rows of samples of `bits` bits, each row filled up to whole bytes."""
    rows = ("".join(format(int(value), f"0{bits}b") for value in row) for row in values)
    return b"".join(int(row.ljust(-(-len(row) // 8) * 8, "0"), 2).to_bytes(-(-len(row) // 8), "big") for row in rows)


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [4, 10, 12, 14])
def test_samples_packed_to_their_bits(tmp_path, bits, photometric):
    values = np.rint(GREY / 3 / 255 * (2**bits - 1)).astype(int)  # the brightest is no hint at the depth
    data = packed(values if photometric else 2**bits - 1 - values, bits)
    height, width = GREY.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 200, 277: 1, 278: height, 279: len(data)}
    head = (
        b"II*\0"
        + struct.pack("<IH", 8, len(tags))
        + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    )
    (tmp_path / "a.tif").write_bytes(head.ljust(200, b"\0") + data)
    assert_reads(tmp_path / "a.tif", np.rint(values * 255 / (2**bits - 1)))
    assert read_photograph(tmp_path / "a.tif").notes == ()


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("values", [GREY, RGB], ids=["grey", "colour"])
def test_fewer_bits_in_16_are_scaled_by_what_the_file_says(tmp_path, values, bits):
    deep = np.rint(values / 3 / 255 * (2**bits - 1)).astype(np.uint16)
    photometric = "rgb" if values.ndim == 3 else "minisblack"
    count = values.shape[2] if values.ndim == 3 else 1
    highest = (281, "H", count, (2**bits - 1,) * count if count > 1 else 2**bits - 1, True)
    save(tmp_path / "a.tif", deep, photometric=photometric, tags=[highest])
    assert_reads(tmp_path / "a.tif", np.rint(values / 3))
    assert read_photograph(tmp_path / "a.tif").notes == ()
    tifffile.imwrite(tmp_path / "a.ome.tif", deep, photometric=photometric, metadata={"SignificantBits": bits})
    assert_reads(tmp_path / "a.ome.tif", np.rint(values / 3))


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_where_the_file_says_nothing_the_smallest_depth_is_taken_and_noted(tmp_path, bits):
    deep = np.rint(RGB / 255 * (2**bits - 1)).astype(np.uint16)
    save(tmp_path / "a.tif", deep, photometric="rgb")
    assert_reads(tmp_path / "a.tif", RGB)
    save(tmp_path / "b.tif", 2**bits - 1 - deep[..., 2], photometric="miniswhite")
    assert_reads(tmp_path / "b.tif", GREY)
    for name in ("a.tif", "b.tif"):
        (note,) = read_photograph(tmp_path / name).notes
        assert note.kind == "chosen-range"
        assert str(note) == f"whole numbers up to {2**bits - 1} were taken as {bits} bits"
    with pytest.warns(UserWarning, match=rf"a\.tif: whole numbers up to .* {bits} bits"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(("odd", "shown"), [(np.nan, 0), (np.inf, 255), (-np.inf, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_that_are_no_numbers_do_not_decide_the_range(tmp_path, dtype, odd, shown):
    ramp = np.tile(np.linspace(0, 1, 64, dtype=dtype), (40, 1))
    for factor in (1, 70):
        values = ramp * factor
        values[0, 5] = odd
        save(tmp_path / "a.tif", values)
        pixels = read_photograph(tmp_path / "a.tif").pixels[..., 0]
        assert pixels[0, 5] == shown
        assert np.abs(pixels[1].astype(int) - np.rint(ramp[1] * 255)).max() <= 1
        colours = np.dstack([ramp * factor] * 3)
        colours[0, 5, 1] = odd
        save(tmp_path / "a.tif", colours, photometric="rgb")
        pixels = read_photograph(tmp_path / "a.tif").pixels
        assert np.abs(pixels[1, :, 0].astype(int) - np.rint(ramp[1] * 255)).max() <= 1


@pytest.mark.parametrize(
    ("nodata", "dtype"),
    [
        ("-9999", np.float32),
        ("-3.4028234663852886e+38", np.float32),
        ("nan", np.float64),
        ("-32768", np.int16),
        ("0", np.uint16),
        ("65535", np.uint16),
        ("255", np.uint8),
    ],
)
def test_nodata_is_black_and_does_not_decide_the_range(tmp_path, nodata, dtype):
    values = np.tile(np.linspace(20, 120, 64), (40, 1)).astype(dtype)
    values[:10] = dtype(float(nodata))
    save(tmp_path / "a.tif", values, tags=[(42113, "s", 0, nodata, True)])
    pixels = read_photograph(tmp_path / "a.tif").pixels[..., 0]
    assert (pixels[:10] == 0).all()
    ends = (20, 120) if np.dtype(dtype).kind == "u" else (0, 255)
    assert (pixels[20, 0], pixels[20, -1]) == ends
    save(tmp_path / "a.tif", values, photometric="miniswhite", tags=[(42113, "s", 0, nodata, True)])
    turned = read_photograph(tmp_path / "a.tif").pixels[..., 0]
    assert (turned[:10] == 0).all()
    assert np.abs(turned[20:].astype(int) - (255 - pixels[20:])).max() <= 1


def test_nodata_of_8_bit_colours_is_black(tmp_path):
    values = RGB.copy()
    values[:10] = 250
    save(tmp_path / "a.tif", values, photometric="rgb", tags=[(42113, "s", 0, "250", True)])
    expected = values.copy()
    expected[:10] = 0
    assert_reads(tmp_path / "a.tif", expected, 0)


@pytest.mark.parametrize("values", [np.full((8, 9), np.nan, np.float32), np.full((8, 9), -9999, np.float32)])
def test_a_picture_without_data_is_refused(tmp_path, values):
    save(tmp_path / "a.tif", values, tags=[(42113, "s", 0, "-9999", True)])
    with pytest.raises(ImageError, match=r"a\.tif shows nothing: every pixel"):
        read_photograph(tmp_path / "a.tif")


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_the_full_size_page_is_taken_wherever_it_is(tmp_path, big, byteorder, dtype, compression):
    full = RGB.astype(dtype) * (257 if dtype == np.uint16 else 1)
    small = full[::4, ::4]
    orders = {"first": [full, small], "last": [small, full], "between": [small, full, small]}
    for name, pages in orders.items():
        with tifffile.TiffWriter(tmp_path / f"{name}.tif", bigtiff=big, byteorder=byteorder) as writer:
            for page in pages:
                writer.write(page, photometric="rgb", compression=compression, subfiletype=int(page is small), metadata=None)
    with tifffile.TiffWriter(tmp_path / "below.dng", bigtiff=big, byteorder=byteorder) as writer:
        writer.write(small, photometric="rgb", subfiletype=1, subifds=1)
        writer.write(full, photometric="rgb", compression=compression)
    for name in (*(f"{name}.tif" for name in orders), "below.dng"):
        assert_reads(tmp_path / name, RGB)
        assert picture_size(tmp_path / name) == (50, 36)
        (note,) = read_photograph(tmp_path / name).notes
        assert note.kind == "several-pictures"
        assert "50 x 36 px, was taken; left: a reduced copy of 13 x 9 px" in str(note)


def test_pages_of_one_size_the_first_is_taken_and_named(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in (RGB, 255 - RGB, np.zeros((37, 50, 3), np.uint8)):
            writer.write(page, photometric="rgb", metadata=None)
    assert_reads(tmp_path / "a.tif", RGB, 0)
    assert "it holds 3 pictures: number 1, 50 x 36 px, was taken" in str(read_photograph(tmp_path / "a.tif").notes[0])


def test_raw_sensor_data_is_never_taken_for_a_picture(tmp_path):
    raw = np.rint(np.kron(GREY, np.ones((2, 2))) * 16).astype(np.uint16)
    for name, preview in (("good.dng", RGB), ("thumb.dng", RGB[::4, ::4]), ("none.dng", None)):
        with tifffile.TiffWriter(tmp_path / name) as writer:
            if preview is not None:
                writer.write(preview, photometric="rgb", subfiletype=1, subifds=1)
            writer.write(raw, photometric="cfa", subfiletype=0)
    assert_reads(tmp_path / "good.dng", RGB, 0)
    assert "left: raw sensor data of 100 x 72 px" in str(read_photograph(tmp_path / "good.dng").notes[0])
    with pytest.raises(ImageError, match=r"thumb\.dng holds raw sensor data of 100 x 72 px, .* thumbnail of 13 x 9 px"):
        read_photograph(tmp_path / "thumb.dng")
    with pytest.raises(ImageError, match=r"none\.dng holds raw sensor data, and no picture"):
        read_photograph(tmp_path / "none.dng")


def test_what_means_nothing_known_is_refused_by_name(tmp_path):
    save(tmp_path / "a.tif", GREY + 1j)
    with pytest.raises(ImageError, match=r"a\.tif is a TIFF of a kind that is not read: .*sample format 6, 128 bits"):
        read_photograph(tmp_path / "a.tif")
    save(tmp_path / "a.tif", RGB, photometric="icclab")
    with pytest.raises(ImageError, match="photometric interpretation 9"):
        read_photograph(tmp_path / "a.tif")
    whole = save(tmp_path / "b.tif", RGB.astype(np.uint16), photometric="rgb", compression="zlib").read_bytes()
    for length in (6, 20, 100, len(whole) - 200):
        (tmp_path / "b.tif").write_bytes(whole[:length])
        with pytest.raises(ImageError, match=r"b\.tif cannot be read, it may be truncated: "):
            read_photograph(tmp_path / "b.tif")


def test_a_chain_of_pages_that_bites_its_tail_ends(tmp_path):
    data = bytearray(save(tmp_path / "a.tif", RGB, photometric="rgb").read_bytes())
    count = struct.unpack_from("<H", data, struct.unpack_from("<I", data, 4)[0])[0]
    start = struct.unpack_from("<I", data, 4)[0]
    struct.pack_into("<I", data, start + 2 + 12 * count, start)
    (tmp_path / "a.tif").write_bytes(data)
    assert_reads(tmp_path / "a.tif", RGB, 0)
