"""Checkpoints published as single files: their addresses and hashes, and downloads that resume.

Hub names (`facebook/sam-vit-base`) are downloaded by huggingface_hub: `basam.model.loading.download`. Single files go to
torch's cache of checkpoints, where `torch.hub` looks for them too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from basam.errors import BasamError
from basam.files import digest_of

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a response

# Called with the bytes received and the bytes of the whole file (None: unknown).
Progress = Callable[[int, int | None], None]

META = "https://dl.fbaipublicfiles.com/segment_anything"
META_2 = "https://dl.fbaipublicfiles.com/segment_anything_2"


@dataclass(frozen=True)
class Published:
    """A published file. The six digits in the names of Meta's files begin their MD5, not their SHA-256."""

    url: str
    sha256: str | None = None  # None: not published

    @property
    def file(self) -> str:
        return self.url.rpartition("/")[2]


PUBLISHED = {
    "sam_vit_b_01ec64": Published(
        f"{META}/sam_vit_b_01ec64.pth", "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"
    ),
    "sam_vit_l_0b3195": Published(
        f"{META}/sam_vit_l_0b3195.pth", "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622"
    ),
    "sam_vit_h_4b8939": Published(
        f"{META}/sam_vit_h_4b8939.pth", "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e"
    ),
    "sam2_hiera_tiny": Published(f"{META_2}/072824/sam2_hiera_tiny.pt"),
    "sam2_hiera_small": Published(f"{META_2}/072824/sam2_hiera_small.pt"),
    "sam2_hiera_base_plus": Published(f"{META_2}/072824/sam2_hiera_base_plus.pt"),
    "sam2_hiera_large": Published(f"{META_2}/072824/sam2_hiera_large.pt"),
    "sam2.1_hiera_tiny": Published(f"{META_2}/092824/sam2.1_hiera_tiny.pt"),
    "sam2.1_hiera_small": Published(f"{META_2}/092824/sam2.1_hiera_small.pt"),
    "sam2.1_hiera_base_plus": Published(f"{META_2}/092824/sam2.1_hiera_base_plus.pt"),
    "sam2.1_hiera_large": Published(f"{META_2}/092824/sam2.1_hiera_large.pt"),
    "mobile_sam": Published(
        "https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
        "6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
    ),
    "efficient_sam_vitt": Published(
        "https://github.com/yformer/EfficientSAM/raw/main/weights/efficient_sam_vitt.pt",
        "dff858b19600a46461cbb7de98f796b23a7a888d9f5e34c0b033f7d6eb9e4e6a",
    ),
}


class DownloadError(BasamError, ConnectionError):
    """A file that could not be downloaded completely, or is not the published one; the message tells what to do."""


def cache() -> Path:
    """The folder of downloaded files: `checkpoints` in torch's hub folder (`TORCH_HOME`)."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def is_cached(name: str) -> bool:
    """Whether the file of a name in `PUBLISHED` was downloaded."""
    return (cache() / PUBLISHED[name].file).is_file()


def published(name: str, progress: Progress | None = None) -> Path:
    """The file of a name in `PUBLISHED`, from the cache or downloaded into it.

    Raises:
        DownloadError: see `fetch`.
    """
    entry = PUBLISHED[name]
    target = cache() / entry.file
    return target if target.is_file() else fetch(entry.url, target, entry.sha256, progress)


def fetch(url: str, target: Path, sha256: str | None = None, progress: Progress | None = None) -> Path:
    """Download `url` to `target`. A partial file of an earlier attempt, `target`.part, is resumed.

    Args:
        url: http or https.
        target: created only when the file is complete and verified.
        sha256: what the file must hash to; None: not checked.
        progress: called after every piece.

    Raises:
        DownloadError: no response, a broken connection (run it again: it resumes), or another hash (the file is deleted).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        receive(url, part, progress)
    except HTTPError as error:
        raise DownloadError(f"{url}: the server responds {error.code} {error.reason}") from error
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        size = part.stat().st_size if part.is_file() else 0
        raise DownloadError(f"{url}: {error}. {size:,} bytes are in {part}: run it again to resume") from error
    if sha256 is not None:
        sha256_of_file = digest_of(part)
        if sha256_of_file != sha256:
            part.unlink()
            raise DownloadError(f"{url}: SHA-256 is {sha256_of_file}, not the published {sha256}; the file was deleted")
    os.replace(part, target)
    return target


def receive(url: str, part: Path, progress: Progress | None) -> None:
    """Download into `part` up to the size of the file at `url`."""
    have = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"User-Agent": "basam", **({"Range": f"bytes={have}-"} if have else {})})
    try:
        answer = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        if error.code != 416:  # 416: the part is complete
            raise
        if full_size(error.headers.get("Content-Range")) == have:
            return
        part.unlink()
        return receive(url, part, progress)
    with answer:
        if have and answer.status != 206:
            have = 0  # the server does not resume, and sends the whole file
        copy(answer, part, have, progress)


def full_size(content_range: str | None) -> int | None:
    """Bytes of the whole file in a `Content-Range` header."""
    size = re.search(r"/(\d+)$", content_range or "")
    return int(size[1]) if size else None


def copy(answer: HTTPResponse, part: Path, have: int, progress: Progress | None) -> None:
    length = answer.headers.get("Content-Length")
    whole = None if length is None else have + int(length)
    with part.open("r+b" if have else "wb") as stream:
        stream.seek(have)
        while piece := answer.read(CHUNK):
            stream.write(piece)
            have += len(piece)
            if progress is not None:
                progress(have, whole)
    if whole is not None and have < whole:
        raise ConnectionError(f"the connection broke after {have:,} of {whole:,} bytes")
