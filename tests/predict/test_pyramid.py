"""A photo that is encoded once at several sizes: each prompt is predicted on the part of a level around it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import basam
from basam.masks import tight_box
from tests.helpers.tiny import photo, tiny_sam

SIDE, PATCH, S = 64, 16, 4  # of the tiny model: trained long side, patch, trained side in patches
CLICK = {"point_coords": [[150, 90]], "point_labels": [1]}


@pytest.fixture
def predictor():
    return basam.Predictor(tiny_sam())


@pytest.fixture
def encodings(predictor, monkeypatch):
    """Sizes of the encoder's inputs."""
    sizes = []
    encode = type(predictor.family).encode

    def counting(self, model, pixels):
        sizes.append(tuple(pixels.shape[2:]))
        return encode(self, model, pixels)

    monkeypatch.setattr(type(predictor.family), "encode", counting)
    return sizes


@pytest.mark.parametrize("size", [(64, 64), (48, 64), (30, 50)])
@pytest.mark.parametrize("prompt", [{"box": [4, 5, 40, 28]}, {"point_coords": [[20, 15]], "point_labels": [1]}])
def test_a_photo_no_larger_than_trained_is_predicted_as_without(predictor, size, prompt):
    image = photo(*size)
    predictor.set_image(image)
    expected = predictor.predict(**prompt, return_logits=True)
    predictor.set_image(image, pyramid=True)
    assert len(predictor.image.levels) == 1
    for mine, plain in zip(predictor.predict(**prompt, return_logits=True), expected, strict=True):
        np.testing.assert_array_equal(mine, plain)


def test_each_level_is_encoded_once_and_when_a_prompt_needs_it(predictor, encodings):
    predictor.set_image(photo(300, 400), pyramid=True)
    assert encodings == []
    predictor.predict(box=[100, 100, 130, 120])
    assert encodings == [(304, 400)]
    predictor.predict(box=[[10, 10, 40, 40], [200, 100, 230, 130], [390, 290, 400, 300]])
    assert len(encodings) == 1
    predictor.predict(box=[0, 0, 400, 300])
    assert encodings[1:] == [(48, 64)]
    for _ in range(3):
        predictor.predict(**CLICK)
    assert len(encodings) == len(set(encodings)) == len(predictor.image.levels)
    assert [max(level.frame.resized) for level in predictor.image.levels] == [400, 283, 200, 141, 100, 64]


def test_a_box_takes_the_finest_level_on_which_it_fits_a_part(predictor):
    predictor.set_image(photo(300, 400), pyramid=True)
    levels = predictor.image.levels
    for side in (30, 50, 80, 120, 180, 290):
        predictor.predict(box=[100, 5, 100 + side, 5 + side])
        level = levels.index(predictor.views[0].encoded)
        sides = [side * max(one.frame.resized) / 400 for one in levels]
        assert sides[level] <= SIDE - PATCH or level == len(levels) - 1
        assert level == 0 or sides[level - 1] > SIDE - PATCH


@pytest.mark.parametrize(
    "box", [[0, 0, 20, 20], [380, 0, 400, 20], [0, 280, 20, 300], [380, 285, 400, 300], [5, 130, 395, 150]]
)
def test_a_part_holds_its_prompt_and_has_the_trained_grid(predictor, box):
    predictor.set_image(photo(300, 400), pyramid=True)
    masks, _, low_res = predictor.predict(box=box, return_logits=True)
    (view,) = predictor.views
    geometry = predictor.attachment.geometry
    assert masks.shape == (3, 300, 400)
    assert low_res.shape == (3, *geometry.mask_size(*view.frame.padded))
    assert max(view.grid(geometry)) <= S
    rows, columns = view.window(300, 400)
    assert columns.start <= box[0]
    assert rows.start <= box[1]
    assert box[2] <= columns.stop
    assert box[3] <= rows.stop
    assert predictor.attachment.grid == predictor.image.whole.grid(geometry)
    outside = np.ones((300, 400), bool)
    outside[rows, columns] = False
    assert (masks[:, outside] == -20).all()


