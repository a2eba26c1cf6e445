"""Parts of an embedding on a model of every family: a part equals a photo of the trained size, and nothing is left behind."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

import basam
from tests.helpers.slowly import slowly


def tiled(tensor: Tensor, grid: tuple[int, int]) -> Tensor:
    """A map of the grid, of its channels first or last, twice side by side along both axes."""
    spatial = (1, 2) if tensor.shape[1:3] == grid else (2, 3)
    return torch.cat([torch.cat([tensor, tensor], spatial[0])] * 2, spatial[1])


@pytest.mark.parametrize(
    ("tile", "multimask"),
    slowly(
        [(tile, multimask) for tile in ((0, 0), (0, 1), (1, 1)) for multimask in (False, True)], ((0, 0), False), ((1, 1), True)
    ),
)
def test_a_part_is_decoded_as_a_photo_of_the_trained_size(each_model, monkeypatch, tile, multimask):
    """The embedding of a large photo is made of four times that of a small one, with all that goes to the decoder with it."""
    predictor = basam.Predictor(each_model)
    geometry = predictor.attachment.geometry
    side, grid = geometry.image_size, (geometry.trained_side, geometry.trained_side)
    small = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    third = side // 3
    prompts = (
        {"box": [third, third, side - third, side - third]},
        {"point_coords": [[side / 2, side / 2]], "point_labels": [1]},
    )
    predictor.set_image(small)
    expected = [predictor.predict(**prompt, multimask_output=multimask, return_logits=True) for prompt in prompts]

    encode = type(predictor.family).encode

    def tile_features(self, model, pixels):
        features = encode(self, model, pixels[..., :side, :side])
        return tree_map_only(Tensor, lambda tensor: tiled(tensor, grid), features)

    monkeypatch.setattr(type(predictor.family), "encode", tile_features)
    predictor.set_image(np.tile(small, (2, 2, 1)), pyramid=True)
    shift = np.array([tile[1] * side, tile[0] * side])
    for prompt, (masks, scores, low_res) in zip(prompts, expected, strict=True):
        moved = {
            name: np.asarray(value) + (0 if name == "point_labels" else np.resize(shift, np.shape(value)[-1:]))
            for name, value in prompt.items()
        }
        mine, own, low = predictor.predict(**moved, multimask_output=multimask, return_logits=True, level=0)
        assert predictor.views[0].corner == (tile[0] * geometry.trained_side, tile[1] * geometry.trained_side)
        rows, columns = predictor.views[0].window(2 * side, 2 * side)
        # What is cached is rounded to half precision.
        np.testing.assert_allclose(low, low_res, atol=2e-2 * np.abs(low_res).max())
        np.testing.assert_allclose(mine[:, rows, columns], masks, atol=2e-2 * np.abs(masks).max())
        np.testing.assert_allclose(own, scores, atol=1e-2)


def test_several_prompts_and_a_mask_that_goes_back(each_model):
    predictor = basam.Predictor(each_model)
    side = 2 * predictor.attachment.geometry.image_size + 40
    photo = np.random.default_rng(1).integers(0, 256, (side - 70, side, 3), dtype=np.uint8)
    predictor.set_image(photo, pyramid=True)
    boxes = [[10, 10, 60, 50], [side - 60, side - 140, side - 5, side - 75], [0, 0, side, side - 70]]
    masks, scores, low_res = predictor.predict(box=boxes, multimask_output=False, return_logits=True)
    assert masks.shape == (3, 1, side - 70, side)
    for index, box in enumerate(boxes):
        mine, score, low = predictor.predict(box=box, multimask_output=False, return_logits=True)
        np.testing.assert_allclose(masks[index], mine, atol=1e-3)
        np.testing.assert_allclose(scores[index], score, atol=1e-4)
        np.testing.assert_allclose(low_res[index][:, : low.shape[1], : low.shape[2]], low, atol=1e-3)
        if not predictor.family.name.startswith("EfficientSAM"):
            refined, *_ = predictor.predict(box=box, mask_input=low, return_logits=True)
            assert np.isfinite(refined).all()


def test_a_photo_of_the_trained_size_is_predicted_as_without(each_model):
    predictor = basam.Predictor(each_model)
    side = predictor.attachment.geometry.image_size
    photo = np.random.default_rng(2).integers(0, 256, (side, side, 3), dtype=np.uint8)
    predictor.set_image(photo)
    expected = predictor.predict(box=[20, 20, 70, 80], return_logits=True)
    predictor.set_image(photo, pyramid=True)
    for mine, plain in zip(predictor.predict(box=[20, 20, 70, 80], return_logits=True), expected, strict=True):
        np.testing.assert_array_equal(mine, plain)
