"""HTTP: routes, errors as JSON, uploads, and the stream of events. Starlette comes with the extra `web`."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from basam.errors import BasamError, InputError, MissingFileError, is_out_of_memory
from basam.files import replacing
from basam.web.session import StaleError
from basam.web.worker import StoppedError
from basam.web.workspace import Workspace

PAGE = Path(__file__).with_name("page")
# Bytes of a request that is no upload.
MAX_JSON_BYTES = 1 << 20
# A tile never changes: its key names the file, and a changed file gets another address from the page's version.
CACHED = {"cache-control": "private, max-age=3600"}
FRESH = {"cache-control": "no-store"}
EVENT_SECONDS = 1.0
log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]


class TooLargeError(InputError):
    """A request of more bytes than are taken."""


def status_of(error: BaseException) -> int:
    if isinstance(error, TooLargeError):
        return 413
    if isinstance(error, StaleError):
        return 409
    if isinstance(error, FileNotFoundError):
        return 404
    if isinstance(error, OSError):
        return 507
    return 503 if is_out_of_memory(error) else 400


def message_of(error: BaseException) -> str:
    root = error.__cause__ or error
    if isinstance(root, OSError) and root.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: nothing of this change was kept, and what was there before is intact"
    return str(error) or type(error).__name__


async def refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, (BasamError, OSError, MemoryError)) and not is_out_of_memory(error):
        log.exception("a request failed", exc_info=error)
        return JSONResponse({"error": "an error of the server: its log says more"}, 500, headers=FRESH)
    return JSONResponse({"error": message_of(error)}, status_of(error), headers=FRESH)


async def stopped(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "cancelled", "cancelled": True}, 409, headers=FRESH)


async def body_of(request: Request) -> dict[str, Any]:
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > MAX_JSON_BYTES:
            raise TooLargeError(f"a request of more than {MAX_JSON_BYTES} bytes")
    try:
        values = json.loads(content or b"{}")
    except ValueError as error:
        raise InputError(f"the request is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError("the request is no JSON object")
    return values


async def waited(future: Any) -> Any:
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        if future.cancelled():
            raise StoppedError("cancelled") from None
        raise


def window_of(request: Request) -> str:
    """Which window of a browser a request is from; it can cancel its own jobs."""
    return request.headers.get("x-basam-window", "")[:64]


def number(request: Request, name: str) -> int:
    text = request.path_params[name]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise MissingFileError(f"{name} {text!r} is no number")
    return int(text)


def make_app(workspace: Workspace) -> Starlette:
    """The application, without the guard that `serving` puts before it."""

    async def index(request: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers=FRESH)

    async def overview(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(workspace.overview), headers=FRESH)

    async def record(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(workspace.record, request.path_params["photo"]), headers=FRESH)

    async def thumbnail(request: Request) -> Response:
        content = await run_in_threadpool(workspace.thumbnail, request.path_params["photo"])
        return Response(content, media_type="image/jpeg", headers=CACHED)

    async def tile(request: Request) -> Response:
        place = (number(request, name) for name in ("level", "column", "row"))
        content = await run_in_threadpool(workspace.tile, request.path_params["photo"], *place)
        return Response(content, media_type="image/jpeg", headers=CACHED)

    async def prepare(request: Request) -> Response:
        values = await body_of(request)
        await waited(workspace.prepare(request.path_params["photo"], str(values.get("method")), window_of(request)))
        return JSONResponse({"ready": True}, headers=FRESH)

    async def change(request: Request) -> Response:
        photo, key, values = request.path_params["photo"], request.path_params["object"], await body_of(request)
        if request.method == "DELETE":
            found = await run_in_threadpool(workspace.remove_objects, photo, [key], values.get("revision"))
        else:
            found = await waited(await run_in_threadpool(workspace.put_object, photo, key, values, window_of(request)))
        return JSONResponse(found, headers=FRESH)

    async def remove(request: Request) -> Response:
        values = await body_of(request)
        keys = values.get("keys")
        if not isinstance(keys, list):
            raise InputError("keys: a list of objects is needed")
        photo, revision = request.path_params["photo"], values.get("revision")
        return JSONResponse(await run_in_threadpool(workspace.remove_objects, photo, keys, revision), headers=FRESH)

    async def everything(request: Request) -> Response:
        sure = str((await body_of(request)).get("sure"))
        found = await waited(workspace.everything(request.path_params["photo"], sure, window_of(request)))
        return JSONResponse(found, headers=FRESH)

    async def compare(request: Request) -> Response:
        values = await body_of(request)
        return JSONResponse(
            await waited(workspace.compare(request.path_params["photo"], values, window_of(request))), headers=FRESH
        )

    async def hover(request: Request) -> Response:
        values = await body_of(request)
        return JSONResponse(
            await waited(workspace.hover(request.path_params["photo"], values, window_of(request))), headers=FRESH
        )

    async def mark(request: Request) -> Response:
        values = await body_of(request)
        found = await run_in_threadpool(workspace.mark, request.path_params["photo"], values.get("done") is True)
        return JSONResponse(found, headers=FRESH)

    async def cancel(request: Request) -> Response:
        return JSONResponse({"cancelled": workspace.worker.cancel(window_of(request))}, headers=FRESH)

    async def upload(request: Request) -> Response:
        place = workspace.library.free_place(request.query_params.get("name", ""))
        size, most = 0, workspace.settings.max_upload
        if int(request.headers.get("content-length") or 0) > most:
            raise TooLargeError(f"a file of more than {most >> 20} MB: open it from its folder, with basam web FOLDER")
        with replacing(place) as temporary:
            with temporary.open("wb") as file:
                async for piece in request.stream():
                    size += len(piece)
                    if size > most:
                        raise TooLargeError(f"a file of more than {most >> 20} MB: open it from its folder")
                    file.write(piece)
            try:
                await run_in_threadpool(workspace.library.check, temporary)
            except BasamError as error:
                raise InputError(str(error).replace(str(temporary), request.query_params["name"])) from error
        return JSONResponse(workspace.reported(workspace.library.add(place)), 201, headers=FRESH)

    async def export(request: Request) -> Response:
        wanted, only = request.query_params.get("photo", ""), request.query_params.get("object", "")
        if only and not wanted:
            raise InputError("object without a photo: say which photo it is in")
        keys = [wanted] if wanted else list(workspace.library.photos)
        kind, window = request.query_params.get("kind", ""), window_of(request)
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="basam-web-")))
            try:
                found = await run_in_threadpool(workspace.take, kind, keys, folder, window, only)
            except CancelledError:
                raise StoppedError("cancelled") from None
            headers = {**FRESH, "content-disposition": f"attachment; filename*=utf-8''{quote(found.name)}"}
            removing = BackgroundTask(stack.pop_all().close)
        return FileResponse(found.path, media_type=found.media, headers=headers, background=removing)

    async def events(request: Request) -> Response:
        news = progress(workspace, request.query_params.get("window", ""))
        return StreamingResponse(news, media_type="text/event-stream", headers=FRESH)

    photo = "/api/photos/{photo}"
    routes = [
        Route("/", index),
        Route("/api/overview", overview),
        Route("/api/events", events),
        Route("/api/export", export),
        Route("/api/cancel", cancel, methods=["POST"]),
        Route("/api/photos", upload, methods=["POST"]),
        Route(photo, record),
        Route(f"{photo}/thumbnail", thumbnail),
        Route(f"{photo}/tiles/{{level}}/{{column}}/{{row}}", tile),
        Route(f"{photo}/prepare", prepare, methods=["POST"]),
        Route(f"{photo}/objects/{{object}}", change, methods=["PUT", "DELETE"]),
        Route(f"{photo}/remove", remove, methods=["POST"]),
        Route(f"{photo}/everything", everything, methods=["POST"]),
        Route(f"{photo}/compare", compare, methods=["POST"]),
        Route(f"{photo}/hover", hover, methods=["POST"]),
        Route(f"{photo}/mark", mark, methods=["POST"]),
        Mount("/page", StaticFiles(directory=PAGE)),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        workspace.worker.close()

    handlers: dict[Any, Any] = {Exception: refused, BasamError: refused, OSError: refused, StoppedError: stopped}
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)


async def progress(workspace: Workspace, window: str) -> AsyncIterator[str]:
    """What the worker does, whenever it changes and every second while it works, as server-sent events."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def listener() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(changed.set)

    workspace.worker.listeners.append(listener)
    try:
        while True:
            changed.clear()
            yield f"data: {json.dumps(workspace.worker.reported(window))}\n\n"
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(changed.wait(), EVENT_SECONDS if workspace.worker.running else 15 * EVENT_SECONDS)
    finally:
        workspace.worker.listeners.remove(listener)
