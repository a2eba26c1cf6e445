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
    return CliRunner().invoke(app, ["segment", *map(str, arguments)], env={"COLUMNS": "80"})


def files(folder):
    """Relative paths of the results in a folder, without the records."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != "records.jsonl"
    )


def test_masks_overlays_and_a_table(photos, model, tmp_path):
    out = tmp_path / "out"
    result = run(*photos, "--box", "5,6,40,44", "--no-focus", "--model", model, "--out", out, "-v")
    assert result.exit_code == 0, result.output
    assert files(out) == ["a_mask.png", "a_overlay.jpg", "b_mask.png", "b_overlay.jpg"]
    mask = np.asarray(Image.open(out / "a_mask.png"))
    assert mask.shape == (70, 100)
    assert set(np.unique(mask)) <= {0, 255}
    assert Image.open(out / "a_overlay.jpg").size == (100, 70)
    row = next(line for line in result.stdout.splitlines() if "100x70" in line)
    strength = BiasMode().strength
    assert " whole " in row
    assert " 35 " in row  # 5 x 7 patches
    assert "2.19" in row  # of 16 trained ones
    assert f"{1 + strength * (1.2824 - 1):.3f}" in row  # ln 35 / ln 16 is 1.2824
    assert f"{strength * 0.2824 * BiasMode().slope:.3f}" in row
    assert all(len(line) <= 80 for line in result.stdout.splitlines() if str(tmp_path) not in line)
    assert f"1 {photos[0]} -> {out / 'a_mask.png'}" in result.stdout.splitlines()  # whole, to be copied


def test_json_of_several_boxes(photos, model, tmp_path):
    boxes = "--box", "5,6,40,44", "--box", "0,0,100,70"
    result = run(photos[0], *boxes, "--no-focus", "--model", model, "--out", tmp_path / "o", "--json")
    rows = json.loads(result.stdout)
    assert [os.path.basename(row["mask"]) for row in rows] == ["a_mask_0.png", "a_mask_1.png"]
    assert rows[0]["tokens"] == 35
    assert rows[0]["lambda"] == pytest.approx(BiasMode().factor(35, 16))
    assert rows[0]["slope"] == pytest.approx(BiasMode().effective_slope(35, 16))
    assert all(os.path.exists(row["mask"]) for row in rows)


def test_options_reach_the_model(photos, model, tmp_path):
    def first(*options):
        words = ["--no-focus", "--model", model, "--out", tmp_path / "o", "--json", *options]
        result = run(photos[0], "--box", "5,6,90,60", *words)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)[0]

    assert (first("--plain")["lambda"], first("--plain")["slope"]) == (1, 0)
    assert first("--scaling", "none")["lambda"] == 1
    assert first("--strength", "1")["lambda"] == pytest.approx(1.2824, abs=1e-3)
    assert first("--slope", "0")["slope"] == 0
    assert first("--slope", "0")["lambda"] > 1
    assert first("--long-side", "32")["tokens"] == 4
    assert first("--max-side", "64")["tokens"] == 12
    assert first("--method", "resize")["tokens"] == 16
    assert first("--method", "plain") == {**first("--plain"), "seconds": first("--plain")["seconds"]}
    assert first("--multimask")["predicted_iou"] != first()["predicted_iou"]
    assert first("--focus")["region"] is None
    assert first("--focus")["tokens"] == 12  # the whole photo at the trained long side
    modes = ((), ("--slope", "3"), ("--reach", "trained"), ("--plain",))
    assert len({first(*options)["predicted_iou"] for options in modes}) == len(modes)
    file = tmp_path / "mode.json"
    file.write_text('{"slope": 3}')
    assert first("--mode", str(file))["predicted_iou"] == first("--slope", "3")["predicted_iou"]
    assert first("--dtype", "bfloat16")["tokens"] == 35


def test_points_alone_with_labels_and_with_a_box(photos, model, tmp_path):
    rest = ("--model", model, "--out", tmp_path / "o", "--json", "--replace")
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
    assert "smaller than a patch (16 px): give a larger image, or one of 16 px or more to enlarge it to" in result.output
    assert "long_side" not in result.output
    assert "absent.png: no such file" in result.output
    assert files(tmp_path / "o") == ["a_mask.png", "a_overlay.jpg", "b_mask.png", "b_overlay.jpg"]


def test_a_prompt_outside_one_photo_writes_nothing_for_it(photos, model, tmp_path):
    result = run(*photos, "--box", "50,6,90,60", "--model", model, "--out", tmp_path / "o")
    assert result.exit_code == 1
    assert "lies outside the image of 48 x 64 px" in result.output
    assert files(tmp_path / "o") == ["a_mask.png", "a_overlay.jpg"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--box", "1,2,3"], "X0,Y0,X1,Y1 is needed"),
        (["--box", "a,b,c,d"], "'a,b,c,d'"),
        (["--point", "1"], "X,Y or X,Y,LABEL"),
        (["--long-side", "big"], "'auto', 'native' or a number"),
        (["--long-side", "0"], "'auto', 'native' or a number"),
        (["--slope", "-1"], "slope=-1"),
        (["--plain", "--slope", "1"], "plain SAM has no"),
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


def digests(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_what_basam_did_not_write_is_never_overwritten(photos, model, tmp_path):
    mask = tmp_path / "a_mask.png"
    Image.new("L", (100, 70), 255).save(mask)  # the truth of somebody, beside the photo
    Image.new("RGB", (100, 70)).save(tmp_path / "b_overlay.jpg")
    before = digests(tmp_path)
    result = run(*photos, tmp_path / "b_overlay.jpg", "--model", model, "--out", tmp_path)
    assert result.exit_code == 1
    lines = " ".join(result.stderr.split())
    assert "a_mask.png was not written by basam, and is left as it is: choose another --out" in lines
    assert "b_overlay.jpg is one of the photos given, and is left as it is" in lines
    assert {name: data for name, data in digests(tmp_path).items() if name in before} == before
    assert files(tmp_path) == sorted([*before, "b_overlay_mask.png", "b_overlay_overlay.jpg"])
    # --overwrite repeats what basam did, and gives no right to what others made.
    assert run(photos[0], "--model", model, "--out", tmp_path, "--overwrite").exit_code == 2
    assert mask.read_bytes() == before["a_mask.png"]


def test_the_same_command_resumes(photos, model, tmp_path, monkeypatch):
    words = ["--box", "5,6,40,44", "--model", model, "--out", tmp_path / "o", "--json"]
    first = json.loads(run(photos[0], *words).stdout)
    stamp = (tmp_path / "o" / "a_mask.png").stat().st_mtime_ns
    both = run(*photos, *words)
    assert json.loads(both.stdout)[0] == first[0]
    assert "1 of 2 photos were done already" in both.stderr
    assert (tmp_path / "o" / "a_mask.png").stat().st_mtime_ns == stamp
    run(photos[0], *words, "--overwrite")
    assert (tmp_path / "o" / "a_mask.png").stat().st_mtime_ns > stamp


def test_other_prompts_replace_the_files_of_their_photo(photos, model, tmp_path):
    rest = ["--model", model, "--out", tmp_path / "o"]
    run(*photos, "--box", "5,6,40,44", "--box", "0,0,48,60", *rest)
    assert files(tmp_path / "o") == sorted(
        f"{name}_{part}" for name in "ab" for part in ("mask_0.png", "mask_1.png", "overlay.jpg")
    )
    run(photos[0], "--box", "5,6,40,44", *rest)
    assert files(tmp_path / "o") == ["a_mask.png", "a_overlay.jpg", "b_mask_0.png", "b_mask_1.png", "b_overlay.jpg"]


def test_a_run_killed_while_it_wrote_resumes(photos, model, tmp_path, monkeypatch):
    rest = ["--model", model, "--out", tmp_path / "o"]
    with monkeypatch.context() as patch:

        def killed(*arguments, **options):
            raise KeyboardInterrupt

        patch.setattr("basam.batch.writers.pictures.write_image", killed)
        result = run(photos[0], *rest)
    assert result.exit_code == 130
    assert "stopped; the same command resumes" in result.stderr
    assert files(tmp_path / "o") == ["a_mask.png"]
    with (tmp_path / "o" / "records.jsonl").open("a") as file:
        file.write('{"photo": "../cut sh')
    assert run(*photos, *rest).exit_code == 0
    assert files(tmp_path / "o") == ["a_mask.png", "a_overlay.jpg", "b_mask.png", "b_overlay.jpg"]
    assert "done already" in run(*photos, *rest).stderr


def test_names_depend_on_the_photo_alone(photos, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("one/deep", "two"):
        os.makedirs(folder)
        Image.open(photos[0]).save(f"{folder}/a.png")
    Image.open(photos[0]).save("two/a.jpg")
    rest = ["--model", model, "--out", "o"]
    assert run("one/deep/a.png", *rest).exit_code == 0
    assert run("two/a.png", "two/a.jpg", "a.png", *rest).exit_code == 0
    masks = ["a_mask.png", "one/deep/a_mask.png", "two/a.jpg_mask.png", "two/a.png_mask.png"]
    assert [name for name in files(tmp_path / "o") if name.endswith("_mask.png")] == masks
    assert (
        "4 of 4 photos were done already" in run("one/deep/a.png", "two/a.png", "two/a.jpg", tmp_path / "a.png", *rest).stderr
    )


def test_json_is_closed_when_stopped(photos, model, tmp_path, monkeypatch):
    from basam.batch import SegmentJob

    find, calls = SegmentJob.find, []

    def stopped_at_the_second(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return find(*arguments)

    monkeypatch.setattr(SegmentJob, "find", stopped_at_the_second)
    result = run(*photos, "--model", model, "--out", tmp_path / "o", "--json")
    assert result.exit_code == 130
    assert [row["photo"] for row in json.loads(result.stdout)] == [photos[0]]


def test_a_prompt_on_a_large_photo_brings_its_region(photos, model, tmp_path):
    row = json.loads(run(photos[0], "--box", "5,6,25,26", "--model", model, "--out", tmp_path / "o", "--json").stdout)[0]
    assert row["region"] == [0, 0, 40]
    assert row["tokens"] == 16
    assert row["lambda"] == 1
    words = ["--box", "5,6,25,26", "--model", model, "--out", tmp_path / "o"]
    result = run(photos[0], *words, "--focus-context", "1.5", "--focus-side", "32", "-v")
    assert "30x30+0+1" in result.stdout
    assert " 4 " in result.stdout
    for option, message in ((["--focus-context", "0.5"], "context=0.5"), (["--focus-side", "0"], "side=0")):
        result = run(photos[0], *words, *option)
        assert result.exit_code == 2
        assert message in result.stderr


def test_auto_is_a_multiple_of_the_trained_tokens_and_says_so(model, tmp_path):
    Image.new("RGB", (600, 300)).save(tmp_path / "large.png")
    result = run(tmp_path / "large.png", "--model", model, "--out", tmp_path / "o", "--json")
    row = json.loads(result.stdout)[0]
    assert row["tokens"] == 50  # 10 x 5 patches; 11 x 6 would be more than four times the 16 that were trained
    assert "is encoded at a long side of 160 px; --long-side native" in " ".join(result.stderr.split())
    row = json.loads(
        run(tmp_path / "large.png", "--long-side", "native", "--model", model, "--out", tmp_path / "o", "--json").stdout
    )
    assert row[0]["tokens"] == 38 * 19


def test_many_photos_get_a_summary(model, tmp_path):
    for index in range(21):
        Image.new("RGB", (20, 20)).save(tmp_path / f"{index:02}.png")
    result = run(*sorted(tmp_path.glob("*.png")), "--model", model, "--out", tmp_path / "o")
    assert len(result.stdout.splitlines()) == 1
    assert result.stdout.startswith("21 masks of 21 photos, 4 tokens per mask")
    assert run(*sorted(tmp_path.glob("*.png")), "--model", model, "--out", tmp_path / "p", "--quiet").stdout == ""


def test_a_box_that_sticks_out_is_cut_with_a_note(photos, model, tmp_path):
    """The second photo is smaller than the first: its box is cut, and only its box."""
    result = run(*photos, "--box", "5,6,90,60", "--model", model, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)) == 2
    assert all(part in result.stderr for part in (f"note: {photos[1]}: box (5, 6, 90, 60)", "48 x 64 px"))
    assert len(result.stderr.strip().splitlines()) == 2
    nothing_left = run(*photos, "--box", "50,6,90,60", "--model", model, "--out", tmp_path / "out")
    assert nothing_left.exit_code == 1
    assert f"failed: {photos[1]}: box (50, 6, 90, 60) lies outside the image of 48 x 64 px" in nothing_left.stderr
