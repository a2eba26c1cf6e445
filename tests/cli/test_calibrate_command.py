"""`basam calibrate` on a few small photographs with nano: files, tables, messages and exit statuses."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from basam import BiasMode
from basam.cli import app
from basam.model import read_mode, write_mode
from tests.helpers.small_run import write_pairs


@pytest.fixture
def root(tmp_path):
    for split in ("train", "test"):
        write_pairs(tmp_path / split, 2)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments)])


def test_with_masks(root):
    out = root / "mode.json"
    result = run("folder", root, "--split", "train", "--sizes", "64,96", "--out", out)
    assert result.exit_code == 0, result.output
    assert "plain" in result.output
    assert "chosen" in result.output
    assert f"wrote {out}" in result.output
    read_mode(out)
    found = json.loads(out.read_text())["found"]
    assert found["how"] == "mean IoU with gt-box and gt-point"
    assert found["sizes"] == [64, 96]
    assert [len(photos) for photos in found["photos"].values()] == [2]
    assert len(found["candidates"]) > 8


def test_segment_takes_the_mode(root):
    mode = root / "mode.json"
    write_mode(mode, BiasMode(scaling="none", slope=0.0), {"on": "a set"})
    photo = root / "train" / "images" / "photo00.png"
    result = CliRunner().invoke(app, ["segment", str(photo), "--mode", str(mode), "--out", str(root / "out"), "--json"])
    assert result.exit_code == 0, result.output
    mode.write_text('{"mode": {"slop": 1}}')
    result = CliRunner().invoke(app, ["segment", str(photo), "--mode", str(mode), "--out", str(root / "out")])
    assert result.exit_code == 2
    assert "unknown field 'slop'" in " ".join(result.output.replace("│", " ").split())


def test_a_broken_photograph_is_named_and_the_status_says_so(root):
    for folder in ("images", "masks"):
        (root / "train" / folder / "2.png").write_bytes(b"no image")
    out = root / "mode.json"
    result = run("folder", root, "--sizes", "64", "--out", out)
    assert result.exit_code == 1
    assert "2.png" in result.output
    read_mode(out)


def test_the_test_split_is_refused_unless_meant(root):
    out = root / "mode.json"
    result = run("folder", root, "--split", "test", "--sizes", "64", "--out", out)
    assert result.exit_code == 2
    assert "is a test split" in result.output
    assert not out.exists()
    assert run("folder", root, "--split", "test", "--sizes", "64", "--out", out, "--yes-this-is-the-test-split").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument"),
        (["my-photos"], "calibration needs masks: give KIND and ROOT"),
        (["folder", "."], "no data set of kind 'folder'"),
        (["folder", ".", "--larger"], "--focus"),
        (["folder", ".", "--sizes", "big"], "'big': numbers separated by commas"),
        (["folder", ".", "--sizes", "0"], "'0': numbers separated by commas"),
        (["folder", "/nowhere"], "/nowhere: no such folder"),
        (["nothing", "."], "kind='nothing': allowed are dis5k"),
        (["folder", ".", "--out", "/nowhere/mode.json"], "the folder /nowhere is missing"),
    ],
)
def test_mistakes_are_named(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_masks_are_read_by_the_rule(root, tmp_path):
    for path in (root / "train" / "masks").iterdir():
        labels = np.zeros_like(Image.open(path))
        labels[10:30, 12:40], labels[36:46, 12:40], labels[30:33, 10:42] = 1, 2, 255
        Image.fromarray(labels).save(path)
    given = ["folder", root, "--sizes", 64, "--out", tmp_path / "mode.json"]
    result = run(*given)
    assert result.exit_code == 2
    text = " ".join(result.output.split())
    assert "0 usable photographs, at least 2 are needed" in text
    assert "values 0, 1, 2, 255; say what they mean: --mask-values" in text
    result = run(*given, "--mask-values", "label=2")
    assert result.exit_code == 0, result.output
    assert "mask values label=2" in json.loads((tmp_path / "mode.json").read_text())["found"]["how"]
