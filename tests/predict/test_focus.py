"""Prompts answered on their region are those of a crop that a person would make by hand, put back to the pixel."""

import numpy as np
import pytest
import torch

import basam
from basam.predict import Focus, Region
from basam.predict.views import CACHED
from tests.helpers.tiny import photo, tiny_sam

SIDE = 64  # the trained long side of the tiny model


@pytest.fixture
def predictor():
    return basam.Predictor(tiny_sam())


def by_hand(image, region, prompt, side=SIDE, **options):
    """A crop, encoded as a padded square of `side` px by a predictor of its own."""
    rows, columns = region.inside(*image.shape[:2])
    other = basam.Predictor(tiny_sam())
    other.set_image(image[rows, columns], long_side=side, square=True)
    shift = np.array([region.left, region.top])
    moved = {
        name: np.asarray(value) - (np.tile(shift, 2) if name == "box" else shift) if name != "point_labels" else value
        for name, value in prompt.items()
    }
    return other.predict(**moved, return_logits=True, **options), (rows, columns)


@pytest.mark.parametrize(
    ("box", "region"),
    [
        ([0, 0, 30, 20], Region(0, 0, 60)),
        ([370, 0, 400, 30], Region(340, 0, 60)),
        ([0, 270, 20, 300], Region(0, 240, 60)),
        ([380, 280, 400, 300], Region(360, 260, 40)),
        ([200, 100, 250, 120], Region(175, 60, 100)),
        ([100, 100, 290, 120], Region(5, 0, 380)),  # higher than the photo: the rest is padding
    ],
)
def test_a_box_is_answered_on_its_square(predictor, box, region):
    image = photo(300, 400)
    predictor.set_image(image)
    masks, scores, low_res = predictor.predict(box=box, return_logits=True, focus=True)
    assert predictor.views[0].region == region
    (expected, expected_scores, expected_low), (rows, columns) = by_hand(image, region, {"box": box})
    assert masks.shape == (3, 300, 400)
    np.testing.assert_array_equal(masks[:, rows, columns], expected)
    np.testing.assert_array_equal(scores, expected_scores)
    np.testing.assert_array_equal(low_res, expected_low)
    masks[:, rows, columns] = -20
    assert (masks == -20).all()


def test_masks_are_booleans_and_false_outside(predictor):
    predictor.set_image(photo(300, 400))
    logits, *_ = predictor.predict(box=[200, 100, 250, 120], return_logits=True, focus=True)
    masks, *_ = predictor.predict(box=[200, 100, 250, 120], focus=True)
    assert masks.dtype == bool
    np.testing.assert_array_equal(masks, logits > 0)


def test_only_what_a_prompt_needs_is_encoded(predictor, monkeypatch):
    sizes = []
    encode = type(predictor.family).encode

    def counting(self, model, pixels):
        sizes.append(tuple(pixels.shape))
        return encode(self, model, pixels)

    monkeypatch.setattr(type(predictor.family), "encode", counting)
    predictor.set_image(photo(300, 400))
    assert sizes == []
    predictor.predict(box=[10, 10, 40, 40], focus=True)
    predictor.predict(box=[10, 10, 40, 40], point_coords=[[20, 20]], point_labels=[1], focus=True)
    predictor.predict(box=[12, 10, 42, 40], focus=True)
    assert sizes == [(1, 3, SIDE, SIDE)]
    # Equal squares go through the encoder together.
    predictor.predict(box=[[100, 100, 140, 140], [200, 100, 240, 140], [202, 100, 242, 140]], focus=True)
    assert sizes[1:] == [(2, 3, SIDE, SIDE)]
    predictor.predict(box=[10, 10, 40, 40])
    assert sizes[2:] == [(1, 3, 304, 400)]
    predictor.predict(point_coords=[[5, 5]], point_labels=[1])
    assert len(sizes) == 3


