"""--max-pixels of every command that reads photographs, and notes on odd ones in its output."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from basam.cli import app
from basam.cli.options import parse_max_pixels

HEIGHT, WIDTH = 72, 96


@pytest.fixture
def root(tmp_path):
    """Four photographs with masks; the second is larger than the others, the third of 12 bits."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for folder in ("images", "masks"):
            (tmp_path / split / folder).mkdir(parents=True)
        for number in range(4):
            factor = 2 if number == 1 else 1
            mask = np.zeros((HEIGHT * factor, WIDTH * factor), np.uint8)
            mask[20:50, 30:70] = 255
            noise = rng.integers(0, 60, (*mask.shape, 3)) + (mask[..., None] > 0) * 150
            stem = tmp_path / split / "images" / f"p{number}"
            if number == 2:
                tifffile.imwrite(stem.with_suffix(".tif"), (noise * 16).astype(np.uint16), photometric="rgb")
            else:
                Image.fromarray(noise.astype(np.uint8)).save(stem.with_suffix(".png"))
            Image.fromarray(mask).save(tmp_path / split / "masks" / f"p{number}.png")
    return tmp_path


def invoke(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


LIMIT = ("--max-pixels", HEIGHT * WIDTH)


def test_the_number():
    assert parse_max_pixels("none") is None
    assert parse_max_pixels("192000000") == parse_max_pixels("192M") == parse_max_pixels("192e6") == 192_000_000
    for text in ("0", "-3", "many", "inf", "nan", "", "M"):
        with pytest.raises(Exception, match="a number of pixels such as 200M"):
            parse_max_pixels(text)


def test_segment(root, tmp_path):
    photos = [root / "train" / "images" / name for name in ("p0.png", "p1.png", "p2.tif")]
    result = invoke("segment", *photos, "--long-side", 128, "--out", tmp_path / "out", "--json", *LIMIT)
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert [row["photo"] for row in rows if "error" in row] == [str(photos[1])]
    assert f"--max-pixels {4 * HEIGHT * WIDTH} or none" in result.stderr
    assert f"note: {photos[2]}: whole numbers up to" in result.stderr
    assert invoke("segment", photos[1], "--long-side", 128, "--out", tmp_path / "more", "--max-pixels", "none").exit_code == 0


def test_evaluate_takes_in_later_what_was_too_large(root, tmp_path):
    words = ("evaluate", "folder", root, "--split", "val", "--sizes", 64, "--methods", "basam", "--workers", 0, "--out")
    words = (*words, tmp_path / "run")
    first = invoke(*words, *LIMIT)
    assert first.exit_code == 1
    assert "1 x image cannot be read" in first.stderr
    assert "1 x image whose file does not state its range of values: scaled by rule [read]" in first.stderr
    assert "p1.png" in first.stderr
    assert f"--max-pixels {4 * HEIGHT * WIDTH} or none" in first.stderr
    again = invoke(*words)
    assert again.exit_code == 0
    assert "cannot be read" not in again.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["rows"][0]["count"] == 4


def test_benchmark(root, tmp_path):
    words = ("benchmark", "--data", f"folder:{root}:val", "--sizes", 64, "--prompts", "gt-box", "--workers", 0)
    result = invoke(*words, "--out", tmp_path / "b", *LIMIT)
    assert result.exit_code == 1
    assert "1 x image cannot be read" in result.stderr


def test_tune(root, tmp_path):
    words = ("tune", "--data", f"folder:{root}", "--steps", 1, "--sizes", 64, "--batch-size", 1, "--tracker", "none")
    result = invoke(*words, "--validate-sizes", 64, "--out", tmp_path / "t", *LIMIT)
    assert result.exit_code == 1
    assert "image cannot be read [broken]" in result.stderr


def test_calibrate(root, tmp_path):
    result = invoke("calibrate", "folder", root, "--count", 4, "--sizes", 64, "--out", tmp_path / "mode.json", *LIMIT)
    assert result.exit_code == 1
    assert "1 x image cannot be read" in result.stderr
