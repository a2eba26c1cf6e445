"""Pixels whose truth is unknown teach nothing; masks that cannot be read by the rule and tiny photographs are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from basam.families import family_of
from basam.lab.data import PromptSpec, Source
from basam.lab.tuning.augment import Augment
from basam.lab.tuning.batches import TuningBatches
from basam.lab.tuning.losses import LossWeights, bce_loss, dice_loss, focal_loss, intersection_over_union, prompt_losses
from basam.lab.tuning.recipe import Sizes, TuneLoss, TuneSettings
from basam.lab.tuning.sources import open_portions
from basam.lab.tuning.tuned import Tuned, edges
from basam.lab.tuning.ways import prepare, tuned_mode
from tests.helpers.small_run import write_pairs
from tests.helpers.tiny import tiny_sam

WEIGHTS = LossWeights(focal=1.0, bce=1.0, dice=1.0, iou=1.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Photographs whose masks are label maps: 3 for the object, 255 for a border and for the lowest rows."""
    write_pairs(tmp_path / "data", 6)
    for path in (tmp_path / "data" / "masks").iterdir():
        inside = np.array(Image.open(path)) > 0
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        labels = np.zeros(inside.shape, dtype=np.uint8)
        labels[rows[0] - 4 : rows[-1] + 5, columns[0] - 4 : columns[-1] + 5] = 255
        labels[inside], labels[-12:] = 3, 255
        Image.fromarray(labels).save(path)
    return tmp_path / "data"


def random_case(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 8, 8, generator=generator)
    target, known = torch.zeros(2, 8, 8), torch.ones(2, 8, 8)
    target[:, 2:5, 2:5], known[:, 5:] = 1.0, 0.0
    return logits, target, known


def test_losses_do_not_see_ignored_pixels() -> None:
    logits, target, known = random_case()
    truth, weight = target[:, None].expand_as(logits), known[:, None]
    hidden = torch.where(weight.bool(), logits, torch.full_like(logits, 9.0))
    for loss in (dice_loss, focal_loss, bce_loss, intersection_over_union):
        seen = loss(logits, truth, weight=weight)
        assert torch.equal(loss(hidden, truth, weight=weight), seen)
        cropped = loss(logits[..., :5, :], truth[..., :5, :])
        assert torch.allclose(seen, cropped), f"{loss.__name__}: what is ignored is as good as cut off"
        assert not torch.equal(loss(hidden, truth), loss(logits, truth))
        assert torch.allclose(loss(logits, truth, weight=torch.ones_like(weight)), loss(logits, truth))


def test_no_gradient_comes_from_ignored_pixels() -> None:
    logits, target, known = random_case()
    logits.requires_grad_(True)
    scores = torch.zeros(2, 3, requires_grad=True)
    pixels = 1 + edges(target, known)
    losses, reached = prompt_losses(logits, scores, target, WEIGHTS, pixels, known)
    losses.sum().backward()
    assert logits.grad is not None
    assert logits.grad[..., 5:, :].abs().max() == 0
    assert logits.grad[..., :5, :].abs().max() > 0
    cropped, also = prompt_losses(logits[..., :5, :], scores, target[:, :5], WEIGHTS, pixels[:, :5])
    assert torch.allclose(losses, cropped)
    assert torch.equal(reached, also)


def test_an_ignored_border_is_no_edge() -> None:
    target, known = torch.zeros(1, 8, 8), torch.ones(1, 8, 8)
    target[:, :, :4], known[:, :, 4:6] = 1.0, 0.0
    assert edges(target).max() == 1
    assert edges(target, known)[known == 1].max() == 0
    assert torch.equal(edges(target, torch.ones_like(known)), edges(target))


def make(root: Path, rule: str | None, **changes: Any) -> TuningBatches:
    model = tiny_sam()
    options: dict[str, Any] = {"batch_size": 2, "sizes": Sizes(96, 96), "augment": Augment(flip=0.5, crop=0.8, colour=0)}
    portions = open_portions([Source("folder", root)], mask_values=rule)
    return TuningBatches(portions, family_of(model), family_of(model).geometry(model), **(options | changes))


