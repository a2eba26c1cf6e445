"""`transformers`' SAM: `SamModel`, `SamVisionModel`, `SamHQModel`, `SamHQVisionModel`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.families.base import Family, PromptTensors, UnsupportedModelError, is_instance
from basam.families.geometry import Geometry
from basam.families.shared import Checkpoint, read_config, transformers_files

if TYPE_CHECKING:
    from torch import Tensor, nn


class TransformersSam(Family):
    """Everything that `transformers` loads as SAM or SAM-HQ."""

    name = "transformers SamModel, SamVisionModel, SamHQModel, SamHQVisionModel"
    model_types = tuple(transformers_files.CLASSES)

    def matches(self, model: nn.Module) -> bool:
        encoder: Any = getattr(model, "vision_encoder", None)
        return is_instance(encoder, "transformers.models.sam.modeling_sam", "SamVisionEncoder") or is_instance(
            encoder, "transformers.models.sam_hq.modeling_sam_hq", "SamHQVisionEncoder"
        )

    def geometry(self, model: Any) -> Geometry:
        return transformers_files.geometry_of(model)

    def replacements(self, model: nn.Module) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        from basam.families.transformers_sam.modules import replacements

        return replacements(model, len(self.geometry(model).global_layers))

    def check_whole(self, model: nn.Module) -> None:
        if not hasattr(model, "mask_decoder"):
            name = type(model).__name__
            raise UnsupportedModelError(
                f"{name} is an image encoder without prompt encoder and mask decoder, so it makes no masks: "
                f"load the whole model ({name.replace('Vision', '')}); basam.attach takes either"
            )

    def encoder(self, model: Any) -> nn.Module:
        return model.vision_encoder

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and (read_config(path) or {}).get("model_type") in self.model_types

    def read(self, path: Path) -> Checkpoint:
        return transformers_files.read(path)

    def encode(self, model: Any, pixel_values: Tensor) -> dict[str, Any]:
        output = model.vision_encoder(pixel_values)
        dtype = model.mask_decoder.iou_token.weight.dtype
        features = {"image_embeddings": output.last_hidden_state.to(dtype)}
        if hasattr(output, "intermediate_embeddings"):  # SAM-HQ
            features["intermediate_embeddings"] = [layer.to(dtype) for layer in output.intermediate_embeddings]
        return features

    def embedding(self, features: dict[str, Any]) -> Tensor:
        embedding: Tensor = features["image_embeddings"]
        return embedding

    def decode(self, model: Any, features: dict[str, Any], prompts: PromptTensors, *, multimask: bool) -> tuple[Tensor, Tensor]:
        return masks_and_iou(self.output(model, features, prompts, multimask))

    def decode_scored(
        self, model: Any, features: dict[str, Any], prompts: PromptTensors, *, multimask: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        return scored(self.output(model, features, prompts, multimask))

    def output(self, model: Any, features: dict[str, Any], prompts: PromptTensors, multimask: bool) -> Any:
        """Upstream's output for K prompts on one encoded image."""
        # Upstream takes one mask per image: prompts with masks are batched along images, all others along prompts.
        along = 0 if prompts.masks is None else 1
        if prompts.masks is not None:
            features = {name: expand(value, len(prompts.masks)) for name, value in features.items()}
        return run_decoder(model, features, prompts, along, multimask)

    def decode_each(
        self, model: Any, features: dict[str, Any], prompts: PromptTensors, *, multimask: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        # Upstream's prompts are (images, prompts per image, ...), so one call does.
        return scored(run_decoder(model, features, prompts, 1, multimask))

    def crop(self, features: dict[str, Any], rows: slice, columns: slice) -> dict[str, Any]:
        early = features.get("intermediate_embeddings")  # SAM-HQ: (1, height, width, channels)
        part = super().crop(
            {name: value for name, value in features.items() if name != "intermediate_embeddings"}, rows, columns
        )
        return part if early is None else {**part, "intermediate_embeddings": [layer[:, rows, columns] for layer in early]}


def run_decoder(model: Any, features: dict[str, Any], prompts: PromptTensors, along: int, multimask: bool) -> Any:
    """Upstream's output for K prompts along the dimension of images (1) or of prompts per image (0)."""
    points, labels, boxes = (
        None if given is None else given.unsqueeze(along) for given in (prompts.points, prompts.labels, prompts.boxes)
    )
    return model(
        input_points=points,
        input_labels=labels,
        input_boxes=boxes,
        input_masks=prompts.masks,
        multimask_output=multimask,
        **features,
    )


def scored(output: Any) -> tuple[Tensor, Tensor, Tensor | None]:
    """Masks, IoU, and the confidence that there is an object; None: not predicted."""
    present = getattr(output, "object_score_logits", None)  # SAM 2 and 3
    return (*masks_and_iou(output), None if present is None else present.flatten().sigmoid())


def masks_and_iou(output: Any) -> tuple[Tensor, Tensor]:
    return output.pred_masks.flatten(0, 1), output.iou_scores.flatten(0, 1)


def expand(features: Any, count: int) -> Any:
    """One image's features `(1, ...)`, or a list of them, for `count` prompts along the batch."""
    if isinstance(features, list):
        return [expand(feature, count) for feature in features]
    return features.expand(count, *features.shape[1:])


FAMILY = TransformersSam()

__all__ = ["FAMILY", "TransformersSam"]
