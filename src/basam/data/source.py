"""A data set by one word of the command line: `[NAME=]kind:ROOT[:split]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from basam.data.issues import DatasetError
from basam.files import MAX_PIXELS

if TYPE_CHECKING:
    from basam.data.base import Dataset

KINDS = ("dis5k", "duts", "isic", "isic2016", "isic2017", "isic2018", "cod10k", "camouflage", "coco", "folder")


@dataclass(frozen=True)
class Source:
    """One data set as it was given.

    Attributes:
        split: None: chosen by its use.
        name: what reports call it.
        max_pixels: larger photographs are refused; None: none is.
    """

    kind: str
    root: Path
    split: str | None = None
    name: str | None = None
    max_pixels: int | None = MAX_PIXELS

    @classmethod
    def parse(cls, text: str, max_pixels: int | None = MAX_PIXELS) -> Source:
        """`kind:ROOT` or `kind:ROOT:split`, perhaps with `NAME=` in front; a root may hold colons as long as it is there.

        Raises:
            DatasetError: neither of the two forms.
        """
        head, colon, rest = text.partition(":")
        name, equals, kind = head.rpartition("=")
        if kind not in KINDS or not rest or (equals and not name):
            raise DatasetError(f"data {text!r}: KIND:ROOT or KIND:ROOT:SPLIT is needed, with a kind of {', '.join(KINDS)}")
        root, colon, split = rest.rpartition(":")
        if not colon or Path(rest).is_dir():
            return cls(kind, Path(rest), None, name or None, max_pixels)
        return cls(kind, Path(root), split, name or None, max_pixels)

    def __str__(self) -> str:
        name, split = f"{self.name}=" if self.name else "", f":{self.split}" if self.split else ""
        return f"{name}{self.kind}:{self.root}{split}"

    def open(self, split: str | None = None) -> Dataset:
        """The data set, at `split` or else at its own; for errors see `open_dataset`."""
        from basam.data.factory import open_dataset  # needs numpy, which takes longer than parsing a command line may

        found = open_dataset(self.kind, self.root, self.split if split is None else split, name=self.name)
        return found.limited_to(self.max_pixels)
