"""Downloads from a server on this machine: whole, resumed, wrong."""

import hashlib
import http.server
import re
import threading
from typing import ClassVar

import pytest

import basam
from basam.model import downloads
from basam.model.downloads import DownloadError, Published, fetch

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT at /file, with ranges; without them at /plain; half of it at /breaks."""

    ranges: ClassVar[list[str | None]] = []

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.ranges.append(wanted)
        if self.path == "/missing":
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.path != "/plain" else 0
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.end_headers()
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.path == "/breaks" else body)

    def log_message(self, *args): ...


@pytest.fixture
def server():
    Server.ranges = []
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "file.pth"


def part_of(target):
    target.parent.mkdir(exist_ok=True)
    return target.with_name("file.pth.part")


def test_a_file_arrives_whole_and_progress_is_reported(server, target):
    shown = []
    assert fetch(f"{server}/file", target, SHA256, lambda done, whole: shown.append((done, whole))) == target
    assert target.read_bytes() == CONTENT
    assert shown[-1] == (len(CONTENT), len(CONTENT))
    assert not part_of(target).exists()


def test_a_broken_connection_keeps_what_came_and_the_next_run_asks_for_the_rest(server, target):
    with pytest.raises(DownloadError, match=r"broke after 512,000 of 1,024,000 bytes\. 512,000 bytes are in .*run it again"):
        fetch(f"{server}/breaks", target, SHA256)
    assert not target.exists()
    fetch(f"{server}/file", target, SHA256)
    assert target.read_bytes() == CONTENT
    assert Server.ranges == [None, "bytes=512000-"]


def test_a_server_that_cannot_resume_starts_over(server, target):
    part_of(target).write_bytes(b"something older")
    fetch(f"{server}/plain", target, SHA256)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("extra", [b"", b"more than there is"])
def test_a_part_that_is_already_complete_or_too_long(server, target, extra):
    part_of(target).write_bytes(CONTENT + extra)
    fetch(f"{server}/file", target, SHA256)
    assert target.read_bytes() == CONTENT


def test_another_hash_is_an_error_and_nothing_is_kept(server, target):
    with pytest.raises(DownloadError, match=f"SHA-256 is {SHA256}, not the published 00"):
        fetch(f"{server}/file", target, "00" * 32)
    assert list(target.parent.iterdir()) == []


def test_errors_name_the_address(server, target):
    with pytest.raises(DownloadError, match=r"/missing: .* 404"):
        fetch(f"{server}/missing", target)
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:1/file: .*0 bytes are in "):
        fetch("http://127.0.0.1:1/file", target)


def test_a_published_name_is_downloaded_once_and_loaded(server, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setitem(downloads.PUBLISHED, "some_sam", Published(f"{server}/file", SHA256))
    for _ in range(2):
        assert downloads.published("some_sam") == tmp_path / "hub" / "checkpoints" / "file"
        with pytest.raises(basam.UnsupportedModelError, match="no checkpoint"):  # CONTENT is none
            basam.load("some_sam")
    assert Server.ranges == [None]
