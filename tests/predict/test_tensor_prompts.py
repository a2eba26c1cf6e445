"""`predict_torch`: what is wrong with a tensor is named, and what is not, whatever its dtype, gives the same masks."""

import re

import numpy as np
import pytest
import torch

import basam
from tests.helpers.tiny import tiny_sam

POINTS, LABELS = torch.tensor([[[20.0, 30.0]], [[50.0, 10.0]]]), torch.tensor([[1], [1]])
BOXES = torch.tensor([[4.0, 5.0, 40.0, 30.0], [10.0, 0.0, 60.0, 40.0]])
MASKS = torch.zeros(2, 1, 12, 16)
GIVEN = {"point_coords": POINTS, "point_labels": LABELS, "boxes": BOXES, "mask_input": MASKS}


@pytest.fixture(scope="module")
def predictor():
    predictor = basam.Predictor(tiny_sam())
    predictor.set_image(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    return predictor


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (dict.fromkeys(GIVEN), ValueError, "no prompt"),
        ({"point_coords": POINTS[0]}, ValueError, "give both"),
        ({"point_coords": POINTS[:, 0]}, ValueError, "point_coords of shape (2, 2): (K, P, 2) is needed"),
        ({"point_coords": POINTS.repeat(1, 1, 2)}, ValueError, "point_coords of shape (2, 1, 4): (K, P, 2) is needed"),
        ({"point_coords": [POINTS[0], POINTS[1, 0]]}, ValueError, "point_coords[1] of shape (2,): (P, 2) is needed"),
        ({"point_labels": LABELS[:, 0]}, ValueError, "point_labels of shape (2,): (K, P) is needed"),
        ({"point_labels": list(LABELS[..., None])}, ValueError, "point_labels[0] of shape (1, 1): (P,) is needed"),
        (
            {"point_labels": LABELS.repeat(1, 2)},
            ValueError,
            "point_labels of shape (2, 2) do not fit point_coords of shape (2, 1, 2)",
        ),
        ({"point_labels": 3 * LABELS}, ValueError, "point_labels [3.0]: allowed are 1"),
        ({"boxes": BOXES[0]}, ValueError, "boxes of shape (4,): (K, 4) is needed"),
        ({"boxes": BOXES.view(2, 2, 2)}, ValueError, "boxes of shape (2, 2, 2): (K, 4) is needed"),
        ({"boxes": BOXES[:1]}, ValueError, "prompts do not pair up: 2 from point_coords, 1 from boxes, 2 from mask_input"),
        ({"mask_input": MASKS[:, 0]}, ValueError, "mask_input of shape (2, 12, 16): (K, 1, 12, 16) is needed"),
        ({"mask_input": torch.zeros(2, 1, 16, 16)}, ValueError, "mask_input of shape (2, 1, 16, 16): (K, 1, 12, 16) is needed"),
        ({name: tensor[:0] for name, tensor in GIVEN.items()}, ValueError, "0 from boxes, 0 from mask_input"),
        ({"point_coords": [], "point_labels": []}, ValueError, "0 from point_coords, 2 from boxes"),
        ({"boxes": BOXES * float("nan")}, ValueError, "boxes holds NaN or infinity: [nan, nan, nan]"),
        ({"mask_input": MASKS + float("inf")}, ValueError, "mask_input holds NaN or infinity: [inf, inf, inf]"),
        ({"boxes": BOXES.numpy()}, TypeError, "boxes is a ndarray: a tensor is needed; predict takes arrays and lists"),
        ({"boxes": BOXES.to(torch.complex64)}, TypeError, "boxes of torch.complex64: real numbers are needed"),
        ({"point_labels": LABELS.bool()}, TypeError, "point_labels of torch.bool: real numbers are needed"),
    ],
)
def test_what_is_wrong_is_named(predictor, changes, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        predictor.predict_torch(**(GIVEN | changes))
    assert isinstance(caught.value, basam.BasamError)
    assert predictor.predict_torch(**GIVEN)[0].shape == (2, 3, 48, 64)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.float64, torch.float16])
def test_any_real_dtype_means_the_same(predictor, dtype):
    expected = predictor.predict_torch(**GIVEN)
    found = predictor.predict_torch(**{name: tensor.to(dtype) for name, tensor in GIVEN.items()})
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_padding_may_lie_anywhere(predictor):
    """Meta's padding has an embedding of its own, whatever its coordinates are."""
    labels = torch.tensor([[1, -1], [0, -1]])
    found = [
        predictor.predict_torch(torch.cat([POINTS, torch.full_like(POINTS, value)], 1), labels, BOXES)[2]
        for value in (0.0, 7.0, float("nan"))
    ]
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
