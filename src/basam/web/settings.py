"""Settings of servers: common ones, and those of `basam web`."""

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


# Where a server may listen; 0: at any port that is free.
Port = Annotated[int, partial(whole_number, least=0, most=MAX_PORT), Help("0: any that is free.", "Server")]


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Settings of any server.

    Attributes:
        model, adapter, device: see `basam.load`.
        host, port, url: the address it listens on, and the external one.
        cache: bytes of memory for photographs, their tiles and embeddings.
        max_pixels: photographs with more are rejected; None: no limit.
        max_upload: most bytes of an uploaded photograph.

    Raises:
        ValueError, TypeError: the message names the field.
    """

    model: Annotated[NameOrPath, MODEL] = "nano"
    adapter: Annotated[NameOrPath | None, ADAPTER] = None
    device: Annotated[Device, DEVICE] = "auto"
    host: Annotated[str, Help("Where to listen; 0.0.0.0: for the whole network.", "Server")] = LOCAL
    port: Port
    url: Annotated[
        str | None,
        Help(
            "Address by which clients reach it through a tunnel or a proxy, as https://photos.example.org/basam.",
            "Server",
            unset="none",
        ),
    ] = None
    cache: Annotated[Count, Help("Memory for photos and embeddings.", "Server", "BYTES")] = 4 << 30
    max_pixels: Annotated[Count | None, PIXELS] = MAX_PIXELS
    max_upload: Annotated[Count, Help("Largest photograph that may be sent.", "Server", "BYTES")] = 256 << 20

    def __post_init__(self) -> None:
        check_fields(self)
        if self.url is not None:
            check_address(self.url, "url", "https://photos.example.org/basam")


@dataclass(frozen=True, kw_only=True)
class WebSettings(ServerSettings):
    """Settings of `basam web`.

    Attributes:
        photos: photographs, and folders of them.
        session: the folder for prompts, masks and uploads.
    """

    photos: tuple[Path, ...] = ()
    session: Annotated[Path, Help("Folder of prompts, masks and uploads.", "Server")] = field(
        default_factory=lambda: Path("basam-session")
    )
    port: Port = 7860


def check_address(address: str, name: str, example: str) -> None:
    """Raise InputError if `address` is not http or https, a host, and at most a path."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise InputError(f"{name}={address!r}: an address such as {example} is needed")
