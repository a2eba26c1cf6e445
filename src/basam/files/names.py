"""Which files are images, and how their names are spelled."""

from __future__ import annotations

import unicodedata
from pathlib import Path

SUFFIXES = "jpg jpeg jpe jfif mpo png apng bmp dib tif tiff webp gif avif heic heif jp2 j2k dng pbm pgm ppm pnm tga"
IMAGE_SUFFIXES = frozenset(f".{suffix}" for suffix in SUFFIXES.split(" "))
# Files that systems add: macOS archives, Windows and Synology thumbnails.
LITTER = frozenset({"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir"})


def is_litter(name: str) -> bool:
    """Whether a file or folder is hidden or was put there by the system, not by the user."""
    return name.startswith(".") or name.lower() in LITTER


def spelled(name: str) -> str:
    """One spelling of a name: systems write accented letters as one character (NFC) or as two (NFD)."""
    return unicodedata.normalize("NFC", name)


def is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not is_litter(path.name) and path.is_file()
