"""Which tensors a tracker of SAM 3 has, and of what shape, by its configuration, and what a checkpoint calls them.

No model is built for it. Names are those of `Sam3TrackerModel`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from basam.families.base import UnsupportedModelError
from basam.families.sam3_tracker import sizes
from basam.families.shared import Shapes, layout, pyramid_files, pyramid_layout

DETECTOR = (
    "is SAM 3's detector, whose prompts are texts: that is not supported. For points, boxes and masks use its tracker, "
    "transformers' Sam3TrackerModel; basam.load takes it from a folder of Sam3TrackerModel or Sam3VideoModel"
)
TRACKER, DETECTOR_PART = "tracker_model.", "detector_model."
# What a model of both parts calls what its parts share, and what a tracker by itself calls it.
SHARED = {f"{DETECTOR_PART}vision_encoder.backbone.": "vision_encoder.backbone.", "tracker_neck.": "vision_encoder.neck."}
# What names of a detector's own tensors begin with, of which no tracker has any, and what every tracker has.
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
        # What is missing would lie where most of its part lie.
        part = part_of(key)
        beginnings = Counter(
            home.removesuffix(name.removeprefix(part)) for name, home in self.keys_of.items() if part_of(name) == part
        )
        beginning = beginnings.most_common(1)[0][0] if beginnings else part
        return beginning + key.removeprefix(part)


def part_of(name: str) -> str:
    """What the name of a tensor begins with that may lie elsewhere than the others; empty for all others."""
    return next((part for part in SHARED.values() if name.startswith(part)), "")


def tracker_keys(keys: Iterable[str], path: Path) -> dict[str, str]:
    """By the names that `Sam3TrackerModel` gives them, the keys of its tensors in a checkpoint.

    A model of both parts keeps the encoder with the detector and the tracker's neck by itself. `transformers` writes a prefix
    again and again each time that it saves what it loaded: however often it is there, it is taken off.

    Raises:
        UnsupportedModelError: there is no tracker among them, or a tensor of it is there twice.
    """
    found: dict[str, str] = {}
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
            again += [key] if name in found else []
            found.setdefault(name, key)
    if texts and not any(name.startswith(PROMPTS) for name in found):
        raise UnsupportedModelError(f"{path} {DETECTOR}")
    if again:
        raise Shapes(path, {}, whole_keys=True).misfit(unexpected=again)
    return found


def expected_tensors(config: Mapping[str, Any]) -> layout.Table:
    """The tensors that the configuration of a tracker promises.

    Raises:
        UnsupportedModelError: a size is none; the message names it.
    """
    backbone, vision = sizes.backbone_of(config), sizes.vision_of(config)
    channels = vision["fpn_hidden_size"]
    found = vision_transformer(backbone) | {"no_memory_embedding": (1, 1, channels)}
    for number, scale in enumerate(vision["scale_factors"]):
        found |= feature_map(f"vision_encoder.neck.fpn_layers.{number}.", backbone["hidden_size"], channels, scale)
    prompts = pyramid_layout.prompts_and_masks(pyramid_files.decoder_sizes(config))
    return found | pyramid_layout.table_to_transformers(prompts)


def vision_transformer(backbone: Mapping[str, Any]) -> layout.Table:
    """`Sam3ViTModel` of a `backbone_config`."""
    prefix, width, hidden = "vision_encoder.backbone.", backbone["hidden_size"], backbone["intermediate_size"]
    patch = sizes.patch_of(backbone)
    tokens = (sizes.pretrain_side(backbone) // patch) ** 2
    found = layout.conv(f"{prefix}embeddings.patch_embeddings.projection", backbone["num_channels"], width, patch, bias=False)
    found[f"{prefix}embeddings.position_embeddings"] = (1, tokens, width)
    found |= layout.norm(f"{prefix}layer_norm", width)
    for number in range(backbone["num_hidden_layers"]):
        layer = f"{prefix}layers.{number}."
        found |= layout.norm(f"{layer}layer_norm1", width) | layout.norm(f"{layer}layer_norm2", width)
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            found |= layout.linear(f"{layer}attention.{name}", width, width)
        found |= layout.linear(f"{layer}mlp.fc1", width, hidden) | layout.linear(f"{layer}mlp.fc2", hidden, width)
    return found


def feature_map(prefix: str, width: int, channels: int, scale: float) -> layout.Table:
    """One layer of the neck, `Sam3FPNLayer`; each doubling of the resolution halves the channels."""
    found: layout.Table = {}
    if scale == max(sizes.SCALES):
        found |= layout.upscaling(f"{prefix}scale_layers.0", width, width // 2)
        found |= layout.upscaling(f"{prefix}scale_layers.2", width // 2, width // 4)
        width //= 4
    elif scale > 1:
        found |= layout.upscaling(f"{prefix}scale_layers.0", width, width // 2)
        width //= 2
    return found | layout.conv(f"{prefix}proj1", width, channels, 1) | layout.conv(f"{prefix}proj2", channels, channels, 3)
