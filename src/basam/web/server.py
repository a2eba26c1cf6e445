"""HTTP: routes, uploads and downloads. Starlette comes with the extra `web`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from basam.errors import BasamError, InputError
from basam.files import replacing
from basam.web.responses import CACHED, FRESH, TooLargeError, body_of, error_handlers, number, reply, result_of, window_of
from basam.web.worker import StoppedError
from basam.web.workspace import Workspace

PAGE = Path(__file__).with_name("page")


def make_app(workspace: Workspace) -> Starlette:
    """The application, without the guard that `serving` puts before it."""
    cancel_job = workspace.worker.cancel_future

    async def index(request: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers=FRESH)

    async def overview(request: Request) -> Response:
        return reply(await run_in_threadpool(workspace.overview))

    async def record(request: Request) -> Response:
        return reply(await run_in_threadpool(workspace.record, request.path_params["photo"]))

    async def thumbnail(request: Request) -> Response:
        content = await run_in_threadpool(workspace.thumbnail, request.path_params["photo"])
        return Response(content, media_type="image/jpeg", headers=CACHED)

    async def tile(request: Request) -> Response:
        place = (number(request, name) for name in ("level", "column", "row"))
        content = await run_in_threadpool(workspace.tile, request.path_params["photo"], *place)
        return Response(content, media_type="image/jpeg", headers=CACHED)

    async def prepare(request: Request) -> Response:
        method = str((await body_of(request)).get("method"))
        await result_of(request, workspace.prepare(request.path_params["photo"], method, window_of(request)), cancel_job)
        return reply({"ready": True})

    async def change(request: Request) -> Response:
        photo, key, values = request.path_params["photo"], request.path_params["object"], await body_of(request)
        if request.method == "DELETE":
            return reply(await run_in_threadpool(workspace.remove_objects, photo, [key], values.get("revision")))
        job = await run_in_threadpool(workspace.put_object, photo, key, values, window_of(request))
        return reply(await result_of(request, job, cancel_job))

    async def remove(request: Request) -> Response:
        values = await body_of(request)
        keys = values.get("keys")
        if not isinstance(keys, list):
            raise InputError("keys: a list of objects is needed")
        return reply(
            await run_in_threadpool(workspace.remove_objects, request.path_params["photo"], keys, values.get("revision"))
        )

    async def everything(request: Request) -> Response:
        sure = str((await body_of(request)).get("sure"))
        job = workspace.everything(request.path_params["photo"], sure, window_of(request))
        return reply(await result_of(request, job, cancel_job))

    async def compare(request: Request) -> Response:
        job = workspace.compare(request.path_params["photo"], await body_of(request), window_of(request))
        return reply(await result_of(request, job, cancel_job))

    async def hover(request: Request) -> Response:
        job = workspace.hover(request.path_params["photo"], await body_of(request), window_of(request))
        return reply(await result_of(request, job, cancel_job))

    async def mark(request: Request) -> Response:
        done = (await body_of(request)).get("done") is True
        return reply(await run_in_threadpool(workspace.mark, request.path_params["photo"], done))

    async def cancel(request: Request) -> Response:
        window = window_of(request)
        return reply({"cancelled": workspace.worker.cancel(window) + workspace.exports.cancel(window)})

    async def progress(request: Request) -> Response:
        window = window_of(request)
        return reply({**workspace.worker.reported(window), "export": workspace.exports.reported(window)})

    async def upload(request: Request) -> Response:
        name, size, most = request.query_params.get("name", ""), 0, workspace.settings.max_upload
        if int(request.headers.get("content-length") or 0) > most:
            raise TooLargeError(f"a file of more than {most >> 20} MB: open it from its folder, with basam web FOLDER")
        with workspace.library.reserve(name) as place, replacing(place) as temporary:
            with temporary.open("wb") as file:
                async for piece in request.stream():
                    size += len(piece)
                    if size > most:
                        raise TooLargeError(f"a file of more than {most >> 20} MB: open it from its folder")
                    file.write(piece)
            try:
                await run_in_threadpool(workspace.library.check, temporary)
            except BasamError as error:
                raise InputError(str(error).replace(str(temporary), name)) from error
        return reply(workspace.reported(workspace.library.add(place)), 201)

    async def export(request: Request) -> Response:
        photo, only = request.query_params.get("photo", ""), request.query_params.get("object", "")
        if only and not photo:
            raise InputError("object without a photo: say which photo it is in")
        keys, kind = [photo] if photo else list(workspace.library.photos), request.query_params.get("kind", "")
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="basam-web-")))
            job = workspace.exports.start(kind, keys, folder, window_of(request), only)
            try:
                written = await result_of(request, job.future, job.cancel)
            except StoppedError:
                await asyncio.wait({asyncio.wrap_future(job.future)})  # nothing is written into a folder that is gone
                raise
            headers = {
                **FRESH,
                "content-disposition": f"attachment; filename*=utf-8''{quote(written.name)}",
                "x-basam-left-out": quote(json.dumps(written.left_out)),
            }
            removing = BackgroundTask(stack.pop_all().close)
        return FileResponse(written.path, media_type=written.media, headers=headers, background=removing)

    photo = "/api/photos/{photo}"
    routes = [
        Route("/", index),
        Route("/api/overview", overview),
        Route("/api/progress", progress),
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
        workspace.close()

    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=error_handlers(workspace.library.relative))
