"""Who may ask: token, cookie, Host, Origin; and what no path reaches."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from basam.web.safety import Guard
from basam.web.server import make_app
from tests.web.conftest import ADDRESS, TOKEN


def test_without_the_token_nothing_is_told(stranger):
    for path in ("/", "/api/overview", "/page/app.js"):
        assert stranger.get(path).status_code == 403
    assert stranger.get("/?token=wrong").status_code == 403
    assert stranger.put("/api/photos/x/objects/a", json={}).status_code == 403


def test_the_token_buys_a_cookie_that_scripts_and_other_sites_do_not_see(stranger):
    cookie = stranger.get(f"/?token={TOKEN}").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert stranger.get("/api/overview").status_code == 200


def test_headers_hold_the_browser_to_the_page(client):
    for path in ("/", "/api/overview", "/page/app.js"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "192.168.1.5:7860", "127.0.0.1.evil.example:7860", "", "[", "a:b"]
)
def test_another_host_is_refused(client, host):
    assert client.get("/api/overview", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:7860"])
def test_another_origin_is_refused(client, origin):
    assert client.post("/api/cancel", json={}, headers={"origin": origin}).status_code == 403


def test_its_own_origin_is_taken(client):
    assert client.post("/api/cancel", json={}, headers={"origin": ADDRESS}).status_code == 200


def test_a_request_from_another_site_is_refused(client):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/api/overview", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("listening", "host", "taken"),
    [
        ("0.0.0.0", "192.168.1.5:7860", True),
        ("0.0.0.0", "evil.example:7860", False),
        ("127.0.0.1", "192.168.1.5:7860", False),
        ("127.0.0.1", "localhost:7860", True),
        ("127.0.0.1", "[::1]:7860", True),
        ("127.0.0.1", "localhost:9000", True),  # the local end of a tunnel
        ("0.0.0.0", "localhost:9000", True),
        ("0.0.0.0", "192.168.1.5:9000", False),
    ],
)
def test_hosts_by_where_the_server_listens(listening, host, taken):
    guard = Guard(None, token=TOKEN, host=listening, port=7860)
    assert guard.is_ours(f"//{host}") == taken


@pytest.mark.parametrize(
    "path",
    [
        "/page/../server.py",
        "/page/..%2fserver.py",
        "/page/%2e%2e/server.py",
        "/page/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
        "/page//etc/passwd",
        "/api/photos/..%2f..%2fetc%2fpasswd",
        "/api/photos/%2e%2e/thumbnail",
        "/api/photos/first.png/thumbnail",
    ],
)
def test_no_path_reaches_another_file(client, path):
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert b"import" not in answer.content
    assert b"root:" not in answer.content


@pytest.mark.parametrize("key", ["..%2fx", "a.b", "a%00", "a" * 33])
def test_keys_of_objects_cannot_name_other_files(client, first, key):
    answer = client.put(f"/api/photos/{first}/objects/{key}", json={"colour": "#ffffff", "points": [[5, 5, 1]]})
    assert answer.status_code in (400, 404)


@pytest.fixture
def outside(workspace) -> TestClient:
    """A client that comes through a proxy with encryption and a prefix."""
    url = "https://photos.example.org/basam"
    guarded = Guard(make_app(workspace), token=TOKEN, host="127.0.0.1", port=7860, url=url)
    client = TestClient(guarded, base_url="https://photos.example.org", raise_server_exceptions=False)
    assert "Secure" in client.get(f"/basam/?token={TOKEN}").headers["set-cookie"]
    return client


def test_the_address_of_a_proxy_is_taken_with_its_prefix_and_without(outside):
    assert outside.get("/basam/").status_code == 200
    origin = {"origin": "https://photos.example.org"}
    assert outside.post("/basam/api/cancel", json={}, headers=origin).status_code == 200
    assert outside.post("/api/cancel", json={}, headers={**origin, "host": "127.0.0.1:7860"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "photos.example.org:8443"},
        {"origin": "http://photos.example.org"},
        {"origin": "https://evil.example"},
    ],
)
def test_no_other_address_is_taken_beside_that_of_the_proxy(outside, headers):
    assert outside.post("/basam/api/cancel", json={}, headers=headers).status_code == 403
