"""`AutomaticMasks` beyond Meta's: settings, spacing, thresholds changed afterwards, memory and near-duplicates."""

from __future__ import annotations

import numpy as np
import pytest

import basam
from basam.lab.scenes import mosaic, render
from basam.masks import RunMask
from basam.predict.automatic.grids import crops_of, grid_of
from basam.predict.automatic.suppression import best_boxes, best_masks

ALL = {"pred_iou_thresh": 0, "stability_score_thresh": 0, "box_nms_thresh": 1}


@pytest.fixture(scope="module")
def nano():
    return basam.load("nano")


@pytest.fixture(scope="module")
def photo():
    return render(0, 320, "lesion").image[:200]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pred_iou_thresh": 1.5}, "pred_iou_thresh=1.5: a number of at most 1 is needed"),
        ({"pred_iou_thresh": float("nan")}, "pred_iou_thresh=nan"),
        ({"box_nms_thresh": -0.1}, "box_nms_thresh=-0.1: a number of at least 0 and at most 1 is needed"),
        ({"points_per_side": 0}, "points_per_side=0: a whole number of at least 1"),
        ({"points_per_side": None}, "points_per_side, point_grids, spacing: give exactly one"),
        ({"spacing": 20}, "give exactly one"),
        ({"points_per_side": None, "spacing": 0.5}, "spacing=0.5: a number of at least 1 is needed"),
        ({"crop_n_layers": 11}, "crop_n_layers=11: .* at most 10"),
        ({"output_mode": "png"}, "output_mode='png': allowed are binary_mask, uncompressed_rle, coco_rle"),
        ({"pred_iou_thresh": None}, "pred_iou_thresh=None: a number of at most 1 is needed"),
        ({"crop_n_layers": None}, "crop_n_layers=None: a whole number"),
        ({"crop_overlap_ratio": None}, "crop_overlap_ratio=None: a number"),
        ({"containment_thresh": "all"}, "containment_thresh='all'"),
    ],
)
def test_settings_that_make_no_sense_are_named(tiny, settings, message):
    with pytest.raises(ValueError, match=message):
        basam.AutomaticMasks(tiny, **settings)


def test_settings_are_checked_again_when_they_were_changed(tiny, photo):
    generator = basam.AutomaticMasks(tiny)
    generator.pred_iou_thresh = 3
    with pytest.raises(ValueError, match="pred_iou_thresh=3"):
        generator.generate(photo)


def test_grids_of_points_for_each_layer(tiny, photo):
    generator = basam.AutomaticMasks(tiny, None, point_grids=[np.array([[0.5, 0.5]])], crop_n_layers=1)
    with pytest.raises(ValueError, match="point_grids: 1 for the photo and 1 layers of crops"):
        generator.find(photo)
    one = basam.AutomaticMasks(tiny, None, point_grids=[np.array([[0.25, 0.5]])], **ALL)
    assert {found.point for found in one.find(photo)} == {(80.0, 100.0)}
    stacked = basam.AutomaticMasks(tiny, None, point_grids=np.array([[[0.25, 0.5]]]), **ALL)
    assert {found.point for found in stacked.find(photo)} == {(80.0, 100.0)}
    wrong = basam.AutomaticMasks(tiny, None, point_grids=[np.array([[0.25, 1.5]])])
    with pytest.raises(ValueError, match=r"point_grids: one of shape \(1, 2\)"):
        wrong.find(photo)


def test_points_that_changed_are_not_taken_from_the_last_photo(tiny, photo):
    """Also where they changed in place, or other grids took the place of the former ones in memory."""
    grid = np.array([[0.25, 0.5]])
    generator = basam.AutomaticMasks(tiny, None, point_grids=[grid], **ALL)
    masks = generator.find(photo)
    generator.point_grids = [grid.copy()]
    assert len(generator.find_again()) == len(masks)
    grid[0] = 0.75
    generator.point_grids = [grid]
    with pytest.raises(RuntimeError, match="call find"):
        generator.find_again()


def test_points_lie_as_far_apart_as_was_said(tiny, photo):
    generator = basam.AutomaticMasks(tiny, None, spacing=100, crop_n_layers=1, **ALL)
    points = generator.shares_of((200, 320), 0, 1) * (320, 200)
    assert points == pytest.approx(np.array([[x, y] for y in (50, 150) for x in (320 / 6, 160, 320 * 5 / 6)]))
    assert len(generator.shares_of((100, 200), 1, 1)) == 4 * 2
    generator = basam.AutomaticMasks(tiny, None, spacing=321)
    with pytest.raises(ValueError, match="spacing=321: larger than the photo of 320 x 200 px"):
        generator.find(photo)


def test_only_crops_are_seen_and_the_photo_is_reported_in_its_own_pixels(tiny, photo):
    sizes = []
    generator = basam.AutomaticMasks(tiny, 2, crop_n_layers=1, **ALL)
    encode = generator.predictor.encode_together
    generator.predictor.encode_together = lambda places: (sizes.append(places[0][1].frame.original), encode(places))[1]
    seen = []
    found = generator.find(photo, progress=lambda done, whole: seen.append((done, whole)))
    assert sizes[0] == (200, 320)
    assert max(sizes[1:]) < (200, 320)
    assert seen[-1] == (20, 20)
    assert all(each.runs.mask().shape == (200, 320) for each in found)
    assert not generator.predictor.is_image_set


