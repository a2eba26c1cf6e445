"""The photographs of a server. The page names a photo by a key, never by a path, so a request cannot reach other files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from basam.errors import InputError, MissingFileError
from basam.files import ImageError, open_picture, picture_size

# Suffixes that Pillow does not list; they come with the extra `formats`.
MORE_SUFFIXES = {".heic", ".heif", ".avif"}
# Bytes at both ends of a file that identify it.
HASHED_BYTES = 1 << 16


@dataclass(frozen=True)
class LibraryPhoto:
    """A photograph on disk; width and height in pixels, upright; `content` identifies the file, see `content_of`."""

    key: str
    path: Path
    width: int
    height: int
    content: str

    @property
    def name(self) -> str:
        """The file's name; bytes that are not UTF-8 are shown as U+FFFD, because JSON cannot hold them."""
        return readable(self.path.name)

    def check_content(self) -> None:
        """Raise if the file is no longer the photograph that was listed.

        Raises:
            ValueError: another photograph has replaced it.
        """
        if content_of(self.path) != self.content:
            raise InputError(
                f"{self.path} is another photo than when basam web was started: start it again to work on this one, "
                "or restore the former one"
            )


class Library:
    """The given photographs, and uploaded ones.

    Args:
        places: photographs, and folders, of which the photographs directly inside are listed.
        uploads: the folder for uploads; photographs in it are listed as well.
        max_pixels: photographs with more are left out.

    Attributes:
        left_out: why photographs of the folders were left out, one line each.

    Raises:
        FileNotFoundError: a place does not exist. ImageError: a given file cannot be read.
    """

    def __init__(self, places: Sequence[Path], uploads: Path, max_pixels: int | None) -> None:
        self.uploads, self.max_pixels = uploads, max_pixels
        self.photos: dict[str, LibraryPhoto] = {}
        self.left_out: list[str] = []
        self.roots = sorted({(place if place.is_dir() else place.parent).resolve() for place in places}, reverse=True)
        self.reserved: set[Path] = set()
        self.lock = threading.Lock()
        for place in places:
            if not place.exists():
                raise MissingFileError(f"{place}: no such file or folder")
            if place.is_dir():
                self.add_folder(place)
            else:
                self.add(place)
        if uploads.is_dir():
            self.add_folder(uploads)

    def add_folder(self, folder: Path) -> None:
        root = folder.resolve()
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.suffix.lower() not in suffixes() or not path.is_file():
                continue
            if not path.resolve().is_relative_to(root):
                self.left_out.append(f"{path} leads out of its folder")
                continue
            try:
                self.add(path)
            except ImageError as error:
                self.left_out.append(str(error))

    def add(self, path: Path) -> LibraryPhoto:
        resolved = path.resolve()
        width, height = picture_size(resolved, max_pixels=self.max_pixels)
        with self.lock:
            photo = LibraryPhoto(self.free_key(path, resolved), resolved, width, height, content_of(resolved))
            self.photos[photo.key] = photo
        return photo

    def free_key(self, path: Path, resolved: Path) -> str:
        """A key from the file's name, so that work in a folder survives moving it; files of the same name are told apart by
        their folders."""
        names = (path.name, f"{path.absolute().parent.name}/{path.name}", str(resolved))
        keys = [hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16] for name in names]
        return next(key for key in keys if key not in self.photos or self.photos[key].path == resolved)

    def __getitem__(self, key: str) -> LibraryPhoto:
        if key not in self.photos:
            raise MissingFileError(f"there is no photo {key!r} here")
        return self.photos[key]

    def listed(self) -> list[LibraryPhoto]:
        return list(self.photos.values())

    def after(self, key: str) -> LibraryPhoto | None:
        """The next photo, if there is one."""
        keys = list(self.photos)
        place = keys.index(key) + 1 if key in keys else len(keys)
        return self.photos[keys[place]] if place < len(keys) else None

    @contextlib.contextmanager
    def reserve(self, name: str) -> Iterator[Path]:
        """Reserve a path among the uploads for a file called `name` on the client, of which only letters and digits are used.
        No other upload gets the same path while this block runs.

        Raises:
            ValueError: the suffix is not that of a photograph.
        """
        last = Path(name.replace("\\", "/")).name
        suffix = Path(last).suffix.lower()
        if suffix not in suffixes():
            raise InputError(f"{last!r}: a photograph is needed, such as .jpg, .png, .tif or .heic")
        stem = re.sub(r"[^\w-]+", "_", Path(last).stem).strip("_")[:80] or "photo"
        with self.lock:
            place, count = self.uploads / f"{stem}{suffix}", 1
            while place in self.reserved or place.exists():
                count += 1
                place = self.uploads / f"{stem}_{count}{suffix}"
            self.reserved.add(place)
        try:
            yield place
        finally:
            self.reserved.discard(place)

    def relative(self, text: str) -> str:
        """`text` with paths below the given folders shortened to the part below the folder."""
        for root in self.roots:
            text = text.replace(f"{root}{os.sep}", "")
        return readable(text)

    def check(self, path: Path) -> None:
        """Raise ImageError unless a file's content is an image."""
        picture_size(path, max_pixels=self.max_pixels)
        open_picture(path, max_pixels=self.max_pixels)


def readable(text: str) -> str:
    """`text` with U+FFFD for lone surrogates, which stand for bytes that are not UTF-8."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def content_of(path: Path) -> str:
    """A hash that identifies a file, quick for folders of large photographs: of its size, its beginning and its end."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        digest = hashlib.sha256(str(size).encode())
        for place in (0, max(0, size - HASHED_BYTES)):
            file.seek(place)
            digest.update(file.read(HASHED_BYTES))
    return digest.hexdigest()[:16]


def suffixes() -> set[str]:
    return {*Image.registered_extensions(), *MORE_SUFFIXES} - {".pdf"}
