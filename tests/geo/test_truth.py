"""Rasters whose truth is known, with a stand-in for the model that answers with the truth inside its window."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import rasterio

from basam.geo import PieceStore, RasterObjects, Windows, open_raster, raster_writers, segment_windows
from tests.geo.truth import answers, boxes_of, drawn, in_one_piece, written


def found_in(folder, labels, side, overlap, **how):
    """Numbers of the objects that are found, `(h, w)`, and the windows."""
    raster = open_raster(written(folder / "raster.tif", labels))
    windows = Windows(*labels.shape, side, overlap)
    store = PieceStore(folder / "windows.jsonl", windows, {})
    segment_windows(raster, partial(answers, **how), store)
    ((name, write),) = raster_writers(("labels",), "raster", raster, RasterObjects(store)).items()
    write(folder / name)
    with rasterio.open(folder / name) as file:
        return file.read(1), windows


def assert_same_objects(found, truth):
    """Each object has one number, and each number is of one object, pixel by pixel."""
    pairs = np.unique(truth.ravel().astype(np.int64) << 32 | found.ravel())
    truths, numbers = pairs >> 32, pairs & 0xFFFFFFFF
    assert len(np.unique(truths)) == len(truths), "an object has two numbers"
    assert len(np.unique(numbers)) == len(numbers), "a number is of two objects"


def test_five_thousand_pixels_square(tmp_path):
    truth = drawn(2500, cell=100).repeat(2, axis=0).repeat(2, axis=1)
    found, windows = found_in(tmp_path, truth, 705, 155)
    assert (truth.shape, len(windows)) == ((5000, 5000), 81)
    assert_same_objects(found, truth)
    large = [box for box in boxes_of(truth).values() if box[0].stop - box[0].start > windows.side]
    assert len(large) >= 3


@pytest.mark.slow
@pytest.mark.parametrize(("side", "overlap"), [(512, 128), (1024, 256), (1024, 40), (2048, 1024)])
def test_ten_thousand_pixels_square_as_they_are(tmp_path, side, overlap):
    truth = drawn(10_000, seed=side, cell=200)
    assert_same_objects(found_in(tmp_path, truth, side, overlap)[0], truth)


@pytest.mark.parametrize("seed", range(12))
def test_windows_of_all_sizes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    side = int(rng.integers(60, 300))
    overlap = int(rng.integers(16, side // 2))
    truth = in_one_piece(drawn(700, seed, cell=int(rng.integers(30, 120)))[: int(rng.integers(200, 701))])
    assert_same_objects(found_in(tmp_path, truth, side, overlap)[0], truth)


@pytest.mark.parametrize("seed", range(3))
def test_what_one_window_sees_whole_is_as_it_sees_it(tmp_path, seed):
    """Though the windows that cut it see something worse, and are surer of it."""
    truth = drawn(800, seed, cell=80)
    found, windows = found_in(tmp_path, truth, 256, 96, spoil=True)
    whole = 0
    for number, (rows, columns) in boxes_of(truth).items():
        if windows.seeing_whole((columns.start, rows.start, columns.stop, rows.stop)):
            whole += 1
            inside = truth[rows, columns] == number
            (value,) = np.unique(found[rows, columns][inside])
            assert value
            assert np.array_equal(found == value, truth == number)
    assert whole > 40
