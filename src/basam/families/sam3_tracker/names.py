"""The names of a SAM 3 tracker's tensors in checkpoints. Names are those of `Sam3TrackerModel`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from basam.families.base import UnsupportedModelError
from basam.families.shared import Shapes, pyramid_files

DETECTOR = (
    "is SAM 3's detector, whose prompts are texts: that is not supported. For points, boxes and masks use its tracker, "
    "transformers' Sam3TrackerModel; basam.load takes it from a folder of Sam3TrackerModel or Sam3VideoModel"
)
TRACKER, DETECTOR_PART = "tracker_model.", "detector_model."
# Names of shared parts in a model with both parts, and in a tracker by itself.
SHARED = {f"{DETECTOR_PART}vision_encoder.backbone.": "vision_encoder.backbone.", "tracker_neck.": "vision_encoder.neck."}
# Prefixes of tensors that only detectors have, and of tensors that every tracker has.
TEXTS, PROMPTS = ("text_encoder.", "geometry_encoder.", "detr_encoder."), "prompt_encoder."


class TrackerShapes(Shapes):
    """Shapes of the tensors of a tracker, by the names that `Sam3TrackerModel` gives them.

    Attributes:
        keys_of: by name, the keys of the checkpoint.
    """

    def __init__(self, path: Path, stored: Mapping[str, tuple[int, ...]]) -> None:
        self.keys_of = tracker_keys(stored, path)
        super().__init__(path, {name: stored[key] for name, key in self.keys_of.items()}, whole_keys=True)

    def in_file(self, key: str) -> str:
        if key in self.keys_of:
            return self.keys_of[key]
        # A missing tensor is named in the place of most tensors of its part.
        part = part_of(key)
        beginnings = Counter(
            home.removesuffix(name.removeprefix(part)) for name, home in self.keys_of.items() if part_of(name) == part
        )
        beginning = beginnings.most_common(1)[0][0] if beginnings else part
        return beginning + key.removeprefix(part)


def part_of(name: str) -> str:
    """The prefix of a tensor that may be in another place than the others; empty for all others."""
    return next((part for part in SHARED.values() if name.startswith(part)), "")


def tracker_keys(keys: Iterable[str], path: Path) -> dict[str, str]:
    """By the names that `Sam3TrackerModel` gives them, the keys of its tensors in a checkpoint.

    A model with both parts stores the encoder with the detector, and the tracker's neck separately. `transformers` adds a
    prefix every time it saves what it loaded: it is removed, however often it occurs.

    Raises:
        UnsupportedModelError: there is no tracker among them, or one of its tensors occurs twice.
    """
    key_of: dict[str, str] = {}
    again, texts = [], False
    for key in keys:
        name = key
        while name.startswith(TRACKER):
            name = name.removeprefix(TRACKER)
        texts = texts or name.removeprefix(DETECTOR_PART).startswith(TEXTS)
        for start, own in SHARED.items():
            if name.startswith(start):
                name = own + name.removeprefix(start)
        if not name.startswith((DETECTOR_PART, *pyramid_files.VIDEO_ONLY)):
            again += [key] if name in key_of else []
            key_of.setdefault(name, key)
    if texts and not any(name.startswith(PROMPTS) for name in key_of):
        raise UnsupportedModelError(f"{path} {DETECTOR}")
    if again:
        raise Shapes(path, {}, whole_keys=True).misfit(unexpected=again)
    return key_of
