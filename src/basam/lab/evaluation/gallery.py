"""Pictures of a run: the best masks, the worst, and those on which two methods differ most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from basam.files import overlay
from basam.lab.data import Sample, SampleError
from basam.lab.evaluation.plots import new_figure, save_figure
from basam.lab.metrics import COLUMNS
from basam.masks import decode_segmentation, tight_box

COUNT = 4
THUMBNAIL = 320  # pixels
Instance = dict[str, Any]


@dataclass(frozen=True)
class Shot:
    """One object and its masks by method label; all at one size and prompt."""

    sample: str
    instance: str
    masks: dict[str, Instance]


@dataclass(frozen=True)
class Measure:
    """The metric that pictures are chosen by."""

    name: str

    @property
    def title(self) -> str:
        return COLUMNS[self.name].title

    def quality(self, instance: Instance) -> float:
        """Its value, negated if lower is better."""
        value = float(instance["metrics"][self.name])
        return value if COLUMNS[self.name].higher_is_better else -value


def gallery_measure(instances: Iterable[Instance]) -> Measure | None:
    """IoU if it was measured, otherwise the first metric that is a plain number for every mask."""
    records = [instance["metrics"] for instance in instances if instance["metrics"]]
    names = ["iou", *COLUMNS]
    metric = next((name for name in names if records and all(record.get(name) is not None for record in records)), None)
    return None if metric is None else Measure(metric)


def choose(shots: Sequence[Shot], first: str, other: str | None, measure: Measure) -> dict[str, list[Shot]]:
    """Shots by heading. `first` is the method whose best and worst are shown, `other` the one it is compared with."""

    def quality(shot: Shot) -> float:
        return measure.quality(shot.masks[first])

    def gain(shot: Shot) -> float:
        return quality(shot) - measure.quality(shot.masks[other]) if other is not None else 0.0

    ranked = sorted(shots, key=quality)
    groups = {f"Best of {first}": ranked[::-1][:COUNT], f"Worst of {first}": ranked[:COUNT]}
    if other is not None:
        gained = sorted(shots, key=gain)
        groups[f"Where {first} gains most over {other}"] = [shot for shot in gained[::-1][:COUNT] if gain(shot) > 0]
        groups[f"Where {first} loses most to {other}"] = [shot for shot in gained[:COUNT] if gain(shot) < 0]
    return {heading: chosen for heading, chosen in groups.items() if chosen}


def draw(shots: Sequence[Shot], find: Callable[[str], Sample], measure: Measure, path: Path) -> Path | None:
    """One row per shot: the ground truth, then every method with its figure. Files that no longer exist are left out."""
    rows: list[tuple[Shot, np.ndarray, np.ndarray, tuple[slice, slice]]] = []
    for shot in shots:
        try:
            loaded = find(shot.sample).load()
        except SampleError:
            continue
        truth = next((instance.mask for instance in loaded.instances if instance.id == shot.instance), None)
        if truth is not None:
            rows.append((shot, np.asarray(loaded.image), truth, surroundings(truth)))
    if not rows:
        return None
    labels = list(rows[0][0].masks)
    figure, axes = new_figure(1 + len(labels), len(rows), 2.3, 2.1)
    for row, (shot, image, truth, part) in enumerate(rows):
        cells = [("ground truth", truth, "")]
        for label in labels:
            record = shot.masks[label]
            mask = decode_segmentation(record["rle"], *truth.shape)
            cells.append((label, mask, f"{measure.title} {record['metrics'][measure.name]:.3f}"))
        for axis, (label, mask, figure_text) in zip(axes[row], cells, strict=True):
            axis.imshow(thumbnail(image[part], mask[part]))
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_title(label if row == 0 else "", fontsize=9)
            axis.set_xlabel(figure_text or name_of(shot), fontsize=7, parse_math=False)
    return save_figure(figure, path)


def name_of(shot: Shot) -> str:
    """Sample and instance, short enough for a caption."""
    name = shot.sample.rsplit("/", 1)[-1]
    name = name if len(name) <= 26 else f"{name[:12]}...{name[-11:]}"
    return name if shot.instance == "0" else f"{name}, object {shot.instance}"


def surroundings(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the object's box, grown by half its longer side."""
    x0, y0, x1, y1 = tight_box(mask)
    margin = max(x1 - x0, y1 - y0, 32) / 2
    return slice(max(0, int(y0 - margin)), int(y1 + margin)), slice(max(0, int(x0 - margin)), int(x1 + margin))


def thumbnail(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    scale = min(1.0, THUMBNAIL / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    shrunk = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)) > 127
    return overlay(small, shrunk[None])
