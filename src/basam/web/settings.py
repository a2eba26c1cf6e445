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
from basam.help import ADAPTER, DEVICE, MODEL, PIXELS, Help

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
        cache: bytes of photographs, their tiles and embeddings that are kept in memory.
        max_pixels: photographs of more are refused; None: none is.
        max_upload: bytes of a file that the page may send.
    """

    photos: tuple[Path, ...] = ()
    model: Annotated[NameOrPath, MODEL] = "nano"
    adapter: Annotated[NameOrPath | None, ADAPTER] = None
    device: Annotated[Device, DEVICE] = "auto"
    session: Annotated[Path, Help("Folder of prompts, masks and uploads.", "Server")] = field(
        default_factory=lambda: Path("basam-session")
    )
    host: Annotated[str, Help("Where to listen; 0.0.0.0: for the whole network.", "Server")] = LOCAL
    port: Annotated[int, partial(whole_number, least=0, most=MAX_PORT), Help("0: any that is free.", "Server")] = 7860
    url: Annotated[
        str | None,
        Help(
            "Address by which browsers reach it through a tunnel or a proxy, as https://photos.example.org/basam.",
            "Server",
            unset="none",
        ),
    ] = None
    cache: Annotated[Count, Help("Memory for photos and embeddings.", "Server", "BYTES")] = 4 << 30
    max_pixels: Annotated[Count | None, PIXELS] = MAX_PIXELS
    max_upload: Annotated[Count, Help("Largest file that the page may send.", "Server", "BYTES")] = 256 << 20

    def __post_init__(self) -> None:
        check_fields(self)
        if self.url is not None:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
                raise InputError(f"url={self.url!r}: an address such as https://photos.example.org/basam is needed")
