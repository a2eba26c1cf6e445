"""A server in a process of its own, and a page of it in a real browser."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.helpers.forked import Forked

BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
NO_BROWSER = "no browser: apt-get install chromium-headless-shell"
PATIENCE = 120_000  # milliseconds: a loaded machine takes a minute to import the model
WINDOW = {"width": 1280, "height": 800}

# `basam web`, on a disk that is full as long as the first word names a file that is there.
ON_A_DISK = """
import errno, os, sys
from pathlib import Path
import basam.files
import basam.web.session

full, write_json = Path(sys.argv[1]), basam.files.write_json

def write(path, *values, **options):
    if full.exists():
        raise OSError(errno.ENOSPC, "No space left on device")
    write_json(path, *values, **options)

basam.web.session.write_json = write
sys.argv[1:2] = []
from basam.cli import app
app()
"""


class RunningServer:
    """`basam web` on a free port.

    Attributes:
        session: its folder; full: a file that makes its disk full while it is there.
        address: with the token.
    """

    def __init__(self, photos: Path, session: Path, *more: str) -> None:
        self.session, self.full = session, session.with_name("disk-is-full")
        words = ["web", str(photos), "--session", str(session), "--port", "0", "--no-browser", "--device", "cpu", *more]
        output = session.with_name(f"output-{time.monotonic_ns()}.txt")
        self.process = Forked("-c", [ON_A_DISK, str(self.full), *words], output)
        self.process.wait_until(lambda: any("token=" in line for line in self.lines()), PATIENCE / 1000)
        self.address = next(line.strip() for line in self.lines() if "token=" in line)
        self.wait()

    def lines(self) -> list[str]:
        """Whole lines that it has printed."""
        return self.process.text.splitlines(keepends=True) if self.process.text.endswith("\n") else []

    def wait(self) -> None:
        """The address is printed a moment before the server takes connections."""
        place = urlsplit(self.address)
        end = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection((place.hostname, place.port), timeout=1):
                return
            time.sleep(0.1)

    def kill(self) -> None:
        self.process.kill()  # a test may have done it already

    def empty(self) -> None:
        """Forget what was done: nothing of it is kept elsewhere than in the folder."""
        for path in self.session.glob("*.json"):
            path.unlink()

    def kept(self, name: str = "first.png") -> dict[str, Any]:
        """What is kept of a photo."""
        found = [json.loads(path.read_text()) for path in self.session.glob("*.json")]
        return next(each for each in found if each["photo"].endswith(name))


def opened(context: Any, address: str) -> Any:
    """A page that is ready for clicks; what its console says is in `problems`."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda each: page.problems.append(each.text) if each.type == "error" else None)
    page.goto(address)
    page.get_by_text("Ready", exact=True).wait_for()
    return page


def wait_until(page: Any, expression: str) -> None:
    """Until an expression is true in the page, whose policy does not let Playwright's own waiting evaluate one."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(30)


def wait_for_objects(page: Any, count: int) -> None:
    wait_until(page, f"document.querySelectorAll('#objects li').length === {count}")


def wait_for_points(page: Any, server: RunningServer, labels: list[int], index: int = 0) -> None:
    """Until the labels of an object's points are kept."""
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:
        with contextlib.suppress(StopIteration, IndexError, ValueError):
            if [point[2] for point in server.kept()["objects"][index]["points"]] == labels:
                return
        page.wait_for_timeout(50)
    raise AssertionError(f"{labels} is not kept of object {index}")


def place(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the first photo, 900 x 600, lies on the screen while the whole of it is shown."""
    frame = page.locator("#viewer").bounding_box()
    scale = min(frame["width"] / 900, frame["height"] / 600)
    left = frame["x"] + (frame["width"] - 900 * scale) / 2
    top = frame["y"] + (frame["height"] - 600 * scale) / 2
    return left + x * scale, top + y * scale


def drag(page: Any, x0: float, y0: float, x1: float, y1: float) -> None:
    page.mouse.move(*place(page, x0, y0))
    page.mouse.down()
    page.mouse.move(*place(page, (x0 + x1) / 2, (y0 + y1) / 2), steps=4)
    page.mouse.move(*place(page, x1, y1), steps=4)
    page.mouse.up()
