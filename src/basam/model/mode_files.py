"""`mode.json`: a correction on disk, with the weights it was calibrated on and its provenance.

    {
      "mode": {"scaling": "log", "strength": 0.5, ...},
      "fingerprint": "70d69e36...",
      "found": {"how": "mean IoU with gt-box and gt-point", "data": ["ISIC2017 train"], "date": "2026-11-26", ...}
    }

Other sections, such as `focus`, stay when a mode is written into an existing file. `found` is for people and reports and is
never read back into the mode. A file with only the fields of the mode, written by hand, is read too; missing fields take their
default.

The mode that suits a model best depends on the model: a model folder may hold `mode.json`, and a single file may have
`STEM.mode.json` beside it. `basam.load` reads it; see `mode_of`.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.checks import path_of
from basam.errors import BasamError, MissingFileError, warn
from basam.files import read_json, write_json
from basam.method import BiasMode
from basam.model.fingerprint import model_fingerprint

if TYPE_CHECKING:
    from torch import nn

    from basam.families import Attachment

FILE = "mode.json"
SECTIONS = ("found", "fingerprint", "focus")


class ModeFileError(BasamError, ValueError):
    """A mode file that cannot be read; the message names the file and the problem."""


@dataclass(frozen=True)
class ModeFile:
    """The content of a mode file.

    Attributes:
        fingerprint: `model_fingerprint` of the weights that the mode was calibrated on; None: not stated.
        found: how the mode was found.
        others: further sections, by name.
    """

    mode: BiasMode
    fingerprint: str | None = None
    found: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)


def read_mode(path: str | os.PathLike[str]) -> BiasMode:
    """The mode of a file that `write_mode` or a person wrote; for errors see `read_mode_file`."""
    return read_mode_file(path).mode


def read_mode_file(path: str | os.PathLike[str]) -> ModeFile:
    """The content of a mode file.

    Raises:
        FileNotFoundError: no such file.
        ModeFileError: not JSON, no mode in it, an unknown field or a value that is not allowed.
    """
    path = path_of(path)
    if not path.is_file():
        raise MissingFileError(f"{path}: {'a folder, not a mode file' if path.is_dir() else 'no such mode file'}")
    content = read_json(path, ModeFileError)
    fields = content.get("mode", content)
    if not isinstance(fields, dict):
        raise ModeFileError(f"{path} holds no object with the fields of a BiasMode: {json.dumps(fields)[:80]}")
    if fields is content:
        if sections := [name for name in content if name in SECTIONS]:
            raise ModeFileError(
                f"{path} has {', '.join(map(repr, sections))} and has no 'mode': beside other sections its fields go under "
                "'mode'"
            )
        content = {}
    fingerprint, found = content.get("fingerprint"), content.get("found", {})
    if fingerprint is not None and not isinstance(fingerprint, str):
        raise ModeFileError(f"{path}: fingerprint={fingerprint!r}: a text is needed, as basam calibrate writes it")
    if not isinstance(found, dict):
        raise ModeFileError(f"{path}: found={found!r}: an object is needed")
    others = {name: value for name, value in content.items() if name not in ("mode", "fingerprint", "found")}
    try:
        return ModeFile(BiasMode.from_dict(fields), fingerprint, found, others)
    except (ValueError, TypeError) as error:
        raise ModeFileError(f"{path}: {error}") from error


def write_mode(
    path: str | os.PathLike[str],
    mode: BiasMode,
    found: dict[str, Any] | None = None,
    *,
    fingerprint: str | None = None,
    others: dict[str, Any] | None = None,
) -> None:
    """Write `mode`, the weights it is for and its provenance, atomically.

    Other sections of an existing mode file, such as `focus`, stay, with their provenance.

    Args:
        found: provenance, plain JSON. fingerprint: `model_fingerprint` of the model; without it the mode fits any weights.
        others: sections to add or replace, by name.

    Raises:
        OSError: the folder cannot be written.
    """
    path = path_of(path)
    try:
        before = read_mode_file(path)
    except (MissingFileError, ModeFileError):
        before = ModeFile(mode)
    sections = before.others | (others or {})
    content = {"mode": asdict(mode), **sections}
    found = {name: value for name, value in before.found.items() if name in sections} | (found or {})
    if fingerprint is not None:
        content["fingerprint"] = fingerprint
    write_json(path, {**content, "found": found})


def save_mode(model: nn.Module, folder: str | os.PathLike[str], *, own_weights: bool, pushed: bool) -> None:
    """Write the mode of an attached model beside the weights that `save_pretrained` wrote into `folder`.

    Args:
        own_weights: the weights are the model's, whose fingerprint is written; otherwise the mode fits any weights.
        pushed: the weights went to the hub, but the mode does not.
    """
    attachment: Attachment = model.basam_own  # type: ignore[assignment]
    mode, file = attachment.mode, Path(folder) / FILE
    if mode.slopes == "learned":
        warn(f"{folder}: save_pretrained does not save learned slopes, so no mode is written beside it; basam tune writes both")
        return
    fingerprint = model_fingerprint(model, as_float32=True) if own_weights else None
    write_mode(file, mode, fingerprint=fingerprint, others=model.__dict__.get("basam_sections"))
    if pushed:
        warn(f"{file} is not on the hub: push it there, so that the model is loaded with its mode")


def mode_file_of(path: Path) -> Path | None:
    """The mode file beside a model's weights, if there is one."""
    file = path / FILE if path.is_dir() else path.with_name(f"{path.stem}.{FILE}")
    return file if file.is_file() else None


def mode_of(path: Path, model: nn.Module) -> ModeFile | None:
    """The mode file beside the weights at `path`, for the plain `model` that was loaded from them.

    None if there is none, or if it was calibrated on other weights, which is warned of. A file without a fingerprint is used.

    Raises:
        ModeFileError: it cannot be read.
    """
    file = mode_file_of(path_of(path))
    if file is None:
        return None
    content = read_mode_file(file)
    if content.fingerprint is not None:
        present = model_fingerprint(model)
        if present != content.fingerprint:
            warn(
                f"{file} is for weights {content.fingerprint[:12]}, and these are {present[:12]}: it is not used; "
                "run basam calibrate for a mode of these"
            )
            return None
    return content
