"""Areas in square metres, beside known ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine

from basam.geo import GeoRaster
from basam.geo.areas import square_metres
from basam.masks import RunMask

SIDE = 100


def area(crs, transform, mask=None):
    mask = np.ones((SIDE, SIDE), dtype=bool) if mask is None else mask
    raster = GeoRaster(Path("a.tif"), (SIDE, SIDE), CRS.from_user_input(crs), tuple(transform)[:6], (1,))
    return square_metres(raster, RunMask.of(mask))


@pytest.mark.parametrize("turn", [0, 30, 77])
def test_metres_of_a_map(turn):
    mask = np.random.default_rng(0).random((SIDE, SIDE)) > 0.5
    place = Affine.translation(400_000, 5_800_000) * Affine.rotation(turn) * Affine.scale(0.5, -0.25)
    assert area("EPSG:32633", place, mask) == pytest.approx(mask.sum() * 0.125)


@pytest.mark.parametrize(("crs", "foot"), [("EPSG:2263", 1200 / 3937), ("EPSG:2222", 0.3048)])
def test_feet_of_a_map(crs, foot):
    assert area(crs, Affine(2, 0, 980_000, 0, -2, 200_000)) == pytest.approx(SIDE**2 * 4 * foot**2)


@pytest.mark.parametrize("latitude", [0, 30, 60, -47])
def test_a_degree_by_a_degree(latitude):
    """Beside the sum over narrow bands of WGS 84: radius of the meridian times radius of the parallel."""
    bands = np.radians(latitude + (np.arange(10_000) + 0.5) / 10_000)
    axis, squared = 6_378_137.0, 0.006_694_379_990_14
    root = np.sqrt(1 - squared * np.sin(bands) ** 2)
    expected = (axis * (1 - squared) / root**3 * axis / root * np.cos(bands)).sum() / 10_000 * np.radians(1) ** 2
    step = 1 / SIDE
    assert area("EPSG:4326", Affine(step, 0, 10, 0, -step, latitude + 1)) == pytest.approx(expected, rel=1e-8)


def test_the_whole_ellipsoid():
    found = area("EPSG:4326", Affine(360 / SIDE, 0, -180, 0, -180 / SIDE, 90))
    assert found == pytest.approx(510_065_621_724_000, rel=1e-9)


@pytest.mark.parametrize("latitude", [1, 47, -65])
@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:3395"])
def test_mercator_is_measured_on_the_ellipsoid(crs, latitude):
    """Beside longitude and latitude of the same place."""
    from rasterio.warp import transform

    mask = np.random.default_rng(0).random((SIDE, SIDE)) > 0.3
    (x, x1), (y, y1) = transform("EPSG:4326", crs, [8, 8.01], [latitude + 0.01, latitude])
    metres = area(crs, Affine((x1 - x) / SIDE, 0, x, 0, (y1 - y) / SIDE, y), mask)
    degrees = area("EPSG:4326", Affine(0.01 / SIDE, 0, 8, 0, -0.01 / SIDE, latitude + 0.01), mask)
    assert metres == pytest.approx(degrees, rel=1e-4)


def test_a_turned_raster_in_degrees():
    place = Affine.translation(8, 47) * Affine.scale(1e-4)
    straight, turned = area("EPSG:4326", place * Affine.rotation(0)), area("EPSG:4326", place * Affine.rotation(3))
    assert turned == pytest.approx(straight, rel=1e-3)


def test_an_empty_mask_has_no_area():
    empty = np.zeros((SIDE, SIDE), dtype=bool)
    for crs in ("EPSG:4326", "EPSG:3857", "EPSG:32633"):
        assert area(crs, Affine(0.1, 0, 8, 0, -0.1, 47), empty) == 0
