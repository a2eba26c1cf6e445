"""The part of a list of photos that one of several processes does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from basam.checks import Count, Whole, check_fields
from basam.errors import InputError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """Part `index` (from 0) of `count`: every `count`-th item, so that all parts take about as long.

    Raises:
        ValueError: no such part.
    """

    index: Whole = 0
    count: Count = 1

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.index < self.count:
            raise InputError(f"shard {self.index}/{self.count}: I/N with I from 0 to N - 1 is needed, such as 0/4")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """A shard from text such as `1/8`.

        Raises:
            ValueError: another form.
        """
        parts = text.split("/")
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
            raise InputError(f"shard {text!r}: I/N with I from 0 to N - 1 is needed, such as 0/4")
        return cls(int(parts[0]), int(parts[1]))

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Shard:
        """The shard set by launchers such as torchrun: `RANK` (from 0) and `WORLD_SIZE`; without them, everything.

        Raises:
            ValueError: not valid numbers.
        """
        count, rank = environment.get("WORLD_SIZE") or "1", environment.get("RANK") or "0"
        try:
            return cls(int(rank), int(count))
        except ValueError as error:
            raise InputError(
                f"RANK={rank!r} and WORLD_SIZE={count!r} in the environment: a number from 0, and how many processes there are"
            ) from error

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def part(self, items: Sequence[Item]) -> list[Item]:
        """The items of this part, in order."""
        return list(items[self.index :: self.count])
