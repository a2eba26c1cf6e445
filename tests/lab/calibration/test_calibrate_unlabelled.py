"""Calibration without masks on a random SAM: what is measured, what is picked, what is drawn."""

import math

import pytest
import torch
from PIL import Image

import basam
from basam import BiasMode
from basam.files import image_files
from basam.lab.calibration import unlabelled
from basam.lab.calibration.plot import modes_by_slope, plot_calibration
from basam.lab.calibration.unlabelled import LayerStatistics, calibrate_unlabelled, compare, modes_to_try


@pytest.fixture
def photos(photo_folder):
    return image_files(photo_folder / "train" / "images")


@pytest.fixture
def predictor(tiny):
    return basam.Predictor(tiny)


def test_plain_sam_at_the_trained_size_is_the_reference(predictor, photos):
    result = calibrate_unlabelled(predictor, photos, [64])
    for photo in result.statistics[BiasMode.off()]:
        for layer in photo[0]:
            assert layer.total_variation == 0
            assert layer.entropy == layer.trained_entropy
            assert 0 < layer.entropy <= math.log(layer.keys)
    assert result.plain.mean == 0
    assert result.chosen is result.plain


def test_statistics_of_every_mode_size_and_layer(predictor, photos):
    result = calibrate_unlabelled(predictor, photos, [100, 160], queries=8)
    assert result.layers == (1, 3)
    assert list(result.statistics) == modes_to_try()
    for of_mode in result.statistics.values():
        assert [[len(layers) for layers in photo] for photo in of_mode] == [[2, 2]] * 4
    layer = result.statistics[BiasMode(scaling="log", slope=0.1)][0][1][0]
    assert layer.keys == 12  # a photograph of 48 x 64 has 3 x 4 patches at the trained size
    assert 0 < layer.total_variation < 1
    assert predictor.attachment.mode == result.chosen.mode


def test_the_same_seed_gives_the_same_numbers(predictor, photos):
    runs = [calibrate_unlabelled(predictor, photos, [100], count=3, queries=4, seed=seed) for seed in (5, 5, 6)]
    assert runs[0].candidates == runs[1].candidates
    assert runs[0].candidates != runs[2].candidates
    assert len(runs[0].photos) == 3


def test_the_mode_that_attends_as_trained_is_picked(monkeypatch, predictor, photos):
    good = BiasMode(scaling="log", strength=0.5, slope=0.1)

    def measure_photo(predictor, image, modes, sizes, queries, generator):
        return {
            mode: [[LayerStatistics(2.0 if mode == good else 2.5, 2.0, 0.1 + 0.001 * image.shape[0], 16)] for _ in sizes]
            for mode in modes
        }

    monkeypatch.setattr(unlabelled, "measure_photo", measure_photo)
    assert calibrate_unlabelled(predictor, photos, [128]).chosen.mode == good


def test_flatter_attention_is_farther():
    sharp = torch.zeros(1, 1, 2, 2)
    sharp[..., 0, 0] = 1
    flat = torch.full((1, 1, 2, 2), 0.25)
    assert compare(sharp, sharp).distance == 0
    assert compare(flat, sharp).distance == pytest.approx(0.75 + 1)


def test_modes_to_try_are_plain_and_all_strengths_of_all_slopes():
    modes = modes_to_try((0.5, 1.0), (0.0, 0.1))
    assert modes[0] == BiasMode.off()
    assert {(mode.strength, mode.slope) for mode in modes[1:]} == {(0.5, 0.0), (1.0, 0.0), (0.5, 0.1), (1.0, 0.1)}
    assert modes_to_try((0.0,)) == [BiasMode.off()]


def test_an_unreadable_photograph_is_named_and_left_out(predictor, photos):
    photos[1].write_bytes(b"no image")
    result = calibrate_unlabelled(predictor, photos, [64], queries=2)
    assert [str(photos[1]) in reason for reason in result.unreadable] == [True]
    assert len(result.photos) == 3
    with pytest.raises(ValueError, match=r"1 photographs could be read, at least 2.*1\.png"):
        calibrate_unlabelled(predictor, photos[:2], [64])


def test_no_size_is_an_error(predictor, photos):
    with pytest.raises(ValueError, match="sizes is empty"):
        calibrate_unlabelled(predictor, photos, [])


def test_the_plot_has_a_line_a_slope_and_is_written_whole(predictor, photos, tmp_path):
    modes = modes_to_try((1.0, 0.5), (0.0, 0.1))
    result = calibrate_unlabelled(predictor, photos, [64, 100], modes=modes, queries=2)
    curves = {slope: [mode.strength for mode in of_slope[1:]] for slope, of_slope in modes_by_slope(result).items()}
    assert curves == {0.0: [0.5, 1.0], 0.1: [0.5, 1.0]}
    assert all(of_slope[0] == BiasMode.off() for of_slope in modes_by_slope(result).values())
    plot_calibration(tmp_path / "plot.png", result, "a title")
    with Image.open(tmp_path / "plot.png") as image:
        assert image.width > 400
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".png"] == ["plot.png"]
