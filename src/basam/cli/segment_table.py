"""What `basam segment` prints: a table that fits 80 columns and paths that can be copied, or one JSON list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from basam.cli import console

# Photos that get a line each in the table; of more there is a summary, and everything in the records.
LINES = 20


def show(rows: list[dict[str, Any]], photos: int) -> None:
    """The table of a few photos, or one line about many."""
    if photos > LINES:
        tokens = sum(row["tokens"] for row in rows) / max(1, len(rows))
        seconds = sum({row["photo"]: row["seconds"] for row in rows}.values())
        console.say(f"{len(rows)} masks of {photos} photos, {tokens:.0f} tokens each on average, {seconds:.1f} s")
        return
    scored = any(row["object_score"] is not None for row in rows)
    names = ("", "size", "region", "tokens", "x trained", "lambda", "slope", "s", "IoU", *(["object"] if scored else []))
    table = console.new_table(names, texts=names[1:3])
    for number, row in enumerate(rows, start=1):
        region = row["region"]
        table.add_row(
            str(number),
            f"{row['width']}x{row['height']}",
            "whole" if region is None else f"{region[2]}x{region[2]}+{region[0]}+{region[1]}",
            str(row["tokens"]),
            f"{row['tokens_ratio']:.2f}",
            f"{row['lambda']:.3f}",
            "learned" if row["slope"] is None else f"{row['slope']:.3f}",
            f"{row['seconds']:.1f}",
            f"{row['predicted_iou']:.2f}",
            *([f"{row['object_score']:.2f}"] if scored else []),
        )
    console.show(table)
    for number, row in enumerate(rows, start=1):
        console.say(f"{number} {row['photo']} -> {row['mask']}" if "mask" in row else f"{number} {row['photo']}")


class JsonList:
    """One JSON list on standard output, a row a line, each there as soon as it is known; `shown` False prints nothing."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.count = 0

    def add(self, row: dict[str, Any]) -> None:
        if self.shown:
            print("[\n" if self.count == 0 else ",\n", json.dumps(row, allow_nan=False), sep="", end="", flush=True)
            self.count += 1


@contextmanager
def json_list(shown: bool) -> Iterator[JsonList]:
    """The list is closed however the block ends, also by Ctrl-C."""
    rows = JsonList(shown)
    try:
        yield rows
    finally:
        if shown:
            print("[]" if rows.count == 0 else "\n]", flush=True)
