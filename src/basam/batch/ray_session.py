"""Join a Ray cluster, or start Ray on this machine, for the length of a block."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from basam.errors import InputError
from basam.files import require

LOCAL = "local"
# Seconds to wait for a cluster; Ray itself tries for minutes.
PATIENCE = 5


@contextmanager
def ray_running(address: str) -> Iterator[float]:
    """Ray for the block; yields the share of a GPU per worker. A running Ray is left running.

    Args:
        address: `local` to start it here, or where a cluster is: `host:port`, `ray://host:port`, or `auto` on a node of it.

    Raises:
        ImportError: Ray is not installed.
        ValueError: nothing listens at `address`.
    """
    # Ray logs to files and sends no usage statistics, unless the user wants otherwise.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = require("ray", "ray")
    data = require("ray.data", "ray")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    data.DataContext.get_current().enable_progress_bars = False
    own = not ray.is_initialized()
    if own:
        check_answer(address)
        local = {"include_dashboard": False} if address == LOCAL else {}
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **local)
        except Exception as error:  # Ray also raises plain exceptions
            first = str(error).strip().partition("\n")[0] or type(error).__name__
            way = "see its logs in /tmp/ray; without --ray the photos are done here" if local else "--ray local starts one here"
            raise InputError(f"--ray {address}: Ray does not start ({first}); {way}") from error
    try:
        yield 1.0 if ray.cluster_resources().get("GPU", 0) >= 1 else 0.0
    finally:
        if own:
            ray.shutdown()


def check_answer(address: str) -> None:
    """Raise ValueError if nothing listens at a `host:port`."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"--ray {address}: nothing listens there ({error}); --ray local starts a cluster here") from error