def test_k_prompts_equal_one_at_a_time(predictor):
    predictor.set_image(photo(300, 400), pyramid=True)
    boxes = [[10, 10, 40, 40], [100, 100, 290, 120], [380, 280, 400, 300], [0, 0, 400, 300], [200, 12, 242, 40]]
    points, labels = [[[30, 20]], [[150, 110], [20, 20]], [[390, 290]], [[9, 9]], [[210, 30]]], [[1], [1, 0], [1], [1], [1]]
    for prompt in ({"box": boxes}, {"point_coords": points, "point_labels": labels}):
        masks, scores, low_res = predictor.predict(**prompt, return_logits=True)
        views = predictor.views
        for index in range(5):
            one = {name: values[index] for name, values in prompt.items()}
            mine, score, low = predictor.predict(**one, return_logits=True)
            assert predictor.views == [views[index]]
            np.testing.assert_allclose(masks[index], mine, atol=1e-4)
            np.testing.assert_allclose(scores[index], score, atol=1e-5)
            np.testing.assert_allclose(low_res[index][:, : low.shape[1], : low.shape[2]], low, atol=1e-4)


@pytest.mark.parametrize("prompt", [{"box": [100, 60, 140, 95]}, CLICK, {"box": [0, 0, 400, 300]}])
def test_low_res_goes_back_beside_its_prompt(predictor, prompt):
    predictor.set_image(photo(300, 400), pyramid=True)
    masks, _, low_res = predictor.predict(**prompt, return_logits=True)
    view = predictor.views
    refined, *_ = predictor.predict(**prompt, mask_input=low_res[:1], return_logits=True)
    assert predictor.views == view
    assert np.isfinite(refined).all()
    assert np.abs(refined - masks).max() > 1e-3


def test_a_mask_of_the_whole_photo_says_where_to_look(predictor):
    predictor.set_image(photo(300, 400), pyramid=True)
    mask = np.full((1, 12, 16), -9.0)
    mask[:, 4:6, 6:8] = 9
    predictor.predict(mask_input=mask)
    assert predictor.views[0].level is not None
    x, y = predictor.views[0].shift + predictor.views[0].region.side / 2
    assert (x, y) == pytest.approx((175, 125), abs=15)
    with pytest.raises(ValueError, match="no logit above 0"):
        predictor.predict(mask_input=-np.abs(mask))


def test_a_person_may_choose_the_level(predictor):
    predictor.set_image(photo(300, 400), pyramid=True)
    seen = set()
    for level in range(len(predictor.image.levels)):
        predictor.predict(**CLICK, level=level)
        assert predictor.views[0].encoded == predictor.image.levels[level]
        seen.add(predictor.views[0])
    assert len(seen) == len(predictor.image.levels)
    for wrong in (-1, 6, 1.5, True):
        with pytest.raises(ValueError, match="level="):
            predictor.predict(**CLICK, level=wrong)
    with pytest.raises(ValueError, match="focus"):
        predictor.predict(**CLICK, level=1, focus=True)
    predictor.set_image(photo(300, 400))
    with pytest.raises(ValueError, match="pyramid=True"):
        predictor.predict(**CLICK, level=0)


def test_a_pyramid_is_not_padded_to_a_square(predictor):
    with pytest.raises(ValueError, match="pyramid and square"):
        predictor.set_image(photo(300, 400), pyramid=True, square=True)


def test_points_that_are_far_apart_take_a_coarser_level(predictor):
    predictor.set_image(photo(300, 400), pyramid=True)
    predictor.predict(point_coords=[[20, 20], [380, 280]], point_labels=[1, 1])
    assert predictor.views[0].region is None


