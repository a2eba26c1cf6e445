"""Settings of `basam web`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from basam.checks import Count, Device, NameOrPath, check_fields, whole_number
from basam.errors import InputError
from basam.files import MAX_PIXELS

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
LOCAL = "127.0.0.1"
MAX_PORT = 65535


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """Of one server.

    Attributes:
        photos: photographs, and folders of them.
        session: the folder in which prompts, masks and uploads are kept.
        model, adapter, device: as for `basam.load`.
        host, port: where it listens; port 0: any that is free.
        url: the address by which browsers reach it through a tunnel or a proxy, such as `https://photos.example.org/basam`.
        cache: bytes of photographs, their tiles and embeddings that are kept in memory.
        max_pixels: photographs of more are refused; None: none is.
        max_upload: bytes of a file that the page may send.
    """

    photos: tuple[Path, ...] = ()
    session: Path = field(default_factory=lambda: Path("basam-session"))
    model: NameOrPath = "nano"
    adapter: NameOrPath | None = None
    device: Device = "auto"
    host: str = LOCAL
    port: Annotated[int, partial(whole_number, least=0, most=MAX_PORT)] = 7860
    url: str | None = None
    cache: Count = 4 << 30
    max_pixels: Count | None = MAX_PIXELS
    max_upload: Count = 256 << 20

    def __post_init__(self) -> None:
        check_fields(self)
        if self.url is not None:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
                raise InputError(f"url={self.url!r}: an address such as https://photos.example.org/basam is needed")


def bytes_of(text: str) -> int:
    """`4G`, `512M` or a number of bytes.

    Raises:
        ValueError: it is none.
    """
    number, unit = (text[:-1], text[-1:].upper()) if text[-1:].upper() in UNITS and text else (text, "")
    try:
        found = int(float(number) * UNITS[unit])
    except (ValueError, OverflowError):
        found = 0
    if found < 1:
        raise InputError(f"{text!r}: a number of bytes such as 4G, 512M or 1000000 is needed")
    return found
