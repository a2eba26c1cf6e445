"""The lines of `per_image.jsonl`: what was measured on an image, or what was wrong with it; read back and put together.

    {"sample": "42", "size": 512, "method": "basam", "prompt": "gt-box", "tokens": 768, "encode_seconds": 0.2,
     "instances": [{"id": "7", "category_id": 1, "score": 0.93, "metrics": {"iou": 0.81}, "rle": {...}}]}
    {"sample": "43", "issues": [{"problem": "unreadable-image", "where": "...", "detail": "..."}]}

Of several lines for the same thing the last one counts, so that appending is all that is ever needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basam.errors import InputError
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

    def to_lines(self) -> list[Line]:
        noted = [issue_line(sample, issues) for sample, issues in self.issues.items()]
        return noted + list(self.measured.values())


def issue_line(sample: str, issues: Iterable[Issue]) -> Line:
    return {
        "sample": sample,
        "issues": [{"problem": issue.problem, "where": issue.where, "detail": issue.detail} for issue in issues],
    }


def to_text(line: Line) -> str:
    return json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n"


def read_lines(path: Path) -> list[Line]:
    """The lines of a file; a last one that a killed process left half-written is cut off the file.

    Raises:
        ValueError: any other line is no JSON object; the message names it.
    """
    if not path.is_file():
        return []
    content = path.read_bytes()
    lines: list[Line] = []
    whole = 0
    for number, text in enumerate(content.splitlines(keepends=True), start=1):
        line = parse(text)
        if line is None:
            if whole + len(text) < len(content):
                raise InputError(
                    f"{path}, line {number}: no result of an evaluation: {text[:60]!r}; remove the line or the folder"
                )
            with path.open("r+b") as file:
                file.truncate(whole)
            break
        lines.append(line)
        whole += len(text)
    return lines


def parse(text: bytes) -> Line | None:
    """The line, or None where it is not whole."""
    try:
        line = json.loads(text) if text.endswith(b"\n") else None
    except ValueError:
        return None
    return line if isinstance(line, dict) and "sample" in line else None
