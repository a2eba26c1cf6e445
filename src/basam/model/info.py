"""Information about a model by its name: file, family, sizes, and the mode beside its weights."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from basam.families import ModelSummary
from basam.method import BiasMode
from basam.model.loading import family_of_file, resolve
from basam.model.mode_files import ModeFile, mode_file_of, mode_of


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The information that `basam info` prints.

    Attributes:
        file: the checkpoint, a file or a folder.
        family: its name.
        mode: of the mode file beside the weights; None: there is none, or it is for other weights.
        mode_file: that file.
    """

    file: Path
    family: str
    summary: ModelSummary
    mode: ModeFile | None = None
    mode_file: Path | None = None

    def corrections(self) -> list[dict[str, Any]]:
        """The effect of attaching at the trained size, at twice and at four times it: `keys per query` of a global layer (0 if
        the model has none), `q.k times`, the factor on products of queries and keys, and `mask per patch`, what the mask
        subtracts from them per patch of distance."""
        mode, geometry = BiasMode() if self.mode is None else self.mode.mode, self.summary.geometry
        tokens, side = geometry.trained_tokens, geometry.trained_side
        return [
            {
                "long side": scale * geometry.image_size,
                "keys per query": math.prod(mode.window((scale * side,) * 2, side)) if geometry.global_layers else 0,
                "q.k times": mode.factor(scale**2 * tokens, tokens),
                "mask per patch": mode.effective_slope(scale**2 * tokens, tokens),
            }
            for scale in (1, 2, 4)
        ]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        values = {"file": str(self.file), "family": self.family, **self.summary.to_dict()}
        if self.mode is not None:
            values |= {"mode": asdict(self.mode.mode), **self.mode.others, "mode file": str(self.mode_file)}
        return {**values, "attached": self.corrections()}


def model_info(name: str | Path, *, download: bool = False) -> ModelInfo:
    """Information about the model that `basam.load(name)` returns.

    Args:
        download: download a model that is not in the cache, instead of raising.

    Raises:
        UnsupportedModelError, FileNotFoundError: see `basam.load`.
    """
    path = resolve(name, fetch=download)
    family = family_of_file(path)
    checkpoint = family.read(path)
    checkpoint.tensors()  # raises for NaN and infinity
    mode_file = mode_file_of(path)
    mode = None if mode_file is None else mode_of(path, checkpoint.load())
    return ModelInfo(file=path, family=family.name, summary=checkpoint.summary, mode=mode, mode_file=mode_file)
