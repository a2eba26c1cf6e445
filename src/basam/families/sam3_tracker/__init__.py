"""SAM 3's tracker for images: `transformers`' `Sam3TrackerModel`, and folders of the models that contain one.

It takes points, boxes and masks. The detector of SAM 3, which takes texts, is not supported.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.errors import MissingExtraError
from basam.families.base import ModelSummary, count_parameters
from basam.families.geometry import Geometry
from basam.families.sam2 import Sam2
from basam.families.sam3_tracker import layout, sizes
from basam.families.shared import (
    Shapes,
    StoredTensor,
    check_fields,
    folder_state,
    pyramid_files,
    read_config,
    stored_folder_shapes,
    stored_state,
    transformers_files,
    vit_name,
)

if TYPE_CHECKING:
    from torch import nn

NEIGHBOURS = {
    "Sam3Model": layout.DETECTOR,
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
        return sizes.geometry(model.config.to_dict())

    def replacements(self, model: nn.Module) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        from basam.families.sam3_tracker.modules import replacements

        return replacements(model)

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and super().recognises(path)

    def load(self, path: Path) -> nn.Module:
        try:
            from basam.families.sam3_tracker.modules import build, fill
        except ImportError as error:
            raise MissingExtraError(f"SAM 3 of this transformers does not load: {error}; a newer one (5.23) does") from error

        config, _, part = self.read(path)
        stored = folder_state(path)
        state = {name: stored[key] for name, key in part.keys_of.items()}
        return fill(config, pyramid_files.fitting(transformers_files.built(lambda: build(config), path), state, path))

    def summary(self, path: Path) -> ModelSummary:
        config, shapes, part = self.read(path)
        backbone = sizes.backbone_of(config)
        return ModelSummary(
            architecture=f"SAM 3 {vit_name(backbone['hidden_size'], backbone['num_hidden_layers'])}",
            geometry=sizes.geometry(config),
            parameters=count_parameters(part),
            windows=(backbone["window_size"],),
            tensors=len(shapes),
            layout="transformers Sam3TrackerModel",
        )

    def state(self, path: Path) -> dict[str, StoredTensor]:
        stored = stored_state(path)
        return {key: stored[key] for key in layout.tracker_keys(stored, path).values()}

    def read(self, path: Path) -> tuple[dict[str, Any], Shapes, layout.TrackerShapes]:
        shapes = stored_folder_shapes(path)
        part = layout.TrackerShapes(path, shapes)
        with pyramid_files.in_config_of(path):
            config = dict(sizes.tracker_config(read_config(path) or {}))
            sizes.geometry(config)
            expected = layout.expected_tensors(config)
        check_fields(config, path)
        part.compare(expected)
        return config, shapes, part


FAMILY = Sam3Tracker()

__all__ = ["FAMILY", "Sam3Tracker"]