def test_batches_say_what_counts(root: Path) -> None:
    batches = make(root, "label=3", mix=[PromptSpec("k-points", positives=1, negatives=8)])
    seen = 0
    for step in range(6):
        batch = batches.make(step, 0, 1)
        counted = batch["counted"]
        assert counted.shape == batch["targets"].shape
        assert 0 <= counted.min() < counted.max() == 1
        assert (batch["targets"] <= counted + 1e-6).all(), "what is the object counts"
        for index in range(2):
            for (x, y), label in zip(batch["points"][index].int().tolist(), batch["labels"][index].tolist(), strict=True):
                assert label or counted[index, y // 4, x // 4] > 0
                seen += 1
    assert seen
    whole = write_pairs(root.parent / "whole", 4)
    assert "counted" not in make(whole, None).make(0, 0, 1)


def test_a_step_does_not_see_what_is_ignored(root: Path) -> None:
    model = tiny_sam()
    batch = make(root, "label=3", mix=[PromptSpec("gt-box")]).make(0, 0, 1)
    batch.pop("issues")
    prepare(model, "decoder", tuned_mode(None))
    module = Tuned(model, TuneLoss(boundary=2.0)).eval()
    expected = module(batch)["loss"]
    # Other truths where nothing counts: the same loss.
    other = dict(batch)
    other["targets"] = torch.where(batch["counted"] == 0, 1.0, batch["targets"])
    assert torch.equal(module(other)["loss"], expected)
    without = {name: value for name, value in batch.items() if name != "counted"}
    assert not torch.equal(module(without)["loss"], expected)


def test_instances_are_trained_on_one_by_one(root: Path) -> None:
    for path in (root / "masks").iterdir():
        labels = np.array(Image.open(path))
        rows, columns = np.nonzero(labels == 3)
        labels[rows[0] : rows[0] + 6, columns.min() : columns.max() + 1] = 9
        Image.fromarray(labels).save(path)
    batches = make(root, "instances", mix=[PromptSpec("gt-box")], augment=Augment.none())
    areas = [area for step in range(12) for area in batches.make(step, 0, 1)["targets"].sum((1, 2)).tolist()]
    assert max(areas) > 1.4 * min(areas), "objects of 6 and of 10 rows"


def test_photographs_smaller_than_a_patch(root: Path, tuning: Any) -> None:
    small = np.zeros((9, 12), dtype=np.uint8)
    small[2:5, 3:6] = 3
    for number in range(6, 10):
        Image.fromarray(small).save(root / "masks" / f"photo{number:02d}.png")
        Image.fromarray(small * 60 + number).save(root / "images" / f"photo{number:02d}.png")
    run = tuning(data=(f"folder:{root}",), mask_values="label=3", sizes="native", max_side=96, steps=1, validate_every=1)
    outcome = run.run()
    named = [issue.where[-11:] for issue in outcome.issues if issue.problem == "small-image"]
    assert sorted(named) == ["photo06.png", "photo07.png", "photo08.png", "photo09.png"]
    assert not outcome.issues.broken
    enlarged = make(root, "label=3")
    assert len(enlarged.items) == 9, "one of ten is set aside; at given sizes all are enlarged"
    enlarged.make(0, 0, 1)


def test_refused_masks_are_named(root: Path, tuning: Any) -> None:
    with pytest.raises(
        ValueError, match=r"none of the photographs to validate on can be read and used, such as .*--mask-values"
    ):
        tuning(data=(f"folder:{root}",)).run()
    with pytest.warns(UserWarning, match="--mask-values"), pytest.raises(ValueError, match=r"21 photographs .* cannot be used"):
        make(root, None).make(0, 0, 1)


def test_the_rule_belongs_to_the_settings(root: Path) -> None:
    assert TuneSettings(data=(f"folder:{root}",), mask_values="label=3").to_dict()["mask_values"] == "label=3"
    with pytest.raises(ValueError, match=r"for data of kind .folder., and none is given"):
        TuneSettings(data=("duts:anywhere",), mask_values="label=3")
    with pytest.raises(ValueError, match="mask values 'any'"):
        TuneSettings(data=(f"folder:{root}",), mask_values="any")
