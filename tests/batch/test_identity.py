"""Which photo is which: by its path relative to the results, as it was given, and by its content."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from basam.cli import app


@pytest.fixture
def run(model):
    def call(*words, **more):
        return CliRunner().invoke(app, [*map(str, words), "--model", str(model)], env={"COLUMNS": "200"}, **more)

    return call


def picture(path, seed=0, size=(40, 60, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with two photos, which is the working directory."""
    for seed, name in enumerate("ab"):
        picture(tmp_path / "here" / "photos" / f"{name}.png", seed)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def masks(out):
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*_mask.png"))


@pytest.mark.parametrize("how", ["moved", "copied", "moved, named absolutely", "moved, from elsewhere"])
def test_photos_and_results_that_are_moved_together_resume(here, run, how, monkeypatch):
    assert run("segment", "photos", "--out", "out").exit_code == 0
    there = here.with_name("there")
    if how == "copied":
        shutil.copytree(here, there, copy_function=shutil.copyfile)  # times of change are others
    else:
        here.rename(there)
    monkeypatch.chdir(there.parent if "elsewhere" in how else there)
    root = there if "absolutely" in how else there.relative_to(os.getcwd())
    again = run("segment", root / "photos", "--out", root / "out")
    assert again.exit_code == 0, again.output
    assert "2 of 2 photos were done already" in again.stderr
    assert masks(there / "out") == ["photos/a_mask.png", "photos/b_mask.png"]


def test_photos_that_are_moved_away_from_their_results_resume(here, run):
    assert run("segment", "photos", "--out", "out").exit_code == 0
    (here / "photos").rename(here.with_name("disk"))
    again = run("segment", here.with_name("disk"), "--out", "out")
    assert "2 of 2 photos were done already" in again.stderr, again.output
    # A copy beside the photo that is still there is another photo.
    shutil.copytree(here.with_name("disk"), here / "photos")
    again = run("segment", "photos", here.with_name("disk"), "--out", "out", "--json")
    assert again.exit_code == 0, again.output
    assert len({row["mask"] for row in json.loads(again.stdout)}) == 4


@pytest.mark.parametrize("change", ["another photo", "one byte more", "another byte"])
def test_a_photo_that_changed_is_done_again(here, run, change):
    rest = ("--out", "out", "--write", "csv")
    assert run("segment", "photos", *rest).exit_code == 0
    photo = here / "photos" / "a.png"
    if change == "another photo":
        picture(photo, 7)
    else:
        data = photo.read_bytes()
        photo.write_bytes(data + b"x" if change == "one byte more" else data[:-1] + b"x")
    assert "1 of 2 photos were done already" in run("segment", "photos", *rest).stderr


def test_links_into_a_store_are_photos_of_their_own(here, run):
    """Of DVC and git-annex each file is a link, of some stores the folder."""
    store = here / ".store"
    store.mkdir()
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(store / "3f2a91", "PNG")
    (here / "links").mkdir()
    for name in ("cat.png", "kitten.png"):
        (here / "links" / name).symlink_to(store / "3f2a91")
    (here / "version").symlink_to(here / "links")
    result = run("segment", "links", "--out", "out", "--write", "mask,coco,csv,labelme", "--json")
    assert [row["photo"] for row in json.loads(result.stdout)] == ["links/cat.png", "links/kitten.png"]
    assert masks(here / "out") == ["links/cat_mask.png", "links/kitten_mask.png"]
    assert [image["file_name"] for image in json.loads((here / "out" / "coco.json").read_text())["images"]] == [
        "cat.png",
        "kitten.png",
    ]
    labelme = here / "out" / "links" / "cat_labelme.json"
    assert json.loads(labelme.read_text())["imagePath"] == "../../links/cat.png"
    run("segment", "version", "--out", "versions")
    assert masks(here / "versions") == ["version/cat_mask.png", "version/kitten_mask.png"]
    # A file of prompts keeps them apart as well.
    (here / "p.csv").write_text("photo,x0,y0,x1,y1\nlinks/cat.png,1,1,30,30\nlinks/kitten.png,2,2,40,30\n")
    assert len(json.loads(run("segment", "--prompts-from", "p.csv", "--out", "o", "--json").stdout)) == 2


@pytest.mark.parametrize("given", ["relative", "absolute", "file"])
def test_outputs_name_photos_relatively_and_are_read_back(here, run, given):
    picture(here / "photos" / "deep" / "c.png", 3)
    words = {"relative": ["photos"], "absolute": [here / "photos"], "file": [here / "photos" / "a.png"]}[given]
    assert run("segment", *words, "--out", "out", "--write", "mask,coco,csv,table").exit_code == 0
    there = here.with_name("there")
    here.rename(there)
    images = json.loads((there / "out" / "coco.json").read_text())["images"]
    expected = ["a.png"] if given == "file" else ["a.png", "b.png", "deep/c.png"]
    assert [image["file_name"] for image in images] == expected
    for table in (there / "out" / "table.csv", *(there / "out").rglob("*_objects.csv")):
        assert "/here/" not in table.read_text()
    again = run("segment", there / "photos", "--prompts-from", there / "out" / "coco.json", "--out", there / "again", "--json")
    assert again.exit_code == 0, again.output
    assert len(json.loads(again.stdout)) == len(expected)


def test_a_name_that_two_folders_have_gets_its_folder(here, run):
    picture(here / "more" / "a.png", 5)
    run("segment", "photos", "more", "--out", "out", "--write", "coco")
    names = [image["file_name"] for image in json.loads((here / "out" / "coco.json").read_text())["images"]]
    assert names == ["a.png", "b.png", "more/a.png"]


@pytest.mark.parametrize("length", [236, 238, 243, 251])
def test_the_longest_names_of_photos(here, run, length):
    name = "p" * length + ".png"
    picture(here / name)
    result = run("segment", name, "--out", "out", "--write", "mask,overlay,labelme,csv,svg,geojson", "--json")
    assert result.exit_code == 0, result.output
    (mask,) = masks(here / "out")
    assert (mask == "p" * length + "_mask.png") == (length <= 238)
    kinds = "mask,overlay,labelme,csv,svg,geojson"
    assert "1 of 1 photos were done already" in run("segment", name, "--out", "out", "--write", kinds).stderr
    assert not [path for path in (here / "out").iterdir() if ".partial" in path.name]


@pytest.mark.parametrize(
    "beside", ["a.tfw", "a.prj", "a.ovr", "a.msk", "a.qml", "a.gpkg", "a.log", "a.npy", "a.png.aux.xml", "a"]
)
def test_a_sidecar_changes_no_name_and_loses_no_resume(here, run, beside):
    assert run("segment", "photos", "--out", "out").exit_code == 0
    (here / "photos" / beside).write_bytes(b"x")
    assert "2 of 2 photos were done already" in run("segment", "photos", "--out", "out").stderr
    run("segment", "photos", "--out", "new")
    assert masks(here / "new") == ["photos/a_mask.png", "photos/b_mask.png"]


def test_two_photos_of_one_stem_are_told_apart(here, run):
    assert run("segment", "photos/a.png", "--out", "out").exit_code == 0
    picture(here / "photos" / "a.jpg", 6)
    result = run("segment", "photos", "--out", "out")
    assert "1 of 3 photos were done already" in result.stderr
    assert masks(here / "out") == ["photos/a.jpg_mask.png", "photos/a_mask.png", "photos/b_mask.png"]