def test_k_boxes_equal_one_at_a_time(predictor):
    predictor.set_image(photo(300, 400))
    boxes = [[10, 10, 40, 40], [100, 100, 290, 120], [380, 280, 400, 300], [0, 0, 400, 300], [12, 10, 42, 40]]
    masks, scores, low_res = predictor.predict(box=boxes, return_logits=True, focus=Focus(context=2))
    assert masks.shape == (5, 3, 300, 400)
    assert low_res.shape == (5, 3, 16, 16)
    views = predictor.views
    for index, box in enumerate(boxes[:4]):
        one, score, low = predictor.predict(box=box, return_logits=True, focus=True)
        np.testing.assert_allclose(masks[index], one, atol=1e-4)
        np.testing.assert_allclose(scores[index], score, atol=1e-5)
        np.testing.assert_allclose(low_res[index][:, : low.shape[1], : low.shape[2]], low, atol=1e-4)
        assert predictor.views == [views[index]]
    assert views[4] == views[0]


def test_a_region_that_is_the_whole_image_is_the_whole_image(predictor):
    image = photo(48, SIDE)
    predictor.set_image(image)
    expected = predictor.predict(box=[4, 4, 60, 40], return_logits=True)
    for focus in (True, Focus(context=5)):
        for mine, plain in zip(predictor.predict(box=[4, 4, 60, 40], return_logits=True, focus=focus), expected, strict=True):
            np.testing.assert_array_equal(mine, plain)
    assert len(predictor.image.encoded) == 1
    click = {"point_coords": [[20, 30]], "point_labels": [1]}
    expected = predictor.predict(**click, return_logits=True)
    for mine, plain in zip(predictor.predict(**click, return_logits=True, focus=True), expected, strict=True):
        np.testing.assert_array_equal(mine, plain)
    assert len(predictor.image.encoded) == 1


def test_the_whole_of_a_large_image_costs_a_region_of_the_budget(predictor):
    predictor.set_image(photo(300, 400))
    predictor.predict(box=[0, 0, 400, 300], focus=True)
    assert predictor.views[0].region is None
    assert predictor.views[0].frame.padded == (48, SIDE)
    assert predictor.attachment.grid == (19, 25)


@pytest.mark.parametrize("side", [32, 128])
def test_the_side_is_that_of_the_region_in_model_pixels(predictor, side):
    image = photo(300, 400)
    predictor.set_image(image)
    box = [200, 100, 250, 120]
    masks, *_ = predictor.predict(box=box, return_logits=True, focus=Focus(side=side))
    (expected, *_), window = by_hand(image, Region(175, 60, 100), {"box": box}, side)
    np.testing.assert_array_equal(masks[(slice(None), *window)], expected)


def test_a_low_resolution_mask_goes_back_to_its_region(predictor):
    image = photo(300, 400)
    predictor.set_image(image)
    box = [200, 100, 250, 120]
    _, _, low_res = predictor.predict(box=box, multimask_output=False, focus=True)
    masks, *_ = predictor.predict(box=box, mask_input=low_res, return_logits=True, focus=True)
    (expected, *_), window = by_hand(image, Region(175, 60, 100), {"box": box}, multimask_output=True)
    other = basam.Predictor(tiny_sam())
    other.set_image(image[window], long_side=SIDE, square=True)
    moved = np.array(box) - [175, 60, 175, 60]
    expected, *_ = other.predict(box=moved, mask_input=low_res, return_logits=True)
    np.testing.assert_array_equal(masks[(slice(None), *window)], expected)
    with pytest.raises(ValueError, match=r"mask_input of shape \(1, 7, 7\): "):
        predictor.predict(box=box, mask_input=np.zeros((1, 7, 7), np.float32), focus=True)


def test_a_mask_of_the_whole_image_says_where_to_look(predictor):
    predictor.set_image(photo(300, 400))
    whole = np.full((1, 12, 16), -5, np.float32)
    whole[:, 2:4, 9:11] = 5  # of 25 image pixels each
    predictor.predict(mask_input=whole, focus=True)
    assert predictor.views[0].region == Region(200, 25, 100)
    native = np.full((1, 76, 100), -5, np.float32)
    native[:, 12:25, 56:69] = 5  # of 4 image pixels each: what predict returns for the whole image without focus
    predictor.predict(mask_input=native, focus=True)
    assert predictor.views[0].region == Region(198, 22, 104)
    with pytest.raises(ValueError, match="mask_input has no logit above 0"):
        predictor.predict(mask_input=np.full((1, 12, 16), -5, np.float32), focus=True)
    with pytest.raises(
        ValueError, match=r"mask_input of shape \(1, 16, 16\): \(1, 12, 16\) or \(1, 76, 100\) of the whole image"
    ):
        predictor.predict(mask_input=np.zeros((1, 16, 16), np.float32), focus=True)


