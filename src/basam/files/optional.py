"""Optional dependencies, imported where they are used; if one is missing, the error names the extra that installs it."""

from __future__ import annotations

import importlib
from typing import Any

from basam.errors import MissingExtraError

# Modules that every run of a command needs of its extra; others are checked by the option that needs them.
NEEDED = {
    "evaluate": ("cv2", "py_sod_metrics", "faster_coco_eval", "matplotlib.figure"),
    "tune": ("accelerate", "cv2", "py_sod_metrics", "faster_coco_eval"),
}


def require(module: str, extra: str) -> Any:
    """The imported `module`, which the extra `extra` installs.

    Raises:
        ImportError: it is missing; the message tells what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{module} cannot be imported ({error}); it comes with the extra {extra}: in the clone of basam, "
            f'pip install -e ".[{extra}]"'
        ) from error


def check_extra(extra: str) -> None:
    """Raise if a library that every run needs is missing, before any work is done or a process started.

    Raises:
        ImportError: a library is missing; see `require`.
    """
    for module in NEEDED[extra]:
        require(module, extra)