def test_points_on_levels_take_one_encoding_of_each(tiny, photo):
    sizes, seen = [], []
    generator = basam.AutomaticMasks(tiny, 4, pyramid=True, **ALL)
    encode = generator.predictor.encode_together
    generator.predictor.encode_together = lambda views: (sizes.append(views[0][1].frame.resized), encode(views))[1]
    masks = generator.find(photo, progress=lambda done, whole: seen.append((done, whole)))
    assert sizes == [(40, 64), (71, 113), (141, 226)]  # levels an octave or so apart
    sides = [int(4 * size[1] / 64) for size in sizes]
    assert seen[-1] == (sum(side**2 for side in sides),) * 2
    assert all(mask.runs.mask().shape == (200, 320) for mask in masks)
    assert all(mask.crop.x0 <= mask.point[0] < mask.crop.x1 and mask.crop.y0 <= mask.point[1] < mask.crop.y1 for mask in masks)
    again = generator.find_again()
    assert len(again) == len(masks)


def test_levels_find_objects_of_their_size(nano):
    scene = mosaic(0, 512, "lesion", 2)
    generator = basam.AutomaticMasks(nano, 6, pyramid=True, pred_iou_thresh=0.5, stability_score_thresh=0.5)
    fine, coarse = ([mask for mask in generator.find(scene.image) if mask.crop.layer == layer] for layer in (1, 0))
    assert fine
    best = [max(mask.runs.shared(RunMask.of(truth)) / truth.sum() for mask in fine) for truth in scene.masks]
    assert np.mean(best) > 0.5
    assert all(mask.crop.area == 512**2 for mask in coarse)


def test_a_photo_of_the_trained_size_has_one_level(tiny):
    image = render(0, 64, "lesion").image
    plain, levels = (basam.AutomaticMasks(tiny, 4, pyramid=pyramid, **ALL).find(image) for pyramid in (False, True))
    assert [mask.predicted_iou for mask in plain] == [mask.predicted_iou for mask in levels]


def test_a_pyramid_takes_the_place_of_crops(tiny):
    for more in ({"crop_n_layers": 1}, {"square": True}):
        with pytest.raises(ValueError, match="pyramid"):
            basam.AutomaticMasks(tiny, pyramid=True, **more)


def test_thresholds_may_be_raised_without_asking_again(nano, photo):
    generator = basam.AutomaticMasks(nano, 6, pred_iou_thresh=0.1, stability_score_thresh=0.1, long_side=256)
    many = generator.find(photo)
    generator.predictor.encode_together = None  # would raise
    generator.pred_iou_thresh, generator.box_nms_thresh = 0.3, 0.5
    fewer = generator.find_again()
    assert 0 < len(fewer) < len(many)
    alone = basam.AutomaticMasks(
        nano, 6, pred_iou_thresh=0.3, stability_score_thresh=0.1, box_nms_thresh=0.5, long_side=256
    ).find(photo)
    assert [each.runs.counts.tolist() for each in fewer] == [each.runs.counts.tolist() for each in alone]
    generator.pred_iou_thresh = 0.05
    with pytest.raises(RuntimeError, match="call find"):
        generator.find_again()
    with pytest.raises(RuntimeError, match="call find or generate first"):
        basam.AutomaticMasks(nano).find_again()


def test_near_duplicates_go_by_their_masks(nano, photo):
    options = ALL | {"points_per_side": 6, "long_side": 256}
    found = basam.AutomaticMasks(nano, **options, mask_nms_thresh=0.5, containment_thresh=0.8).find(photo)
    assert 2 < len(found) < len(basam.AutomaticMasks(nano, **options).find(photo))
    for index, one in enumerate(found):
        for other in found[:index]:
            shared = (one.runs.mask() & other.runs.mask()).sum()
            assert shared <= 0.8 * min(one.runs.area, other.runs.area)


def test_soft_edges_fit_their_masks(nano, photo):
    found = basam.AutomaticMasks(nano, 3, long_side=256, soft=True, pred_iou_thresh=0.2, stability_score_thresh=0).find(photo)
    assert found
    for each in found:
        soft, mask = each.soft, each.runs.mask()
        part = mask[soft.top : soft.top + soft.shape[0], soft.left : soft.left + soft.shape[1]]
        assert part.sum() == mask.sum()
        assert np.array_equal(soft.shares() >= 128, part)


def test_boxes_of_no_area_repeat_none():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [3, 3, 3, 9], [3, 3, 3, 9], [0, 0, 10, 5]], dtype=np.float64)
    assert best_boxes(boxes, np.array([0.5, 0.5, 0.9, 0.1, 0.4]), 0.5).tolist() == [2, 0, 4, 3]
    assert best_boxes(boxes, np.array([0.5, 0.5, 0.9, 0.1, 0.4]), 0.4).tolist() == [2, 0, 3]


def test_masks_that_lie_in_each_other():
    big, small = np.zeros((10, 10), dtype=bool), np.zeros((10, 10), dtype=bool)
    big[:8], small[2:5, 2:5] = True, True
    masks, scores = [RunMask.of(big), RunMask.of(small)], np.array([0.5, 0.9])
    assert best_masks(masks, scores, 0.5, None) == [1, 0]
    assert best_masks(masks, scores, None, 0.9) == [1]


def test_crops_of_a_photo_narrower_than_their_number():
    crops = crops_of(3, 1000, 3, 512 / 1500)
    assert all(crop.area > 0 for crop in crops)
    assert grid_of(3, 1).tolist() == [[pytest.approx(1 / 6), 0.5], [0.5, 0.5], [pytest.approx(5 / 6), 0.5]]