WAYS = [{}, {"long_side": SIDE}, {"long_side": SIDE, "square": True}]
BOX = {"box": [190, 110, 250, 140]}


@pytest.mark.parametrize(
    ("size", "options", "prompt"),
    [
        *((size, options, {}) for size in ((300, 400), (320, 320)) for options in WAYS),
        # Beside a box, a mask of the size of a region's is taken for one.
        *((size, options, BOX) for size, options in (((300, 400), WAYS[0]), ((300, 400), WAYS[1]), ((320, 320), WAYS[0]))),
    ],
)
def test_a_mask_of_the_whole_image_is_cut_as_by_hand(predictor, size, options, prompt):
    image = photo(*size)
    predictor.set_image(image, **options)
    whole = predictor.image_frame
    height, width = predictor.attachment.geometry.mask_size(*whole.padded)
    # A soft disc around (220, 120) in pixels of the image.
    rows = (np.arange(height) + 0.5) * whole.padded[0] / height * size[0] / whole.resized[0]
    columns = (np.arange(width) + 0.5) * whole.padded[1] / width * size[1] / whole.resized[1]
    low_res = (30 - np.hypot(columns[None] - 220, rows[:, None] - 120)).astype(np.float32)[None]
    masks, *_ = predictor.predict(**prompt, mask_input=low_res, return_logits=True, focus=True)
    region = predictor.views[0].region
    assert region is not None
    window = region.inside(*size)
    crop = whole.masks_out(torch.from_numpy(low_res)[None])[..., window[0], window[1]]
    by_hands = torch.nn.functional.interpolate(crop, (16, 16), mode="bilinear", antialias=True)[0].numpy()
    (expected, *_), _ = by_hand(image, region, prompt, mask_input=by_hands)
    assert np.abs(masks[:, window[0], window[1]] - expected).max() < 0.02 * np.abs(expected).max()


def test_a_region_may_be_given(predictor):
    image = photo(300, 400)
    predictor.set_image(image)
    click = {"point_coords": [[220, 110], [240, 130]], "point_labels": [1, 0]}
    region = Region(180, 70, 90)
    masks, *_ = predictor.predict(**click, return_logits=True, focus=region)
    (expected, *_), window = by_hand(image, region, click)
    np.testing.assert_array_equal(masks[(slice(None), *window)], expected)


class FixedMasks:
    """Stands in for a family's decoder: low-resolution masks that are one square of the view, wherever the prompt is."""

    def __init__(self, predictor, monkeypatch, rows, columns, scores=None):
        self.asked = []

        def decode(family, model, features, prompts, *, multimask):
            height, width = predictor.attachment.grid
            low = torch.full((len(prompts), 3 if multimask else 1, height * 4, width * 4), -5.0)
            low[..., rows, columns] = 5
            self.asked.append(prompts)
            score = torch.full(low.shape[:2], 0.5 if scores is None else scores[len(self.asked) - 1])
            return low, score, None

        monkeypatch.setattr(type(predictor.family), "decode_scored", decode)


def test_a_click_looks_around_its_coarse_mask(predictor, monkeypatch):
    fixed = FixedMasks(predictor, monkeypatch, slice(4, 6), slice(8, 10))
    predictor.set_image(photo(300, 400))
    predictor.predict(point_coords=[[220, 110], [20, 10]], point_labels=[1, 0], focus=True)
    # The coarse mask covers x 200 to 250 and y 100 to 150; twice its long side is 100.
    assert predictor.views[0].region == Region(175, 75, 100)
    first, second = fixed.asked
    np.testing.assert_allclose(first.points.numpy(), [[[220 * 64 / 400, 110 * 64 / 400], [3.2, 1.6]]], rtol=1e-6)
    # The click that says "not here" lies outside of the region, where it says nothing.
    np.testing.assert_allclose(second.points.numpy(), [[[45 * 0.64, 35 * 0.64]]], rtol=1e-6)
    assert second.labels.tolist() == [[1]]


