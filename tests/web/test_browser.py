"""The page in a real browser: what a person does with it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

import basam
from basam.masks import read_runs
from tests.web.browsing import (
    BROWSER,
    NO_BROWSER,
    WINDOW,
    RunningServer,
    drag,
    opened,
    place,
    wait_for_objects,
    wait_for_points,
    wait_until,
)

pytestmark = [pytest.mark.browser, pytest.mark.skipif(BROWSER is None, reason=NO_BROWSER)]


@pytest.fixture
def page(chromium, server) -> Iterator:
    server.empty()
    context = chromium.new_context(viewport=WINDOW, accept_downloads=True)
    yield opened(context, server.address)
    context.close()


def test_click_not_on_it_undo_redo_box_and_reload(page, server):
    assert "token" not in page.url
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    page.locator("#status", has_text="predicted IoU").wait_for()
    x, y, label = server.kept()["objects"][0]["points"][0]
    assert (x, y, label) == (pytest.approx(300, abs=1.5), pytest.approx(300, abs=1.5), 1)

    page.mouse.click(*place(page, 600, 450), button="right")
    wait_for_points(page, server, [1, 0])
    page.keyboard.press("Control+z")
    wait_for_points(page, server, [1])
    page.keyboard.press("Control+Shift+z")
    wait_for_points(page, server, [1, 0])
    page.keyboard.down("Alt")
    page.mouse.click(*place(page, 700, 100))
    page.keyboard.up("Alt")
    wait_for_points(page, server, [1, 0, 0])

    page.keyboard.press("n")
    drag(page, 170, 170, 430, 430)
    wait_for_objects(page, 2)
    assert server.kept()["objects"][1]["box"] == pytest.approx([170, 170, 430, 430], abs=2)
    page.reload()
    wait_for_objects(page, 2)
    assert page.problems == []


def test_where_there_is_no_right_button_a_tool_says_not_on_it(page, server):
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    page.get_by_role("button", name="Not", exact=True).click()
    page.mouse.click(*place(page, 600, 450))
    page.wait_for_function("document.querySelectorAll('[data-tool=not][aria-pressed=true]').length === 1")
    page.wait_for_timeout(1000)
    (found,) = server.kept()["objects"]
    assert [point[2] for point in found["points"]] == [1, 0]
    assert page.problems == []


def test_the_main_button_can_be_read_while_it_is_pointed_at_and_where_there_is_nothing_to_save(page):
    colours = "button => [getComputedStyle(button).backgroundColor, getComputedStyle(button).color]"
    button = page.get_by_role("button", name="Cut-out", exact=True)
    unused = button.evaluate(colours)
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    page.wait_for_timeout(300)
    usual = button.evaluate(colours)
    button.hover()
    page.wait_for_timeout(300)
    assert button.evaluate(colours) == usual
    assert unused[0] != usual[0]
    assert unused[1] != usual[1]


def test_a_slow_and_shaky_click_is_a_click_and_no_box(page, server):
    x, y = place(page, 300, 300)
    page.mouse.move(x, y)
    page.mouse.down()
    page.wait_for_timeout(700)
    page.mouse.move(x + 3, y + 3, steps=3)
    page.mouse.up()
    wait_for_objects(page, 1)
    page.wait_for_timeout(300)
    (found,) = server.kept()["objects"]
    assert found["box"] is None
    assert len(found["points"]) == 1


def test_a_zoomed_click_lands_on_its_pixel_and_is_answered_as_the_predictor_does(page, server, photos):
    page.mouse.move(*place(page, 400, 250))
    for _ in range(6):
        page.mouse.wheel(0, -300)
        page.wait_for_timeout(60)
    page.wait_for_timeout(600)
    page.mouse.click(*place(page, 400, 250))  # a zoom keeps the pixel under the pointer
    wait_for_objects(page, 1)
    found = server.kept()["objects"][0]
    x, y, _ = found["points"][0]
    assert (x, y) == pytest.approx((400, 250), abs=1)
    predictor = basam.Predictor(basam.load("nano", device="cpu"))
    predictor.set_image(photos / "first.png")
    masks, scores, _ = predictor.predict(np.array([[x, y]]), np.array([1]), focus=True)
    assert found["score"] == pytest.approx(float(scores.max()), abs=1e-3)
    assert (read_runs(found["mask"], 600, 900).mask() != masks[scores.argmax()]).mean() < 1e-3


def test_every_kind_is_saved(page):
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    page.get_by_text("For other programs").click()
    buttons = page.locator(".writers button")
    assert buttons.count() == 10
    names = set()
    for index in range(buttons.count()):
        with page.expect_download() as download:
            buttons.nth(index).click()
        names.add(download.value.suggested_filename)
    assert names == {
        *("first_cutout.png", "first_mask.png", "first_overlay.jpg", "first_labels.png", "coco.json", "first_labelme.json"),
        *("first_polygons.geojson", "first_polygons.svg", "first_objects.csv", "prompts.jsonl"),
    }
    page.locator("#scope").select_option("all")
    with page.expect_download() as download:
        buttons.first.click()
    assert download.value.suggested_filename == "first_cutout.png"
    assert page.problems == []


def test_the_object_at_hand_is_saved_alone(page):
    button = page.get_by_role("button", name="Mask", exact=True)
    page.locator("#scope").select_option("object")
    assert button.is_disabled()
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    page.keyboard.press("n")
    wait_until(page, "!document.querySelector('#objects .active')")
    assert button.is_disabled()
    page.mouse.click(*place(page, 700, 200))
    wait_for_objects(page, 2)
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename == "first_2_mask.png"
    assert page.problems == []


def test_names_colours_candidates_methods_and_compare(page, server):
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    page.locator("#candidates button").nth(2).wait_for()
    page.keyboard.press("2")
    page.locator("#candidates button:nth-child(2)[aria-pressed=true]").wait_for()
    assert server.kept()["objects"][0]["candidate"] == 1
    name = page.get_by_label("Name of Object 1")
    name.fill("Sun")
    name.press("Enter")
    page.get_by_label("Name of Sun").wait_for()
    assert page.locator("#candidates button").count() == 3  # a new name does not ask again
    page.get_by_label("Colour of Sun").fill("#00ff88")
    wait_until(page, "document.querySelector('#objects input[type=color]').value === '#00ff88'")
    page.get_by_role("button", name="Plain").click()
    page.locator("[data-method=plain][aria-pressed=true]").wait_for()
    page.get_by_role("button", name="Compare side by side").click()
    page.locator("#cards article").nth(2).wait_for()
    page.get_by_role("button", name="Use Corrected").click()
    page.locator("[data-method=basam][aria-pressed=true]").wait_for()
    for _ in range(600):  # the button is pressed at once, the answer comes later
        if server.kept()["objects"][0]["method"] == "basam":
            break
        page.wait_for_timeout(100)
    kept = server.kept()["objects"][0]
    assert (kept["name"], kept["colour"], kept["method"]) == ("Sun", "#00ff88", "basam")
    assert page.problems == []


def test_hovering_shows_a_mask_before_the_first_click(page):
    ink = "() => { const c = document.querySelector('#overlay'); "
    ink += "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((value) => value > 0); }"
    assert not page.evaluate(ink)
    page.mouse.move(*place(page, 300, 300))
    page.mouse.move(*place(page, 302, 301))
    wait_until(page, f"({ink})()")
    page.keyboard.press("h")
    page.mouse.move(*place(page, 310, 310))
    wait_until(page, f"!({ink})()")


def test_everything_with_progress_cancel_and_undo(page, server):
    page.locator("#sure").select_option("unsure")
    page.get_by_role("button", name="Find everything").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled", exact=True).wait_for()
    wait_for_objects(page, 0)
    page.get_by_role("button", name="Find everything").click()
    wait_until(page, "document.querySelector('#work-bar').value > 0")
    page.locator("#status", has_text=re.compile("objects? found")).wait_for()
    count = page.locator("#objects li").count()
    assert count == len(server.kept()["objects"]) >= 1
    page.keyboard.press("Control+z")
    wait_for_objects(page, 0)
    assert server.kept()["objects"] == []


def test_by_keyboard_alone(page, server):
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    wait_for_objects(page, 1)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+Enter")
    wait_for_points(page, server, [1, 0])
    page.keyboard.press("n")
    page.keyboard.press("b")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("b")
    wait_for_objects(page, 2)
    page.keyboard.press("?")
    page.get_by_role("heading", name="How it works").wait_for()
    page.keyboard.press("Escape")
    for _ in range(80):  # to the first button of those that save
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Cut-out":
            break
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "basam_cutout.zip"
    page.keyboard.press("Delete")
    wait_for_objects(page, 1)
    page.keyboard.press("]")
    page.locator("#photo-name", has_text="second.jpg").wait_for()
    page.keyboard.press("d")
    page.locator("#done[aria-pressed=true]").wait_for()


def test_the_status_line_does_not_outlive_what_it_says(page, server):
    status = page.locator("#status")
    page.mouse.click(*place(page, 300, 300))
    status.filter(has_text="predicted IoU").wait_for()
    page.locator("#undo").click()
    status.filter(has_text="Undone").wait_for()
    page.keyboard.press("Control+y")
    status.filter(has_text="Done again").wait_for()
    wait_for_objects(page, 1)
    page.route("**/api/export*", lambda route: route.fulfill(status=400, json={"error": "the disk is full"}))
    page.get_by_role("button", name="Mask", exact=True).click()
    page.locator("#error", has_text="the disk is full").wait_for()
    assert status.text_content() == ""


def test_two_windows_do_not_overwrite_each_other(page, server):
    other = opened(page.context, server.address)
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    other.mouse.click(*place(other, 300, 300))
    other.locator("#error", has_text="another window").wait_for()
    wait_for_objects(other, 1)  # the newest state is shown
    assert len(server.kept()["objects"]) == 1
    other.keyboard.press("n")
    other.mouse.click(*place(other, 700, 200))
    wait_for_objects(other, 2)


def test_a_second_user_needs_the_token(chromium, server):
    context = chromium.new_context(viewport=WINDOW)
    page = context.new_page()
    for address in (server.address.split("?")[0], server.address + "x"):
        assert page.goto(address).status == 403
    page = opened(context, server.address)
    page.get_by_text("first.png").first.wait_for()
    context.close()


def test_no_path_of_the_page_reaches_another_file(page):
    fetched = page.evaluate(
        """async () => Promise.all(["/page/..%2fserver.py", "/page/%2e%2e%2fserver.py", "/page//etc/passwd",
            "/api/photos/..%2f..%2fetc%2fpasswd", "/api/export?kind=mask&photo=../../etc/passwd"]
            .map(async (path) => { const answer = await fetch(path); return [answer.status, await answer.text()]; }))"""
    )
    assert all(status in (400, 404) for status, _ in fetched)
    assert not any("import" in text or "root:" in text for _, text in fetched)


def test_files_that_are_no_photos_or_too_large_are_refused_and_photos_are_taken(page, server, photos):
    page.set_input_files("#file", {"name": "no.png", "mimeType": "image/png", "buffer": b"no image"})
    page.locator("#error", has_text="not an image").wait_for()
    page.set_input_files("#file", {"name": "huge.png", "mimeType": "image/png", "buffer": bytes(3 << 20)})
    page.locator("#error", has_text="more than 2 MB").wait_for()
    page.set_input_files("#file", photos / "second.jpg")
    page.locator("#photos button").nth(2).wait_for()
    page.get_by_text("Ready", exact=True).wait_for()
    frame = page.locator("#viewer").bounding_box()
    page.mouse.click(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    wait_for_objects(page, 1)
    assert server.kept("uploads/second.jpg")["objects"]


def test_a_full_disk_is_said_and_the_state_before_stays(page, server):
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    before = server.kept()
    server.full.touch()
    try:
        page.mouse.click(*place(page, 330, 330))
        page.locator("#error", has_text="disk is full").wait_for()
        assert server.kept() == before
    finally:
        server.full.unlink()
    page.mouse.click(*place(page, 340, 330))
    wait_for_points(page, server, [1, 1])


def test_a_server_that_was_killed_and_started_again_goes_on(chromium, photos, tmp_path):
    server = RunningServer(photos, tmp_path / "session")
    context = chromium.new_context(viewport=WINDOW)
    try:
        page = opened(context, server.address)
        page.mouse.click(*place(page, 300, 300))
        wait_for_objects(page, 1)
        server.kill()
        page.get_by_role("button", name="Remove Object 1").click()
        page.locator("#error", has_text="does not answer").wait_for()
        page.wait_for_timeout(9500)
        assert page.locator("#error").is_visible(), "nothing works until it is read"
    finally:
        server.kill()
    again = RunningServer(photos, tmp_path / "session")
    try:
        wait_for_objects(opened(context, again.address), 1)
    finally:
        again.kill()
        context.close()


def test_a_record_that_comes_late_is_not_shown_on_the_photo_that_was_opened_since(page, server):
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    page.reload()
    held, holding = [], [True]
    page.route(re.compile(r"/api/photos/[0-9a-f]+$"), lambda route: held.append(route) if holding else route.continue_())
    page.get_by_role("button", name="second.jpg").first.click()
    page.get_by_role("button", name="first.png").click()
    page.get_by_role("button", name="second.jpg").first.click()
    page.wait_for_timeout(500)
    assert len(held) >= 3
    newest, *older = reversed(held)
    holding.clear()
    newest.continue_()
    page.get_by_text("Ready", exact=True).wait_for()
    for route in older:
        route.continue_()
    page.wait_for_timeout(1000)
    assert page.locator("#objects li").count() == 0
    frame = page.locator("#viewer").bounding_box()
    page.mouse.click(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    wait_for_objects(page, 1)
    assert len(server.kept("second.jpg")["objects"]) == 1
    assert len(server.kept("first.png")["objects"]) == 1
    assert all("409" in each for each in page.problems)  # the encoding of a photo that was left


def test_undo_and_candidates_are_there_after_a_reload(page, server):
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    count = page.locator("#candidates button").count()
    assert count == 3
    page.reload()
    wait_for_objects(page, 1)
    wait_until(page, f"document.querySelectorAll('#candidates button').length === {count}")
    page.keyboard.press("Control+z")
    wait_for_objects(page, 0)
    page.keyboard.press("Control+Shift+z")
    wait_for_objects(page, 1)
    assert page.problems == []


def test_the_focus_stays_in_the_list_of_objects(page, server):
    page.mouse.click(*place(page, 300, 300))
    wait_for_objects(page, 1)
    page.keyboard.press("n")
    page.mouse.click(*place(page, 700, 100))
    wait_for_objects(page, 2)
    name = page.locator("#objects li input[type=text]").first
    name.fill("Disc")
    name.press("Enter")
    wait_until(page, "document.querySelector('#objects li').classList.contains('active')")
    page.wait_for_timeout(500)
    assert page.evaluate("document.activeElement.value") == "Disc"
    page.get_by_role("button", name="Remove Disc").focus()
    page.keyboard.press("Enter")
    wait_for_objects(page, 1)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Remove ")
    assert page.problems == []


def test_a_stopped_server_is_noticed_without_a_click(chromium, photos, tmp_path):
    server = RunningServer(photos, tmp_path / "session")
    context = chromium.new_context(viewport=WINDOW)
    page = opened(context, server.address)
    server.kill()
    page.locator("#error", has_text="does not answer").wait_for()
    context.close()


def test_many_windows_of_one_browser_work(chromium, server):
    server.empty()
    context = chromium.new_context(viewport=WINDOW)
    pages = [opened(context, server.address)]
    for _ in range(7):
        page = context.new_page()
        page.goto(pages[0].url)
        page.get_by_text("Ready", exact=True).wait_for()
        pages.append(page)
    pages[-1].bring_to_front()
    pages[-1].mouse.click(*place(pages[-1], 300, 300))
    wait_for_objects(pages[-1], 1)
    context.close()
