"""The socket that the server listens on."""

from __future__ import annotations

import http.client
import threading
import time

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from basam.web.serving import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_answer_does_not_wait_for_the_one_before_to_be_acknowledged(host):
    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("here"))])
    listening = listen(host, 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    seconds: list[float] = []
    try:
        while thread.is_alive() and not server.started:
            time.sleep(0.01)
        connection = http.client.HTTPConnection(host, listening.getsockname()[1], timeout=60)
        for _ in range(20):
            start = time.perf_counter()
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"here"
            seconds.append(time.perf_counter() - start)
        connection.close()
    finally:
        server.should_exit = True
        thread.join()
    assert min(seconds[1:]) < 0.03  # 0.04 is what Linux waits before it acknowledges what came