@pytest.mark.parametrize("click", ["coarse", "zoom", "scales"])
@pytest.mark.parametrize("size", [(300, 400), (320, 320)])
@pytest.mark.parametrize("side", [None, 72])  # 72 px are padded to 80
def test_the_mask_of_a_click_goes_back_to_its_region(predictor, monkeypatch, click, size, side):
    fixed = FixedMasks(predictor, monkeypatch, slice(4, 6), slice(8, 10), scores=np.linspace(0, 1, 40))  # the last look wins
    predictor.set_image(photo(*size))
    prompt = {"point_coords": [[220, 110]], "point_labels": [1], "focus": Focus(click=click, margin=0, cut=0, side=side)}
    _, _, low_res = predictor.predict(**prompt, multimask_output=False)
    view = predictor.views[0]
    assert view.region is not None
    low_res += np.random.default_rng(0).normal(size=low_res.shape).astype(np.float32)
    predictor.predict(**prompt, mask_input=low_res, multimask_output=False)
    assert predictor.views == [view]
    np.testing.assert_array_equal(fixed.asked[-1].masks[0].numpy(), low_res)


def test_a_click_with_an_empty_coarse_mask_looks_around_itself(predictor, monkeypatch):
    FixedMasks(predictor, monkeypatch, slice(0, 0), slice(0, 0))
    predictor.set_image(photo(300, 400))
    predictor.predict(point_coords=[[220, 110]], point_labels=[1], focus=True)
    assert predictor.views[0].region == Region(220 - SIDE // 2, 110 - SIDE // 2, SIDE)


def test_a_click_with_a_coarse_mask_of_nearly_everything_looks_at_the_whole(predictor, monkeypatch):
    FixedMasks(predictor, monkeypatch, slice(0, 12), slice(0, 12))
    predictor.set_image(photo(300, 400))
    predictor.predict(point_coords=[[220, 110]], point_labels=[1], focus=True)
    assert predictor.views[0].region is None
    assert len(predictor.image.encoded) == 1


def test_of_several_scales_the_best_answer_is_taken(predictor, monkeypatch):
    # Squares of 400, 267, 200, 134, 100, 67 and 50 px; the mask is cut off by no side of any.
    FixedMasks(predictor, monkeypatch, slice(4, 6), slice(4, 6), scores=[0.1, 0.2, 0.3, 0.9, 0.4, 0.3, 0.2])
    predictor.set_image(photo(300, 400))
    _, scores, _ = predictor.predict(point_coords=[[220, 110]], point_labels=[1], focus=Focus(click="scales"))
    assert predictor.views[0].region.side == 134
    assert scores.max() == pytest.approx(0.9)


def test_a_mask_that_its_square_cuts_off_counts_less(predictor, monkeypatch):
    FixedMasks(predictor, monkeypatch, slice(0, 16), slice(0, 16), scores=[0.2, 0.2, 0.3, 0.9, 0.4, 0.3, 0.2])
    predictor.set_image(photo(300, 400))
    predictor.predict(point_coords=[[220, 110]], point_labels=[1], focus=Focus(click="scales"))
    # The square of 134 px is cut at its four sides, each of which costs 0.4; the whole photo is not.
    assert predictor.views[0].region is None
    # Without that cost it is the best.
    FixedMasks(predictor, monkeypatch, slice(0, 16), slice(0, 16), scores=[0.2, 0.2, 0.3, 0.9, 0.4, 0.3, 0.2])
    predictor.predict(point_coords=[[220, 110]], point_labels=[1], focus=Focus(click="scales", cut=0))
    assert predictor.views[0].region.side == 134


@pytest.mark.parametrize(("margin", "region"), [(0.05, Region(212, 89, 34)), (0.15, None)])
def test_a_click_that_zooms_takes_a_region_only_where_it_is_better(predictor, monkeypatch, margin, region):
    # The whole photo, then squares around the mask found before: x 200 to 250 and y 100 to 150, so 100 px from (175, 75) on;
    # there x 225 to 237 with the click at 220 and y 100 to 112, so 34 px; and once more.
    fixed = FixedMasks(predictor, monkeypatch, slice(4, 6), slice(8, 10), scores=[0.7, 0.6, 0.8, 0.7])
    predictor.set_image(photo(300, 400))
    click = {"point_coords": [[220, 110]], "point_labels": [1]}
    _, scores, _ = predictor.predict(**click, focus=Focus(click="zoom", margin=margin))
    assert len(fixed.asked) == 4
    assert predictor.views[0].region == region
    assert scores.max() == pytest.approx(0.8 if region else 0.7)


def test_a_zoom_ends_where_it_finds_the_same_again(predictor, monkeypatch):
    fixed = FixedMasks(predictor, monkeypatch, slice(0, 12), slice(0, 12))
    predictor.set_image(photo(300, 400))
    predictor.predict(point_coords=[[220, 110]], point_labels=[1], focus=Focus(click="zoom"))
    assert len(fixed.asked) == 1
    assert predictor.views[0].region is None


@pytest.mark.parametrize(("x", "looks"), [(285, 1), (265, 2)])
def test_a_zoom_ends_where_the_next_square_is_nearly_one_that_was_looked_at(predictor, monkeypatch, x, looks):
    # The mask reaches from x = 100 to 250 and the click beyond it: squares of 370 px, of which the whole photo is 400, share
    # 0.86 with it; squares of 330 px 0.68, in which the mask reaches from 100 to 224, so that the click gives the same square.
    fixed = FixedMasks(predictor, monkeypatch, slice(4, 6), slice(4, 10))
    predictor.set_image(photo(300, 400))
    predictor.predict(point_coords=[[x, 110]], point_labels=[1], focus=Focus(click="zoom"))
    assert len(fixed.asked) == looks


def test_a_zoom_with_an_empty_first_mask_looks_around_the_click(predictor, monkeypatch):
    fixed = FixedMasks(predictor, monkeypatch, slice(0, 0), slice(0, 0), scores=[0.1, 0.9])
    predictor.set_image(photo(300, 400))
    predictor.predict(point_coords=[[220, 110]], point_labels=[1], focus=Focus(click="zoom"))
    assert len(fixed.asked) == 2
    assert predictor.views[0].region == Region(220 - SIDE // 2, 110 - SIDE // 2, SIDE)


def test_a_new_mode_encodes_again(predictor):
    predictor.set_image(photo(300, 400))
    box = [200, 100, 250, 120]
    first, *_ = predictor.predict(box=box, return_logits=True, focus=Focus(side=128))
    predictor.mode = basam.BiasMode.off()
    second, *_ = predictor.predict(box=box, return_logits=True, focus=Focus(side=128))
    assert np.abs(first - second).max() > 1e-4


def test_focus_needs_the_photo(predictor):
    predictor.set_torch_image(torch.zeros(1, 3, 48, 64), (300, 400))
    with pytest.raises(ValueError, match="set_image"):
        predictor.predict(box=[200, 100, 250, 120], focus=True)


def test_a_model_may_bring_its_own_focus(tmp_path):
    assert basam.Predictor.from_pretrained("nano").focus == Focus(click="zoom", margin=0)
    assert basam.Predictor(tiny_sam()).focus == Focus()
    folder = tmp_path / "mine"
    tiny_sam().save_pretrained(folder)
    (folder / "mode.json").write_text('{"mode": {}, "focus": {"context": 3}}')
    assert basam.Predictor.from_pretrained(folder).focus == Focus(context=3)
    (folder / "mode.json").write_text('{"mode": {}, "focus": {"contxt": 3}}')
    with pytest.raises(ValueError, match="focus has no 'contxt'"):
        basam.Predictor.from_pretrained(folder)


def test_each_region_of_many_is_encoded_once(predictor, monkeypatch):
    """More regions than are cached."""
    count = 0
    encode = type(predictor.family).encode

    def counting(self, model, pixels):
        nonlocal count
        count += len(pixels)
        return encode(self, model, pixels)

    monkeypatch.setattr(type(predictor.family), "encode", counting)
    predictor.set_image(photo(300, 400))
    boxes = np.array([[x, y, x + 12, y + 12] for y in range(5, 280, 55) for x in range(5, 380, 47)])
    assert len(boxes) > CACHED
    masks, scores, _ = predictor.predict(box=boxes, multimask_output=False, focus=True)
    assert len(set(predictor.views)) == len(boxes) == count
    assert len(predictor.image.encoded) == CACHED
    for index in (0, len(boxes) - 1):
        one, score, _ = predictor.predict(box=boxes[index], multimask_output=False, focus=True)
        np.testing.assert_array_equal(one, masks[index])
        np.testing.assert_allclose(score, scores[index], atol=1e-5)
