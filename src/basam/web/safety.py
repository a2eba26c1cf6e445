"""Access control: every request needs the cookie set by the token in the address, and must come from this page.

`Host` is checked against DNS rebinding, `Origin` against other sites' requests, the cookie against other users of the machine.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from typing import Any
from urllib.parse import parse_qs, urlsplit

COOKIE = "basam_web"
# The hash of the one style that OpenSeadragon adds to the page itself.
OPENSEADRAGON_STYLE = "sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE="
POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' '{OPENSEADRAGON_STYLE}'; img-src 'self' blob: data:; "
    "connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
PLAIN = ((b"content-type", b"text/plain; charset=utf-8"),)


class Guard:
    """ASGI middleware that rejects requests from elsewhere and sets security headers.

    Args:
        app: the application behind it.
        token: the secret; in the address once, as a cookie afterwards.
        host, port: where the server listens; port 0: any.
        url: the external address, through a tunnel or a proxy; its path may be a prefix.
    """

    def __init__(self, app: Any, *, token: str, host: str, port: int, url: str | None = None) -> None:
        self.app, self.token, self.host, self.port = app, token, host, port
        outer = urlsplit(url or "")
        self.outer, self.scheme, self.prefix = outer.netloc.lower(), outer.scheme, outer.path.rstrip("/")
        # Servers of one machine share cookies, so the cookie's name depends on the server.
        self.cookie = f"{COOKIE}_{port}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            # Web sockets are not supported; lifespan events are not requests.
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self.refusal(headers)
        if refusal is not None:
            return await answer(send, 403, f"Refused: {refusal}.\n".encode(), PLAIN)
        if self.prefix and scope["path"].startswith(f"{self.prefix}/"):  # a proxy that does not strip it
            scope = {**scope, "path": scope["path"].removeprefix(self.prefix)}
        if not await self.admit(scope, headers, send):
            return

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        await self.app(scope, receive, with_headers)

    async def admit(self, scope: Any, headers: dict[str, str], send: Any) -> bool:
        """Whether a request has the secret; if not, the response is sent here."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and scope["method"] == "GET" and given:
            if self.is_token(given):
                await self.welcome(send)
                return False
            refusal = "the token in the address is not that of this server"
        elif self.is_token(cookies(headers.get("cookie", "")).get(self.cookie, "")):
            return True
        else:
            refusal = "open the address that basam web printed: it holds the token"
        await answer(send, 403, f"Refused: {refusal}.\n".encode(), PLAIN)
        return False

    def refusal(self, headers: dict[str, str]) -> str | None:
        """Why a request is rejected; None: it comes from this page."""
        host = headers.get("host", "")
        if not self.is_ours(f"//{host}"):
            return f"the host {host!r} is not this server; behind a tunnel or a proxy, name its address with --url"
        origin = headers.get("origin")
        if origin is not None and origin not in self.origins(host):
            return f"a request from {origin!r}; behind a tunnel or a proxy, name its address with --url"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
            return "a request from another site"
        return None

    def origins(self, host: str) -> tuple[str, ...]:
        """The page's own origins for a request's host: external, or of this machine."""
        outer = f"{self.scheme}://{self.outer}"
        return (outer,) if host.lower() == self.outer else (outer, f"http://{host}".lower())

    def is_ours(self, address: str) -> bool:
        """Whether the name and port of `//host:port` are this server's: no name that others could point at it."""
        if self.outer and address.lower() == f"//{self.outer}":
            return True
        try:
            parts = urlsplit(address)
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        if is_local(name):
            return True  # by any port, such as that of a tunnel: no other site can make a browser send this name
        if is_local(self.host) or (self.port and port != self.port):
            return False
        # Listening to the network: by the given name, by a number, or by the machine's own name.
        return name == self.host or is_number(name) or name == socket.gethostname().lower()

    def is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())

    async def welcome(self, send: Any) -> None:
        """Turn the token into a cookie, and remove it from the address."""
        secure = "; Secure" if self.scheme == "https" else ""
        cookie = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict{secure}"
        # A page, not a redirect: a browser that came from elsewhere sends no strict cookie along with the redirect.
        page = b'<!doctype html><meta http-equiv="refresh" content="0;url=./"><title>basam</title>'
        await answer(send, 200, page, ((b"content-type", b"text/html; charset=utf-8"), (b"set-cookie", cookie.encode())))


async def answer(send: Any, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length, *HEADERS]})
    await send({"type": "http.response.body", "body": body})


def cookies(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return {name: value for name, _, value in pairs}


def is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_local(name: str) -> bool:
    return name == "localhost" or (is_number(name) and ipaddress.ip_address(name).is_loopback)
