"""Pretraining: what batches hold, that they depend on nothing but their number, and a run that resumes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import basam
from basam.lab.tuning import LossWeights, bce_loss
from basam.masks import tight_box
from studies.pretrain.model import new_model
from studies.pretrain.prompted_loss import PromptedLoss, corrections, surroundings
from studies.pretrain.sources import Source, scene_source
from studies.pretrain.view_batches import WEIGHTS, PromptedViews, covered_cells
from studies.pretrain.views import SMALLEST, coloured, draw_view, focused


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return scene_source(tmp_path_factory.mktemp("cache"), 10, 256, 1.0, workers=1)


def test_views_have_the_given_size_and_objects_large_enough(scenes: Source) -> None:
    for seed in range(20):
        view = draw_view([scenes], 192, 256, np.random.default_rng(seed))
        assert view.image.shape == (192, 256, 3)
        assert view.image.dtype == np.uint8
        assert view.masks.shape[1:] == (192, 256)
        assert view.masks.dtype == bool
        assert view.masks.sum((1, 2)).min() >= SMALLEST


def test_masks_move_with_their_picture() -> None:
    """A red object stays under its mask, whatever the view does to both."""
    image = np.full((200, 300, 3), 90, np.uint8)
    mask = np.zeros((1, 200, 300), bool)
    mask[0, 60:140, 90:210] = True
    image[mask[0]] = (200, 30, 30)
    source = Source("red", [image], [mask], 1.0)
    from studies.pretrain.views import single

    for seed in range(10):
        view = single(source, 128, 128, np.random.default_rng(seed))
        red = (view.image[..., 0] > 145) & (view.image[..., 1] < 60)
        assert (red & view.masks[0]).sum() > 0.95 * (red | view.masks[0]).sum()


def test_focused_views_hold_one_object_near_the_middle(scenes: Source) -> None:
    seen = 0
    for seed in range(20):
        view = focused(scenes, 256, 256, np.random.default_rng(seed))
        for mask in view.masks:
            x0, y0, x1, y1 = tight_box(mask)
            seen += 1
            assert len(view.masks) == 1
            assert abs((x0 + x1) / 2 - 128) < 100
            assert abs((y0 + y1) / 2 - 128) < 100
            assert max(x1 - x0, y1 - y0) > 30
    assert seen > 10


def test_a_batch_is_a_function_of_its_number_and_parts_make_a_whole(scenes: Source) -> None:
    views = PromptedViews(4, 2, seed=3, sources=[scenes])
    for step in range(3):
        whole, parts = views.make(step, 0, 1), [views.make(step, part, 2) for part in range(2)]
        height, width = whole["pixels"].shape[-2:]
        assert max(height, width) == 256
        tensors = [[made["pixels"], *asked_of(made, "box"), *asked_of(made, "point")] for made in (whole, *parts)]
        assert tensors[0][1].shape == (4, 2, height // 4, width // 4)
        for all_of_it, first, second in zip(*tensors, strict=True):
            assert torch.equal(all_of_it[0::2], first)
            assert torch.equal(all_of_it[1::2], second)
    assert not torch.equal(asked_of(views.make(0, 0, 1), "box")[2], asked_of(views.make(1, 0, 1), "box")[2])


def asked_of(batch: dict[str, Any], kind: str) -> list[torch.Tensor]:
    return [one[name] for one in batch["asked"] if one["kind"] == kind for name in ("cells", "prompts", "chance")]


def test_views_to_learn_by_heart_come_again(scenes: Source) -> None:
    views = PromptedViews(4, 2, seed=3, distinct=6, sources=[scenes])
    first, second, third = (views.make(step, 0, 1) for step in (0, 1, 3))
    assert torch.equal(first["pixels"][:2], second["pixels"][2:])
    for kind in ("box", "point"):
        for name in range(3):
            assert torch.equal(asked_of(first, kind)[name], asked_of(third, kind)[name])
            assert torch.equal(asked_of(first, kind)[name][:2], asked_of(second, kind)[name][2:])
    assert not torch.equal(first["pixels"], second["pixels"])


def test_cells_count_the_pixels_that_a_mask_covers() -> None:
    masks = np.random.default_rng(0).random((3, 8, 12)) < 0.5
    expected = torch.nn.functional.avg_pool2d(torch.from_numpy(masks)[None].float(), 4)[0] * 16
    assert torch.equal(torch.from_numpy(covered_cells(masks)).float(), expected)


def test_colours_change_as_a_whole_and_pixels_stay_where_they_are() -> None:
    """Every pixel of one colour gets one other colour, without a seam where values are cut at 0 or 255."""
    image = np.repeat(np.array([[[250, 20, 90], [10, 200, 60]]], np.uint8), 16, 0).repeat(16, 1)
    for seed in range(40):
        changed = coloured(image, np.random.default_rng(seed))
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        for half in (changed[:, :8], changed[:, 24:]):
            assert (half == half[0, 0]).all()


def test_corrections_are_where_the_answer_is_wrong() -> None:
    target = torch.zeros(1, 2, 4, 6)
    target[0, 0, 1, 2:4] = 1.0
    answer = torch.full((1, 2, 4, 6), -1.0)
    answer[0, 0, 1, 2] = 1.0  # (1, 3) is missed
    answer[0, 1, 3, 5] = 1.0  # and this is too much
    for chance in (0.0, 0.5, 1.0):
        points, labels = corrections(answer, target, torch.full((1, 2), chance))
        assert points.tolist() == [[[14.0, 6.0], [22.0, 14.0]]]
        assert labels.tolist() == [[1, 0]]


def test_the_surroundings_of_an_object_count_and_hardly_anything_else() -> None:
    target = torch.zeros(2, 12, 16)
    target[0, 4:6, 7:11] = 0.5  # 2 rows and 4 columns: margins of 3 rows and 4 columns
    weights = surroundings(target, far=0.25)
    near = torch.zeros(12, 16, dtype=torch.bool)
    near[1:9, 3:15] = True
    assert torch.equal(weights[0], torch.where(near, 1.0, 0.25))
    assert torch.equal(weights[1], torch.ones(12, 16))


def test_the_loss_asks_every_way_and_reaches_every_part_of_the_model(scenes: Source) -> None:
    model: Any = basam.attach(new_model(0), basam.BiasMode.off())
    module = PromptedLoss(model, LossWeights())
    views = PromptedViews(2, 2, seed=0, sources=[scenes])
    seen = set()
    for step in range(300):
        plan = views.plan(step)
        way = (*plan.multimask.items(), plan.refine)
        if way in seen:
            continue
        seen.add(way)
        figures = module(views.make(step, 0, 1))
        figures["loss"].backward()
        corrected = {f"iou_{plan.refine}_corrected"} if plan.refine else set()
        assert set(figures) == {"loss", "iou_box", "iou_point"} | corrected
    assert len(seen) == 12
    idle = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert idle <= {"shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding"}


@pytest.mark.parametrize("kind", ["box", "point"])
def test_the_surroundings_weigh_after_a_box_and_not_after_a_click(scenes: Source, kind: str) -> None:
    model: Any = basam.attach(new_model(0), basam.BiasMode.off()).eval()
    views = PromptedViews(2, 2, seed=0, sources=[scenes])
    step = next(step for step in range(200) if views.plan(step).refine is None and not any(views.plan(step).multimask.values()))
    batch = views.make(step, 0, 1)
    batch["asked"] = [asked for asked in batch["asked"] if asked["kind"] == kind]
    module = PromptedLoss(model, LossWeights(focal=0.0, bce=1.0, dice=0.0, iou=0.0))
    with torch.no_grad():
        found = module(batch)["loss"]
        embeddings = model.vision_encoder((batch["pixels"].float() / 255 - module.mean) / module.deviation).last_hidden_state
        cells, prompts, _ = asked_of(batch, kind)
        ones = torch.ones(prompts.shape[:3], dtype=torch.long)
        given = {"input_boxes": prompts} if kind == "box" else {"input_points": prompts, "input_labels": ones}
        logits = module.answer(embeddings, False, **given)[0].flatten(0, 2)
    target = cells.flatten(0, 1) / 16
    weight = surroundings(target) if kind == "box" else None
    torch.testing.assert_close(found, WEIGHTS[kind] * bce_loss(logits, target, weight).mean())
    other = None if kind == "box" else surroundings(target)
    # A model that has learnt nothing answers about 0 everywhere, so the two differ little, but far beyond rounding.
    assert abs(found - WEIGHTS[kind] * bce_loss(logits, target, other).mean()) > 1e-4


def test_answers_are_those_of_the_model_itself(scenes: Source) -> None:
    model: Any = basam.attach(new_model(1), basam.BiasMode.off()).eval()
    batch = PromptedViews(2, 2, seed=0, sources=[scenes]).make(1, 0, 1)
    boxes, pixels = asked_of(batch, "box")[1], batch["pixels"] / 255
    with torch.no_grad():
        embeddings = model.vision_encoder(pixels).last_hidden_state
        logits, scores = PromptedLoss(model, LossWeights()).answer(embeddings, True, input_boxes=boxes)
        output = model(pixel_values=pixels, input_boxes=boxes, multimask_output=True)
    torch.testing.assert_close(logits, output.pred_masks)
    torch.testing.assert_close(scores, output.iou_scores)
