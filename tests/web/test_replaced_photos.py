"""A photo that another takes the place of: what was done is never laid over the other one, and never lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from basam.web.server import make_app
from basam.web.settings import WebSettings
from basam.web.workspace import Workspace
from tests.web.conftest import ADDRESS, draw_photo, put


@contextmanager
def served(folder: Path) -> Iterator[tuple[TestClient, str]]:
    """A client of a server of its own, and the key of the only photo."""
    workspace = Workspace(WebSettings(photos=(folder / "photos",), session=folder / "session", device="cpu"))
    with TestClient(make_app(workspace), base_url=ADDRESS) as client:
        (photo,) = client.get("/api/overview").json()["photos"]
        yield client, photo["id"]
    workspace.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    draw_photo(tmp_path / "photos" / "one.png", 300, 200, 1)
    return tmp_path


def replace_photo(place: Path, width: int, height: int) -> Path:
    """Puts another photo there; the former one is kept beside the folder."""
    photo = place / "photos" / "one.png"
    shutil.move(photo, place / "former.png")
    draw_photo(photo, width, height, 2)
    return place / "former.png"


def test_a_photo_that_is_replaced_while_the_page_is_open_is_named(place: Path) -> None:
    with served(place) as (client, key):
        assert put(client, key, points=[[100, 100, 1]]).status_code == 200
        replace_photo(place, 300, 200)
        answer = client.get("/api/export", params={"kind": "cutout", "photo": key})
        assert answer.status_code == 400
        assert "one.png is another photo than when basam web was started" in answer.json()["error"]


@pytest.mark.parametrize("size", [(300, 200), (260, 310)])
def test_the_page_begins_anew_with_another_photo_and_goes_on_with_the_former(place: Path, size: tuple[int, int]) -> None:
    with served(place) as (client, key):
        assert put(client, key, points=[[100, 100, 1]]).status_code == 200
        before, thumbnail = client.get(f"/api/photos/{key}").json(), client.get(f"/api/photos/{key}/thumbnail").content
    former = replace_photo(place, *size)
    with served(place) as (client, same):
        assert same == key
        assert client.get(f"/api/photos/{key}").json()["objects"] == []
        assert client.get(f"/api/photos/{key}/thumbnail").content != thumbnail
        assert put(client, key, "b1", points=[[120, 90, 1]]).status_code == 200
    shutil.move(former, place / "photos" / "one.png")
    with served(place) as (client, _):
        assert client.get(f"/api/photos/{key}").json() == before
