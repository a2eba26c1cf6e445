"""What is known of a model by its name: its file, family, sizes, and the mode beside its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from basam.families import ModelSummary
from basam.families.shared import checkpoints
from basam.model.loading import family_of_file, resolve
from basam.model.mode_files import ModeFile, mode_file_of, mode_of


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What `basam info` prints.

    Attributes:
        file: the checkpoint, a file or a folder.
        family: the name of the family that it is of.
        mode: what the mode file beside the weights says; None: there is none, or it is for other weights.
        mode_file: that file.
    """

    file: Path
    family: str
    summary: ModelSummary
    mode: ModeFile | None = None
    mode_file: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = {"file": str(self.file), "family": self.family, **self.summary.to_dict()}
        if self.mode is None:
            return found
        return {**found, "mode": asdict(self.mode.mode), **self.mode.others, "mode file": str(self.mode_file)}


def model_info(name: str | Path, *, download: bool = False) -> ModelInfo:
    """What is known of the model that `basam.load(name)` gives.

    Args:
        download: a model that is not in the cache is downloaded; else it is refused.

    Raises:
        UnsupportedModelError, FileNotFoundError: what `basam.load` raises.
    """
    path = resolve(name, fetch=download)
    family = family_of_file(path)
    summary = family.summary(path)
    checkpoints.check_finite(path, family.state(path))
    file = mode_file_of(path)
    # Whether it is for these weights can only be known of the loaded ones.
    mode = None if file is None else mode_of(path, family.load(path))
    return ModelInfo(file=path, family=family.name, summary=summary, mode=mode, mode_file=file)
