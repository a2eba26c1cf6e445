"""SAM 2 and 2.1 for images: `transformers`' `Sam2Model`, folders of its video model and Meta's files, without their memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from basam.families.base import is_instance
from basam.families.geometry import Geometry
from basam.families.sam2 import official, sizes
from basam.families.shared import (
    Checkpoint,
    build,
    folder_shapes,
    folder_state,
    own_keys,
    pyramid_files,
    read_config,
    read_shapes,
    read_state,
)
from basam.families.transformers_sam import TransformersSam

if TYPE_CHECKING:
    from torch import Tensor, nn

# A tensor that SAM 2.1 has and SAM 2 has not, by the names of transformers and of Meta.
NEW_IN_2_1 = {"occlusion_spatial_embedding_parameter", "no_obj_embed_spatial"}

NEIGHBOURS = {
    "Sam2VideoModel": "is SAM 2 for videos: for images load its folder with basam.load, or as transformers' Sam2Model",
    "SAM2Base": "is a live model of Meta's sam2: give its file to basam.load, which makes transformers' Sam2Model of it",
    "EdgeTamModel": "is EdgeTAM, which is not supported: SAM 2.1 T (Sam2Model) is the smallest of its kind that is",
    "EdgeTamVideoModel": "is EdgeTAM, which is not supported: SAM 2.1 T (Sam2Model) is the smallest of its kind that is",
    "Sam2VisionModel": "is the image encoder of SAM 2 alone, so it makes no masks: load the whole model (Sam2Model)",
}


class Sam2(TransformersSam):
    """Prompts and masks go through `transformers`; the encoder is a Hiera, and the decoder takes three feature maps."""

    name = "SAM 2 and 2.1: transformers Sam2Model and Meta's files"
    model_types: ClassVar[tuple[str, ...]] = ("sam2", "sam2_video")
    idle: ClassVar[tuple[str, ...]] = ("mask_decoder.pred_obj_score_head.",)
    upstream: ClassVar[tuple[str, str]] = ("transformers.models.sam2.modeling_sam2", "Sam2Model")  # module and class
    neighbours: ClassVar[Mapping[str, str]] = NEIGHBOURS  # what to say of classes that are close to it

    def matches(self, model: nn.Module) -> bool:
        return is_instance(model, *self.upstream)

    def advice(self, model: nn.Module) -> str | None:
        return next((self.neighbours[base.__name__] for base in type(model).__mro__ if base.__name__ in self.neighbours), None)

    def geometry(self, model: Any) -> Geometry:
        return sizes.geometry(model.config)

    def replacements(self, model: nn.Module) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        from basam.families.sam2.modules import replacements

        return replacements(model, len(self.geometry(model).global_layers))

    def recognises(self, path: Path) -> bool:
        return super().recognises(path) if path.is_dir() else official.recognises(path)

    def read(self, path: Path) -> Checkpoint:
        from basam.families.sam2.modules import build as make

        if path.is_dir():
            config, source, shapes = read_config(path) or {}, path / "config.json", folder_shapes(path)
            part, read = shapes.without(pyramid_files.VIDEO_ONLY), partial(folder_state, path)
        else:
            shapes = read_shapes(path)
            config, source = official.config_of(shapes), path
            part, read = shapes.without(official.VIDEO_ONLY), partial(read_state, path)
        model: Any = build(source, config, make)
        # Only a tensor for videos tells the two apart.
        version = "2.1" if shapes.keys() & NEW_IN_2_1 else "2" if len(part) < len(shapes) else "2 or 2.1"
        upstream = "Sam2VideoModel" if config["model_type"] == "sam2_video" else "Sam2Model"
        backbone = model.config.vision_config.backbone_config
        layout = f"transformers {upstream}" if path.is_dir() else "Meta's state dict"
        about = {"windows": tuple(backbone.window_size_per_stage), "tensors": len(shapes), "layout": layout}
        summary = self.describe(model, architecture=f"SAM {version} {sizes.hiera_name(backbone)}", **about)
        return Checkpoint(model, summary, part, read, own_keys(model) if path.is_dir() else official.keys_of(model))

    def encode(self, model: Any, pixel_values: Tensor) -> dict[str, Any]:
        from basam.families.shared import decoder_features  # model code of transformers, which takes seconds to import

        return {"image_embeddings": decoder_features(model, model.vision_encoder(pixel_values))}

    def embedding(self, features: dict[str, Any]) -> Tensor:
        embedding: Tensor = features["image_embeddings"][-1]
        return embedding


FAMILY = Sam2()

__all__ = ["FAMILY", "Sam2"]
