"""Prompts with different numbers of points, padding, and boxes that stick out of the image."""

import warnings

import numpy as np
import pytest
import torch

import basam
from basam.predict import decoding


@pytest.fixture
def predictor(tiny):
    out = basam.Predictor(tiny)
    out.set_image(np.random.default_rng(0).integers(0, 256, (70, 100, 3), dtype=np.uint8))
    return out


POINTS = [[[50, 30]], [[90, 20], [5, 60], [30, 30]], [], [[20, 10]]]
LABELS = [[1], [1, 0, 0], [], [0]]
BOXES = [[10, 5, 60, 50], [0, 0, 100, 70], [30, 20, 40, 33], [5, 5, 50, 50]]


def alone(predictor, index, **more):
    points = {"point_coords": POINTS[index], "point_labels": LABELS[index]} if POINTS[index] else {}
    return predictor.predict(**points, **more, return_logits=True)


@pytest.mark.parametrize("chunk", [None, 1])
@pytest.mark.parametrize(
    "kind", [list, lambda lists: np.array(lists, dtype=object), lambda lists: [np.array(one) for one in lists]]
)
def test_each_prompt_is_answered_as_if_alone(predictor, monkeypatch, chunk, kind):
    if chunk:
        monkeypatch.setattr(decoding, "BATCH_BYTES", chunk)
    found = predictor.predict(point_coords=kind(POINTS), point_labels=kind(LABELS), box=BOXES, return_logits=True)
    for index, box in enumerate(BOXES):
        for whole, single in zip(found, alone(predictor, index, box=box), strict=True):
            assert np.abs(whole[index] - single).max() < 1e-5


def test_points_without_boxes_and_with_masks(predictor):
    some = [0, 1, 3]
    points, labels = ([each[index] for index in some] for each in (POINTS, LABELS))
    masks, scores, low = predictor.predict(point_coords=points, point_labels=labels, return_logits=True)
    assert (masks.shape, scores.shape) == ((3, 3, 70, 100), (3, 3))
    for number, index in enumerate(some):
        assert np.abs(masks[number] - alone(predictor, index)[0]).max() < 1e-5
    again = predictor.predict(point_coords=points, point_labels=labels, mask_input=low[:, :1], return_logits=True)[0]
    assert np.abs(again[1] - alone(predictor, 1, mask_input=low[1, :1])[0]).max() < 1e-5
    nothing = predictor.predict(point_coords=[[], []], point_labels=[[], []], box=BOXES[:2], return_logits=True)[0]
    assert np.abs(nothing - predictor.predict(box=BOXES[:2], return_logits=True)[0]).max() < 1e-5


def test_tensors_of_different_lengths(predictor):
    points = [torch.tensor(each, dtype=torch.float32).reshape(-1, 2) for each in POINTS]
    labels = [torch.tensor(each, dtype=torch.int64) for each in LABELS]
    boxes = torch.tensor(BOXES, dtype=torch.float32)
    found = predictor.predict_torch(points, labels, boxes, return_logits=True)
    expected = predictor.predict(point_coords=POINTS, point_labels=LABELS, box=BOXES, return_logits=True)
    for ours, theirs in zip(found, expected, strict=True):
        assert np.array_equal(ours.numpy(), theirs)
    with pytest.raises(ValueError, match=r"point_labels \[4.0\]: allowed are 1"):
        predictor.predict_torch(points[0][None], torch.tensor([[4]]))
    with pytest.raises(ValueError, match="prompt 2 of 4 has neither points nor a box"):
        predictor.predict_torch(points, labels)
    with pytest.raises(ValueError, match="give both"):
        predictor.predict_torch(points[0][None])


def test_padding_of_transformers_is_no_point(predictor):
    padded = predictor.predict(
        point_coords=[[[50, 30], [-10, -10]], [[90, 20], [5, 60]]], point_labels=[[1, -10], [1, 0]], return_logits=True
    )[0]
    assert np.abs(padded[0] - alone(predictor, 0)[0]).max() < 1e-5


def test_a_box_that_sticks_out_is_cut_to_the_image(predictor):
    inside = predictor.predict(box=[10, 0, 100, 50], return_logits=True)[0]
    with pytest.warns(UserWarning, match=r"box \(10, -3, 104.5, 50\).* 100 x 70 px") as caught:
        found = predictor.predict(box=[10, -3, 104.5, 50], return_logits=True)[0]
    assert caught[0].filename == __file__
    assert np.array_equal(found, inside)
    with pytest.warns(UserWarning, match=r"box \(-1, 0, 9, 9\), .* and 2 more") as caught:
        predictor.predict(box=[[-1, 0, 9, 9], [1, 1, 9, 9], *[[0, 0, 101, 9]] * 4])
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor.predict(box=[0, 0, 100, 70])


def test_with_focus_padding_lies_nowhere(tiny):
    """Neither regions nor the points that a region sees know of padding."""
    predictor = basam.Predictor(tiny)
    predictor.set_image(np.random.default_rng(0).integers(0, 256, (200, 260, 3), dtype=np.uint8))
    points, labels = [[[220, 150]], [[240, 170], [230, 160]]], [[1], [1, 0]]
    found = predictor.predict(point_coords=points, point_labels=labels, focus=True, return_logits=True)[0]
    regions = [view.shift.tolist() for view in predictor.views]
    for index in range(2):
        of_one = {"point_coords": points[index], "point_labels": labels[index]}
        single = predictor.predict(**of_one, focus=True, return_logits=True)[0]
        assert predictor.views[0].shift.tolist() == regions[index]
        assert np.nanmax(np.abs(np.nan_to_num(found[index] - single))) < 1e-4


@pytest.mark.parametrize(
    ("points", "labels"),
    [(np.zeros((0, 2)), np.zeros(0)), ([], []), (np.zeros((1, 0, 2)), np.zeros((1, 0))), (torch.zeros(0, 2), torch.zeros(0))],
)
def test_empty_points_beside_a_box_are_none(points, labels):
    """As Meta's predictors take them."""
    predictor = basam.Predictor.from_pretrained("nano")
    predictor.set_image(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    box = [[10, 10, 80, 70]] if np.ndim(points) == 3 else [10, 10, 80, 70]
    masks, scores, _ = predictor.predict(points, labels, box=box)
    alone, alone_scores, _ = predictor.predict(box=box)
    assert np.array_equal(masks, alone)
    assert np.array_equal(scores, alone_scores)
    with pytest.raises(ValueError, match=r"point_coords|no prompt"):
        predictor.predict(points, labels)
