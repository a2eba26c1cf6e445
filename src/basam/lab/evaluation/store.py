"""The run folder: description of the run (`run.json`) and its lines (`per_image.jsonl`)."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from basam.checks import path_of
from basam.errors import BasamError, InputError, OccupiedError
from basam.files import append_json, read_json, read_json_lines, write_json
from basam.lab.evaluation.lines import Line, Results
from basam.method import BiasMode

# Settings that do not change figures; data and model are compared by fingerprints instead.
FREE = ("root", "images", "masks", "model", "adapter", "detections", "device", "save_maps")
# A run may get more of these, and then measures what is missing.
EXTENDABLE = ("sizes", "methods", "prompts")


class RunMismatchError(BasamError, ValueError):
    """The folder holds a run of other settings; the message names the differences."""


class RunFolder:
    """A run on disk.

    Files: `run.json`, `per_image.jsonl`, and while several processes work, one `per_image.RANK.jsonl` per process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path = path_of(path)
        self.run_file = path / "run.json"
        self.lines_file = path / "per_image.jsonl"

    def begin(self, description: dict[str, Any], session: dict[str, Any]) -> None:
        """Create the folder, or resume or extend the run in it; `session` is added to its list of sessions.

        Args:
            description: what must be equal for a run to resume: `settings`, `model`, `data`; see `differences`.

        Raises:
            RunMismatchError: the folder holds a run of another description.
            OSError: it cannot be written, or holds other files.
        """
        sessions = []
        if self.run_file.is_file():
            before = read_json(self.run_file)
            try:
                differing = differences(before, description)
            except InputError as error:
                differing = [str(error)]
            if differing:
                raise RunMismatchError(
                    f"{self.path} holds a run with other settings: {'; '.join(differing)}. "
                    "Give the same settings to resume it, a higher limit or more sizes, methods or prompts to extend it, or "
                    "another folder"
                )
            sessions = before.get("sessions", [])
        elif self.path.is_dir() and any(self.path.iterdir()):
            raise OccupiedError(f"{self.path} holds files but no run (no run.json): give another folder, or an empty one")
        write_json(self.run_file, {**description, "sessions": [*sessions, session]})

    def collect(self) -> Results:
        """All results so far; lines of several processes are merged into one file."""
        for part in sorted(self.path.glob("per_image.*.jsonl")):
            for line in read_json_lines(part):
                append_json(self.lines_file, line.value)
            part.unlink()  # its lines are in the common file now
        return self.read()

    def read(self) -> Results:
        """Results in the common file, read only."""
        results = Results()
        results.read(self.lines_file)
        return results

    def append(self, line: Line, rank: int = 0, processes: int = 1) -> None:
        """Append a line of process `rank` of `processes`; it is handed to the system at once."""
        append_json(self.lines_file if processes == 1 else self.path / f"per_image.{rank:04d}.jsonl", line)


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Differences that prevent a run from resuming or being extended, as texts `seed was 0, now 1`."""
    changes = []
    for part in ("settings", "model", "data"):
        for name, was, is_now in changes_of(before.get(part, {}), now[part]):
            if not (part == "settings" and name in FREE) and not extends(name, was, is_now):
                label = name if part == "settings" else f"{part} {name}"
                changes.append(f"{label} was {short(was)}, now {short(is_now)}{reason(name, was, is_now)}")
    return changes


def changes_of(before: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Name, former and present value of all settings that differ. A mode of an earlier version is read as one of this.

    Raises:
        ValueError: this version does not have the mode.
    """
    if isinstance(before.get("mode"), dict):
        before = before | {"mode": asdict(BiasMode.from_dict(before["mode"]))}
    before, now = (json.loads(json.dumps(settings)) for settings in (before, now))
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield name, before.get(name), now.get(name)


def extends(name: str, was: Any, now: Any) -> bool:
    """Whether lines of the earlier run are valid for this one."""
    if name in EXTENDABLE and isinstance(was, list):
        return all(value in now for value in was)
    if name == "limit":
        return was is not None and (now is None or now >= was)
    # Regions, and boxes of a detector, that the earlier run did not have.
    return name in ("focus", "sha256 of detections") and was is None


def reason(name: str, was: Any, now: Any) -> str:
    """A hint if a setting that may only grow was reduced."""
    if name in EXTENDABLE and isinstance(was, list):
        return f" (without {', '.join(str(value) for value in was if value not in now)})"
    return " (a lower one)" if name == "limit" else ""


def short(value: Any) -> str:
    return json.dumps(value) if not isinstance(value, list) else ",".join(map(str, value))


LIBRARIES = (
    "torch",
    "transformers",
    "numpy",
    "pillow",
    "pysodmetrics",
    "faster-coco-eval",
    "opencv-python-headless",
    "accelerate",
)


def names_fingerprint(names: Iterable[str]) -> str:
    """SHA-256 over the ids of samples, in their order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python, of basam and of the libraries that figures depend on."""
    from basam import __version__

    versions = {"python": platform.python_version(), "basam": __version__}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
