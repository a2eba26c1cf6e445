"""`basam scenes` as it is typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from basam.cli import app


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and output on one line, without rich's frames."""
    result = CliRunner().invoke(app, ["scenes", *map(str, arguments)], env={"COLUMNS": "200", "NO_COLOR": "1"})
    return result.exit_code, re.sub(r"[\s│╭╮╰╯─]+", " ", result.output)


def test_a_data_set_and_the_rest_of_it(tmp_path: Path) -> None:
    options = "--domain", "lesion", "--size", 32, "--out", tmp_path, "--split", "test", "--workers", 1
    code, output = run(*options, "--count", 1)
    assert code == 0
    assert "wrote 1 scenes of 32 px" in output
    code, output = run(*options, "--count", 3)
    assert code == 0
    assert "wrote 2 scenes of 32 px" in output
    assert "1 existed already" in output
    assert len(list((tmp_path / "ISIC-2017_Test_v2_Data").iterdir())) == 3


def test_a_contact_sheet(tmp_path: Path) -> None:
    code, _ = run("--sheet", tmp_path / "sheet.png", "--count", 3, "--size", 32)
    assert code == 0
    assert Image.open(tmp_path / "sheet.png").size == (3 * 36 - 4, 10 * 36 - 4)
    code, _ = run("--sheet", tmp_path / "one.png", "--count", 2, "--size", 40, "--domain", "crowd")
    assert code == 0
    assert Image.open(tmp_path / "one.png").size == (84, 84)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--domain", "cats"), "unknown domain 'cats'; there are thin, salient, lesion, camouflage, crowd"),
        ((), "give --domain: thin, salient, lesion, camouflage, crowd"),
        (("--domain", "thin", "--size", 31), "size=31: a whole number of at least 32 is needed"),
        (("--domain", "thin", "--count", 0), "count=0: a whole number of at least 1 is needed"),
        (("--domain", "thin", "--seed", -1), "seed=-1: a whole number of at least 0 is needed"),
        (("--domain", "thin", "--workers", -2), "workers=-2: a whole number of at least 1 is needed"),
        (("--domain", "crowd", "--split", "test"), "unknown split 'test' of domain crowd: COCO has train (train2017)"),
        (("--domain", "thin", "--sheet", "x.png"), "give --out DIR for a data set or --sheet FILE"),
    ],
)
def test_bad_input_says_what_to_do(arguments: tuple[object, ...], message: str, tmp_path: Path) -> None:
    code, output = run("--out", tmp_path / "data", *arguments)
    assert code == 2
    assert message in output
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, output = run("--domain", "thin", "--size", 32, "--count", 1, "--out", tmp_path / "file" / "below")
    assert code == 2
    assert str(tmp_path / "file") in output.replace(" ", "") or "Not a directory" in output
