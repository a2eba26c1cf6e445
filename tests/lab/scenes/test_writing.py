"""Folder layouts read back, runs that resume, errors that name the way out."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from basam.lab.data import open_dataset
from basam.lab.scenes import render
from basam.lab.scenes.annotations import CATEGORIES
from basam.lab.scenes.crowd import MOTIFS
from basam.lab.scenes.folders import SEEDS_OF_A_SPLIT, SPLITS, folders_of, seeds_of
from basam.lab.scenes.writing import write_scenes

VAL, TEST = 3 * SEEDS_OF_A_SPLIT, 6 * SEEDS_OF_A_SPLIT
DIS = "0#Scenes#0#Generated#"
PAIRS = {
    ("thin", "train"): (f"DIS-TR/im/{DIS}0000000.jpg", f"DIS-TR/gt/{DIS}0000000.png", 0),
    ("thin", "val"): (f"DIS-VD/im/{DIS}3000000.jpg", f"DIS-VD/gt/{DIS}3000000.png", VAL),
    ("thin", "DIS-TE2"): (f"DIS-TE2/im/{DIS}7000000.jpg", f"DIS-TE2/gt/{DIS}7000000.png", TEST + SEEDS_OF_A_SPLIT),
    ("salient", "train"): ("DUTS-TR/DUTS-TR-Image/scene_00000000.jpg", "DUTS-TR/DUTS-TR-Mask/scene_00000000.png", 0),
    ("salient", "test"): ("DUTS-TE/DUTS-TE-Image/scene_06000000.jpg", "DUTS-TE/DUTS-TE-Mask/scene_06000000.png", TEST),
    ("lesion", "train"): (
        "ISIC-2017_Training_Data/ISIC_0000000.jpg",
        "ISIC-2017_Training_Part1_GroundTruth/ISIC_0000000_segmentation.png",
        0,
    ),
    ("lesion", "test"): (
        "ISIC-2017_Test_v2_Data/ISIC_6000000.jpg",
        "ISIC-2017_Test_v2_Part1_GroundTruth/ISIC_6000000_segmentation.png",
        TEST,
    ),
    ("camouflage", "Train"): (
        "Train/Image/COD10K-CAM-0-Scenes-0-Generated-0.jpg",
        "Train/GT_Object/COD10K-CAM-0-Scenes-0-Generated-0.png",
        0,
    ),
}


def files(root: Path) -> dict[str, float]:
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("domain", "split"), PAIRS)
def test_pairs_lie_where_the_data_set_has_them(domain: str, split: str, tmp_path: Path) -> None:
    image, mask, seed = PAIRS[domain, split]
    assert write_scenes(tmp_path, domain, 1, 48, split=split) == (1, 0)
    assert set(files(tmp_path)) == {image, mask, "scenes.json"}
    scene = render(seed, 48, domain)
    stored = np.array(Image.open(tmp_path / mask))
    assert set(np.unique(stored)) == {0, 255}
    assert np.array_equal(stored > 0, scene.masks.any(axis=0))
    photo = Image.open(tmp_path / image)
    assert photo.mode == "RGB"
    assert np.abs(np.array(photo).astype(float) - scene.image).mean() < 6


@pytest.mark.parametrize(
    ("domain", "kind"),
    [("thin", "dis5k"), ("salient", "duts"), ("lesion", "isic"), ("camouflage", "cod10k"), ("crowd", "coco")],
)
def test_generated_data_is_never_called_the_data_set_whose_layout_it_has(domain: str, kind: str, tmp_path: Path) -> None:
    write_scenes(tmp_path, domain, 1, 48)
    dataset = open_dataset(kind, tmp_path)
    assert dataset.is_stand_in
    assert dataset.name == f"generated-{dataset.layout_name}"


def decoded(counts: list[int], height: int, width: int) -> np.ndarray:
    flat = np.repeat(np.arange(len(counts)) % 2, counts)
    return flat.reshape(height, width, order="F").astype(bool)


def test_coco_annotations_hold_every_mask(tmp_path: Path) -> None:
    assert write_scenes(tmp_path, "crowd", 2, 64, seed=5, split="val") == (2, 0)
    first, second = VAL + 5, VAL + 6
    names = {f"val2017/{seed:012d}.jpg" for seed in (first, second)}
    assert set(files(tmp_path)) == names | {"scenes.json", "annotations/instances_val2017.json"}
    data = json.loads((tmp_path / "annotations/instances_val2017.json").read_text())
    assert data["images"][0] == {"id": first, "file_name": f"{first:012d}.jpg", "height": 64, "width": 64}
    categories = {entry["id"]: entry["name"] for entry in data["categories"]}
    for seed in (first, second):
        scene = render(seed, 64, "crowd")
        found = [entry for entry in data["annotations"] if entry["image_id"] == seed]
        assert [categories[entry["category_id"]] for entry in found] == scene.names
        for entry, mask in zip(found, scene.masks, strict=True):
            assert np.array_equal(decoded(entry["segmentation"]["counts"], 64, 64), mask)
            assert entry["area"] == mask.sum()
            left, top, width, height = map(int, entry["bbox"])
            inside = mask[top : top + height, left : left + width]
            assert inside.sum() == mask.sum()
            assert inside[0].any()
            assert inside[-1].any()
            assert inside[:, 0].any()
            assert inside[:, -1].any()
    assert len({entry["id"] for entry in data["annotations"]}) == len(data["annotations"])


def test_pycocotools_reads_the_annotations(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    write_scenes(tmp_path, "crowd", 1, 64)
    annotations = coco.COCO(str(tmp_path / "annotations/instances_train2017.json"))
    masks = [annotations.annToMask(entry).astype(bool) for entry in annotations.loadAnns(annotations.getAnnIds(imgIds=[0]))]
    assert np.array_equal(np.stack(masks), render(0, 64, "crowd").masks)


def test_every_thing_in_a_crowd_has_a_category() -> None:
    assert {name for names, _ in MOTIFS for name in names} == set(CATEGORIES)


@pytest.mark.parametrize("domain", ["salient", "crowd"])
def test_a_stopped_run_goes_on(domain: str, tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path, domain, 4, 32, progress=stop)
    started = files(tmp_path)
    assert len(started) == 5
    folders = folders_of(domain, "train")
    folders.mask(tmp_path, 2).write_bytes(b"half")  # killed between mask and image
    assert write_scenes(tmp_path, domain, 4, 32) == (2, 2)
    at_once = tmp_path / "at once"
    write_scenes(at_once, domain, 4, 32)
    now = files(tmp_path)
    for name in files(at_once):
        assert (tmp_path / name).read_bytes() == (at_once / name).read_bytes()
        assert started.get(name, now[name]) == now[name]
    assert write_scenes(tmp_path, domain, 5, 32) == (1, 4)
    assert not [name for name in now if "partial" in name]


def test_workers_write_the_same_files(tmp_path: Path) -> None:
    seen: list[int] = []
    write_scenes(tmp_path / "two", "lesion", 3, 32, workers=2, progress=seen.append)
    write_scenes(tmp_path / "one", "lesion", 3, 32)
    assert seen == [0, 1, 2, 3]
    for name in files(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_another_size_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    write_scenes(tmp_path, "lesion", 1, 32)
    with pytest.raises(ValueError, match="has 32 x 32 pixels, not 64 x 64: choose another folder"):
        write_scenes(tmp_path, "lesion", 2, 64)


def test_splits_never_share_a_seed() -> None:
    for splits in SPLITS.values():
        firsts = sorted(folders.first_seed for folders in splits.values())
        assert all(b - a >= SEEDS_OF_A_SPLIT for a, b in pairwise(firsts))
    with pytest.raises(ValueError, match="seed is 999999 and count is 2; a split has the seeds 0 to 999999"):
        seeds_of(folders_of("thin", "train"), SEEDS_OF_A_SPLIT - 1, 2)
