"""Predictions of a run as 8-bit PNG files, as read by the toolboxes of the field (`--save-maps`).

    maps/METHOD-SIZE/PROMPT/NAME.png       round(255 * probability), at the size of the ground truth

NAME is the photograph's, with its folders if two photographs share it, and with `_ID` of the object if a photograph can have
several.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from basam.files import replacing
from basam.lab.data import Sample
from basam.lab.evaluation.lines import Line
from basam.lab.evaluation.settings import Variant


class MapFolder:
    """The places of a run's maps. `samples` are all of the data set, so that a name does not depend on a limit."""

    def __init__(self, folder: Path, samples: Sequence[Sample]) -> None:
        self.folder = folder / "maps"
        last = Counter(sample.id.rpartition("/")[2] for sample in samples)
        self.names = {sample.id: name if last[name := sample.id.rpartition("/")[2]] == 1 else sample.id for sample in samples}

    def path(self, sample: str, variant: Variant, prompt: str, instance: str) -> Path:
        name = self.names[sample] + ("" if instance == "0" else f"_{instance}")
        return self.folder / f"{variant.method}-{variant.size}" / re.sub(r"[^\w.+-]", "-", prompt) / f"{name}.png"

    def is_complete(self, line: Line, variant: Variant) -> bool:
        """Whether every prediction of a line has its file."""
        ids = [instance["id"] for instance in line["instances"]]
        return all(self.path(line["sample"], variant, line["prompt"], instance).is_file() for instance in ids)


def write_map(path: Path, probabilities: np.ndarray) -> None:
    """Write probabilities `(H, W)` as 8 bits, atomically."""
    with replacing(path) as temporary:
        Image.fromarray(np.rint(probabilities * 255).astype(np.uint8)).save(temporary, format="PNG")
