"""The page in a real browser, with a server in a process of its own."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.helpers.forked import Forked

BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no browser: apt-get install chromium-headless-shell"),
]
PATIENCE = 180_000  # milliseconds: a loaded machine takes a minute to import the model


class RunningServer:
    """`basam web` on a free port."""

    def __init__(self, photos: Path, session: Path) -> None:
        words = ["web", str(photos), "--session", str(session), "--port", "0", "--no-browser", "--device", "cpu"]
        self.process = Forked("basam", words, session.with_name(f"output-{time.monotonic_ns()}.txt"))
        self.process.wait_until(lambda: any("token=" in line for line in self.lines()), PATIENCE / 1000)
        self.address = next(line.strip() for line in self.lines() if "token=" in line)

    def lines(self) -> list[str]:
        """Whole lines that it has printed."""
        return self.process.text.splitlines(keepends=True) if self.process.text.endswith("\n") else []

    def kill(self) -> None:
        self.process.kill()  # a test may have done it already


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def server(photos: Path, tmp_path: Path) -> Iterator[RunningServer]:
    found = RunningServer(photos, tmp_path / "session")
    yield found
    found.kill()


def wait_for_server(address: str) -> None:
    """The address is printed a moment before the server takes connections."""
    place = urlsplit(address)
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection((place.hostname, place.port), timeout=1):
            return
        time.sleep(0.1)


def opened(context, address: str):
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda each: page.problems.append(each.text) if each.type == "error" else None)
    wait_for_server(address)
    page.goto(address)
    page.get_by_text("Ready", exact=True).wait_for()
    return page


def objects(page, count: int):
    page.wait_for_timeout(100)
    page.locator("#objects li").nth(count - 1).wait_for() if count else page.locator("#objects li").first.wait_for(
        state="detached"
    )
    page.locator("#status", has_text="predicted IoU").wait_for() if count else None


def place(page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the first photo, 900 x 600, lies on the screen while the whole of it is shown."""
    frame = page.locator("#viewer").bounding_box()
    scale = min(frame["width"] / 900, frame["height"] / 600)
    left = frame["x"] + (frame["width"] - 900 * scale) / 2
    top = frame["y"] + (frame["height"] - 600 * scale) / 2
    return left + x * scale, top + y * scale


def kept(session: Path) -> dict:
    found = [json.loads(path.read_text()) for path in session.glob("*.json")]
    return next(each for each in found if each["photo"].endswith("first.png"))


def test_click_box_undo_save_reload_and_kill(chromium, server, photos, tmp_path):
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page = opened(context, server.address)
    assert "token" not in page.url
    session = tmp_path / "session"

    page.mouse.click(*place(page, 300, 300))
    objects(page, 1)
    x, y, label = kept(session)["objects"][0]["points"][0]
    assert (x, y, label) == (pytest.approx(300, abs=1.5), pytest.approx(300, abs=1.5), 1)

    page.mouse.click(*place(page, 600, 450), button="right")
    page.locator("#candidates button").nth(1).wait_for(state="detached")
    assert [point[2] for point in kept(session)["objects"][0]["points"]] == [1, 0]
    page.keyboard.press("Control+z")
    page.locator("#candidates button").nth(2).wait_for()
    assert len(kept(session)["objects"][0]["points"]) == 1

    page.keyboard.press("n")
    page.mouse.move(*place(page, 170, 170))
    page.mouse.down()
    page.mouse.move(*place(page, 300, 300), steps=4)
    page.mouse.move(*place(page, 430, 430), steps=4)
    page.mouse.up()
    objects(page, 2)
    assert kept(session)["objects"][1]["box"] == pytest.approx([170, 170, 430, 430], abs=2)

    for name, suffix in (
        ("Cut-out (PNG)", ".zip"),
        ("Mask (PNG)", ".zip"),
        ("Overlay (JPEG)", ".jpg"),
        ("Prompts (JSON)", ".json"),
    ):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        assert download.value.suggested_filename.endswith(suffix)

    page.reload()
    objects_after = page.locator("#objects li")
    objects_after.nth(1).wait_for()
    assert page.problems == []
    server.kill()
    page.get_by_role("button", name="Remove Object 1").click()
    page.locator("#error", has_text="does not answer").wait_for()

    again = RunningServer(photos, session)
    try:
        opened(context, again.address).locator("#objects li").nth(1).wait_for()
    finally:
        again.kill()


def test_a_zoomed_click_lands_on_its_pixel(chromium, server, tmp_path):
    page = opened(chromium.new_context(viewport={"width": 1280, "height": 800}), server.address)
    page.mouse.move(*place(page, 400, 250))
    for _ in range(6):
        page.mouse.wheel(0, -300)
        page.wait_for_timeout(80)
    page.wait_for_timeout(800)
    page.mouse.click(*place(page, 400, 250))  # a zoom keeps the pixel under the pointer
    objects(page, 1)
    assert kept(tmp_path / "session")["objects"][0]["points"][0][:2] == pytest.approx([400, 250], abs=1)


def test_by_keyboard_alone(chromium, server, tmp_path):
    page = opened(chromium.new_context(viewport={"width": 1280, "height": 800}), server.address)
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    objects(page, 1)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+Enter")
    page.locator("#candidates button").nth(1).wait_for(state="detached")
    assert [point[2] for point in kept(tmp_path / "session")["objects"][0]["points"]] == [1, 0]
    page.keyboard.press("?")
    page.get_by_role("heading", name="How it works").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Delete")
    page.locator("#objects li").wait_for(state="detached")
    page.keyboard.press("]")
    page.locator("#photo-name", has_text=re.compile("second.jpg")).wait_for()


def test_two_windows_do_not_overwrite_each_other(chromium, server, tmp_path):
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    one, two = opened(context, server.address), opened(context, server.address)
    one.mouse.click(*place(one, 300, 300))
    objects(one, 1)
    two.mouse.click(*place(two, 300, 300))
    two.locator("#error", has_text="another window").wait_for()
    two.locator("#objects li").wait_for()  # the newest state is shown
    assert len(kept(tmp_path / "session")["objects"]) == 1


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_its_window(chromium, server, width):
    page = opened(chromium.new_context(viewport={"width": width, "height": 740}), server.address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_input_files("#file", {"name": "no.png", "mimeType": "image/png", "buffer": b"no image"})
    page.locator("#error", has_text="not an image").wait_for()
