"""A data set by one word of the command line: `[NAME=]kind:ROOT[:split]`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from basam.data.base import Dataset
from basam.data.factory import KINDS, open_dataset
from basam.data.issues import DatasetError
from basam.data.mask_rules import MaskRule


@dataclass(frozen=True)
class Source:
    """One data set as it was given. split None: chosen by its use; name: what reports call it."""

    kind: str
    root: Path
    split: str | None = None
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
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
            return cls(kind, Path(rest), name=name or None)
        return cls(kind, Path(root), split, name or None)

    def __str__(self) -> str:
        name, split = f"{self.name}=" if self.name else "", f":{self.split}" if self.split else ""
        return f"{name}{self.kind}:{self.root}{split}"

    def open(self, split: str | None = None, mask_values: str | None = None) -> Dataset:
        """The data set, at `split` or else at its own; for errors see `open_dataset`.

        `mask_values` is for data of kind `folder`: all other kinds keep their own rule.
        """
        rule = mask_values if self.kind == "folder" else None
        return open_dataset(self.kind, self.root, self.split if split is None else split, name=self.name, mask_values=rule)


def check_mask_values(mask_values: str | None, sources: Iterable[Source]) -> None:
    """Refuse a rule that cannot be understood, or that none of the sources has a use for.

    Raises:
        DatasetError: naming the rule.
    """
    if mask_values is None:
        return
    MaskRule.parse(mask_values)
    if not any(source.kind == "folder" for source in sources):
        raise DatasetError(
            f"mask values {mask_values!r} are for data of kind 'folder', and there is none: others keep their own"
        )
