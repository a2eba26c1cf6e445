"""Optional dependencies: imported where they are used, and named with the extra that brings them where they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from basam.errors import MissingExtraError

# What each run of a command needs of its extra; other libraries in it are checked where an option needs them.
NEEDED = {
    "evaluate": ("cv2", "py_sod_metrics", "faster_coco_eval", "matplotlib.figure"),
    "tune": ("accelerate", "cv2", "py_sod_metrics", "faster_coco_eval"),
}


def require(module: str, extra: str) -> Any:
    """The imported `module`, which the extra of that name brings.

    Raises:
        ImportError: it is missing; the message says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{module} cannot be imported ({error}); it comes with the extra {extra}: in the clone of basam, "
            f'pip install -e ".[{extra}]"'
        ) from error


def check_extra(extra: str) -> None:
    """Check for all that a run needs of an extra, before any work is done or a process started.

    Raises:
        ImportError: a library is missing; see `require`.
    """
    for module in NEEDED[extra]:
        require(module, extra)
