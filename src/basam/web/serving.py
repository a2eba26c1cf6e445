"""Start the server, and say where it is."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable

from basam.errors import FileError
from basam.files import require
from basam.web.safety import Guard, is_local
from basam.web.settings import WebSettings


def serve(settings: WebSettings, *, say: Callable[[str], None], note: Callable[[str], None], open_page: bool = True) -> None:
    """Serve the page until Ctrl-C.

    Args:
        say, note: take the address, and warnings.
        open_page: open it in the browser.

    Raises:
        ImportError: the extra `web` is missing. OSError: the port is taken.
    """
    uvicorn = require("uvicorn", "web")
    require("starlette", "web")
    from basam.web.server import make_app
    from basam.web.workspace import Workspace

    listening = listen(settings.host, settings.port)
    port = int(listening.getsockname()[1])
    token = secrets.token_urlsafe(24)
    name = settings.host
    if not is_local(settings.host):
        note(f"note: {settings.host} is reached from the network, unencrypted: whoever has the address sees the photos")
        name = socket.gethostname() if settings.host in ("0.0.0.0", "::") else settings.host
    base = settings.url or f"http://{f'[{name}]' if ':' in name else name}:{port}"
    address = f"{base.rstrip('/')}/?token={token}"
    say(address)
    say(f"loading {settings.model}; the page opens as soon as it is there")
    workspace = Workspace(settings)
    for line in workspace.library.left_out:
        note(f"left out: {line}")
    say(f"{len(workspace.library.photos)} photos, session in {settings.session}")
    if open_page:
        import webbrowser

        webbrowser.open(address)
    guarded = Guard(make_app(workspace), token=token, host=settings.host, port=port, url=settings.url)
    config = uvicorn.Config(guarded, log_level="warning", access_log=False, timeout_graceful_shutdown=1, server_header=False)
    uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, before the model is loaded: a taken port is reported at once, and a browser that is early waits."""
    # With the protocol named, asyncio sends each answer at once (TCP_NODELAY); without it, 40 ms after the last one.
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen()
    except OSError as error:
        found.close()
        raise FileError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; --port 0 takes any that is free"
        ) from error
    return found
