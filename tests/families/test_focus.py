"""Focus on a model of every family: the whole photo is what it was without, and coordinates are exact to half a pixel.

For coordinates a family's encoder and decoder are replaced: a white square on black is measured in the very pixels that the
encoder is given, to fractions of one, and its signed distance becomes the mask. What is left is the way there and back: crop,
EXIF turn, resizing, squashing, padding, scaling of prompts, and the mask's way into the photo.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import basam
from basam.families.registry import family_of
from basam.predict import Focus
from tests.helpers.slowly import slowly

Box = tuple[int, int, int, int]
# Pixels between a square and the photo's edges: within half of a mask's own pixel of its edge a mask has no slope to measure.
RIM = 12
CORNERS = ("top left", "top right", "bottom left", "bottom right", "middle")


def square_in(height: int, width: int, side: int, place: str) -> Box:
    """x0, y0, x1, y1 of a square near a corner, whose region is moved inside the photo, or in the middle."""
    if place == "middle":
        return ((width - side) // 2, (height - side) // 2, (width + side) // 2, (height + side) // 2)
    left = RIM if "left" in place else width - side - RIM
    top = RIM if "top" in place else height - side - RIM
    return (left, top, left + side, top + side)


def photo_of(height: int, width: int, box: Box) -> np.ndarray:
    x0, y0, x1, y1 = box
    photo = np.zeros((height, width, 3), np.uint8)
    photo[y0:y1, x0:x1] = 255
    return photo


class Measuring:
    """Stands in for the encoder and the decoder of a predictor's family; keeps the prompts that came."""

    def __init__(self, predictor: basam.Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.family, self.geometry = predictor.family, predictor.attachment.geometry
        self.asked: list = []
        monkeypatch.setattr(type(self.family), "encode", self.encode)
        monkeypatch.setattr(type(self.family), "decode_scored", self.decode)

    def encode(self, model: object, pixels: Tensor) -> Tensor:
        """Signed distance to the edges of the square `(B, h, w)`, in pixels that were given, at the size of masks."""
        light = (pixels[:, 0] * self.family.std[0] + self.family.mean[0]).double()
        light[(pixels == 0).all(1)] = 0  # padding is the mean colour
        height, width = light.shape[-2:]
        rows, columns = self.geometry.mask_size(height, width)
        y = inside(light.sum(2), (torch.arange(rows) + 0.5) * height / rows)
        x = inside(light.sum(1), (torch.arange(columns) + 0.5) * width / columns)
        return torch.minimum(y[:, :, None], x[:, None, :]).float()

    def decode(self, model: object, features: Tensor, prompts: object, *, multimask: bool) -> tuple:
        self.asked.append(prompts)
        masks = features[:, None].expand(len(prompts), 3 if multimask else 1, -1, -1)
        return masks, torch.full(masks.shape[:2], 0.5), None


def inside(profile: Tensor, places: Tensor) -> Tensor:
    """How far `places` lie inside of the lit stretch of each profile `(B, length)`; negative outside."""
    middle = (profile * (torch.arange(profile.shape[1]) + 0.5)).sum(1) / profile.sum(1)
    length = profile.sum(1) / profile.amax(1)
    return length[:, None] / 2 - (places[None] - middle[:, None]).abs()


def edges_of(logits: np.ndarray) -> list[float]:
    """x0, y0, x1, y1 where the logits `(H, W)` of a square cross 0 along its middle, in fractions of a pixel."""
    rows, columns = np.nonzero(logits > 0)
    found = []
    for line in (logits[round(rows.mean())], logits[:, round(columns.mean())]):
        first, last = np.flatnonzero(line > 0)[[0, -1]]
        found.append((crossing(line, first - 1) + 0.5, crossing(line, last) + 0.5))
    (x0, x1), (y0, y1) = found
    return [x0, y0, x1, y1]


def crossing(line: np.ndarray, index: int) -> float:
    """Where it is 0 between a pixel and the next, in pixels."""
    return index + line[index] / (line[index] - line[index + 1])


@pytest.mark.parametrize(
    ("height", "width", "side"),
    slowly([(300, 400, 40), (300, 400, 90), (401, 250, 40), (401, 250, 90)], (300, 400, 40), (401, 250, 90)),
)
def test_coordinates_are_exact_to_half_a_pixel(each_model, monkeypatch, height, width, side):
    """Boxes and clicks, at every corner of photos that are not square; some regions are larger than the photo is high."""
    predictor = basam.Predictor(each_model)
    measuring = Measuring(predictor, monkeypatch)
    for place in CORNERS:
        box = square_in(height, width, side, place)
        predictor.set_image(photo_of(height, width, box))
        click = {"point_coords": [[box[0] + side // 2, box[1] + side // 2]], "point_labels": [1]}
        asked = [({"box": box}, Focus()), ({"box": box}, Focus(context=3.3)), ({"box": box}, Focus(context=1.3))]
        asked += [(click, Focus(click=rule)) for rule in ("coarse", "scales")]
        for prompt, focus in asked:
            masks, *_ = predictor.predict(**prompt, multimask_output=False, return_logits=True, focus=focus)
            view = predictor.views[0]
            # A pixel of the model that is larger than one of the photo is all that a mask can be exact to.
            scale = max(1.0, *(of / to for of, to in zip(view.frame.original, view.frame.resized, strict=True)))
            np.testing.assert_allclose(edges_of(masks[0]), box, atol=0.5 * scale, err_msg=f"{place}, {prompt}, {focus}, {view}")
            if "box" in prompt:
                given = measuring.asked[-1].boxes[0].numpy()
                shifted = (np.array(box) - np.tile(view.shift, 2)).reshape(2, 2)
                resized = shifted * [
                    to / of for of, to in zip(view.frame.original[::-1], view.frame.resized[::-1], strict=True)
                ]
                np.testing.assert_allclose(given, resized.ravel(), atol=1e-3)


@pytest.mark.parametrize(
    ("height", "width", "square"),
    slowly(
        [(*size, square) for size in ((300, 400), (401, 250), (320, 320)) for square in (False, True)],
        (300, 400, False),
        (401, 250, True),
    ),
)
def test_a_mask_of_the_whole_photo_lies_where_it_lay(each_model, monkeypatch, height, width, square):
    """The signed distance to a square, which `predict` returned for the whole photo, alone as a prompt."""
    predictor = basam.Predictor(each_model)
    if predictor.family.name.startswith("EfficientSAM"):
        pytest.skip("it takes no masks")
    measuring = Measuring(predictor, monkeypatch)
    for place in CORNERS:
        box = square_in(height, width, 90, place)
        predictor.set_image(photo_of(height, width, box), square=square)
        _, _, low_res = predictor.predict(box=box, multimask_output=False)
        predictor.predict(mask_input=low_res, multimask_output=False, focus=True)
        view = predictor.views[0]
        whole = predictor.image_frame
        pixel = max(of / length for of, length in zip(whole.original, low_res.shape[1:], strict=True)) * max(
            padded / resized for padded, resized in zip(whole.padded, whole.resized, strict=True)
        )
        # Twice the square, to a pixel of the mask.
        assert view.region is not None
        assert 2 * 90 - 4 * pixel <= view.region.side <= 2 * 90 + 4 * pixel
        given = view.frame.masks_out(measuring.asked[-1].masks)[0, 0].numpy()
        found = np.array(edges_of(given)) + np.tile(view.shift, 2)
        np.testing.assert_allclose(found, box, atol=pixel, err_msg=f"{place}, {view}")


def test_a_region_is_seen_at_the_photos_own_pixels(each_model, monkeypatch):
    """What the encoder is given is the crop, number by number, where region and model have one size."""
    predictor = basam.Predictor(each_model)
    seen = []
    encode = type(predictor.family).encode
    monkeypatch.setattr(type(predictor.family), "encode", lambda *given: seen.append(given[-1]) or encode(*given))
    side = predictor.attachment.geometry.image_size
    photo = np.random.default_rng(0).integers(0, 256, (2 * side, 3 * side, 3), dtype=np.uint8)
    predictor.set_image(photo)
    predictor.predict(box=[3 * side - side // 2, 0, 3 * side, side // 2], multimask_output=False, focus=True)
    family = predictor.family
    expected = (photo[:side, 2 * side :] / 255 - np.array(family.mean)) / np.array(family.std)
    np.testing.assert_allclose(seen[0][0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("turn", range(1, 9))
def test_prompts_are_in_pixels_of_the_upright_photo(turn, monkeypatch, tmp_path: Path):
    """A file with every EXIF orientation: box and mask are those of the photo as it is seen."""
    predictor = basam.Predictor(basam.load("nano"))
    Measuring(predictor, monkeypatch)
    undone = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM}
    undone |= {5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE}
    undone |= {8: Image.Transpose.ROTATE_270}
    for place in CORNERS[:4]:
        box = square_in(300, 400, 40, place)
        picture = Image.fromarray(photo_of(300, 400, box))
        stored = picture if turn == 1 else picture.transpose(undone[turn])
        exif = Image.Exif()
        exif[0x0112] = turn
        stored.save(tmp_path / "photo.png", exif=exif)
        predictor.set_image(tmp_path / "photo.png")
        masks, *_ = predictor.predict(box=box, multimask_output=False, return_logits=True, focus=True)
        assert masks.shape == (1, 300, 400)
        np.testing.assert_allclose(edges_of(masks[0]), box, atol=0.5, err_msg=place)


@pytest.mark.parametrize("share", [1.0, 0.7])
def test_a_region_that_is_the_whole_photo_is_the_photo(each_model, photo, share):
    """At the trained size, square or not: the numbers without focus, to the bit, and one encoding for both."""
    predictor = basam.Predictor(each_model)
    side = family_of(each_model).geometry(each_model).image_size
    height, width = round(share * side), side
    predictor.set_image(photo(height, width))
    prompts = [{"box": [0, 0, width, height]}, {"box": [4, 4, width - 9, height - 4]}]
    prompts += [{"box": [10, 10, 30, 40]}, {"point_coords": [[20, 30], [3, 3]], "point_labels": [1, 0]}]
    for prompt, context in zip(prompts, (2, 2, side, 2), strict=True):
        expected = predictor.predict(**prompt, return_logits=True)
        for mine, plain in zip(
            predictor.predict(**prompt, return_logits=True, focus=Focus(context=context)), expected, strict=True
        ):
            np.testing.assert_array_equal(mine, plain)
    assert len(predictor.image.encoded) == 1


def test_several_prompts_and_what_goes_back(each_model, photo):
    """K boxes equal one at a time, and a region's mask is taken back by it, on every family that takes masks."""
    predictor = basam.Predictor(each_model)
    predictor.set_image(photo(300, 400))
    boxes = [[10, 10, 40, 40], [300, 200, 390, 290], [12, 10, 42, 40]]
    masks, scores, low_res = predictor.predict(box=boxes, multimask_output=False, return_logits=True, focus=True)
    assert masks.shape == (3, 1, 300, 400)
    for index, box in enumerate(boxes[:2]):
        mine, score, low = predictor.predict(box=box, multimask_output=False, return_logits=True, focus=True)
        np.testing.assert_allclose(masks[index], mine, atol=1e-3)
        np.testing.assert_allclose(scores[index], score, atol=1e-4)
        np.testing.assert_allclose(low_res[index], low, atol=1e-3)
    if not predictor.family.name.startswith("EfficientSAM"):
        refined, *_ = predictor.predict(box=boxes[1], mask_input=low_res[1], return_logits=True, focus=True)
        assert np.isfinite(refined).all()
        assert predictor.views[0].region is not None
