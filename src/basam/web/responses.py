"""JSON responses, the HTTP status per error, and waiting for a job while its client is connected."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from basam.errors import BasamError, InputError, MissingFileError, is_out_of_memory
from basam.web.session import StaleError
from basam.web.worker import BusyError, StoppedError

# Most bytes of a request that is not an upload.
MAX_JSON_BYTES = 1 << 20
# Tiles never change: their key names the file, and the page's version changes the address of a changed file.
CACHED = {"cache-control": "private, max-age=3600"}
FRESH = {"cache-control": "no-store"}
# How often a waiting request checks whether its client is still connected.
DISCONNECT_SECONDS = 0.25
log = logging.getLogger(__name__)


class TooLargeError(InputError):
    """A request with too many bytes."""


class AsciiJSONResponse(JSONResponse):
    """JSON in ASCII: file names that are not UTF-8 are escaped instead of raising."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def reply(values: dict[str, Any], status: int = 200) -> Response:
    return AsciiJSONResponse(values, status, headers=FRESH)


def status_of(error: BaseException) -> int:
    if isinstance(error, TooLargeError):
        return 413
    if isinstance(error, StaleError):
        return 409
    if isinstance(error, BusyError):
        return 503
    if isinstance(error, FileNotFoundError):
        return 404
    if isinstance(error, OSError):
        return 507
    return 503 if is_out_of_memory(error) else 400


def message_of(error: BaseException) -> str:
    root = error.__cause__ or error
    if isinstance(root, OSError) and root.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: nothing of this change was saved, and what was there before is intact"
    return str(error) or type(error).__name__


def error_handlers(relative: Callable[[str], str]) -> dict[Any, Any]:
    """Handlers of exceptions for Starlette; `relative` shortens the paths in a message."""

    async def failed(request: Request, error: Exception) -> Response:
        if not isinstance(error, (BasamError, OSError, MemoryError)) and not is_out_of_memory(error):
            log.exception("a request failed", exc_info=error)
            return reply({"error": "an error of the server: see its log"}, 500)
        return reply({"error": relative(message_of(error))}, status_of(error))

    async def stopped(request: Request, error: Exception) -> Response:
        return reply({"error": "cancelled", "cancelled": True}, 409)

    return {Exception: failed, BasamError: failed, OSError: failed, StoppedError: stopped}


async def body_of(request: Request, most: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """The JSON object of a request, of at most `most` bytes."""
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > most:
            raise TooLargeError(f"a request of more than {most} bytes")
    try:
        values = await run_in_threadpool(json.loads, bytes(content) or b"{}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"the request is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError("the request is not a JSON object")
    return values


async def result_of(request: Request, future: Future[Any], cancel: Callable[[Future[Any]], Any]) -> Any:
    """The result of a job; `cancel` is called if the client disconnects first.

    Raises:
        StoppedError: the job was cancelled.
    """
    waiting = asyncio.wrap_future(future)
    while not (await asyncio.wait({waiting}, timeout=DISCONNECT_SECONDS))[0]:
        if await request.is_disconnected():
            cancel(future)
            raise StoppedError("cancelled")
    if waiting.cancelled():
        raise StoppedError("cancelled")
    return waiting.result()


def window_of(request: Request) -> str:
    """The browser window that sent a request; it can cancel its own jobs."""
    return request.headers.get("x-basam-window", "")[:64]


def number(request: Request, name: str) -> int:
    text = request.path_params[name]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise MissingFileError(f"{name} {text!r} is not a number")
    return int(text)
