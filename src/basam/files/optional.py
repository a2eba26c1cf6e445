"""Optional dependencies: imported where they are used, and named with the extra that brings them where they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from basam.errors import MissingExtraError


def require(module: str, extra: str) -> Any:
    """The imported `module`, which the extra `basam[extra]` brings.

    Raises:
        ImportError: it is missing; the message says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'{module} cannot be imported ({error}); it comes with: pip install "basam[{extra}]", '
            f'in a clone pip install -e ".[{extra}]"'
        ) from error