def test_focus_on_a_photo_with_levels_encodes_the_region(predictor, encodings):
    image = photo(300, 400)
    predictor.set_image(image, long_side=SIDE)
    expected = predictor.predict(box=[100, 100, 140, 140], return_logits=True, focus=True)
    predictor.set_image(image, pyramid=True)
    for mine, theirs in zip(predictor.predict(box=[100, 100, 140, 140], return_logits=True, focus=True), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert set(encodings) == {(SIDE, SIDE)}


def test_batches_of_images(predictor):
    images = [photo(300, 400), photo(64, 48), photo(90, 200, seed=1)]
    boxes = [[100, 60, 140, 95], [4, 5, 30, 28], [20, 20, 60, 60]]
    predictor.set_image_batch(images, pyramid=True)
    masks, scores, _ = predictor.predict_batch(box_batch=boxes, return_logits=True)
    for image, box, mask, score in zip(images, boxes, masks, scores, strict=True):
        predictor.set_image(image, pyramid=True)
        mine, own, _ = predictor.predict(box=box, return_logits=True)
        np.testing.assert_allclose(mask, mine, atol=1e-4)
        np.testing.assert_allclose(score, own, atol=1e-5)


class Measuring:
    """Takes the place of a family's encoder and decoder: the mask is the signed distance to a white square, as it was seen."""

    def __init__(self, predictor, monkeypatch):
        self.family = predictor.family
        monkeypatch.setattr(type(self.family), "encode", self.encode)
        monkeypatch.setattr(type(self.family), "decode_scored", self.decode)
        monkeypatch.setattr(type(self.family), "decode_each", self.decode)

    def encode(self, model, pixels):
        light = (pixels[:, 0] * self.family.std[0] + self.family.mean[0]).double()
        light[(pixels == 0).all(1)] = 0
        sides = [F.relu(light.sum(dim) / light.sum(dim).max() - 0.5).sign() for dim in (2, 1)]
        edges = [(one.argmax(1), one.shape[1] - one.flip(1).argmax(1)) for one in sides]
        places = [(torch.arange(side * 4 // PATCH) + 0.5) * PATCH / 4 for side in pixels.shape[2:]]
        y, x = (
            torch.minimum(place - first[:, None], last[:, None] - place)
            for place, (first, last) in zip(places, edges, strict=True)
        )
        distance = torch.minimum(y[:, :, None], x[:, None, :]).float()
        return {"image_embeddings": F.pixel_unshuffle(distance[:, None], 4)}

    def decode(self, model, features, prompts, *, multimask):
        masks = F.pixel_shuffle(features["image_embeddings"], 4).expand(len(prompts), 3 if multimask else 1, -1, -1)
        return masks, torch.full(masks.shape[:2], 0.5), None


@pytest.mark.parametrize("size", [(300, 400), (397, 211), (333, 70)])
@pytest.mark.parametrize("place", [(0.1, 0.2), (0.8, 0.15), (0.45, 0.7), (0.7, 0.75)])
def test_masks_lie_where_the_object_is(predictor, monkeypatch, size, place):
    height, width = size
    side = 48
    top, left = round(place[0] * (height - side)), round(place[1] * (width - side))
    image = np.zeros((height, width, 3), np.uint8)
    image[top : top + side, left : left + side] = 255
    Measuring(predictor, monkeypatch)
    predictor.set_image(image, pyramid=True)
    box = np.array([left, top, left + side, top + side])
    for level, view in enumerate(predictor.image.levels):
        masks, *_ = predictor.predict(box=box, multimask_output=False, level=level)
        reduced = max(view.frame.original) / max(view.frame.resized)
        assert np.abs(tight_box(masks[0]) - box).max() <= 1.5 * reduced


def test_a_rotated_photo_is_upright(predictor, tmp_path, monkeypatch):
    image = np.zeros((200, 400, 3), np.uint8)
    image[30:50, 300:330] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter, clockwise
    Image.fromarray(np.rot90(image).copy()).save(tmp_path / "a.png", exif=exif)
    Measuring(predictor, monkeypatch)
    predictor.set_image(tmp_path / "a.png", pyramid=True)
    assert predictor.original_size == (200, 400)
    masks, *_ = predictor.predict(box=[300, 30, 330, 50], multimask_output=False, level=0)
    assert np.abs(tight_box(masks[0]) - (300, 30, 330, 50)).max() <= 1


@pytest.mark.parametrize("pyramid", [True, False])
def test_a_further_click_goes_to_the_view_of_the_answer_before(predictor, encodings, pyramid):
    predictor.set_image(photo(300, 400), pyramid=pyramid)
    (before,) = predictor.predictions(np.array([[150.0, 90.0]]), np.array([1]))
    count, mask = len(encodings), before.low_res[:1]
    (after,) = predictor.predictions(
        np.array([[150.0, 90.0], [160.0, 99.0]]), np.array([1, 0]), mask_input=mask, multimask_output=False, view=before.view
    )
    assert after.view == before.view
    assert len(encodings) == count
    (other,) = predictor.predictions(
        np.array([[150.0, 90.0], [160.0, 99.0]]), np.array([1, 0]), mask_input=-mask, multimask_output=False, view=before.view
    )
    assert not torch.equal(after.low, other.low)


def test_everything_on_an_image_that_is_encoded_costs_decodings_only(predictor, encodings):
    settings = {"points_per_side": 2, "pred_iou_thresh": -9, "stability_score_thresh": -9, "pyramid": True}
    image = photo(100, 130)
    expected = basam.AutomaticMasks(tiny_sam(), **settings).find(image)
    predictor.set_image(image, pyramid=True)
    predictor.encode(predictor.image.levels)
    count = len(encodings)
    found = basam.AutomaticMasks(basam.Predictor(predictor.model), **settings).find(predictor.image)
    assert len(encodings) == count
    assert [each.runs.area for each in found] == [each.runs.area for each in expected]
    assert {each.view.encoded for each in found} <= set(predictor.image.levels)
