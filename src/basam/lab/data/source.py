"""A data set by one word of the command line: `[NAME=]kind:ROOT[:split]`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from basam.checks import Count, check_fields, nearest, one_of, path_of
from basam.files import MAX_PIXELS
from basam.lab.data.issues import DatasetError
from basam.lab.data.kinds import CROWDS, KINDS, takes_rule

if TYPE_CHECKING:
    from basam.lab.data.base import Dataset


@dataclass(frozen=True)
class Source:
    """One data set as it was given.

    Attributes:
        split: None: chosen by its use.
        name: in reports.
        max_pixels: larger photographs raise; None: no limit.
    """

    kind: Annotated[str, one_of(*KINDS)]
    root: Path
    split: str | None = None
    name: str | None = None
    max_pixels: Count | None = MAX_PIXELS

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def parse(cls, text: str, max_pixels: int | None = MAX_PIXELS) -> Source:
        """`kind:ROOT` or `kind:ROOT:split`, perhaps with `NAME=` in front; a root may hold colons as long as it is there.

        Raises:
            DatasetError: neither of the two forms.
        """
        head, colon, rest = text.partition(":")
        name, equals, kind = head.rpartition("=")
        if kind not in KINDS or not rest or (equals and not name):
            known = ", ".join(KINDS) + nearest(kind, KINDS)
            raise DatasetError(f"data {text!r}: KIND:ROOT or KIND:ROOT:SPLIT is needed, with a kind of {known}")
        root, colon, split = rest.rpartition(":")
        if not colon or path_of(rest).is_dir():
            return cls(kind, path_of(rest), None, name or None, max_pixels)
        return cls(kind, path_of(root), split, name or None, max_pixels)

    def __str__(self) -> str:
        name, split = f"{self.name}=" if self.name else "", f":{self.split}" if self.split else ""
        return f"{name}{self.kind}:{self.root}{split}"

    def open(self, split: str | None = None, mask_values: str | None = None) -> Dataset:
        """The data set, at `split` or else at its own; for errors see `open_dataset`.

        `mask_values` is used where it suits the kind: `crowds` for `coco`, other rules for `folder`.
        """
        from basam.lab.data.factory import open_dataset  # needs numpy, which takes longer than parsing a command line may

        rule = mask_values if mask_values is not None and takes_rule(self.kind, mask_values) else None
        split = self.split if split is None else split
        return open_dataset(self.kind, self.root, split, name=self.name, mask_values=rule).limited_to(self.max_pixels)


def check_mask_values(mask_values: str | None, sources: Iterable[Source]) -> None:
    """Reject a rule that cannot be parsed, or that no source can use.

    Raises:
        DatasetError: naming the rule.
    """
    if mask_values is None:
        return
    from basam.lab.data.mask_rules import MaskRule  # needs numpy

    if mask_values != CROWDS:
        MaskRule.parse(mask_values)
    if not any(takes_rule(source.kind, mask_values) for source in sources):
        needed = "coco" if mask_values == CROWDS else "folder"
        raise DatasetError(f"mask values {mask_values!r} are for data of kind {needed!r}, and none is given")
