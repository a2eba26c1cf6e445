"""The decision table: tiles cover the image, prompts are cut to them, and cells say what the lines of measuring say."""

from itertools import pairwise

import numpy as np
import pytest

import basam
from basam.predict import Region
from studies.focus_study.measuring import missing, ways_of
from studies.focus_study.situations import SITUATIONS, Task
from studies.focus_study.tables import cells_of, decision_table, is_best, mosaic_tables
from studies.focus_study.ways import OVERLAP, WAYS, tiled, tiles_of, touched
from tests.helpers.tiny import tiny_sam


@pytest.mark.parametrize(("height", "width"), [(100, 200), (256, 256), (257, 300), (480, 640), (1024, 700)])
def test_tiles_cover_an_image_and_overlap(height, width):
    seen = np.zeros((height, width), int)
    tiles = tiles_of(height, width, 256)
    for tile in tiles:
        rows, columns = tile.inside(height, width)
        seen[rows, columns] += 1
        assert rows.stop - rows.start == min(256, height)
        assert columns.stop - columns.start == min(256, width)
    assert seen.min() == 1
    lefts = sorted({tile.left for tile in tiles})
    assert all(256 - (right - left) >= 256 * OVERLAP for left, right in pairwise(lefts))


def test_a_box_is_cut_to_its_tiles_and_a_click_has_one():
    tiles = tiles_of(480, 640, 256)
    box = {"box": np.array([200.0, 10, 460, 60]), "point_coords": None, "point_labels": None}
    parts = list(touched(box, tiles, 480, 640))
    assert [tile.left for tile, _ in parts] == [0, 192, 384]
    assert [part["box"].tolist() for _, part in parts] == [[200, 10, 256, 60], [200, 10, 448, 60], [384, 10, 460, 60]]
    click = {"box": None, "point_coords": np.array([[310.0, 470]]), "point_labels": np.array([1])}
    ((tile, _),) = touched(click, tiles, 480, 640)
    assert tile == Region(192, 224, 256)


@pytest.mark.parametrize("way", list(WAYS))
def test_every_way_answers_every_prompt(way):
    image = np.random.default_rng(0).integers(0, 256, (100, 140, 3), dtype=np.uint8)
    nothing = {"box": None, "point_coords": None, "point_labels": None}
    prompts = [{**nothing, "box": np.array(box)} for box in ([10, 10, 40, 40], [0, 0, 140, 100])]
    prompts.append({**nothing, "point_coords": np.array([[100, 50]]), "point_labels": np.array([1])})
    masks = list(WAYS[way](basam.Predictor(tiny_sam()), Task("photo", image, prompts, [])))
    assert [(mask.shape, mask.dtype) for mask in masks] == [((100, 140), bool)] * 3


def test_tiles_answer_what_their_crops_answer():
    image = np.random.default_rng(0).integers(0, 256, (60, 64, 3), dtype=np.uint8)
    box = np.array([5.0, 6, 50, 40])
    (mask,) = tiled(basam.Predictor(tiny_sam()), Task("photo", image, [{"box": box, "point_coords": None}], []))
    predictor = basam.Predictor(tiny_sam())
    predictor.set_image(image)
    np.testing.assert_array_equal(mask, predictor.predict(box=box, multimask_output=False)[0][0])


def line(situation, way, sample, *ious, seconds=1.0, peak=1024):
    return {"situation": situation, "way": way, "sample": sample, "ious": list(ious), "seconds": seconds, "peak_mb": peak}


def test_cells_are_means_over_images_and_the_largest_memory():
    lines = [
        line("box", "focus", "a", 0.2, 0.4, seconds=1),
        line("box", "focus", "b", 0.9, seconds=3, peak=2048),
        line("box", "focus", "c"),
    ]
    cell = cells_of(lines)["box", "focus"]
    assert str(cell) == "0.600, 2.00 s, 2.0 GB"
    assert cell.iou == {"a": pytest.approx(0.3), "b": 0.9}


def test_what_is_even_with_the_best_is_marked_too():
    lines = []
    for number in range(6):
        wiggle = 0.01 * (number % 3)
        lines += [line("box", way, str(number), 0.5 - 0.2 * (way == "focus") + wiggle) for way in WAYS if "plain" not in way]
        lines.append(line("box", "whole, its own size, plain", str(number), 0.5 + (0.02 if number % 2 else -0.01)))
    cells = {way: cells_of(lines)["box", way] for way in WAYS}
    assert {way for way in WAYS if is_best(cells, way)} == set(WAYS) - {"focus"}
    table = decision_table(cells_of(lines))
    assert table[0] == "| encoded | one box, a photo of 640 px (6 images) |"
    assert "| focus | 0.310, 1.00 s, 1.0 GB |" in table
    assert mosaic_tables(cells_of(lines)) == []


def test_mosaics_are_those_of_reporting_and_resume():
    mosaic = next(one for one in SITUATIONS if one.name == "click-4")
    samples = mosaic.samples()
    assert len(set(samples)) == mosaic.count
    assert all(int(sample.rsplit("/", 1)[1]) % 2 for sample in samples)
    way = "focus, rule scales"
    assert way in ways_of(mosaic)
    lines = [line("click-4", way, samples[0], 0.5), line("box-4", way, samples[1], 0.5)]
    assert missing(mosaic, way, lines) == set(samples[1:])
