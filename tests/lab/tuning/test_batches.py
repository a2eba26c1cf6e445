"""Batches: the same in every process and after every interruption, and what is in them fits together."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from basam.families import family_of
from basam.lab.data import Issues, PromptSpec, Source
from basam.lab.tuning.augment import Augment, start_of
from basam.lab.tuning.batches import TuningBatches
from basam.lab.tuning.buckets import Buckets, items_of
from basam.lab.tuning.photo_cache import Pictures, shrink
from basam.lab.tuning.recipe import Sizes
from basam.lab.tuning.sources import open_portions
from tests.helpers.small_run import write_pairs
from tests.helpers.tiny import tiny_sam

MODEL = tiny_sam()
FAMILY = family_of(MODEL)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "data", 10)


@pytest.fixture
def make(root: Path):
    def make(**changes) -> TuningBatches:
        options = {"batch_size": 4, "sizes": Sizes(64, 96), "seed": 5} | changes
        sources = [Source("folder", path) for path in options.pop("roots", [root])]
        return TuningBatches(open_portions(sources), FAMILY, FAMILY.geometry(MODEL), **options)

    return make


def equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[key], other[key]) if isinstance(one[key], torch.Tensor) else one[key] == other[key] for key in one
    )


def test_a_batch_depends_on_seed_and_step_only(make) -> None:
    batches, again = make(), make()
    for step in (7, 2, 3):
        again.make(step, 0, 1)  # another past
    first = batches.make(0, 0, 1)
    assert equal(first, again.make(0, 0, 1))
    assert equal(first, batches.make(0, 0, 1))
    assert not equal(first, batches.make(1, 0, 1))
    assert not equal(first, make(seed=6).make(0, 0, 1))


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_are_the_whole(make, parts: int) -> None:
    for step in range(4):
        whole = make().make(step, 0, 1)
        pieces = [make().make(step, part, parts) for part in range(parts)]
        for key, value in whole.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(torch.cat([piece[key] for piece in pieces]), value), key
            elif key != "issues":
                assert {piece[key] for piece in pieces} == {value}
    with pytest.raises(ValueError, match="batch_size=4 cannot be shared by 3"):
        make().make(0, 0, 3)


def test_sizes_and_padding(make) -> None:
    sides = set()
    for step in range(20):
        batch = make().make(step, 0, 1)
        height, width = batch["pixels"].shape[-2:]
        sides.add(max(height, width))
        assert height % 16 == 0
        assert width % 16 == 0
        assert batch["targets"].shape == batch["valid"].shape == (4, height // 4, width // 4)
        empty = batch["valid"] == 0
        assert batch["targets"][empty].sum() == 0
        grown = torch.nn.functional.interpolate(empty[:, None].float(), scale_factor=4)[:, 0] > 0
        assert (batch["pixels"].abs().sum(1)[grown] == 0).all()
        assert (batch["targets"] <= batch["valid"] + 1e-6).all()
    assert sides == {64, 80, 96}


def test_prompts_lie_where_the_object_is(make) -> None:
    seen = Counter()
    for step in range(40):
        batch = make().make(step, 0, 1)
        for index in range(4):
            target = batch["targets"][index]
            if "boxes" in batch:
                seen["boxes"] += 1
                x0, y0, x1, y1 = batch["boxes"][index].tolist()
                rows, columns = torch.nonzero(target, as_tuple=True)
                middle_x, middle_y = 2 + 4 * columns.float().mean(), 2 + 4 * rows.float().mean()
                assert x0 < middle_x < x1
                assert y0 < middle_y < y1
            else:
                seen[tuple(batch["labels"][index].tolist())] += 1
                for (x, y), label in zip(batch["points"][index].int().tolist(), batch["labels"][index].tolist(), strict=True):
                    share = target[y // 4, x // 4]
                    assert share > 0 if label else share < 1
        if batch["multimask"]:
            assert batch["labels"].shape == (4, 1)
    assert set(seen) == {"boxes", (1,), (1, 1, 1, 0)}


def test_a_flip_takes_mask_and_prompt_along(make) -> None:
    fixed = {"mix": [PromptSpec("gt-box")], "sizes": Sizes(80, 80), "batch_size": 1}
    plain = make(augment=Augment.none(), **fixed).make(3, 0, 1)
    flipped = make(augment=Augment(flip=1, crop=1, colour=0), **fixed).make(3, 0, 1)
    width = int(plain["valid"][0, 0].sum().item() * 4)
    assert torch.equal(flipped["pixels"][..., :width], plain["pixels"][..., :width].flip(-1))
    assert torch.equal(flipped["targets"][..., : width // 4], plain["targets"][..., : width // 4].flip(-1))
    x0, y0, x1, y1 = plain["boxes"][0].tolist()
    assert flipped["boxes"][0].tolist() == [width - x1, y0, width - x0, y1]


def test_every_photograph_is_drawn_by_its_weight(root: Path, tmp_path: Path) -> None:
    other = write_pairs(tmp_path / "other", 40)
    for path in (other / "images").iterdir():
        path.write_bytes(path.read_bytes() + b"other")
    portions = open_portions([Source("folder", root), Source("folder", other)])
    for sampling, expected in (("balanced", 0.5), ("proportional", 9 / 45)):
        items = items_of(portions, sampling, Issues())
        assert sum(item.weight for item in items) == pytest.approx(1)
        buckets = Buckets(items, native=False)
        assert len(buckets.groups) == 2  # upright and broad
        drawn = list(itertools.chain(*(buckets.draw(np.random.default_rng(step), 4) for step in range(1000))))
        share = sum(item.sample.image_path.is_relative_to(root) for item in drawn) / len(drawn)
        assert share == pytest.approx(expected, abs=0.04)
    with pytest.raises(ValueError, match="sampling='random': allowed are balanced, proportional"):
        items_of(portions, "random", Issues())


def test_native_sizes_are_the_photographs_own(make) -> None:
    batches = make(sizes=Sizes.parse("native", 4096), augment=Augment.none())
    found = {tuple(batches.make(step, 0, 1)["pixels"].shape[-2:]) for step in range(8)}
    assert found == {(48, 80), (80, 64)}  # of 48 x 80 and 72 x 56
    limited = make(sizes=Sizes.parse("native", 64), augment=Augment.none())
    assert {max(limited.make(step, 0, 1)["pixels"].shape[-2:]) for step in range(8)} == {64}


def test_a_broken_photograph_is_replaced_alike_everywhere(make, root: Path) -> None:
    path = make().draw(0).items[1].sample.image_path
    path.write_bytes(path.read_bytes()[:200])  # its header still says its size
    with pytest.warns(UserWarning, match=rf"{path.name}: image cannot be read .*: another photograph takes its place"):
        whole = make().make(0, 0, 1)
    with pytest.warns(UserWarning, match=path.name):
        halves = [make().make(0, part, 2)["pixels"] for part in (0, 1)]
    assert torch.equal(torch.cat(halves), whole["pixels"])
    path.write_bytes(b"")
    batches = make()
    assert [issue.problem for issue in batches.issues] == ["unreadable-image"]
    assert not any(path.name in batches.describe(step) for step in range(40))


def test_sizes_in_words() -> None:
    assert Sizes.parse("512-2048", 4096) == Sizes(512, 2048)
    assert Sizes.parse("512", 4096) == Sizes(512, 512)
    assert str(Sizes.parse("native", 4096)) == "native"
    for text in ("big", "512-", "1-2-3"):
        with pytest.raises(ValueError, match="LOW-HIGH, one number of pixels or 'native' is needed"):
            Sizes.parse(text, 4096)
    with pytest.raises(ValueError, match="the smaller one first"):
        Sizes.parse("512-256", 4096)


def test_crops_hold_the_object() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        start = start_of(30, 50, 40, 100, generator)
        assert start <= 30
        assert 50 <= start + 40 <= 100
    assert start_of(10, 90, 40, 100, generator) == 30  # larger than the crop: its middle
    assert start_of(0, 90, 40, 100, generator) == 25
    mask = np.zeros((60, 100), dtype=bool)
    mask[20:30, 70:80] = True
    image, part, _ = Augment(flip=0, crop=0.5, colour=0).place(Image.fromarray(mask), mask, 0.5, generator)
    assert image.size == (50, 30)
    assert part.sum() == 100
    assert np.array_equal(np.asarray(image), part)


def test_reduced_masks_keep_their_object() -> None:
    mask = np.zeros((4000, 4000), dtype=bool)
    mask[100:102, 300:302] = True
    small = shrink(mask, (100, 100))
    assert small.sum() == 1
    assert small[2, 7]
    mask[:2000] = True
    assert shrink(mask, (100, 100)).mean() == 0.5


def test_what_is_read_does_not_depend_on_what_is_kept(root: Path) -> None:
    (portion,) = open_portions([Source("folder", root)])
    small, large = Pictures(40, cache_bytes=1), Pictures(40)
    for _ in range(2):
        for sample in portion.train[:3]:
            one, other = small.read(sample), large.read(sample)
            assert one.image.tobytes() == other.image.tobytes()
            assert np.array_equal(one.masks[0], other.masks[0])
            assert max(one.image.size) == 40
    assert len(small.pictures) == 1
    assert len(large.pictures) == 3
