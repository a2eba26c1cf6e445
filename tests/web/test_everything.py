"""Everything that the model finds by itself, over HTTP."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import basam
from tests.web.conftest import DISC, put


@pytest.fixture(autouse=True)
def unsure(monkeypatch):
    """Nano is never sure of the noise of these photos; a few points are enough."""
    monkeypatch.setattr("basam.web.segmenter.THRESHOLDS", {"unsure": (0.1, 0.1)})
    monkeypatch.setattr("basam.web.segmenter.MAX_POINTS_PER_SIDE", 4)


def find(client, photo):
    answer = client.post(f"/api/photos/{photo}/everything", json={"sure": "unsure"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_is_found_becomes_objects_that_are_like_others(client, workspace, first):
    put(client, first, points=[DISC])
    found = find(client, first)
    assert found["added"]
    objects = client.get(f"/api/photos/{first}").json()["objects"]
    assert [each["key"] for each in objects] == ["a1", *found["added"]]
    assert [each["name"] for each in objects[1:3]] == ["Object 2", "Object 3"][: len(found["added"])]
    one = objects[1]
    renamed = client.put(f"/api/photos/{first}/objects/{one['key']}", json={**one, "name": "Field"}).json()
    assert renamed["object"]["name"] == "Field"
    answer = client.get(f"/api/export?kind=csv&photo={first}").text
    assert "Field" in answer
    assert len(answer.splitlines()) == 1 + len(objects)
    gone = client.post(f"/api/photos/{first}/remove", json={"keys": found["added"]}).json()
    assert gone["objects"] == 1


def test_it_finds_what_the_generator_finds(client, workspace, first, photos):
    found = find(client, first)
    photo = workspace.library[first]
    generator = basam.AutomaticMasks(
        basam.load("nano", device="cpu"),
        points_per_side=4,
        pred_iou_thresh=0.1,
        stability_score_thresh=0.1,
        mask_nms_thresh=0.6,
        long_side=workspace.segmenter.whole_side(photo),
    )
    expected = generator.find(photos / "first.png")
    objects = workspace.session.state(photo).objects
    assert len(found["added"]) == len(expected) == len(objects)
    for each, candidate in zip(objects, expected, strict=True):
        assert (each.runs(photo).mask() != candidate.runs.mask()).mean() < 1e-3


def test_an_object_that_was_found_is_the_answer_to_its_point(client, workspace, first):
    find(client, first)
    photo = workspace.library[first]
    each = workspace.session.state(photo).objects[0]
    before = each.runs(photo).mask()
    answer = client.put(f"/api/photos/{first}/objects/again", json=each.reported()).json()
    assert len(answer["scores"]) == 3
    assert answer["object"]["score"] == pytest.approx(each.score, abs=1e-3)
    assert (workspace.session.state(photo).objects[-1].runs(photo).mask() != before).mean() < 1e-3


def test_again_adds_nothing_and_brings_back_what_was_removed(client, workspace, first):
    added = find(client, first)["added"]
    assert find(client, first)["added"] == []
    client.post(f"/api/photos/{first}/remove", json={"keys": added[:1]})
    assert find(client, first)["added"] == added[:1]


def test_an_object_that_was_changed_since_stays_as_it_is(client, workspace, first):
    key = find(client, first)["added"][0]
    put(client, first, key=key, points=[DISC], name="Mine")
    before = workspace.session.state(workspace.library[first]).object(key)
    find(client, first)
    assert workspace.session.state(workspace.library[first]).object(key) == before


def test_progress_is_reported_and_cancelling_changes_nothing(client, workspace, first):
    reports, cancelled = [], threading.Event()

    def cancel_after_the_first_report():
        while not cancelled.is_set():
            report = client.get("/api/progress", headers={"x-basam-window": "me"}).json()
            if report.get("share"):
                reports.append(report)
                workspace.worker.cancel("me")
                return
            time.sleep(0.01)

    thread = threading.Thread(target=cancel_after_the_first_report)
    thread.start()
    answer = client.post(f"/api/photos/{first}/everything", json={"sure": "unsure"}, headers={"x-basam-window": "me"})
    assert (answer.status_code, answer.json()["cancelled"]) == (409, True)
    cancelled.set()
    thread.join()
    (report,) = reports
    assert 0 < report["share"] <= 1
    assert report["own"]
    assert client.get(f"/api/photos/{first}").json()["objects"] == []


def test_how_sure_is_checked(client, first):
    answer = client.post(f"/api/photos/{first}/everything", json={"sure": "very"})
    assert answer.status_code == 400
    assert "allowed are unsure" in answer.json()["error"]


def test_a_full_photo_takes_no_more(client, workspace, first, monkeypatch):
    monkeypatch.setattr("basam.web.workspace.MAX_OBJECTS", 1)
    put(client, first, points=[[5, 5, 1]])
    assert find(client, first)["added"] == []
    assert np.size(workspace.session.state(workspace.library[first]).objects) == 1
