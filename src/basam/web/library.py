"""Which photographs there are. The page names a photo by a key, never by a path, so that no request can reach another file."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from basam.errors import InputError, MissingFileError
from basam.files import ImageError, open_picture, picture_size

# Kinds that are read but that Pillow does not list: they come with the extra `formats`.
MORE_SUFFIXES = {".heic", ".heif", ".avif"}
# Bytes at either end of a file by which it is known again.
HASHED_BYTES = 1 << 16


@dataclass(frozen=True)
class LibraryPhoto:
    """A photograph on the disk; width and height in pixels, upright; `content` says which it was, see `content_of`."""

    key: str
    path: Path
    width: int
    height: int
    content: str

    @property
    def name(self) -> str:
        return self.path.name

    def check_content(self) -> None:
        """That the file is still the photograph that was listed.

        Raises:
            ValueError: another has taken its place.
        """
        if content_of(self.path) != self.content:
            raise InputError(
                f"{self.path} is another photo than when basam web was started: start it again to work on this one, "
                "or put the former one back"
            )


class Library:
    """The photographs that were given, and those sent by the page.

    Args:
        places: photographs, and folders of which the photographs directly inside are taken.
        uploads: the folder for what the page sends; what lies in it already is taken as well.
        max_pixels: photographs of more are left out.

    Attributes:
        left_out: why photographs of the folders were left out, a line each.

    Raises:
        FileNotFoundError: a place that is not there. ImageError: a file that was named and cannot be read.
    """

    def __init__(self, places: Iterable[Path], uploads: Path, max_pixels: int | None) -> None:
        self.uploads, self.max_pixels = uploads, max_pixels
        self.photos: dict[str, LibraryPhoto] = {}
        self.left_out: list[str] = []
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
        found = path.resolve()
        width, height = picture_size(found, max_pixels=self.max_pixels)
        photo = LibraryPhoto(key_of_path(found), found, width, height, content_of(found))
        with self.lock:
            self.photos[photo.key] = photo
        return photo

    def __getitem__(self, key: str) -> LibraryPhoto:
        if key not in self.photos:
            raise MissingFileError(f"there is no photo {key!r} here")
        return self.photos[key]

    def listed(self) -> list[LibraryPhoto]:
        return list(self.photos.values())

    def after(self, key: str) -> LibraryPhoto | None:
        """The photo that follows, if there is one."""
        keys = list(self.photos)
        place = keys.index(key) + 1 if key in keys else len(keys)
        return self.photos[keys[place]] if place < len(keys) else None

    def free_place(self, name: str) -> Path:
        """A path among the uploads for a file that is called `name` elsewhere; only letters and digits of it are kept.

        Raises:
            ValueError: its suffix is that of no photograph.
        """
        last = Path(name.replace("\\", "/")).name
        suffix = Path(last).suffix.lower()
        if suffix not in suffixes():
            raise InputError(f"{last!r}: a photograph is needed, such as .jpg, .png, .tif or .heic")
        stem = re.sub(r"[^\w-]+", "_", Path(last).stem).strip("_")[:80] or "photo"
        place, count = self.uploads / f"{stem}{suffix}", 1
        while place.exists():
            count += 1
            place = self.uploads / f"{stem}_{count}{suffix}"
        return place

    def check(self, path: Path) -> None:
        """That a file is what its name says, judged by its content; ImageError where it is not."""
        picture_size(path, max_pixels=self.max_pixels)
        open_picture(path, max_pixels=self.max_pixels)


def key_of_path(path: Path) -> str:
    return hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def content_of(path: Path) -> str:
    """What a file is known again by, quick for folders of large photographs: its size, its beginning and its end."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        found = hashlib.sha256(str(size).encode())
        for place in (0, max(0, size - HASHED_BYTES)):
            file.seek(place)
            found.update(file.read(HASHED_BYTES))
    return found.hexdigest()[:16]


def suffixes() -> set[str]:
    return {*Image.registered_extensions(), *MORE_SUFFIXES} - {".pdf"}
