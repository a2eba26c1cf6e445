"""Regions to train on: what predicting looks at, jittered, with prompts and masks that stay on the object."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import basam
from basam.families import family_of
from basam.lab.data import PromptSpec, Source
from basam.lab.tuning.augment import Augment
from basam.lab.tuning.batches import TuningBatches
from basam.lab.tuning.focused import CONTEXT_JITTER, RegionDraws
from basam.lab.tuning.losses import LossWeights, intersection_over_union, prompt_losses
from basam.lab.tuning.photo_cache import Picture
from basam.lab.tuning.recipe import Sizes, TuneSettings
from basam.lab.tuning.sources import open_portions
from basam.lab.tuning.validation import Scores, Validator
from basam.predict import Focus, Predictor
from tests.helpers.small_run import write_pairs
from tests.helpers.tiny import tiny_sam

MODEL = tiny_sam()
FAMILY = family_of(MODEL)
GEOMETRY = FAMILY.geometry(MODEL)
SIDE = 64
BOX, POINT = PromptSpec("gt-box"), PromptSpec("gt-point")


def picture_of(height: int, width: int, box: tuple[int, int, int, int]) -> Picture:
    """A black photograph with one white rectangle, x0, y0, x1, y1."""
    x0, y0, x1, y1 = box
    mask = np.zeros((height, width), bool)
    mask[y0:y1, x0:x1] = True
    return Picture(Image.fromarray(np.repeat(mask[..., None], 3, 2).astype(np.uint8) * 255), (mask,))


def cut(picture: Picture, spec: PromptSpec, seed: int = 0, focus: Focus | None = None):
    draws = RegionDraws(focus or Focus(), GEOMETRY)
    return draws.cut(picture, picture.masks[0], spec, SIDE, np.random.default_rng(seed), "photo")


@pytest.mark.parametrize(
    "box", [(0, 0, 20, 10), (280, 0, 300, 30), (0, 170, 9, 200), (262, 190, 300, 200), (100, 80, 160, 120)]
)
@pytest.mark.parametrize("mirror", [False, True])
def test_box_mask_and_pixels_of_a_region_agree(box: tuple[int, int, int, int], mirror: bool) -> None:
    picture = picture_of(200, 300, box)
    for seed in range(10):
        part = cut(picture, BOX, seed)
        part = part.mirrored() if mirror else part
        assert np.array_equal(np.asarray(part.image)[..., 0] > 0, part.mask)
        x0, y0, x1, y1 = part.prompt.box.astype(int)
        inside = np.zeros_like(part.mask)
        inside[y0:y1, x0:x1] = True
        assert np.array_equal(inside, part.mask)
        assert part.beyond == 0
        assert part.frame.original == part.mask.shape


def test_context_and_place_are_drawn_around_those_of_predicting() -> None:
    picture = picture_of(400, 600, (280, 180, 320, 200))
    sides, middles = [], []
    for seed in range(200):
        part = cut(picture, BOX, seed)
        height, width = part.mask.shape
        assert height == width
        sides.append(width)
        x0, _, x1, _ = part.prompt.box
        assert min(x0, width - x1) >= (width - 40) / 4 - 1  # half of the margin that it has in the middle
        middles.append(((x0 + x1) / 2 - width / 2) / width)
    assert min(sides) >= 80 / CONTEXT_JITTER
    assert max(sides) <= 80 * CONTEXT_JITTER + 1
    assert np.quantile(sides, [0.1, 0.9]) == pytest.approx([80 / 1.38, 80 * 1.38], rel=0.08)
    assert np.std(middles) > 0.03
    assert abs(np.mean(middles)) < 0.02


def test_a_click_is_trained_on_the_squares_that_predicting_tries() -> None:
    picture = picture_of(300, 400, (200, 100, 260, 150))
    click = Focus(click="scales")
    found = {part.image.width: part for part in (cut(picture, POINT, seed, click) for seed in range(60))}
    assert sorted(found) == [50, 67, 100, 134, 200, 267, 400]
    whole = found[400]
    assert (whole.mask.shape, whole.frame.padded, whole.beyond) == ((300, 400), (48, SIDE), 0)
    # Of 60 x 50 pixels of the object a square of 50 around (229, 124) holds 50 x 49.
    assert found[50].beyond == pytest.approx(60 * 50 / (50 * 49) - 1)
    for part in found.values():
        (x, y), *_ = part.prompt.points.astype(int)
        assert part.mask[y, x]


def test_a_mirrored_click_stays_on_its_pixel() -> None:
    part = cut(picture_of(300, 400, (200, 100, 201, 101)), POINT)
    (x, y), *_ = part.mirrored().prompt.points.astype(int)
    assert np.argwhere(part.mirrored().mask).tolist() == [[y, x]]


@pytest.mark.parametrize("rule", ["coarse", "zoom"])
def test_a_click_with_a_first_look_is_trained_on_that_and_around_its_object(rule: str) -> None:
    picture = picture_of(300, 400, (200, 100, 240, 120))
    sides = [cut(picture, POINT, seed, Focus(click=rule)).image.width for seed in range(60)]
    assert 15 < sides.count(400) < 45
    around = [side for side in sides if side != 400]
    assert len(set(around)) > 10
    assert min(around) >= 80 / CONTEXT_JITTER
    assert max(around) <= 80 * CONTEXT_JITTER + 1


def test_a_point_outside_of_the_region_is_left_out() -> None:
    picture = picture_of(300, 400, (200, 100, 260, 150))
    spec = PromptSpec.parse("k-points:1+1")
    counts = set()
    for seed in range(60):
        part = cut(picture, spec, seed, Focus(click="scales"))
        counts.add(len(part.prompt.points))
        assert part.prompt.labels[0] == 1
        assert (part.prompt.points >= 0).all()
        assert (part.prompt.points <= part.mask.shape[::-1]).all()
    assert counts == {1, 2}


def test_what_is_beyond_counts_as_missed_in_the_iou() -> None:
    logits, target = torch.tensor([[[1.0, 1.0, -1.0, -1.0]]] * 2), torch.tensor([[[1.0, 1.0, 0.0, 0.0]]] * 2)
    assert intersection_over_union(logits, target, None, torch.tensor([0.0, 1.0])).tolist() == [1.0, 0.5]
    losses, reached = prompt_losses(
        logits[:, None], torch.ones(2, 1), target, LossWeights(focal=0, dice=0), beyond=torch.tensor([0.0, 1.0])
    )
    assert reached.tolist() == [1.0, 0.5]
    assert losses.tolist() == pytest.approx([0.0, 0.25])  # the predicted IoU of 1 is wrong by a half


def batches_of(root: Path, **changes) -> TuningBatches:
    options = {"batch_size": 4, "sizes": Sizes(SIDE, SIDE), "seed": 5, "focus": Focus(click="scales")} | changes
    return TuningBatches(open_portions([Source("folder", root)]), FAMILY, GEOMETRY, **options)


def test_batches_of_regions_are_squares_and_a_function_of_the_step(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "data", 10)
    some_beyond = False
    for step in range(12):
        batch = batches_of(root).make(step, 0, 1)
        assert batch["pixels"].shape == (4, 3, SIDE, SIDE)
        assert batch["beyond"].shape == (4,)
        some_beyond |= bool((batch["beyond"] > 0).any())
        halves = [batches_of(root).make(step, part, 2) for part in range(2)]
        for name in ("pixels", "targets", "valid", "beyond"):
            assert torch.equal(torch.cat([half[name] for half in halves]), batch[name]), name
        if "boxes" in batch:
            assert (batch["beyond"] < 0.3).all()  # a careless box may leave out a little
    assert some_beyond
    assert "beyond" not in batches_of(root, focus=None).make(0, 0, 1)


@pytest.mark.parametrize("sizes", ["64", "80"])
def test_the_target_lies_where_the_box_says(tmp_path: Path, sizes: str) -> None:
    root = write_pairs(tmp_path / "data", 10)
    make = batches_of(root, sizes=Sizes.parse(sizes, 4096), mix=(BOX,), augment=Augment(colour=0, crop=1))
    for step in range(6):
        batch = make.make(step, 0, 1)
        for target, box in zip(batch["targets"], batch["boxes"], strict=True):
            rows, columns = torch.nonzero(target > 0.5, as_tuple=True)
            found = [columns.min() * 4, rows.min() * 4, (columns.max() + 1) * 4, (rows.max() + 1) * 4]
            assert torch.tensor(found).float() == pytest.approx(box, abs=2.5)


def test_a_run_with_focus_is_measured_with_focus_and_its_adapter_says_so(tuning, base, monkeypatch) -> None:
    monkeypatch.setattr(Scores, "best", property(lambda self: self.scores[-1]))
    (base / "mode.json").write_text('{"mode": {}, "focus": {"context": 3, "click": "scales"}}')
    try:
        run = tuning(focus=True, sizes=None, way="decoder", rate=1e-5, augment=False)
        outcome = run.run()
        model = basam.load(base, adapter=outcome.adapter)
    finally:
        (base / "mode.json").unlink()
    assert str(run.sizes) == "64"
    predictor = Predictor(model)
    assert predictor.focus == Focus(context=3, click="scales")

    def again(focus: Focus | None) -> float:
        validator = Validator(predictor, run.portions, (SIDE,), count=16, seed=0, focus=focus)
        return validator.measure(0, 0.0, lambda sums: sums).mean

    assert again(predictor.focus) == pytest.approx(outcome.scores.best.mean, abs=1e-3)
    assert again(None) != pytest.approx(outcome.scores.best.mean, abs=1e-3)
    found = json.loads((outcome.adapter / "mode.json").read_text())
    assert found["focus"] == {"context": 3, "side": None, "click": "scales", "margin": 0.05, "cut": 0.4}
    assert (found["found"]["trained on"], found["found"]["sizes"]) == ("regions of prompts", "64")
    card = (outcome.adapter / "README.md").read_text()
    assert "Regions of 64 px, 6 steps of 2 photographs" in card
    assert "with focus" in card


def test_regions_have_no_native_size() -> None:
    with pytest.raises(ValueError, match="sizes native with focus: regions have no size of their own"):
        TuneSettings(data=("folder:photos",), focus=True, sizes="native")
