"""The lines of `per_image.jsonl`: measurements of an image, or its problem; reading and merging.

    {"sample": "42", "size": 512, "method": "basam", "prompt": "gt-box", "tokens": 768, "encode_seconds": 0.2,
     "instances": [{"id": "7", "category_id": 1, "score": 0.93, "metrics": {"iou": 0.81}, "rle": {...}}]}
    {"sample": "43", "issues": [{"problem": "unreadable-image", "where": "...", "detail": "..."}]}

Of several lines with the same key the last one counts, so files are only ever appended to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from basam.files import read_json_lines
from basam.lab.data import Issue

Line = dict[str, Any]
Key = tuple[str, int | str, str, str]  # sample, size, method, prompt


def key_of(line: Line) -> Key:
    return line["sample"], line["size"], line["method"], line["prompt"]


@dataclass
class Results:
    """All lines of a run: measured ones by key, and issues by sample."""

    measured: dict[Key, Line] = field(default_factory=dict)
    issues: dict[str, list[Issue]] = field(default_factory=dict)

    def add(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if "issues" in line:
                self.issues[line["sample"]] = [Issue(**issue) for issue in line["issues"]]
            else:
                self.measured[key_of(line)] = line

    def read(self, path: Path) -> None:
        """Add the lines of a file; damaged lines are skipped, so that they are measured again."""
        values = (line.value for line in read_json_lines(path))
        self.add(value for value in values if isinstance(value, dict) and "sample" in value)


def issue_line(sample: str, issues: Iterable[Issue]) -> Line:
    return {"sample": sample, "issues": [asdict(issue) for issue in issues]}
