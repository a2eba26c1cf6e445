"""SAM 2 and 2.1 for images: `transformers`' `Sam2Model`, folders of its video model and Meta's files, without their memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from basam.families.base import ModelSummary, count_parameters, is_instance
from basam.families.geometry import Geometry
from basam.families.sam2 import layout, official, sizes
from basam.families.shared import (
    Shapes,
    StoredTensor,
    check_fields,
    folder_state,
    pyramid_files,
    pyramid_layout,
    read_config,
    read_shapes,
    stored_folder_shapes,
    transformers_files,
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
        return sizes.geometry(model.config.to_dict())

    def replacements(self, model: nn.Module) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        from basam.families.sam2.modules import replacements

        return replacements(model)

    def recognises(self, path: Path) -> bool:
        return super().recognises(path) if path.is_dir() else official.recognises(path)

    def load(self, path: Path) -> nn.Module:
        from basam.families.shared import checkpoints

        config, _, _ = self.read(path)
        if not path.is_dir():
            return fill(config, official.to_transformers(checkpoints.read_weights(path)), path)
        state = folder_state(path)
        return fill(config, {key: value for key, value in state.items() if not key.startswith(pyramid_files.VIDEO_ONLY)}, path)

    def summary(self, path: Path) -> ModelSummary:
        config, shapes, part = self.read(path)
        # Only a tensor for videos tells the two apart.
        version = "2.1" if shapes.keys() & NEW_IN_2_1 else "2" if len(part) < len(shapes) else "2 or 2.1"
        upstream = "Sam2VideoModel" if config["model_type"] == "sam2_video" else "Sam2Model"
        backbone = sizes.backbone_of(config)
        return ModelSummary(
            architecture=f"SAM {version} {sizes.hiera_name(backbone)}",
            geometry=sizes.geometry(config),
            parameters=count_parameters(part),
            windows=tuple(backbone["window_size_per_stage"]),
            tensors=len(shapes),
            layout=f"transformers {upstream}" if path.is_dir() else "Meta's state dict",
        )

    def read(self, path: Path) -> tuple[dict[str, Any], Shapes, Shapes]:
        """Configuration, shapes of all tensors and of those that images need, every one of which fits.

        Raises:
            UnsupportedModelError: naming what does not fit, of the configuration or of the tensors.
        """
        if not path.is_dir():
            shapes = read_shapes(path)
            config, part = official.config_of(shapes), shapes.without(official.VIDEO_ONLY)
            part.compare(layout.expected_tensors(config))
            return config, shapes, part
        config, shapes = read_config(path) or {}, stored_folder_shapes(path)
        with pyramid_files.in_config_of(path):
            sizes.geometry(config)
            expected = layout.expected_tensors(config)
        check_fields(config, path)
        part = shapes.without(pyramid_files.VIDEO_ONLY)
        part.compare(pyramid_layout.table_to_transformers(expected, official.RULES))
        return config, shapes, part

    def state(self, path: Path) -> dict[str, StoredTensor]:
        found = super().state(path)
        return {key: value for key, value in found.items() if not (path.is_dir() and key.startswith(pyramid_files.VIDEO_ONLY))}

    def encode(self, model: Any, pixel_values: Tensor) -> dict[str, Any]:
        from basam.families.shared import decoder_features  # model code of transformers, which takes seconds to import

        return {"image_embeddings": decoder_features(model, model.vision_encoder(pixel_values))}

    def embedding(self, features: dict[str, Any]) -> Tensor:
        found: Tensor = features["image_embeddings"][-1]
        return found


def fill(config: dict[str, Any], state: dict[str, Tensor], path: Path) -> nn.Module:
    """The `Sam2Model` of a configuration with the tensors of `state`, every one of which must fit.

    Raises:
        UnsupportedModelError: naming what does not fit, of the configuration or of the tensors.
    """
    from basam.families.sam2.modules import build
    from basam.families.shared import checkpoints

    model = transformers_files.built(lambda: build(config), path)
    return checkpoints.fill(model, pyramid_files.fitting(model, state, path))


FAMILY = Sam2()

__all__ = ["FAMILY", "Sam2"]
