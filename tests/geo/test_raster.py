"""Rasters of all kinds: what is read, in which colours, and what is refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from basam.errors import MissingExtraError, MissingFileError
from basam.files import ImageError
from basam.geo import open_raster
from tests.geo.truth import PLACE

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 40, 60), dtype=np.uint8)


@pytest.fixture
def save(tmp_path):
    def write(values, *, mask=None, colours=None, palette=None, gcps=None, **more):
        options = {"driver": "GTiff", "crs": "EPSG:32633", "transform": PLACE, "dtype": values.dtype} | more
        count, height, width = values.shape
        with rasterio.open(tmp_path / "a.tif", "w", height=height, width=width, count=count, **options) as file:
            if colours is not None:
                file.colorinterp = colours
            if palette is not None:
                file.write_colormap(1, palette)
            if gcps is not None:
                file.gcps = gcps, file.crs
            file.write(values)
            if mask is not None:
                file.write_mask(mask)
        return tmp_path / "a.tif"

    return write


def whole(raster):
    with raster.reading() as reader:
        return reader.window(0, 0, *raster.size)


def test_bytes_stay_as_they_are_in_every_window(save):
    raster = open_raster(save(PIXELS[:3]))
    assert raster.size == (60, 40)
    rgb, valid = whole(raster)
    assert np.array_equal(rgb, PIXELS[:3].transpose(1, 2, 0))
    assert valid.all()
    with raster.reading() as reader:
        part, _ = reader.window(10, 20, 35, 39)
    assert np.array_equal(part, rgb[20:39, 10:35])


def test_one_band_is_grey_and_a_palette_has_its_colours(save):
    rgb, _ = whole(open_raster(save(PIXELS[:1])))
    assert np.array_equal(rgb, np.repeat(PIXELS[0][..., None], 3, axis=2))
    colours = {value: (value, 255 - value, 7, 255) for value in range(256)}
    rgb, _ = whole(open_raster(save(PIXELS[:1], palette=colours)))
    assert np.array_equal(rgb[..., 1], 255 - PIXELS[0])
    assert (rgb[..., 2] == 7).all()


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "float64", "int32"])
def test_deeper_samples_are_spread_by_percentiles_of_the_whole_scene(save, dtype):
    values = (PIXELS[:3].astype(np.int64) * 100 - 3000 * (dtype != "uint16")).astype(dtype)
    raster = open_raster(save(values))
    rgb, _ = whole(raster)
    for band in range(3):
        low, high = np.percentile(values[band], [2, 98])
        expected = np.rint(np.clip((values[band].astype(float) - low) / (high - low), 0, 1) * 255)
        assert np.abs(rgb[..., band] - expected).max() <= 1
    with raster.reading() as reader:  # a window has no percentiles of its own
        assert np.array_equal(reader.window(0, 0, 9, 9)[0], rgb[:9, :9])


def test_pixels_without_data_are_black_and_count_nowhere(save):
    values = PIXELS[:3].astype(np.float32)
    values[:, :5] = -9999
    values[1, 7, 8] = np.nan
    raster = open_raster(save(values, nodata=-9999))
    rgb, valid = whole(raster)
    expected = np.ones((40, 60), dtype=bool)
    expected[:5] = expected[7, 8] = False
    assert np.array_equal(valid, expected)
    assert not rgb[~valid].any()
    assert raster.colours.limits[0] == pytest.approx(np.percentile(values[0][expected], [2, 98]))
    with pytest.raises(ImageError, match=r"a\.tif shows nothing"):
        open_raster(save(np.full((1, 40, 60), np.nan, dtype=np.float32)))


RGBA = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]


def test_transparency_is_no_band(save):
    alpha = PIXELS.copy()
    alpha[3] = 255
    alpha[:, :, :4] = 0
    raster = open_raster(save(alpha, colours=RGBA))
    assert raster.bands == (1, 2, 3)
    assert not whole(raster)[1][:, :4].any()
    assert whole(raster)[1][:, 4:].all()
    assert raster.notes == ()
    looked_at = open_raster(save(alpha, colours=RGBA), (4, 2, 1))
    assert looked_at.notes == ()
    assert whole(looked_at)[1].all()
    reverse = [ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    assert open_raster(save(PIXELS[:3], colours=reverse)).bands == (3, 2, 1)


@pytest.mark.parametrize("bands", [None, (1, 2, 3), (3,)])
def test_transparency_over_a_picture_is_noted(save, bands):
    alpha = PIXELS.copy()
    alpha[3] = 255
    alpha[3, :, :15] = 0
    raster = open_raster(save(alpha, colours=RGBA), bands)
    assert not whole(raster)[1][:, :15].any()
    (note,) = raster.notes
    assert note.kind == "hidden"
    assert "band 4" in str(note)
    assert "25%" in str(note)


INFRARED = {
    "water and shade are 0": np.where(PIXELS[3] > 240, 90, 0),
    "vegetation": np.maximum(PIXELS[3], 1),
    "some of it is 0": np.where(PIXELS[0] < 60, 0, PIXELS[3]),
    "saturated here and there": np.where(PIXELS[3] > 200, 255, PIXELS[3] // 4),
}


@pytest.mark.parametrize("name", INFRARED)
@pytest.mark.parametrize("bands", [None, (1, 2, 3)])
def test_near_infrared_in_the_fourth_band_hides_nothing(save, name, bands):
    values = np.concatenate([PIXELS[:3], INFRARED[name][None].astype(np.uint8)])
    raster = open_raster(save(values), bands)  # rasterio marks the fourth band as alpha
    rgb, valid = whole(raster)
    assert valid.all()
    assert np.array_equal(rgb, values[:3].transpose(1, 2, 0))
    assert "near infrared" in str(raster.notes[0])


def test_nodata_counts_beside_near_infrared(save):
    values = np.concatenate([PIXELS[:3], INFRARED["water and shade are 0"][None].astype(np.uint8)])
    values[:3, :, :7] = 0
    values[:3, :, 7:] = np.maximum(values[:3, :, 7:], 1)
    valid = whole(open_raster(save(values, nodata=0)))[1]
    assert np.array_equal(valid.any(axis=0), np.arange(60) >= 7)


def test_the_soft_edge_of_a_mosaic_is_transparency(save):
    values = PIXELS.copy()
    values[3] = np.clip((np.arange(60) - 10) * 8, 0, 255)
    values[:3, :, :11] = 0
    raster = open_raster(save(values, colours=RGBA))
    assert np.array_equal(whole(raster)[1].any(axis=0), np.arange(60) > 10)
    assert raster.notes == ()


def test_red_green_and_blue_are_taken_of_more_bands_where_they_are_named(save):
    raster = open_raster(save(PIXELS.astype(np.uint16), photometric="RGB"))
    assert raster.bands == (1, 2, 3)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("count", [1, 3])
def test_samples_of_fewer_bits_reach_white(save, bits, count):
    values = PIXELS[:count] >> (8 - bits)
    rgb, _ = whole(open_raster(save(values, nbits=bits)))
    expected = np.rint(values * (255 / (2**bits - 1)))
    assert np.array_equal(rgb, np.broadcast_to(expected.transpose(1, 2, 0), (40, 60, 3)))


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_bytes_whose_0_is_white_are_turned_round(save, bits):
    values = PIXELS[:1] >> (8 - bits)
    rgb, _ = whole(open_raster(save(values, nbits=bits, photometric="MINISWHITE")))
    assert np.array_equal(rgb[..., 0], 255 - np.rint(values[0] * (255 / (2**bits - 1))))


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int16"])
def test_deeper_samples_whose_0_is_white_are_turned_round(save, dtype):
    values = PIXELS[:1].astype(dtype) * 100
    negative, _ = whole(open_raster(save(values, photometric="MINISWHITE")))
    plain, _ = whole(open_raster(save(values)))
    assert np.abs(255 - negative.astype(int) - plain).max() <= 1


def test_bands_are_chosen(save):
    path = save(PIXELS, photometric="MINISBLACK")
    rgb, _ = whole(open_raster(path, (4, 2, 1)))
    assert np.array_equal(rgb, PIXELS[[3, 1, 0]].transpose(1, 2, 0))
    with pytest.raises(ImageError, match=r"a\.tif has 4 bands: choose three of them \(--bands 3,2,1\) or one \(--bands 1\)"):
        open_raster(path)
    for wrong in ((5,), (1, 2), (0, 1, 2)):
        with pytest.raises(ImageError, match=r"bands 1 to 4: bands .* \(--bands\) must be one or three of them"):
            open_raster(path, wrong)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_has_no_place_is_refused(save):
    with pytest.raises(ImageError, match=r"no coordinate reference system \(CRS\).*--no-geo"):
        open_raster(save(PIXELS[:3], crs=None))
    with pytest.raises(ImageError, match="a CRS and no geotransform"):
        open_raster(save(PIXELS[:3], transform=None))
    points = [GroundControlPoint(row, col, 500_000 + col, 5_800_000 - row) for row, col in ((0, 0), (0, 59), (39, 0), (39, 59))]
    with pytest.raises(ImageError, match=r"ground control points.*gdalwarp"):
        open_raster(save(PIXELS[:3], transform=None, gcps=points))


def test_what_cannot_be_read_is_named(save, tmp_path):
    with pytest.raises(ImageError, match=r"a\.tif has samples of complex64"):
        open_raster(save(PIXELS[:1].astype(np.complex64)))
    with pytest.raises(MissingFileError, match="no such file"):
        open_raster("/vsicurl/http://localhost/a.tif")
    (tmp_path / "b.tif").write_bytes(b"II*\0nothing")
    with pytest.raises(ImageError, match=r"b\.tif cannot be read as a raster"):
        open_raster(tmp_path / "b.tif")
    path = save(PIXELS[:3])
    path.write_bytes(path.read_bytes()[:5000])
    raster = open_raster(path)
    with pytest.raises(ImageError, match=r"a\.tif cannot be read as a raster"):
        whole(raster)


def test_without_rasterio_the_extra_is_named(save, monkeypatch):
    path = save(PIXELS[:3])
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(MissingExtraError, match=r"rasterio cannot be imported.*the extra geo"):
        open_raster(path)
