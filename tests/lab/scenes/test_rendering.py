"""What a scene promises: the same at every size, disjoint masks, errors that help."""

from __future__ import annotations

import numpy as np
import pytest

from basam.lab.scenes import DOMAINS, Scene, mosaic, render

SEEDS = range(12)
# Mean IoU of masks rendered at 1024 and reduced with masks rendered at 256 (measured on seeds 0 to 19: 0.893, 0.994, 0.998,
# 0.994, 0.981), and mean absolute difference of the pictures in grey levels (measured: 1.7, 1.2, 1.4, 3.4, 1.5).
AGREEMENT = {"thin": 0.85, "salient": 0.97, "lesion": 0.97, "camouflage": 0.97, "crowd": 0.97}
DIFFERENCE = {"thin": 3.0, "salient": 2.5, "lesion": 2.5, "camouflage": 5.0, "crowd": 2.5}


@pytest.fixture(scope="module")
def small() -> dict[str, list[Scene]]:
    return {domain: [render(seed, 256, domain) for seed in SEEDS] for domain in DOMAINS}


def reduced(values: np.ndarray, factor: int) -> np.ndarray:
    """Means over squares of the last two axes."""
    *rest, height, width = values.shape
    return values.reshape(*rest, height // factor, factor, width // factor, factor).mean(axis=(-3, -1))


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_large_rendering_reduced_is_the_small_one(domain: str, small: dict[str, list[Scene]]) -> None:
    ious, differences = [], []
    for seed in list(SEEDS)[:5]:
        few, many = small[domain][seed], render(seed, 1024, domain)
        assert many.names == few.names
        for mask, large in zip(few.masks, reduced(many.masks, 4) >= 0.5, strict=True):
            ious.append((mask & large).sum() / (mask | large).sum())
        picture = reduced(many.image.transpose(2, 0, 1), 4).transpose(1, 2, 0)
        differences.append(np.abs(picture - few.image).mean())
    assert np.mean(ious) >= AGREEMENT[domain]
    assert np.mean(differences) <= DIFFERENCE[domain]


@pytest.mark.parametrize("domain", DOMAINS)
def test_more_pixels_show_more_detail(domain: str) -> None:
    large = render(1, 512, domain).image.astype(float)
    coarse = reduced(large.transpose(2, 0, 1), 4).repeat(4, 1).repeat(4, 2).transpose(1, 2, 0)
    assert np.abs(large - coarse).mean() > 0.5


@pytest.mark.parametrize("domain", DOMAINS)
def test_masks_are_disjoint_and_none_is_empty(domain: str, small: dict[str, list[Scene]]) -> None:
    for scene in small[domain]:
        assert scene.image.shape == (256, 256, 3)
        assert scene.image.dtype == np.uint8
        assert scene.masks.dtype == bool
        assert scene.masks.shape == (len(scene.names), 256, 256)
        assert scene.masks.sum(axis=0).max() == 1
        assert scene.masks.any(axis=(1, 2)).all()


def test_numbers_of_instances() -> None:
    counts = {domain: [len(render(seed, 64, domain).names) for seed in range(40)] for domain in DOMAINS}
    assert set(counts["thin"]) == set(counts["lesion"]) == {1}
    assert set(counts["salient"]) == set(counts["camouflage"]) == {1, 2}
    assert min(counts["crowd"]) >= 3
    assert 15 <= max(counts["crowd"]) <= 30


def test_crowds_have_very_different_sizes_and_hide_each_other(small: dict[str, list[Scene]]) -> None:
    ratios = [scene.masks.sum(axis=(1, 2)).max() / scene.masks.sum(axis=(1, 2)).min() for scene in small["crowd"]]
    assert np.median(ratios) > 20
    boxes_overlap = 0
    for scene in small["crowd"]:
        boxes = np.stack([np.outer(mask.any(1), mask.any(0)) for mask in scene.masks])
        boxes_overlap += boxes.sum(axis=0).max() >= 2
    assert boxes_overlap >= 9


def test_thin_structures_have_fine_holes(small: dict[str, list[Scene]]) -> None:
    edges = [np.diff(scene.masks[0].astype(int), axis=1).astype(bool).sum() / scene.masks[0].sum() for scene in small["thin"]]
    assert np.median(edges) > 0.3  # edge pixels per mask pixel along rows: parts are a few pixels wide


def test_every_seed_is_another_scene(small: dict[str, list[Scene]]) -> None:
    for scenes in small.values():
        assert len({scene.image.tobytes() for scene in scenes}) == len(SEEDS)


@pytest.mark.parametrize("size", [32, 33, 100, 255])
@pytest.mark.parametrize("domain", DOMAINS)
def test_any_size_from_32_on(domain: str, size: int) -> None:
    scene = render(2, size, domain)
    assert scene.image.shape == (size, size, 3)
    assert scene.masks.any(axis=(1, 2)).all()


def test_a_mosaic_is_scenes_side_by_side() -> None:
    whole = mosaic(4, 192, "crowd", 3)
    tile = render(4, 64, "crowd")
    assert whole.image.shape == (192, 192, 3)
    assert np.array_equal(whole.image[:64, :64], tile.image)
    assert np.array_equal(whole.masks[: len(tile.masks), :64, :64], tile.masks)
    assert not whole.masks[: len(tile.masks), 64:].any()
    assert whole.masks.shape == (len(whole.names), 192, 192)
    assert whole.masks.any(axis=(1, 2)).all()
    assert whole.masks.sum(axis=0).max() == 1
    tiles = {whole.image[r : r + 64, c : c + 64].tobytes() for r in (0, 64, 128) for c in (0, 64, 128)}
    assert len(tiles) == 9


def test_a_mosaic_needs_whole_tiles() -> None:
    with pytest.raises(ValueError, match="tiles=3, size=256: size must be a multiple"):
        mosaic(0, 256, "thin", 3)
    with pytest.raises(ValueError, match="size=16: a whole number of at least 32"):
        mosaic(0, 64, "thin", 4)
