"""A server of two generated photos, with the embedded model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from starlette.testclient import TestClient

from basam.web.safety import Guard
from basam.web.server import make_app
from basam.web.settings import WebSettings
from basam.web.workspace import Workspace
from tests.web.browsing import BROWSER, RunningServer

TOKEN = "the-token"
ADDRESS = "http://127.0.0.1:7860"
# A point on the disc of the first photo.
DISC = [300.5, 300.5, 1]


def put(client: TestClient, photo: str, key: str = "a1", **values: Any) -> Any:
    """Set the prompts of an object."""
    return client.put(f"/api/photos/{photo}/objects/{key}", json={"name": "Disc", "colour": "#e63946", **values})


def draw_photo(path: Path, width: int, height: int, seed: int) -> None:
    """A bright disc at a third of the width and half of the height, on dark noise."""
    noise = np.random.default_rng(seed).integers(20, 70, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    x, y, radius = width // 3, height // 2, height // 5
    ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=(240, 200, 60))
    image.save(path)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    draw_photo(folder / "first.png", 900, 600, 1)
    draw_photo(folder / "second.jpg", 700, 1100, 2)
    return folder


@pytest.fixture
def settings(photos: Path, tmp_path: Path) -> WebSettings:
    return WebSettings(photos=(photos,), session=tmp_path / "session", device="cpu", max_upload=200_000)


@pytest.fixture
def workspace(settings: WebSettings) -> Iterator[Workspace]:
    found = Workspace(settings)
    yield found
    found.close()


@pytest.fixture
def stranger(workspace: Workspace) -> TestClient:
    """Has no cookie yet."""
    guarded = Guard(make_app(workspace), token=TOKEN, host="127.0.0.1", port=7860)
    return TestClient(guarded, base_url=ADDRESS, raise_server_exceptions=False)


@pytest.fixture
def client(stranger: TestClient) -> TestClient:
    assert stranger.get(f"/?token={TOKEN}").status_code == 200
    return stranger


@pytest.fixture
def first(workspace: Workspace) -> str:
    return next(photo.key for photo in workspace.library.listed() if photo.name == "first.png")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One for all tests of a module; its uploads are small."""
    found = RunningServer(photos, tmp_path_factory.mktemp("web") / "session", "--max-upload", "2M")
    yield found
    found.kill()
