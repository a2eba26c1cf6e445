"""Pictures of the page of `basam web` for the documentation, in a real browser: Debian's `chromium-headless-shell` or another.

    python benchmarks/screenshots.py                            # into docs/images
    python benchmarks/screenshots.py --out pictures --every     # from 360 px to 4K, light and dark, to look at

The photographs are those of scikit-image (the extra `demo`).
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from web import Served

PHOTOS = ("coins.png", "astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "retina.jpg")
# Of the first photo: its size, and boxes around coins, in pixels.
SIZE = (384, 303)
COINS = ((81, 38, 121, 75), (132, 27, 181, 75), (192, 29, 240, 75), (304, 14, 366, 72), (245, 94, 298, 146))
QUALITY = 82
README_WIDTH = 840
PATIENCE = 180_000


def place(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the first photo lies on the screen while the whole of it is shown."""
    frame = page.locator("#viewer").bounding_box()
    scale = min(frame["width"] / SIZE[0], frame["height"] / SIZE[1])
    left, top = ((frame[side] - scale * pixels) / 2 for side, pixels in zip(("width", "height"), SIZE, strict=True))
    return frame["x"] + left + x * scale, frame["y"] + top + y * scale


def segment(page: Any) -> None:
    for index, (x0, y0, x1, y1) in enumerate(COINS):
        page.mouse.move(*place(page, x0, y0))
        page.mouse.down()
        page.mouse.move(*place(page, (x0 + x1) / 2, (y0 + y1) / 2), steps=4)
        page.mouse.move(*place(page, x1, y1), steps=4)
        page.mouse.up()
        page.locator("#objects li").nth(index).wait_for()
        name = page.get_by_label(f"Name of Object {index + 1}")
        name.fill("Coin")
        name.press("Enter")
        page.get_by_label("Name of Coin").nth(index).wait_for()
        page.locator("#viewer").focus()
        page.keyboard.press("n")


def compare(page: Any) -> None:
    page.locator("#objects li").first.click()
    page.locator("#compare").click()
    page.locator("#cards article").nth(2).wait_for()


def help_sheet(page: Any) -> None:
    page.keyboard.press("Escape")
    page.locator("#help").click()


# Name, width and height of the window, scheme, what is done before.
Shot = tuple[str, int, int, str, Callable[[Any], None] | None]
PICTURES: tuple[Shot, ...] = (
    ("web", 1280, 800, "light", None),
    ("web-compare", 1280, 800, "dark", compare),
)
EVERY: tuple[Shot, ...] = tuple(
    (f"{name}-{width}-{scheme}", width, height, scheme, act)
    for width, height in ((360, 740), (768, 1024), (1280, 800), (1920, 1080), (3840, 2160))
    for scheme in ("light", "dark")
    for name, act in (("page", None), ("compare", compare), ("help", help_sheet))
)


def take(browser: Any, address: str, shots: tuple[Shot, ...], folder: Path) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = open_page(context, address)
    segment(page)
    context.close()
    for name, width, height, scheme, act in shots:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = open_page(context, address)
        if act is not None:
            act(page)
        page.evaluate("document.activeElement.blur()")
        page.wait_for_timeout(700)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        picture.save(folder / f"{name}.jpg", quality=QUALITY)
        context.close()


def open_page(context: Any, address: str) -> Any:
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.get_by_text("Ready", exact=True).wait_for()
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "images")
    parser.add_argument("--every", action="store_true")
    words = parser.parse_args()
    import skimage
    from playwright.sync_api import sync_playwright

    names = ("chromium-headless-shell", "chromium", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        raise SystemExit("no browser: apt-get install chromium-headless-shell")
    words.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        photos = [Path(skimage.__file__).parent / "data" / name for name in PHOTOS]
        served = Served(photos, Path(folder) / "session", "nano")
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
                take(browser, served.address, EVERY if words.every else PICTURES, words.out)
        finally:
            served.process.terminate()
            served.process.wait()
    if not words.every:
        picture = Image.open(words.out / "web.jpg")
        picture.thumbnail((README_WIDTH, README_WIDTH), Image.Resampling.LANCZOS)
        picture.save(words.out / "web-small.jpg", quality=QUALITY)


if __name__ == "__main__":
    main()
