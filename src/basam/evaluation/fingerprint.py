"""What a run was made with: the data and the versions of the libraries."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

LIBRARIES = (
    "torch",
    "transformers",
    "numpy",
    "pillow",
    "pysodmetrics",
    "faster-coco-eval",
    "opencv-python-headless",
    "accelerate",
)


def names_fingerprint(names: Iterable[str]) -> str:
    """SHA-256 over the ids of samples, in their order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python, of basam and of the libraries that figures depend on."""
    from basam import __version__

    found = {"python": platform.python_version(), "basam": __version__}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
