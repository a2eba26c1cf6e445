"""`basam segment` of folders, lists and prompts from files; what it would do; what it tells of each photo."""

import csv
import json
import os

import numpy as np
import pytest
from PIL import Image
from skimage.measure import regionprops
from typer.testing import CliRunner

import basam
from basam.cli import app


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with three photos in `photos`, the third in a folder of its own."""
    generator = np.random.default_rng(0)
    for name, size in (("a.png", (70, 100, 3)), ("b.jpg", (64, 48, 3)), ("deep/c.png", (40, 40, 3))):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, size, dtype=np.uint8)).save(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words, **more):
    return CliRunner().invoke(app, ["segment", *map(str, words)], env={"COLUMNS": "80"}, **more)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def rows_of(result):
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def test_a_folder_twice_does_not_segment_its_own_results(folder, model):
    """Results lie among the photos: the second run finds all done, and takes no mask or overlay for a photo."""
    first = run("photos", "--model", model, "--out", "photos")
    assert first.exit_code == 0, first.output
    before = files(folder)
    assert "photos/deep/c_mask.png" in before or "photos/photos/deep/c_mask.png" in before
    second = run("photos", "--model", model, "--out", "photos")
    assert "3 of 3 photos were done already" in second.stderr
    assert files(folder) == before


def test_patterns_and_names_from_standard_input(folder, model):
    rest = ("--model", model, "--out", "o", "--json")
    assert [row["photo"] for row in rows_of(run("photos/*.png", *rest))] == ["photos/a.png"]
    found = rows_of(run("-", *rest, input="photos/b.jpg\nphotos/deep/c.png\n"))
    assert [row["photo"] for row in found] == ["photos/b.jpg", "photos/deep/c.png"]
    result = run("photos/*.bmp", "photos/a.png", *rest)
    assert result.exit_code == 1
    assert "failed: photos/*.bmp: no file matches the pattern" in result.stderr
    assert run("photos/*.bmp", *rest).exit_code == 2


def test_prompts_of_a_file_reach_their_photos_and_records(folder, model):
    rows = [
        {"photo": "a.png", "id": "first", "box": [5, 6, 40, 44], "label": "cat", "score": 0.5},
        {"photo": "b.jpg"},
        {"photo": "a.png", "points": [[50, 30, 1]]},
        {"photo": "a.png", "box": [5, 6, 40, 44], "points": [[20, 20, 1], [9, 9, 0]]},
    ]
    (folder / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    result = run("photos", "--prompts-from", "p.jsonl", "--no-focus", "--model", model, "--out", "o", "--json")
    assert result.exit_code == 0, result.output
    found = rows_of(result)
    assert [(row["photo"], row.get("id"), os.path.basename(row["mask"])) for row in found] == [
        ("photos/a.png", "first", "a_mask_0.png"),
        ("photos/a.png", None, "a_mask_1.png"),
        ("photos/a.png", None, "a_mask_2.png"),
        ("photos/b.jpg", None, "b_mask.png"),
    ]
    # Each is answered as if it were asked alone.
    for row, words in ((found[0], ["--box", "5,6,40,44"]), (found[1], ["--point", "50,30"])):
        alone = rows_of(run(row["photo"], *words, "--no-focus", "--model", model, "--out", "p", "--json"))[0]
        assert alone["predicted_iou"] == pytest.approx(row["predicted_iou"], abs=1e-5)
        assert alone["area"] == row["area"]
    lines = [json.loads(text) for text in (folder / "o" / "records.jsonl").read_text().splitlines()]
    (of_a,) = [line for line in lines if line["photo"].endswith("a.png") and "rows" in line]
    assert of_a["prompts"][0] == {"id": "first", "label": "cat", "score": 0.5, "box": [5, 6, 40, 44]}
    assert of_a["prompts"][2] == {"box": [5, 6, 40, 44], "points": [[20, 20, 1], [9, 9, 0]]}


def test_bad_rows_are_named_and_the_others_are_done_also_when_resumed(folder, model):
    text = "photo,x0,y0,x1,y1\na.png,5,6,40,44\na.png,500,6,900,44\na.png,9,9\nabsent.png,1,1,9,9\na.png,9,9,50,50\n"
    (folder / "p.csv").write_text(text)
    words = ("photos", "--prompts-from", "p.csv", "--model", model, "--out", "o", "--json")
    for _ in range(2):
        result = run(*words)
        assert result.exit_code == 1
        shown = " ".join(result.stderr.split())
        assert "p.csv, line 3: box (500, 6, 900, 44) lies outside the image of 100 x 70 px" in shown
        assert "p.csv, line 4: no value for x1, y1" in shown
        assert "p.csv, line 5: photo photos/absent.png: no such file" in shown
        masks = [os.path.basename(row["mask"]) for row in rows_of(result) if "mask" in row]
        assert masks == ["a_mask_0.png", "a_mask_2.png"]  # named by their place among the prompts of the photo
    assert "1 of 1 photos were done already" in result.stderr


def test_what_goes_together_is_checked_first(folder):
    (folder / "p.jsonl").write_text('{"photo": "a.png"}')
    for words, message in (
        ((), "photographs are needed"),
        (("--prompts-from", "p.jsonl", "--box", "1,1,9,9"), "--point and --box"),
        (("photos/a.png", "--images-json", "p.jsonl"), "needs --prompts-from"),
        (("photos/a.png", "--prompts-from", "p.jsonl"), "PHOTOS is the folder"),
        (("photos", "--ray", "local", "--shard", "1/2"), "leave --shard"),
        (("photos", "--shard", "3/2"), "I from 0 to N - 1 is needed"),
        (("photos", "-q", "-v"), "contradict each other"),
    ):
        result = run(*words, "--out", "o")
        assert result.exit_code == 2, result.output
        assert message in " ".join(result.output.replace("│", " ").split())


PYRAMID = ("--box", "5,6,25,26", "--box", "0,0,40,40", "--pyramid")


def test_a_dry_run_plans_what_the_run_does_and_writes_nothing(folder, model):
    for words in ((), ("--box", "5,6,25,26"), ("--box", "5,6,25,26", "--box", "0,0,40,40"), ("--long-side", "native"), PYRAMID):
        rest = ("photos", *words, "--model", model, "--json")
        planned = run(*rest, "--dry-run", "--out", "dry")
        assert not (folder / "dry").exists()
        done = rows_of(run(*rest, "--out", "o", "--replace"))
        shown = ("photo", "width", "height", "region", "tokens", "lambda")
        assert [[row[name] for name in shown] for row in rows_of(planned)] == [[row[name] for name in shown] for row in done]


def test_a_dry_run_of_a_click_names_what_it_does_not_know(folder, model):
    result = run("photos/a.png", "--point", "50,30", "--focus", "--dry-run", "--model", model)
    assert "by a first pass" in result.stdout
    assert " 16 " in result.stdout  # tokens of the region, wherever it will be
    assert run("photos/a.png", "--box", "500,1,600,9", "--dry-run", "--model", model).exit_code == 2
    run("photos/a.png", "--model", model, "--out", "o")
    assert " done" in run("photos/a.png", "--model", model, "--out", "o", "--dry-run").stdout


def test_a_photo_encoded_once_has_the_masks_of_the_predictor(folder, model):
    rows = rows_of(run("photos/a.png", *PYRAMID, "--model", model, "--out", "o", "--json"))
    predictor = basam.Predictor.from_pretrained(model)
    predictor.set_image("photos/a.png", pyramid=True)
    boxes = [[5, 6, 25, 26], [0, 0, 40, 40]]
    for row, box in zip(rows, boxes, strict=False):
        expected, *_ = predictor.predict(box=box, multimask_output=False)
        np.testing.assert_array_equal(np.asarray(Image.open(row["mask"])) > 0, expected[0])
        assert row["tokens"] <= 16
    assert run("photos/a.png", *PYRAMID, "--focus", "--model", model, "--out", "p").exit_code == 2


def test_verbose_tells_of_every_photo(folder, model):
    result = run("photos", "--model", model, "--out", "o", "-v")
    lines = [line for line in result.stderr.splitlines() if line.startswith("photos/")]
    assert [line.split(":")[0] for line in lines] == ["photos/a.png", "photos/b.jpg", "photos/deep/c.png"]
    assert "photos/a.png: 100 x 70 px, 1 mask on whole (35 tokens), " in result.stderr


def test_results_of_another_run_among_the_photos_are_no_photos(folder, model):
    run("photos", "--model", model, "--out", "photos/first")
    result = run("photos", "--box", "1,1,30,30", "--model", model, "--out", "photos/second", "--json")
    assert [row["photo"] for row in rows_of(result)] == ["photos/a.png", "photos/b.jpg", "photos/deep/c.png"]


def test_an_empty_word_is_not_the_working_directory(folder, model):
    result = run("", "photos/a.png", "--model", model, "--out", "o", "--json")
    assert result.exit_code == 1
    assert "an empty name" in result.stderr
    assert len(rows_of(result)) == 1


def test_names_that_are_no_text_or_orders_to_a_terminal_are_printed_and_written(folder, model):
    names = [os.fsdecode(b"photos/d\xff.png"), "photos/e\x1b[31m.png", "photos/[red]f.png"]
    try:
        for name in names:
            os.link("photos/a.png", name)
    except OSError:
        pytest.skip("this file system takes names that are text alone")
    result = run(*names, "--model", model, "--out", "o", "--write", "mask,csv,coco,labelme", "-v")
    assert result.exit_code == 0, result.output
    assert "photos/d\\udcff.png: 100 x 70 px" in result.stderr
    assert "photos/e\\x1b[31m.png: 100 x 70 px" in result.stderr
    assert "\x1b" not in result.output
    assert "3 photos/[red]f.png -> o/photos/[red]f_mask.png" in result.stdout.splitlines()
    assert len(json.loads((folder / "o" / "coco.json").read_text())["images"]) == 3


def test_ids_and_labels_go_from_detections_to_coco(folder, model):
    images = {"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.jpg"}]}
    images["categories"] = [{"id": 3, "name": "cat"}, {"id": 9, "name": "dog"}]
    boxes = [
        {"id": 70, "image_id": 2, "category_id": 9, "bbox": [4, 5, 30, 30], "score": 0.75},
        {"id": 71, "image_id": 1, "category_id": 3, "bbox": [5, 6, 35, 38], "score": 0.5},
        {"id": 72, "image_id": 1, "category_id": 9, "bbox": [500, 6, 35, 38], "score": 0.5},
        {"id": 73, "image_id": 1, "category_id": 9, "bbox": [15, 6, 35, 38], "score": 0.25},
    ]
    (folder / "photos" / "images.json").write_text(json.dumps(images))
    (folder / "boxes.json").write_text(json.dumps(boxes))
    words = ("--prompts-from", "boxes.json", "--images-json", "photos/images.json", "--model", model, "--out", "o")
    result = run(*words, "--write", "mask,coco", "--json")
    assert result.exit_code == 1
    assert "boxes.json, entry 2: box (500, 6, 535, 44) lies outside" in " ".join(result.stderr.split())
    data = json.loads((folder / "o" / "coco.json").read_text())
    names = {each["id"]: each["name"] for each in data["categories"]}
    assert [(each["id"], names[each["category_id"]], each["score"]) for each in data["annotations"]] == [
        (71, "cat", 0.5),
        (73, "dog", 0.25),
        (70, "dog", 0.75),
    ]
    assert names == {3: "cat", 9: "dog"}
    assert [(each["id"], each["file_name"]) for each in data["images"]] == [(1, "a.png"), (2, "b.jpg")]
    masks = [os.path.basename(row["mask"]) for row in rows_of(result)]
    assert masks == ["b_mask.png", "a_mask_0.png", "a_mask_2.png"]


def test_hundreds_of_masks_get_a_summary(folder, model):
    boxes = [f"a.png,{number},{number},{number + 30},{number + 30}" for number in range(30)]
    (folder / "p.csv").write_text("\n".join(["photo,x0,y0,x1,y1", *boxes * 3]))
    result = run("photos", "--prompts-from", "p.csv", "--model", model, "--out", "o", "--write", "csv")
    assert result.stdout.startswith("90 masks of 1 photos")
    assert len(result.stdout.splitlines()) == 1


def test_a_note_that_repeats_is_printed_once_with_its_count(folder, model):
    for number in range(22):
        Image.new("RGB", (30, 30)).save(folder / "photos" / f"{number:02}.png")
    words = ("photos/[0-9]*.png", "--box", "5,6,40,20", "--model", model, "--out")
    shown = run(*words, "o").stderr
    assert shown.count("note: photos/00.png: box (5, 6, 40, 20)") == 1
    assert "note: 21 more photos: box (5, 6, 40, 20)" in shown
    assert shown.count("box (5, 6, 40, 20)") == 2
    assert run(*words, "p", "-v").stderr.count("box (5, 6, 40, 20)") == 22
    assert "box" not in run(*words, "q", "-q").stderr


def test_results_of_prompts_are_not_replaced_by_none(folder, model):
    (folder / "p.csv").write_text("photo,x0,y0,x1,y1\na.png,5,6,40,44\n")
    rest = ("--model", model, "--out", "o", "--write", "mask")
    assert run("photos", "--prompts-from", "p.csv", *rest).exit_code == 0
    before = (folder / "o" / "photos" / "a_mask.png").read_bytes()
    for more in ((), ("--overwrite",)):
        result = run("photos", *rest, *more)
        assert result.exit_code == 0, result.output
        assert "photos/a.png: its results are of prompts" in result.stderr
        assert (folder / "o" / "photos" / "a_mask.png").read_bytes() == before
        assert (folder / "o" / "photos" / "b_mask.png").exists()
    assert "its results are of prompts" not in run("photos", *rest, "--replace").stderr
    lines = [json.loads(text) for text in (folder / "o" / "records.jsonl").read_text().splitlines()]
    assert [line["prompts"] for line in lines if line["photo"].endswith("a.png") and "rows" in line][-1] == []


def test_photos_without_a_row_are_counted_and_done_where_wanted(folder, model):
    (folder / "p.csv").write_text("photo,x0,y0,x1,y1\na.png,5,6,40,44\n")
    rest = ("photos", "--prompts-from", "p.csv", "--model", model, "--out", "o", "--json")
    result = run(*rest)
    assert "photos in photos without a row in p.csv: 2, not segmented" in result.stderr
    assert len(rows_of(result)) == 1
    result = run(*rest, "--unlisted")
    assert "without a row" not in result.stderr
    assert [row["photo"] for row in rows_of(result)] == ["photos/a.png", "photos/b.jpg", "photos/deep/c.png"]
    assert run("--prompts-from", "p.csv", "--unlisted").exit_code == 2


def test_empty_masks_are_named_and_counted_and_have_no_cut_out(folder, model):
    words = ("photos/a.png", "--box", "5,6,40,44", "--box", "1,1,60,60", "--model", model, "--out", "o", "--min-area", "100000")
    result = run(*words, "--write", "mask,cutout", "--json")
    assert result.exit_code == 0, result.output
    assert "photos/a.png: mask 1 is empty, with a predicted IoU of " in result.stderr
    assert "photos/a.png: mask 2 is empty" in result.stderr
    assert [("cutout" in row, "mask" in row) for row in rows_of(result)] == [(False, True)] * 2
    assert files(folder / "o") == ["photos/a_mask_0.png", "photos/a_mask_1.png", "records.jsonl"]
    assert "mask 1 is empty" in run(*words, "--write", "mask,cutout").stderr  # also when it was done already


def test_a_name_that_is_not_there_is_found_before_a_model_is_loaded(folder):
    (folder / "no-such-model").mkdir()  # holds no model
    result = run("photos/aa.png", "--model", "no-such-model", "--out", "o")
    assert result.exit_code == 2
    assert "failed: photos/aa.png: no such file; did you mean photos/a.png?" in result.stderr
    assert "no-such-model" not in result.output
    assert "did you mean mask?" in " ".join(run("photos", "--write", "masks", "--out", "o").output.split())


def test_one_table_of_the_run(folder, model):
    images = {"images": [{"id": 5, "file_name": "a.png"}, {"id": 9, "file_name": "deep/c.png"}]}
    images |= {"categories": [{"id": 3, "name": "cat"}]}
    images["annotations"] = [{"id": 1, "image_id": 9, "category_id": 3, "bbox": [2, 2, 30, 30]}]
    images["annotations"] += [{"id": 2, "image_id": 5, "category_id": 3, "bbox": [5, 6, 40, 40]}]
    (folder / "photos" / "boxes.json").write_text(json.dumps(images))
    words = ("--prompts-from", "photos/boxes.json", "--model", model, "--out", "o", "--write", "table,mask")
    assert run(*words).exit_code == 0
    rows = list(csv.DictReader((folder / "o" / "table.csv").open()))
    assert [(row["photo"], row["id"], row["label"]) for row in rows] == [("a.png", "2", "cat"), ("deep/c.png", "1", "cat")]
    for row, path in zip(rows, ("a_mask.png", "deep/c_mask.png"), strict=True):
        mask = np.asarray(Image.open(folder / "o" / "photos" / path)) > 0
        assert int(row["area"]) == mask.sum()
        assert float(row["share"]) == pytest.approx(mask.mean(), abs=1e-6)
        if mask.any():
            (one,) = regionprops(mask.astype(np.uint8))
            assert (float(row["centroid_y"]), float(row["centroid_x"])) == pytest.approx(one.centroid, abs=1e-3)
            for column in ("perimeter", "equivalent_diameter_area", "eccentricity"):
                assert float(row[column]) == pytest.approx(getattr(one, column), abs=1e-3)
            colour = np.asarray(Image.open(folder / "photos" / path.replace("_mask", "")).convert("RGB"))[mask].mean(axis=0)
            assert [float(row[f"intensity_mean-{index}"]) for index in range(3)] == pytest.approx(colour, abs=1e-3)
