"""What is taken away is what `--write` writes, and the session is read as prompts."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from basam.batch import read_prompts
from basam.batch.writers import KINDS
from basam.cli import app
from basam.masks import decode_segmentation
from basam.web import WRITERS
from tests.web.conftest import DISC, put


@pytest.fixture
def two(client, workspace, first) -> list[np.ndarray]:
    """Masks of two objects of the first photo, one of them named."""
    put(client, first, points=[DISC], name="Sun, low")
    put(client, first, key="b2", box=[200, 200, 420, 420], name="Object 2")
    photo = workspace.library[first]
    return [each.runs(photo).mask() for each in workspace.session.state(photo).objects]


def take(client, kind: str, photo: str = "", only: str = ""):
    wanted = {"kind": kind, "photo": photo, "object": only}
    answer = client.get("/api/export", params={name: value for name, value in wanted.items() if value})
    assert answer.status_code == 200, answer.text
    return answer


def files_in(answer) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    return {name: archive.read(name) for name in archive.namelist()}


def test_every_kind_of_write_and_the_prompts_are_offered():
    assert set(WRITERS) == {*KINDS, "prompts"} - {"coco-polygons", "yolo", "table"}  # those of whole runs


def test_masks(client, first, two):
    files = files_in(take(client, "mask", first))
    assert list(files) == ["first_1_Sun_low_mask.png", "first_2_mask.png"]
    for content, mask in zip(files.values(), two, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), mask * np.uint8(255))


def test_cut_outs_have_the_photos_pixels_and_a_soft_edge(client, first, two, photos):
    files = files_in(take(client, "cutout", first))
    picture = Image.open(io.BytesIO(files["first_1_Sun_low_cutout.png"]))
    left, top = int(picture.text["left"]), int(picture.text["top"])
    pixels = np.asarray(picture)
    whole = np.asarray(Image.open(photos / "first.png"))
    height, width = pixels.shape[:2]
    opaque = pixels[..., 3] == 255  # in edge pixels the background's colour is taken out
    np.testing.assert_array_equal(pixels[opaque, :3], whole[top : top + height, left : left + width][opaque])
    mask = two[0][top : top + height, left : left + width]
    assert ((pixels[..., 3] > 127) == mask).mean() > 0.999
    edge = (pixels[..., 3] > 0) & (pixels[..., 3] < 255)
    assert 0 < edge.sum() < opaque.sum()


def test_a_mask_that_is_now_answered_otherwise_is_cut_out_as_it_was(client, workspace, first, two, monkeypatch):
    monkeypatch.setattr("basam.web.segmenter.SAME_MASK_IOU", 1.1)
    picture = np.asarray(Image.open(io.BytesIO(files_in(take(client, "cutout", first))["first_2_cutout.png"])))
    assert set(np.unique(picture[..., 3])) == {0, 255}
    assert (picture[..., 3] > 0).sum() == two[1].sum()


def test_overlay(client, first, two):
    answer = take(client, "overlay", first)
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (900, 600)


def test_coco_names_photos_and_labels(client, first, two):
    found = json.loads(take(client, "coco").content)
    assert [image["file_name"] for image in found["images"]] == ["first.png"]
    names = {each["id"]: each["name"] for each in found["categories"]}
    assert [names[each["category_id"]] for each in found["annotations"]] == ["Sun, low", "object"]
    for each, mask in zip(found["annotations"], two, strict=True):
        np.testing.assert_array_equal(decode_segmentation(each["segmentation"], 600, 900), mask)


def test_labelme_names_the_photo_beside_it(client, first, two):
    found = json.loads(take(client, "labelme").content)
    assert found["imagePath"] == "first.png"
    assert {shape["label"] for shape in found["shapes"]} == {"Sun, low", "object"}


def test_label_map(client, first, two):
    labels = np.asarray(Image.open(io.BytesIO(take(client, "labels").content)))
    assert set(np.unique(labels)) == {0, 1, 2}
    np.testing.assert_array_equal(labels > 0, two[0] | two[1])


def test_geojson_svg_and_table(client, first, two):
    found = json.loads(take(client, "geojson").content)
    assert [each["properties"]["area"] for each in found["features"]] == [mask.sum() for mask in two]
    assert take(client, "svg").text.count("<path") == 2
    rows = list(csv.DictReader(io.StringIO(take(client, "csv").text)))
    assert [(row["photo"], row["label"], int(row["area"])) for row in rows] == [
        ("first.png", "Sun, low", two[0].sum()),
        ("first.png", "", two[1].sum()),
    ]


def test_photos_of_one_name_have_files_of_their_own(client, workspace, first, photos, tmp_path):
    other = tmp_path / "other" / "first.png"
    other.parent.mkdir()
    other.write_bytes((photos / "first.png").read_bytes())
    second = workspace.library.add(other).key
    for photo in (first, second):
        put(client, photo, points=[DISC])
    assert list(files_in(take(client, "mask"))) == ["first_Disc_mask.png", "other_first.png_Disc_mask.png"]
    assert len(json.loads(take(client, "coco").content)["images"]) == 2


def test_one_object_alone_keeps_its_number(client, first, two):
    mask = take(client, "mask", first, "b2")
    assert "first_2_mask.png" in mask.headers["content-disposition"]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(mask.content))), two[1] * np.uint8(255))
    found = json.loads(take(client, "coco", first, "b2").content)
    assert [each["area"] for each in found["annotations"]] == [two[1].sum()]
    assert [json.loads(row)["id"] for row in take(client, "prompts", first, "b2").text.splitlines()] == ["b2"]


def test_the_only_object_of_a_photo_needs_no_number(client, first):
    put(client, first, points=[DISC], key="a1")
    assert "first_Disc_mask.png" in take(client, "mask", first, "a1").headers["content-disposition"]


@pytest.mark.parametrize(
    ("wanted", "said"), [({"photo": True, "object": "nope"}, "'nope'"), ({"object": "a1"}, "say which photo")]
)
def test_an_object_that_there_is_not_or_without_its_photo_is_refused(client, first, two, wanted, said):
    params = {"kind": "mask", "object": wanted["object"], **({"photo": first} if "photo" in wanted else {})}
    answer = client.get("/api/export", params=params)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


@pytest.mark.parametrize("kind", WRITERS)
def test_nothing_to_take_away_is_said(client, first, kind):
    answer = client.get(f"/api/export?kind={kind}&photo={first}")
    assert answer.status_code == 400
    assert "no object" in answer.json()["error"]


def test_a_kind_that_there_is_not_is_refused(client, first):
    assert client.get(f"/api/export?kind=pickle&photo={first}").status_code == 400


def test_no_file_is_left_behind(client, first, two, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    take(client, "mask")
    client.get("/api/export?kind=pickle")
    assert set(tmp_path.iterdir()) == before


def test_prompts_are_read_by_segment(client, first, two, photos, tmp_path):
    file = tmp_path / "prompts.jsonl"
    file.write_bytes(take(client, "prompts").content)
    ((photo, rows),) = read_prompts(file, root=photos).prompts.items()
    assert photo == photos / "first.png"
    assert [(row.label, row.points, row.box) for row in rows] == [
        ("Sun, low", ((300.5, 300.5, 1),), None),
        (None, (), (200, 200, 420, 420)),
    ]


@pytest.mark.parametrize("whole", [True, False])
def test_a_session_is_read_by_segment(client, workspace, first, two, tmp_path, whole):
    place = workspace.session.folder if whole else workspace.session.file(workspace.library[first])
    words = ["segment", "--prompts-from", str(place), "--focus", "--multimask", "--device", "cpu", "--write", "mask"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    found = [np.asarray(Image.open(path)) > 0 for path in sorted((tmp_path / "out").glob("first_mask_*.png"))]
    for mask, there in zip(found, two, strict=True):
        assert (mask == there).mean() > 0.999


def test_other_folders_and_files_are_no_sessions(tmp_path):
    with pytest.raises(ValueError, match="--session"):
        read_prompts(tmp_path)
    (tmp_path / "other.json").write_text('{"format": "basam session 1", "objects": []}')
    with pytest.raises(ValueError, match="'basam session 2' is needed"):
        read_prompts(tmp_path)
