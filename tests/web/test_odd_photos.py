"""One odd name, one damaged file or one missing photo stops nobody."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from basam.errors import InputError
from basam.web.library import Library
from basam.web.session import Session
from basam.web.settings import WebSettings
from basam.web.workspace import Workspace
from tests.web.conftest import DISC, draw_photo, put


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    draw_photo(folder / "first.png", 300, 200, 1)
    draw_photo(folder / "second.png", 200, 300, 2)
    return folder


def test_a_name_that_is_no_utf8_is_listed_and_segmented(photos, client, tmp_path, settings, workspace):
    os.rename(os.fsencode(photos / "second.png"), os.fsencode(photos) + b"/caf\xe9.png")
    odd = workspace.library.add(next(path for path in photos.iterdir() if "caf" in path.name))
    names = [each["name"] for each in client.get("/api/overview").json()["photos"]]
    assert "caf\ufffd.png" in names
    assert put(client, odd.key, points=[[60, 150, 1]]).status_code == 200
    assert client.get(f"/api/photos/{odd.key}").json()["objects"][0]["points"] == [[60.0, 150.0, 1]]
    assert client.get("/api/export", params={"kind": "csv", "photo": odd.key}).status_code == 200


@pytest.mark.parametrize("name", ["\ud800", "a\udfffb", "x" * 500])
def test_an_object_of_an_odd_name_is_saved_under_a_name_that_is_text(client, first, name):
    body = json.dumps({"name": name, "colour": "#e63946", "points": [[*DISC[:2], 1]]})
    answer = client.put(f"/api/photos/{first}/objects/a1", content=body.replace("300.5", "100"))
    assert answer.status_code == 200
    (found,) = client.get(f"/api/photos/{first}").json()["objects"]
    found["name"].encode()
    assert 0 < len(found["name"]) <= 80


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"format": "basam session 1"}',
        '{"format": "basam session 2", "revision": 1, "done": false, "objects": [{}]}',
    ],
)
def test_a_damaged_session_file_is_renamed_with_a_note_and_the_others_stay(client, workspace, first, content):
    assert put(client, first, points=[[100, 100, 1]]).status_code == 200
    other = next(photo for photo in workspace.library.listed() if photo.key != first)
    path = workspace.session.file(other)
    path.write_text(content)
    overview = client.get("/api/overview").json()
    assert {each["id"]: each["objects"] for each in overview["photos"]} == {first: 1, other.key: 0}
    assert client.get(f"/api/photos/{other.key}").json()["objects"] == []
    assert path.with_name(f"{path.name}.damaged").read_text() == content
    assert any(other.name in note for note in client.get("/api/overview").json()["notes"])


def test_an_object_with_a_name_that_is_no_text_in_its_file_is_read(client, workspace, first):
    put(client, first, points=[[100, 100, 1]])
    path = workspace.session.file(workspace.library[first])
    path.write_text(path.read_text().replace('"Disc"', '"\\ud800"'))
    os.utime(path, (1, 1))
    assert client.get(f"/api/photos/{first}").json()["objects"][0]["name"] == "\ufffd"


def test_all_photos_are_saved_but_for_one_that_is_missing(client, workspace, photos, first):
    for photo in workspace.library.listed():
        put(client, photo.key, points=[[100, 100, 1]])
    (photos / "second.png").unlink()
    answer = client.get("/api/export", params={"kind": "overlay"})
    assert answer.status_code == 200
    assert "second.png" in answer.headers["x-basam-left-out"]
    assert "first" in answer.headers["content-disposition"]
    alone = next(photo.key for photo in workspace.library.listed() if photo.name == "second.png")
    assert client.get("/api/export", params={"kind": "overlay", "photo": alone}).status_code == 404


def test_a_second_server_on_one_session_folder_is_rejected(settings, workspace):
    with pytest.raises(InputError, match="another basam web"):
        Workspace(settings)
    workspace.session.close()
    Session(settings.session).close()


def test_photos_and_session_moved_together_keep_what_was_done(photos, tmp_path):
    def opened(root: Path) -> Workspace:
        return Workspace(WebSettings(photos=(root / "photos",), session=root / "session", device="cpu"))

    workspace = opened(tmp_path)
    key = workspace.library.listed()[0].key
    workspace.put_object(key, "a1", {"colour": "#e63946", "points": [[100, 100, 1]]}, "").result()
    workspace.close()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "photos").rename(moved / "photos")
    (tmp_path / "session").rename(moved / "session")
    again = opened(moved)
    assert [len(again.session.state(photo).objects) for photo in again.library.listed()] == [1, 0]
    again.close()


def test_photos_of_one_name_in_two_folders_are_two(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        draw_photo(tmp_path / name / "photo.png", 60, 40, ord(name))
    library = Library([tmp_path / "a", tmp_path / "b"], tmp_path / "uploads", None)
    assert len({photo.key for photo in library.listed()}) == 2


def test_uploads_of_one_name_get_files_of_their_own(workspace):
    with workspace.library.reserve("cat.png") as one, workspace.library.reserve("cat.png") as other:
        assert one != other
    with workspace.library.reserve("cat.png") as again:
        assert again == one


def test_errors_name_files_relative_to_the_given_folder(client, workspace, photos, first):
    (photos / "first.png").write_bytes(b"")
    answer = client.post(f"/api/photos/{first}/prepare", json={"method": "focus"})
    assert answer.status_code == 400
    assert "first.png" in answer.json()["error"]
    assert str(photos) not in answer.json()["error"]
