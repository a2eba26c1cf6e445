"""What is trained on: scenes that are rendered once, whatever is killed or damaged, and photographs for training only."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studies.pretrain import sources
from studies.pretrain.sources import draw_scene, photo_source, scene_source, write_joined
from tests.helpers.forked import Forked


def test_scenes_are_rendered_once(tmp_path: Path) -> None:
    first = scene_source(tmp_path, 5, 64, 1.0, workers=1)
    before = (tmp_path / "scenes-5-64-labels.npy").stat().st_mtime_ns
    again = scene_source(tmp_path, 5, 64, 1.0, workers=1)
    assert (tmp_path / "scenes-5-64-labels.npy").stat().st_mtime_ns == before
    assert np.array_equal(first.images[3], again.images[3])
    assert len(first.images) == 5
    assert all(labels.max() >= 1 for labels in first.masks)


def test_a_killed_rendering_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scene_source(tmp_path / "whole", 5, 64, 1.0, workers=1)
    monkeypatch.setattr(sources, "SCENES_PER_FILE", 2)
    monkeypatch.setattr(sources, "ProcessPoolExecutor", lambda workers, **_: ThreadPoolExecutor(workers))
    seeds: list[int] = []

    def dies(task: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        if task[0] == 3 and 3 not in seeds:
            seeds.append(3)
            raise KeyboardInterrupt
        seeds.append(task[0])
        return draw_scene(task)

    monkeypatch.setattr(sources, "draw_scene", dies)
    with pytest.raises(KeyboardInterrupt):
        scene_source(tmp_path, 5, 64, 1.0, workers=1)
    assert not list(tmp_path.glob("*.npy"))
    seeds[:] = [3]
    again = scene_source(tmp_path, 5, 64, 1.0, workers=1)
    assert 0 not in seeds
    assert 1 not in seeds
    assert np.array_equal(again.images, whole.images)
    assert np.array_equal(again.masks, whole.masks)
    assert not list(tmp_path.glob("*.partial"))


def test_of_several_processes_one_renders(tmp_path: Path) -> None:
    """The second waits for the first, which is held up while it renders; it draws nothing itself."""
    program = (
        "import sys, time; from pathlib import Path; from studies.pretrain import sources\n"
        "def slow(*a, render=sources.render_scenes):\n"
        "    print('renders', flush=True); time.sleep(1); render(*a)\n"
        "sources.render_scenes = slow\n"
        "print(sources.scene_source(Path(sys.argv[1]), 3, 64, 1.0, 1).images.shape)\n"
    )
    both = [Forked("-c", [program, str(tmp_path / "fresh")], tmp_path / f"output-{number}.txt") for number in range(2)]
    assert [one.end() for one in both] == [0, 0], [one.text for one in both]
    assert sum("renders" in one.text for one in both) == 1
    assert all("(3, 64, 64, 3)" in one.text for one in both)


def test_what_is_damaged_is_named_and_what_is_missing_is_rendered_again(tmp_path: Path) -> None:
    first = np.array(scene_source(tmp_path, 3, 64, 1.0, workers=1).masks)
    images, labels = tmp_path / "scenes-3-64-images.npy", tmp_path / "scenes-3-64-labels.npy"
    labels.unlink()
    assert np.array_equal(scene_source(tmp_path, 3, 64, 1.0, workers=1).masks, first)
    labels.write_bytes(b"")
    with pytest.raises(OSError, match=r"-labels.npy is damaged \(.+\): remove it, and the same command renders"):
        scene_source(tmp_path, 3, 64, 1.0, workers=1)
    np.save(labels, np.zeros((2, 64, 64), np.uint8))
    with pytest.raises(OSError, match=r"-labels.npy is damaged \(it holds uint8 of shape \(2, 64, 64\)\)"):
        scene_source(tmp_path, 3, 64, 1.0, workers=1)
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(OSError, match=r"-images.npy is damaged"):
        scene_source(tmp_path, 3, 64, 1.0, workers=1)


def test_a_damaged_part_of_a_rendering_is_named(tmp_path: Path) -> None:
    part = tmp_path / "scenes-3-64.partial" / "00000000.npz"
    part.parent.mkdir()
    part.write_bytes(b"PK half")
    with pytest.raises(OSError, match=r"00000000.npz is damaged \(.+\): remove it"):
        scene_source(tmp_path, 3, 64, 1.0, workers=1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_is_an_error_when_scenes_are_joined() -> None:
    with pytest.raises(OSError, match="No space left"):
        write_joined(Path("/dev/full"), (2, 64, 64), [np.zeros((1, 64, 64), np.uint8)] * 2)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="processes are looked up in /proc")
def test_no_worker_outlives_a_main_process_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from studies.pretrain import sources\n"
        "sources.SCENES_PER_FILE = 4\n"
        "if __name__ == '__main__': sources.scene_source(Path(sys.argv[1]), 4000, 256, 1.0, 1)\n"
    )
    main = Forked("-c", [program, str(tmp_path / "fresh")], tmp_path / "output.txt")
    main.wait_until(lambda: "4 of 4000 scenes are rendered" in main.text)
    found = children_of(main.process.pid)
    assert found
    main.kill()
    for _ in range(300):
        if not any(is_alive(child) for child in found):
            break
        time.sleep(0.1)
    assert not any(is_alive(child) for child in found)


def children_of(parent: int | None) -> list[int]:
    return [int(number) for path in Path(f"/proc/{parent}/task").glob("*/children") for number in path.read_text().split()]


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "(zombie)" not in Path(f"/proc/{process}/status").read_text()


def test_only_training_photographs_are_taken(tmp_path: Path) -> None:
    for split in ("TR", "TE"):
        for part, suffix in (("Image", ".jpg"), ("Mask", ".png")):
            folder = tmp_path / f"DUTS-{split}" / f"DUTS-{split}-{part}"
            folder.mkdir(parents=True)
            for name in ("a_1", "b_1"):
                shade = Image.new("RGB" if part == "Image" else "L", (500, 40), 255 if part == "Mask" else (9, 9, 9))
                shade.save(folder / f"{name}{suffix}")
    source = photo_source("duts", tmp_path, "DUTS-TR", 0.5, starts=("a_",))
    assert [image.shape for image in source.images] == [(40, 500, 3)]
    assert source.masks[0].shape == (1, 40, 500)
    with pytest.raises(ValueError, match=r"DUTS DUTS-TE is no training split \(test\)"):
        photo_source("duts", tmp_path, "DUTS-TE", 0.5)
    with pytest.raises(ValueError, match="no photograph begins with c_"):
        photo_source("duts", tmp_path, "DUTS-TR", 0.5, starts=("c_",))
