"""`basam.Predictor` on a model of every family, and Meta's own predictor beside it."""

import numpy as np
import pytest
import torch

import basam
from basam.attention import low_precision
from basam.families.registry import family_of
from tests.families.conftest import efficient
from tests.helpers.seen import products_in


def test_a_photo_and_its_prompts(each_model, photo):
    predictor = basam.Predictor(each_model)
    predictor.set_image(photo(120, 200))
    masks, scores, low = predictor.predict(box=np.array([20, 30, 150, 100]))
    geometry = family_of(each_model).geometry(each_model)
    sides = [-(-side // geometry.multiple) * geometry.multiple for side in (120, 200)]
    if geometry.round_to:
        sides = [round(side / geometry.round_to) * geometry.round_to for side in (120, 200)]
    size = tuple(4 * side // geometry.patch for side in sides)
    assert (masks.shape, scores.shape, low.shape) == ((3, 120, 200), (3,), (3, *size))
    boxes = np.array([[20, 30, 150, 100], [0, 0, 50, 50]])
    many = predictor.predict(box=boxes, point_coords=np.array([[[60, 60]], [[9, 9]]]), point_labels=np.ones((2, 1)))
    assert many[0].shape == (2, 3, 120, 200)
    if not family_of(each_model).name.startswith("EfficientSAM"):
        refined = predictor.predict(box=boxes, mask_input=np.stack([low[:1], low[1:2]]), multimask_output=False)
        assert refined[2].shape == (2, 1, *size)


def test_two_predictors_may_share_a_model(each_model, photo):
    first, second = basam.Predictor(each_model), basam.Predictor(each_model)
    box = np.array([20, 30, 100, 100])
    first.set_image(photo(120, 200))
    before = first.predict(box=box)[2]
    second.set_image(photo(160, 112))
    second.predict(box=box)
    np.testing.assert_array_equal(first.predict(box=box)[2], before)


def test_metas_predictor_finds_the_same_masks(meta, small_sam, photo):
    model = basam.attach(small_sam(128), basam.BiasMode(slope=0.5, strength=1.0))
    image, box = photo(130, 201), np.array([20, 30, 150, 100])
    theirs = meta.SamPredictor(model)
    theirs.set_image(image)
    expected = theirs.predict(box=box, return_logits=True)
    ours = basam.Predictor(model)
    ours.set_image(image)
    found = ours.predict(box=box, return_logits=True)
    np.testing.assert_allclose(found[2], expected[2], atol=1e-4)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-4)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-3)


def test_prompts_with_different_numbers_of_points(each_model, photo):
    predictor = basam.Predictor(each_model)
    predictor.set_image(photo(120, 200))
    points, boxes = [[[60, 60]], [], [[9, 9], [40, 30], [30, 12]]], [[20, 30, 150, 100], [0, 0, 90, 90], [0, 0, 50, 50]]
    labels = [[1], [], [1, 1, 1]]
    found = predictor.predict(point_coords=points, point_labels=labels, box=boxes, return_logits=True)[2]
    for index, box in enumerate(boxes):
        of_one = {"point_coords": points[index], "point_labels": labels[index]} if points[index] else {}
        np.testing.assert_allclose(found[index], predictor.predict(**of_one, box=box, return_logits=True)[2], atol=1e-4)


@pytest.mark.parametrize("box", [None, [20, 30, 110, 80]])
def test_metas_padding_gives_metas_numbers(meta, small_sam, photo, tmp_path, box):
    """In a live model of Meta's, and in a file of it that became a model of transformers."""
    model, image = small_sam(128), photo(85, 128)
    torch.save(model.state_dict(), tmp_path / "sam.pth")
    prompts = {"point_coords": np.array([[60, 60], [0, 0], [9, 70]]), "point_labels": np.array([1, -1, 0])}
    theirs = meta.SamPredictor(model)
    theirs.set_image(image)
    expected = theirs.predict(**prompts, box=None if box is None else np.array(box), return_logits=True)[2]
    nothing = theirs.predict(point_coords=prompts["point_coords"][::2], point_labels=np.array([1, 0]), return_logits=True)[2]
    assert np.abs(nothing - expected).max() > 1e-3
    for ours in (basam.Predictor(model), basam.Predictor(basam.load(tmp_path / "sam.pth"))):
        ours.set_image(image, square=True)
        np.testing.assert_allclose(ours.predict(**prompts, box=box, return_logits=True)[2], expected, atol=1e-3)
        # Where a point that does not count lies, even outside of the image, changes nothing.
        prompts["point_coords"][1] = (-500, 3)


def test_padding_is_no_point_for_efficient_sam(photo):
    predictor = basam.Predictor(efficient().eval())
    predictor.set_image(photo(120, 200))
    expected = predictor.predict(point_coords=[[60, 60]], point_labels=[1], return_logits=True)[2]
    found = predictor.predict(point_coords=[[60, 60], [0, 0]], point_labels=[1, -1], return_logits=True)[2]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_an_encoder_in_low_precision_leaves_no_slow_product(each_model, dtype, monkeypatch):
    family = family_of(each_model)
    sides = [side // family.geometry(each_model).multiple * family.geometry(each_model).multiple for side in (96, 160)]
    pixels = torch.randn(1, 3, *sides, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = embeddings(family.encoder(basam.attach(each_model))(pixels))
        family.encoder(each_model).to(dtype)
        low = pixels.to(dtype)
        monkeypatch.setattr(low_precision, "native", lambda dtype: True)
        plain = embeddings(family.encoder(each_model)(low))
        monkeypatch.setattr(low_precision, "native", lambda other: other != dtype)
        with products_in() as seen:
            wide = embeddings(family.encoder(each_model)(low))
    assert seen == {torch.float32}
    assert wide.dtype == dtype
    # Rounded as often as on a CPU that multiplies in low precision itself: the two errors differ by chance (0.92 to 1.05 seen).
    assert error(wide, exact) <= 1.5 * error(plain, exact)


def embeddings(output):
    return getattr(output, "last_hidden_state", output)


def error(found, exact):
    return float((found.float() - exact).square().mean().sqrt())
