"""The readers on the real photographs beside the repository: the counts that their README states."""

from pathlib import Path

import pytest

from basam.lab.data import PROMPT_KINDS, PromptSpec, make_prompt, open_dataset

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason=f"no photographs in {DATA}")]

SETS = [
    ("coco", "COCO", "train2017", 98, "COCO"),
    ("coco", "COCO", "val2017", 50, "COCO"),
    ("isic", "ISIC2017", "train", 60, "ISIC2017"),
    ("isic", "ISIC2017", "test", 34, "ISIC2017"),
    ("duts", "standin-DUTS", "DUTS-TR", 480, "DUTS"),
    ("duts", "standin-DUTS", "DUTS-TE", 100, "DUTS"),
    ("dis5k", "standin-DIS5K", "DIS-TR", 34, "DIS5K"),
    ("dis5k", "standin-DIS5K", "DIS-TE", 27, "DIS5K"),
]


@pytest.mark.parametrize(("kind", "folder", "split", "count", "name"), SETS, ids=[f"{row[1]}-{row[2]}" for row in SETS])
def test_every_pair_can_be_read(kind, folder, split, count, name):
    dataset = open_dataset(kind, DATA / folder, split)
    assert len(dataset) == count
    assert dataset.name == name
    assert dataset.is_test == (split not in ("train", "train2017", "DUTS-TR", "DIS-TR"))
    found = dataset.check()
    expected = {("COCO", "train2017"): {"no-object"}, ("ISIC2017", "train"): {"foreign-image"}}
    expected[("ISIC2017", "test")] = {"foreign-image"}
    assert set(found.counts()) == expected.get((folder, split), set())


def test_coco_has_about_1100_instances():
    splits = [open_dataset("coco", DATA / "COCO", split) for split in ("train2017", "val2017")]
    assert sum(len(sample.load().instances) for dataset in splits for sample in dataset) == 740 + 348


def test_turned_photographs_line_up_with_their_masks():
    dataset = open_dataset("dis5k", DATA / "standin-DIS5K", "DIS-TE1")
    for sample in dataset:
        loaded = sample.load()
        assert loaded.image.size == loaded.instances[0].mask.shape[::-1]


@pytest.mark.parametrize("kind", PROMPT_KINDS)
def test_prompts_of_thin_and_of_tiny_objects(kind):
    for name, folder, split in (("dis5k", "standin-DIS5K", "DIS-TE2"), ("coco", "COCO", "val2017")):
        for sample in list(open_dataset(name, DATA / folder, split))[:4]:
            for instance in sample.load().instances:
                made = make_prompt(PromptSpec(kind), instance.mask, seed=0, sample_id=sample.id, instance_id=instance.id)
                if made.points is not None:
                    columns, rows = made.points.astype(int).T
                    assert instance.mask[rows, columns].all()
