import json
import os

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from basam import BiasMode
from basam.cli import app


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for name, size in (("a.png", (70, 100, 3)), ("b.jpg", (64, 48, 3))):
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(tmp_path / name)
        paths.append(str(tmp_path / name))
    return paths


def run(*arguments):
    return CliRunner().invoke(app, ["segment", *map(str, arguments)], env={"COLUMNS": "250"})


def test_masks_overlays_and_a_table(photos, model, tmp_path):
    out = tmp_path / "out"
    result = run(*photos, "--box", "5,6,40,44", "--model", model, "--out", out)
    assert result.exit_code == 0, result.output
    assert sorted(os.listdir(out)) == ["a_mask.png", "a_overlay.jpg", "b_mask.png", "b_overlay.jpg"]
    mask = np.asarray(Image.open(out / "a_mask.png"))
    assert mask.shape == (70, 100)
    assert set(np.unique(mask)) <= {0, 255}
    assert Image.open(out / "a_overlay.jpg").size == (100, 70)
    row = next(line for line in result.stdout.splitlines() if line.startswith("a.png"))
    strength = BiasMode().strength
    assert "100 x 70" in row
    assert " 35 " in row  # 5 x 7 patches
    assert "2.19" in row  # of 16 trained ones
    assert f"{1 + strength * (1.2824 - 1):.3f}" in row  # ln 35 / ln 16 is 1.2824
    assert f"{strength * 0.2824 * BiasMode().slope:.3f}" in row


def test_json_of_several_boxes(photos, model, tmp_path):
    result = run(photos[0], "--box", "5,6,40,44", "--box", "0,0,100,70", "--model", model, "--out", tmp_path / "o", "--json")
    rows = json.loads(result.stdout)
    assert [os.path.basename(row["mask"]) for row in rows] == ["a_mask_0.png", "a_mask_1.png"]
    assert rows[0]["tokens"] == 35
    assert rows[0]["lambda"] == pytest.approx(BiasMode().factor(35, 16))
    assert rows[0]["slope"] == pytest.approx(BiasMode().effective_slope(35, 16))
    assert all(os.path.exists(row["mask"]) for row in rows)


def test_options_reach_the_model(photos, model, tmp_path):
    def first(*options):
        result = run(photos[0], "--box", "5,6,90,60", "--model", model, "--out", tmp_path / "o", "--json", *options)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)[0]

    assert (first("--plain")["lambda"], first("--plain")["slope"]) == (1, 0)
    assert first("--scaling", "none")["lambda"] == 1
    assert first("--strength", "1")["lambda"] == pytest.approx(1.2824, abs=1e-3)
    assert first("--slope", "0")["slope"] == 0
    assert first("--slope", "0")["lambda"] > 1
    assert first("--long-side", "32")["tokens"] == 4
    assert first("--max-side", "64")["tokens"] == 12
    scores = {first(*options)["predicted_iou"] for options in ((), ("--slope", "3"), ("--positions", "extend"), ("--plain",))}
    assert len(scores) == 4
    file = tmp_path / "mode.json"
    file.write_text('{"slope": 3}')
    assert first("--mode", str(file))["predicted_iou"] == first("--slope", "3")["predicted_iou"]
    assert first("--dtype", "bfloat16")["tokens"] == 35


def test_points_alone_with_labels_and_with_a_box(photos, model, tmp_path):
    rest = ("--model", model, "--out", tmp_path / "o", "--json")
    scores = {
        json.loads(run(photos[0], *prompt, *rest).stdout)[0]["predicted_iou"]
        for prompt in (
            ("--point", "50,30"),
            ("--point", "50,30", "--point", "9,9,0"),
            ("--point", "50,30", "--box", "5,6,90,60"),
            ("--box", "5,6,90,60"),
            (),
        )
    }
    assert len(scores) == 5


def test_a_bad_photo_does_not_stop_the_others(photos, model, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"nonsense")
    small = tmp_path / "small.png"
    Image.new("RGB", (9, 9)).save(small)
    result = run(photos[0], bad, small, tmp_path / "absent.png", photos[1], "--model", model, "--out", tmp_path / "o")
    assert result.exit_code == 1
    assert "bad.jpg is not an image" in result.output
    assert "smaller than a patch" in result.output
    assert "absent.png: no such file" in result.output
    assert sorted(os.listdir(tmp_path / "o")) == ["a_mask.png", "a_overlay.jpg", "b_mask.png", "b_overlay.jpg"]


def test_a_prompt_outside_one_photo_writes_nothing_for_it(photos, model, tmp_path):
    result = run(*photos, "--box", "5,6,90,60", "--model", model, "--out", tmp_path / "o")
    assert result.exit_code == 1
    assert "lies outside the image of 48 x 64 px" in result.output
    assert sorted(os.listdir(tmp_path / "o")) == ["a_mask.png", "a_overlay.jpg"]


def test_photos_of_one_name_do_not_overwrite_each_other(photos, model, tmp_path):
    (tmp_path / "more").mkdir()
    other = tmp_path / "more" / "a.png"
    Image.open(photos[0]).save(other)
    result = run(photos[0], other, "--model", model, "--out", tmp_path / "o", "--json")
    masks = [row["mask"] for row in json.loads(result.stdout)]
    assert len(set(masks)) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--box", "1,2,3"], "X0,Y0,X1,Y1 is needed"),
        (["--box", "a,b,c,d"], "'a,b,c,d'"),
        (["--point", "1"], "X,Y or X,Y,LABEL"),
        (["--long-side", "big"], "'native' or a number"),
        (["--long-side", "0"], "'native' or a number"),
        (["--slope", "-1"], "slope=-1"),
        (["--positions", "learned"], "'learned'"),
        (["--plain", "--slope", "1"], "plain SAM takes no"),
        (["--mode", "absent.json"], "absent.json"),
        (["--dtype", "int8"], "'int8'"),
        (["--point", "1,1", "--box", "0,0,9,9", "--box", "0,0,9,9"], "one box or none"),
        (["--model", "no-such-model"], "neither an embedded model"),
        (["--device", "warp"], "warp"),
    ],
)
def test_bad_options_are_named(photos, tmp_path, options, message):
    result = run(photos[0], *options, "--out", tmp_path / "o")
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not list(tmp_path.glob("o/*"))


def test_an_output_folder_that_cannot_be_written(photos, model, tmp_path):
    (tmp_path / "file").write_text("")
    result = run(photos[0], "--model", model, "--out", tmp_path / "file" / "o")
    assert result.exit_code == 2
    assert "cannot make the output folder" in result.output


def test_a_box_that_sticks_out_is_cut_with_a_note(photos, model, tmp_path):
    """The second photo is smaller than the first: its box is cut, and only its box."""
    result = run(*photos, "--box", "5,6,90,60", "--model", model, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)) == 2
    assert (
        result.stderr.strip()
        == f"note: {photos[1]}: box (5, 6, 90, 60): cut to the image of 48 x 64 px, out of which it sticks"
    )
    nothing_left = run(*photos, "--box", "50,6,90,60", "--model", model, "--out", tmp_path / "out")
    assert nothing_left.exit_code == 1
    assert f"failed: {photos[1]}: box (50, 6, 90, 60) lies outside the image of 48 x 64 px" in nothing_left.stderr
