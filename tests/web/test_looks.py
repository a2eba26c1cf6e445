"""The page fits its window, and axe-core finds no serious fault of accessibility in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.web.browsing import BROWSER, NO_BROWSER, opened, place, wait_for_objects

pytestmark = [pytest.mark.browser, pytest.mark.skipif(BROWSER is None, reason=NO_BROWSER)]

AXE = "axe-core-4.10.3"
AXE_SHA256 = "0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "basam-tests"


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, which npm brings once; it lies outside of the repository."""
    package = CACHE / f"{AXE}.tgz"
    if not package.exists():
        if shutil.which("npm") is None:
            pytest.skip("no npm, which brings axe-core")
        CACHE.mkdir(parents=True, exist_ok=True)
        words = ["npm", "pack", AXE.replace("-4", "@4"), "--silent", "--pack-destination", str(CACHE)]
        try:
            subprocess.run(words, check=True, timeout=120, capture_output=True)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"npm could not bring axe-core: {error}")
    assert hashlib.sha256(package.read_bytes()).hexdigest() == AXE_SHA256
    with tarfile.open(package) as archive:
        source = archive.extractfile("package/axe.min.js")
        assert source is not None
        return source.read().decode()


def faults(page, axe: str) -> list[str]:
    """Serious and critical ones, each with where it is."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:120]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(chromium, server, axe, scheme):
    server.empty()
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    page = opened(context, server.address)
    assert faults(page, axe) == []
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    page.get_by_text("For other programs").click()
    assert faults(page, axe) == []
    page.get_by_role("button", name="Compare side by side").click()
    page.locator("#cards article").nth(2).wait_for()
    assert faults(page, axe) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("heading", name="How it works").wait_for()
    assert faults(page, axe) == []
    page.keyboard.press("Escape")
    page.set_input_files("#file", {"name": "no.png", "mimeType": "image/png", "buffer": b"no image"})
    page.locator("#error", has_text="not an image").wait_for()
    assert faults(page, axe) == []
    context.close()


@pytest.mark.parametrize("width", [360, 768, 1280, 3840])
def test_the_page_fits_its_window(chromium, server, width):
    context = chromium.new_context(viewport={"width": width, "height": 740})
    page = opened(context, server.address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for button in page.locator("button:visible").all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 24
    context.close()


def test_what_has_the_focus_is_seen(chromium, server):
    """Every control that Tab reaches has an outline."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = opened(context, server.address)
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        label, width = page.evaluate(
            "(() => { const e = document.activeElement; const s = getComputedStyle(e); "
            "return [e.id || e.textContent, s.outlineStyle === 'none' ? 0 : parseFloat(s.outlineWidth)]; })()"
        )
        if label and "basam" not in label:
            assert width >= 2, label
            seen.add(label)
    assert {"help", "everything", "opacity"} <= seen
    context.close()
