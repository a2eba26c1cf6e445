"""Start the server, and print its address."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from typing import Any

from basam.errors import FileError
from basam.files import require
from basam.web.safety import Guard, is_local
from basam.web.settings import ServerSettings, WebSettings


def serve(settings: WebSettings, *, say: Callable[[str], None], note: Callable[[str], None], open_page: bool = True) -> None:
    """Serve the page until Ctrl-C.

    Args:
        say, note: print the address, and warnings.
        open_page: open it in the browser.

    Raises:
        ImportError: the extra `web` is missing. OSError: the port is taken.
    """
    require("uvicorn", "web")
    require("starlette", "web")
    from basam.web.server import make_app
    from basam.web.workspace import Workspace

    listening = listen(settings.host, settings.port)
    token = secrets.token_urlsafe(24)
    if not is_local(settings.host):
        note(f"note: {settings.host} is reached from the network, unencrypted: whoever has the address sees the photos")
    address = f"{address_of(settings, listening)}/?token={token}"
    say(address)
    say(f"loading {settings.model}; the page opens as soon as it is there")
    workspace = Workspace(settings)
    for line in workspace.library.left_out:
        note(f"left out: {line}")
    say(f"{len(workspace.library.photos)} photos, session in {settings.session}")
    if open_page:
        import webbrowser

        webbrowser.open(address)
    run(Guard(make_app(workspace), token=token, host=settings.host, port=port_of(listening), url=settings.url), listening)


def run(app: Any, listening: socket.socket) -> None:
    """Answer requests with an ASGI application until Ctrl-C."""
    uvicorn = require("uvicorn", "web")
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, server_header=False)
    uvicorn.Server(config).run(sockets=[listening])


def address_of(settings: ServerSettings, listening: socket.socket) -> str:
    """The address of a server for clients, without a slash at the end."""
    name = socket.gethostname() if settings.host in ("0.0.0.0", "::") else settings.host
    return (settings.url or f"http://{f'[{name}]' if ':' in name else name}:{port_of(listening)}").rstrip("/")


def port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, opened before the model is loaded: a taken port fails at once, and an early browser waits."""
    # With the protocol named, asyncio sends every response at once (TCP_NODELAY); without it, 40 ms after the last one.
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise FileError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; --port 0 takes any that is free"
        ) from error
    return listening
