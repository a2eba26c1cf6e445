"""Photos, prompts, masks and downloads over HTTP, without a browser."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import basam
from basam.web.library import Library
from basam.web.workspace import Workspace
from tests.web.conftest import DISC, put


def mask_of(workspace: Workspace, photo: str, index: int = 0) -> np.ndarray:
    found = workspace.library[photo]
    return workspace.session.state(found).objects[index].runs(found).mask()


def test_overview_names_photos_methods_and_writers(client):
    found = client.get("/api/overview").json()
    assert [(each["name"], each["width"], each["height"]) for each in found["photos"]] == [
        ("first.png", 900, 600),
        ("second.jpg", 700, 1100),
    ]
    assert list(found["methods"]) == ["focus", "basam", "plain"]
    assert {"mask", "cutout", "overlay"} <= set(found["writers"])


def test_tiles_put_together_are_the_photo(client, first, photos):
    whole = np.asarray(Image.open(photos / "first.png")).astype(int)
    for column, width in ((0, 512), (1, 388)):
        answer = client.get(f"/api/photos/{first}/tiles/1/{column}/0")
        part = np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)
        assert part.shape == (512, width, 3)
        assert abs(part - whole[:512, column * 512 : column * 512 + width]).mean() < 12
    assert Image.open(io.BytesIO(client.get(f"/api/photos/{first}/tiles/0/0/0").content)).size == (450, 300)


@pytest.mark.parametrize("place", ["9/0/0", "1/2/0", "1/0/2", "x/0/0", "-1/0/0", "1/0/99999999999"])
def test_a_tile_that_there_is_not_is_refused(client, first, place):
    assert client.get(f"/api/photos/{first}/tiles/{place}").status_code in (400, 404)


@pytest.mark.parametrize("method", ["focus", "basam", "plain"])
def test_a_click_answers_as_the_predictor_does(client, workspace, first, photos, method):
    found = put(client, first, points=[DISC], method=method)
    assert found.status_code == 200, found.text
    mode = basam.BiasMode.off() if method == "plain" else workspace.segmenter.base.mode
    predictor = basam.Predictor(basam.load("nano", device="cpu"), mode)
    predictor.set_image(
        photos / "first.png", long_side=workspace.segmenter.predictor(workspace.library[first], method).input_size[1]
    )
    masks, scores, _ = predictor.predict(np.array([DISC[:2]]), np.array([1]), focus=method == "focus")
    best = int(scores.argmax())
    assert found.json()["scores"] == pytest.approx(scores.tolist(), abs=1e-4)
    assert (mask_of(workspace, first) != masks[best]).mean() < 1e-4


def test_the_shown_mask_lies_where_the_mask_is(client, workspace, first):
    answer = put(client, first, points=[DISC]).json()
    shown = answer["candidates"][answer["chosen"]]
    x0, y0, x1, y1 = (int(value) for value in shown["box"])
    part = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown["png"]))))
    mask = mask_of(workspace, first)
    np.testing.assert_array_equal(part, mask[y0:y1, x0:x1])
    assert mask.sum() == part.sum() == answer["object"]["area"]


def test_further_clicks_refine_and_undo_gives_the_mask_before(client, workspace, first):
    put(client, first, points=[DISC])
    before = mask_of(workspace, first)
    refined = put(client, first, points=[DISC, [340.0, 330.0, 0]]).json()
    assert len(refined["scores"]) == 1
    assert (mask_of(workspace, first) != before).any()
    workspace.segmenter.photos.clear()  # as after a restart
    put(client, first, points=[DISC])
    np.testing.assert_array_equal(mask_of(workspace, first), before)


def test_a_candidate_can_be_chosen(client, workspace, first):
    scores = put(client, first, points=[DISC]).json()["scores"]
    worst = int(np.argmin(scores))
    assert put(client, first, points=[DISC], candidate=worst).json()["object"]["score"] == pytest.approx(scores[worst])
    assert put(client, first, points=[DISC], candidate=7).status_code == 400


def test_state_is_there_again_after_a_restart(client, workspace, first, settings):
    put(client, first, points=[DISC])
    put(client, first, key="b2", box=[200, 200, 420, 420])
    client.post(f"/api/photos/{first}/mark", json={"done": True})
    workspace.close()
    again = Workspace(settings)
    again.close()
    found = again.record(first)
    assert [each["key"] for each in found["objects"]] == ["a1", "b2"]
    assert found["done"]
    assert all(each["shown"] for each in found["objects"])


def test_an_object_that_is_removed_is_gone(client, workspace, first):
    put(client, first, points=[DISC])
    assert client.request("DELETE", f"/api/photos/{first}/objects/a1", json={}).json()["objects"] == 0
    assert client.get(f"/api/photos/{first}").json()["objects"] == []


def test_a_new_name_does_not_ask_again(client, workspace, first, monkeypatch):
    put(client, first, points=[DISC])
    before = mask_of(workspace, first)
    monkeypatch.setattr(workspace.segmenter, "answer", None)
    answer = client.put(f"/api/photos/{first}/objects/a1", json={"name": "Sun", "colour": "#00ff00", "points": [DISC]}).json()
    assert (answer["object"]["name"], answer["object"]["colour"]) == ("Sun", "#00ff00")
    assert "candidates" not in answer
    np.testing.assert_array_equal(mask_of(workspace, first), before)


def test_a_change_to_an_old_state_is_refused(client, first):
    revision = put(client, first, points=[DISC], revision=0).json()["revision"]
    stale = put(client, first, key="b2", points=[DISC], revision=0)
    assert stale.status_code == 409
    assert "another window" in stale.json()["error"]
    assert put(client, first, key="b2", points=[DISC], revision=revision).status_code == 200


def test_a_full_disk_leaves_the_state_before(client, first, monkeypatch):
    put(client, first, points=[DISC])
    before = client.get(f"/api/photos/{first}").json()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("basam.web.session.write_json", full)
    refused = put(client, first, points=[DISC, [310.0, 310.0, 1]])
    assert refused.status_code == 507
    assert "disk is full" in refused.json()["error"]
    assert client.get(f"/api/photos/{first}").json() == before


def test_compare_and_hover_keep_nothing(client, first):
    found = client.post(f"/api/photos/{first}/compare", json={"points": [DISC]}).json()
    assert list(found) == ["focus", "basam", "plain"]
    box = client.post(f"/api/photos/{first}/hover", json={"x": 300, "y": 300}).json()["shown"]["box"]
    assert box[0] <= 300 <= box[2]
    assert box[1] <= 300 <= box[3]
    assert client.get(f"/api/photos/{first}").json()["objects"] == []


def test_prepare_encodes_the_photo_and_the_next(client, workspace, first):
    assert client.post(f"/api/photos/{first}/prepare", json={"method": "focus"}).json() == {"ready": True}
    put(client, first, points=[DISC])
    workspace.ask(lambda: None, 9, "wait", "").result(60)
    assert len(workspace.segmenter.photos) == 2


def test_encoding_can_be_cancelled_and_done_again(client, workspace, first):
    """Inside of the model, at the next of its parts."""
    seen = []

    def cancel_once(*_):
        seen.append(workspace.worker.running.label)
        if len(seen) == 30:
            workspace.worker.cancel("me")

    hooks = [module.register_forward_pre_hook(cancel_once) for module in workspace.segmenter.base.model.modules()]
    address, me = f"/api/photos/{first}/prepare", {"x-basam-window": "me"}
    answer = client.post(address, json={"method": "basam"}, headers=me)
    assert (answer.status_code, answer.json()["cancelled"]) == (409, True)
    assert len([label for label in seen if "first" in label]) == 30
    for hook in hooks:
        hook.remove()
    assert client.post(address, json={"method": "basam"}, headers=me).json() == {"ready": True}
    assert put(client, first, points=[DISC], method="basam").status_code == 200


def test_a_photo_that_was_left_is_not_encoded(client, workspace, first):
    """Going through a folder quickly does not leave a queue of photos behind that nobody looks at."""
    gate = threading.Event()
    waiting = workspace.ask(lambda: gate.wait(30), 0, "gate", "Waiting")
    left = workspace.prepare(first, "focus", "me")
    wanted = workspace.prepare(workspace.library.listed()[1].key, "focus", "me")
    gate.set()
    assert waiting.result(30)
    assert left.cancelled()
    wanted.result(60)
    assert list(workspace.segmenter.photos) == [workspace.library.listed()[1].key]


def test_the_cache_keeps_within_its_bytes(client, workspace):
    workspace.segmenter.cache = 1
    for each in workspace.library.listed():
        client.post(f"/api/photos/{each.key}/hover", json={"x": 300, "y": 300})
    assert len(workspace.segmenter.photos) == 1


def test_a_photo_ahead_takes_no_room_from_the_one_that_is_looked_at(client, workspace, first):
    second = workspace.library.listed()[1]
    workspace.ask(lambda: workspace.segmenter.prepare(workspace.library[first], "focus"), 0, "", "").result(60)
    workspace.segmenter.cache = workspace.segmenter.photos[first].nbytes + 12 * second.width * second.height - 1
    workspace.ask(lambda: workspace.segmenter.prepare_ahead(second, "focus"), 0, "", "").result(60)
    assert list(workspace.segmenter.photos) == [first]
    workspace.segmenter.cache *= 4
    workspace.ask(lambda: workspace.segmenter.prepare_ahead(second, "focus"), 0, "", "").result(60)
    assert list(workspace.segmenter.photos) == [first, second.key]


def test_tiles_come_while_the_worker_is_busy(client, workspace, first):
    gate = threading.Event()
    busy = workspace.ask(lambda: gate.wait(30), 0, "", "")
    assert client.get(f"/api/photos/{first}/tiles/0/0/0").status_code == 200
    assert not busy.done()
    gate.set()


def saved(image, path, **options):
    image.save(path, **options)
    return path


def turned(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # its top is at the right
    return saved(Image.new("RGB", (300, 120), "green"), folder / "turned.jpg", exif=exif)


STRANGE = {
    "turned": (turned, (120, 300)),
    "sixteen bits": (lambda at: saved(Image.fromarray(np.full((90, 70), 40_000, np.uint16)), at / "deep.png"), (70, 90)),
    "tiny": (lambda at: saved(Image.new("RGB", (10, 10), "red"), at / "tiny.png"), (10, 10)),
    "one pixel": (lambda at: saved(Image.new("RGB", (1, 1), "red"), at / "pixel.png"), (1, 1)),
    "panorama": (lambda at: saved(Image.new("RGB", (30_000, 200), "blue"), at / "panorama.png"), (30_000, 200)),
    "grey with alpha": (lambda at: saved(Image.new("LA", (64, 48), (99, 120)), at / "alpha.png"), (64, 48)),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_strange_photos_are_opened_segmented_and_saved(client, workspace, tmp_path, kind):
    make, (width, height) = STRANGE[kind]
    photo = workspace.library.add(make(tmp_path))
    assert (photo.width, photo.height) == (width, height)
    levels = max(0, (max(width, height) - 1).bit_length() - 9)
    tile = Image.open(io.BytesIO(client.get(f"/api/photos/{photo.key}/tiles/{levels}/0/0").content))
    assert tile.size == (min(width, 512), min(height, 512))
    assert client.get(f"/api/photos/{photo.key}/thumbnail").status_code == 200
    corner = [width - 0.5, height - 0.5, 1]
    for method in ("focus", "basam", "plain"):
        answer = put(client, photo.key, key=method, points=[corner], method=method)
        assert answer.status_code == 200, answer.text
    hovered = client.post(f"/api/photos/{photo.key}/hover", json={"x": corner[0], "y": corner[1]})
    assert hovered.status_code == 200, hovered.text
    taken = Image.open(io.BytesIO(client.get(f"/api/export?kind=labels&photo={photo.key}").content))
    assert taken.size == (width, height)


def test_an_upload_is_kept_and_segmented(client, workspace, photos):
    answer = client.post("/api/photos?name=../../my%20photo.jpg", content=(photos / "second.jpg").read_bytes())
    assert answer.status_code == 201, answer.text
    kept = workspace.library[answer.json()["id"]].path
    assert kept.parent == (workspace.settings.session / "uploads").resolve()
    assert kept.name == "my_photo.jpg"
    assert put(client, answer.json()["id"], points=[[233, 550, 1]]).status_code == 200


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("a.png", b"no image at all", 400),
        ("a.png", b"", 400),
        ("a.pt", b"\x80\x04pickle", 400),
        ("a.html", b"<script>alert(1)</script>", 400),
        ("", b"x", 400),
        ("a.png", b"x" * 200_001, 413),
    ],
)
def test_what_is_no_photo_is_refused_and_leaves_no_file(client, workspace, name, content, status):
    answer = client.post(f"/api/photos?name={name}", content=content)
    assert answer.status_code == status
    assert str(workspace.settings.session) not in answer.json()["error"]
    uploads = workspace.settings.session / "uploads"
    assert not uploads.exists() or list(uploads.iterdir()) == []


def test_an_upload_without_a_length_is_limited(client):
    assert client.post("/api/photos?name=a.png", content=(b"x" * 50_000 for _ in range(5))).status_code == 413


def test_a_photo_of_too_many_pixels_is_refused(client, workspace, photos):
    workspace.library.max_pixels = 1000
    answer = client.post("/api/photos?name=a.jpg", content=(photos / "second.jpg").read_bytes())
    assert answer.status_code == 400
    assert "770000" in answer.json()["error"] or "700 x 1100" in answer.json()["error"]


@pytest.mark.parametrize(
    "values",
    [
        {"points": [[-1, 5, 1]]},
        {"points": [[5, 601, 1]]},
        {"points": [[5, 5, 2]]},
        {"points": [["5", 5, 1]]},
        {"points": [[5]]},
        {"points": "5"},
        {"box": [1, 2, 3]},
        {"box": "x"},
        {"points": [DISC], "method": "magic"},
        {"points": [DISC], "colour": "red"},
        {"points": [DISC], "candidate": "1"},
        {},
    ],
)
def test_wrong_prompts_are_named_and_change_nothing(client, first, values):
    answer = put(client, first, **values)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert client.get(f"/api/photos/{first}").json()["objects"] == []


def test_a_link_out_of_its_folder_is_left_out(photos, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.png").symlink_to(photos / "first.png")
    library = Library([folder], tmp_path / "uploads", None)
    assert library.listed() == []
    assert "leads out" in library.left_out[0]


def test_vendored_code_is_what_its_page_says():
    folder = Path(basam.__file__).parent / "web" / "page" / "vendor"
    digest = hashlib.sha256((folder / "openseadragon.min.js").read_bytes()).hexdigest()
    assert digest in (folder / "README.md").read_text()


def test_the_page_asks_nobody_else():
    folder = Path(basam.__file__).parent / "web" / "page"
    for path in [*folder.glob("*.js"), *folder.glob("*.css"), *folder.glob("*.html")]:
        assert "//" not in path.read_text().replace("// ", "").replace("/// ", ""), path
