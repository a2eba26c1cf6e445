"""SAM 3's tracker for images: `transformers`' `Sam3TrackerModel`, and folders of the models that contain one.

It takes points, boxes and masks. The detector of SAM 3, which takes texts, is not supported.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.errors import MissingExtraError
from basam.families.geometry import Geometry
from basam.families.sam2 import Sam2
from basam.families.sam3_tracker import names, sizes
from basam.families.shared import (
    Checkpoint,
    build,
    folder_shapes,
    folder_state,
    own_keys,
    read_config,
    transformers_files,
)

if TYPE_CHECKING:
    from torch import nn

NEIGHBOURS = {
    "Sam3Model": names.DETECTOR,
    "Sam3VideoModel": "is SAM 3 for videos: for images load its folder with basam.load, or as transformers' Sam3TrackerModel",
    "Sam3TrackerVideoModel": "tracks in videos: for images load its folder with basam.load, or as Sam3TrackerModel",
}


class Sam3Tracker(Sam2):
    """Prompts and decoder are SAM 2's; the encoder is a vision transformer with rotary positions."""

    name = "transformers Sam3TrackerModel (SAM 3 for points, boxes and masks)"
    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)
    upstream = ("transformers.models.sam3_tracker.modeling_sam3_tracker", "Sam3TrackerModel")
    neighbours = NEIGHBOURS
    model_types = ("sam3_tracker", "sam3_tracker_video", "sam3_video", "sam3")
    # Upstream computes a fourth feature map and adds the embedding of an empty memory to it, and then drops it.
    idle = (*Sam2.idle, "vision_encoder.neck.fpn_layers.3.", "no_memory_embedding")

    def geometry(self, model: Any) -> Geometry:
        return sizes.geometry(model.config)

    def replacements(self, model: nn.Module) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        from basam.families.sam3_tracker.modules import replacements

        return replacements(model, len(self.geometry(model).global_layers))

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and super().recognises(path)

    def read(self, path: Path) -> Checkpoint:
        try:
            from basam.families.sam3_tracker.modules import TrackerCheckpoint
            from basam.families.sam3_tracker.modules import build as make
        except ImportError as error:
            raise MissingExtraError(f"SAM 3 of this transformers does not load: {error}; a newer one (5.23) does") from error

        shapes = folder_shapes(path)
        part = names.TrackerShapes(path, shapes)
        model: Any = build(path / "config.json", sizes.tracker_config(read_config(path) or {}), make)
        backbone = model.config.vision_config.backbone_config
        name = f"SAM 3 {transformers_files.vit_name(backbone.hidden_size, backbone.num_hidden_layers)}"
        about = {"windows": (backbone.window_size,), "tensors": len(shapes), "layout": "transformers Sam3TrackerModel"}
        summary = self.describe(model, architecture=name, **about)
        return TrackerCheckpoint(model, summary, part, partial(folder_state, path), own_keys(model))


FAMILY = Sam3Tracker()

__all__ = ["FAMILY", "Sam3Tracker"]
