"""A data set by one word of the command line: `kind:ROOT[:split]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from basam.data.factory import KINDS
from basam.data.issues import DatasetError


@dataclass(frozen=True)
class Source:
    """One data set as it was asked for; split None: its training split."""

    kind: str
    root: Path
    split: str | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """`kind:ROOT` or `kind:ROOT:split`; a root may hold colons as long as it is there.

        Raises:
            DatasetError: neither of the two forms.
        """
        kind, colon, rest = text.partition(":")
        if kind not in KINDS or not rest:
            raise DatasetError(f"data {text!r}: KIND:ROOT or KIND:ROOT:SPLIT is needed, with a kind of {', '.join(KINDS)}")
        root, colon, split = rest.rpartition(":")
        if not colon or Path(rest).is_dir():
            return cls(kind, Path(rest))
        return cls(kind, Path(root), split)

    def __str__(self) -> str:
        return f"{self.kind}:{self.root}" + (f":{self.split}" if self.split else "")
