"""What is trained on and what is chosen on: never a test split, never the same photograph."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from basam.lab.data import DatasetError, Source
from basam.lab.tuning.sources import OverlapError, open_portions
from tests.helpers.small_run import write_pairs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "data", 20)


def opened(*sources: str, validation: tuple[str, ...] = ()):
    return open_portions(list(map(Source.parse, sources)), list(map(Source.parse, validation)))


def test_forms_of_a_source(tmp_path: Path) -> None:
    assert Source.parse("dis5k:some/where") == Source("dis5k", Path("some/where"))
    assert Source.parse("isic2017:some/where:train") == Source("isic2017", Path("some/where"), "train")
    (tmp_path / "a:b").mkdir()
    assert Source.parse(f"folder:{tmp_path}/a:b") == Source("folder", tmp_path / "a:b")
    for text in ("dis5k", "dis5k:", "photos:here"):
        with pytest.raises(DatasetError, match="KIND:ROOT or KIND:ROOT:SPLIT is needed"):
            Source.parse(text)


def test_a_tenth_is_set_aside_by_name(root: Path) -> None:
    (portion,) = opened(f"folder:{root}")
    train, val = ({sample.id for sample in part} for part in (portion.train, portion.val))
    assert len(train) == 18
    assert len(val) == 2
    assert not train & val
    assert [sample.id for sample in opened(f"folder:{root}")[0].val] == [sample.id for sample in portion.val]
    # A photograph more does not move the others from one side to the other, but for the one that it may push out.
    for folder in ("images", "masks"):
        shutil.copy(root / folder / "photo00.png", root / folder / "zebra.png")
    (root / "images" / "zebra.png").write_bytes((root / "images" / "zebra.png").read_bytes() + b" ")
    assert len(val - {sample.id for sample in opened(f"folder:{root}")[0].val}) <= 1


def test_a_validation_split_is_taken_where_there_is_one(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("val", 3), ("test", 2)):
        write_pairs(tmp_path / split, count)
        for number, path in enumerate(sorted((tmp_path / split / "images").iterdir())):
            path.write_bytes(path.read_bytes() + f"{split}{number}".encode())  # other files, as PNG allows
    (portion,) = opened(f"folder:{tmp_path}")
    assert (len(portion.train), len(portion.val)) == (4, 3)
    assert portion.validated_on.endswith("val")
    assert (len(opened(f"folder:{tmp_path}:val")[0].train), len(opened(f"folder:{tmp_path}:val")[0].val)) == (2, 1)
    with pytest.raises(DatasetError, match="is a test split, so it is not used for training"):
        opened(f"folder:{tmp_path}:test")
    with pytest.raises(DatasetError, match="is a test split, so it is not used for validation"):
        opened(f"folder:{tmp_path}", validation=(f"folder:{tmp_path}:test",))


def test_validation_of_its_own(root: Path, tmp_path: Path) -> None:
    other = write_pairs(tmp_path / "other", 2)
    for path in (other / "images").iterdir():
        path.write_bytes(path.read_bytes() + b"other")
    first, second = opened(f"folder:{root}", validation=(f"folder:{other}",))
    assert (len(first.train), len(first.val), len(second.train), len(second.val)) == (20, 0, 0, 2)


def test_the_same_photograph_on_both_sides(root: Path, tmp_path: Path) -> None:
    other = write_pairs(tmp_path / "other", 1)
    shutil.copy(root / "images" / "photo07.png", other / "images" / "photo00.png")
    with pytest.raises(OverlapError, match=r"photo07\.png is trained on, and .*photo00\.png is validated on"):
        opened(f"folder:{root}", validation=(f"folder:{other}",))
    (other / "images" / "photo00.png").unlink()
    (other / "images" / "photo00.png").symlink_to(root / "images" / "photo03.png")
    with pytest.raises(OverlapError, match="photo03"):
        opened(f"folder:{root}", validation=(f"folder:{other}",))


def test_too_little(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no data: give at least one"):
        opened()
    with pytest.raises(DatasetError, match="is given twice"):
        opened(f"folder:{root}", f"folder:{root}")
    one = write_pairs(tmp_path / "one", 1)
    with pytest.raises(DatasetError, match="has 1 photograph: at least 2"):
        opened(f"folder:{one}")
    for folder in ("images", "masks"):
        for path in (one / folder).iterdir():
            path.unlink()
    with pytest.raises(DatasetError, match="no pair of image and mask"):
        opened(f"folder:{one}")
