"""Several images at a time, as SAM 2's predictor takes them."""

from __future__ import annotations

import numpy as np
import pytest

import basam

SIZES = ((64, 96), (80, 64), (64, 96))
BOXES = [[3, 4, 40, 50], [10, 10, 60, 60], [[0, 0, 64, 64], [5, 6, 30, 30]]]


@pytest.fixture
def predictor(tiny):
    return basam.Predictor(tiny)


@pytest.fixture
def images():
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


def test_each_image_is_answered_as_if_alone(predictor, images, monkeypatch) -> None:
    together = []
    encode = type(predictor.family).encode

    def counted(self, model, pixels):
        together.append(len(pixels))
        return encode(self, model, pixels)

    monkeypatch.setattr(type(predictor.family), "encode", counted)
    predictor.set_image_batch(images)
    assert together == []  # not before a prompt needs it
    masks, scores, low_res = predictor.predict_batch(box_batch=BOXES, return_logits=True)
    assert together == [2, 1]  # those of one size together
    for image, box, mask, score, logits in zip(images, BOXES, masks, scores, low_res, strict=True):
        predictor.set_image(image)
        alone = predictor.predict(box=box, return_logits=True)
        for found, wanted in zip((mask, score, logits), alone, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_points_with_labels_and_masks(predictor, images) -> None:
    predictor.set_image_batch(images)
    points = [[[20, 20]], [[5, 5], [30, 30]], [[40, 40]]]
    labels = [[1], [1, 0], [1]]
    _, _, first = predictor.predict_batch(points, labels, multimask_output=False)
    masks, _, _ = predictor.predict_batch(points, labels, None, first, multimask_output=False)
    assert [mask.shape for mask in masks] == [(1, *size) for size in SIZES]
    predictor.set_image(images[1])
    alone = predictor.predict(points[1], labels[1], None, first[1], multimask_output=False)
    assert (masks[1] == alone[0]).mean() > 0.999


def test_with_focus_only_regions_are_encoded(predictor, images) -> None:
    predictor.set_image_batch([np.tile(image, (4, 4, 1)) for image in images])
    masks, _, _ = predictor.predict_batch(box_batch=[[3, 4, 40, 50]] * 3, focus=True)
    assert [mask.shape[-2:] for mask in masks] == [(4 * height, 4 * width) for height, width in SIZES]
    assert all(view.region is not None for picture in predictor.pictures for view in picture.encoded)


def test_afterwards_predict_goes_on_with_the_first_image(predictor, images) -> None:
    predictor.set_image_batch(images)
    predictor.predict_batch(box_batch=BOXES)
    assert predictor.original_size == SIZES[0]
    assert predictor.predict(box=BOXES[0])[0].shape[1:] == SIZES[0]


def test_a_new_mode_encodes_all_of_them_again(predictor, images) -> None:
    predictor.set_image_batch(images)
    predictor.predict_batch(box_batch=BOXES)
    predictor.mode = basam.BiasMode(slope=2.0, schedule="constant")
    changed = predictor.predict_batch(box_batch=BOXES, return_logits=True)[2]
    predictor.set_image(images[2])
    np.testing.assert_allclose(changed[2], predictor.predict(box=BOXES[2], return_logits=True)[2], atol=1e-4)


def test_errors_name_image_and_list(predictor, images) -> None:
    with pytest.raises(RuntimeError, match="no batch of images is set: call set_image_batch first"):
        predictor.predict_batch(box_batch=BOXES)
    with pytest.raises(ValueError, match="an empty list: give one image at least"):
        predictor.set_image_batch([])
    predictor.set_image_batch(images)
    with pytest.raises(ValueError, match="box_batch has 2 entries for 3 images: give one per image"):
        predictor.predict_batch(box_batch=BOXES[:2])
    with pytest.raises(ValueError, match=r"image 1 of 3: .*nan"):
        predictor.predict_batch(box_batch=[BOXES[0], [float("nan"), 0, 5, 5], BOXES[2]])
    predictor.set_image(images[0])
    with pytest.raises(RuntimeError, match="no batch of images is set"):
        predictor.predict_batch(box_batch=BOXES)


def test_shares_of_the_image_as_sam2_takes_them(predictor, images) -> None:
    predictor.set_image_batch(images)
    pixels = predictor.predict_batch(box_batch=BOXES, return_logits=True)[2]
    shares = [np.asarray(box) / np.tile([width, height], 2) for box, (height, width) in zip(BOXES, SIZES, strict=True)]
    found = predictor.predict_batch(None, None, shares, None, True, True, False)[2]
    for one, other in zip(found, pixels, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
