"""EfficientSAM Ti and S: the published files, read into modules of our own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.errors import InputError, warn
from basam.families.base import Family, PromptTensors, is_instance
from basam.families.efficient_sam.sizes import EfficientSamConfig
from basam.families.geometry import Geometry
from basam.families.shared import Checkpoint, Shapes, build, count_parts, holds, meta_files, own_keys, read_shapes, read_state

if TYPE_CHECKING:
    from torch import Tensor, nn

PARTS = {
    "image_encoder.": r"blocks\.",
    "prompt_encoder.": r"invalid_points\.|bbox_\w+_embeddings\.|point_embeddings\.weight",
    "mask_decoder.": "",
}
HEAD_WIDTH = 64  # of the published models; it cannot be inferred from tensors
NAMES = {192: "EfficientSAM-Ti", 384: "EfficientSAM-S"}


def sizes(shapes: Shapes) -> dict[str, Any]:
    """Fields of `EfficientSamConfig`, from the tensors.

    Raises:
        UnsupportedModelError: a tensor that one follows from is missing or has no such shape.
    """
    encoder, decoder = "image_encoder.", "mask_decoder."
    width, _, patch, _ = shapes.sizes(f"{encoder}patch_embed.proj.weight", 4)
    return {
        "width": width,
        "depth": count_parts(shapes, f"{encoder}blocks."),
        "heads": max(1, width // HEAD_WIDTH),
        "mlp": shapes.sizes(f"{encoder}blocks.0.mlp.fc1.weight", 2)[0],
        "positions": math.isqrt(shapes.sizes(f"{encoder}pos_embed", 3)[1] - 1),
        "patch": patch,
        "channels": shapes.sizes(f"{encoder}neck.0.weight", 4)[0],
        "decoder_depth": count_parts(shapes, f"{decoder}transformer.layers."),
        "decoder_heads": meta_files.DECODER_HEADS,
        "decoder_inner": shapes.sizes(f"{decoder}transformer.final_attn_token_to_image.q_proj.weight", 2)[0],
        "decoder_mlp": shapes.sizes(f"{decoder}transformer.layers.0.mlp.layers.0.0.weight", 2)[0],
        "masks": shapes.sizes(f"{decoder}mask_tokens.weight", 2)[0],
        "iou_hidden": shapes.sizes(f"{decoder}iou_prediction_head.layers.0.0.weight", 2)[0],
        "upscaling": tuple(shapes.sizes(f"{decoder}final_output_upscaling_layers.{layer}.0.weight", 4)[1] for layer in (0, 1)),
    }


class EfficientSamFamily(Family):
    """Every layer is global, and positions are absolute: the model that suffers most from longer sequences."""

    name = "EfficientSAM"

    def matches(self, model: nn.Module) -> bool:
        return is_instance(model, "basam.families.efficient_sam.modules", "EfficientSam")

    def geometry(self, model: Any) -> Geometry:
        config = model.config
        layers = tuple(range(config.depth))
        return Geometry(config.patch, config.image_size // config.patch, config.depth, layers, config.heads)

    def replacements(self, model: Any) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        from basam.families.attachment import class_replacements, global_replacements
        from basam.families.efficient_sam.modules import REPLACEMENTS

        encoder: Any = model.get_submodule("image_encoder")
        global_replacements(encoder.blocks, "attn", REPLACEMENTS, model.config.depth)

        return class_replacements(model, REPLACEMENTS)

    def encoder(self, model: Any) -> nn.Module:
        return model.image_encoder

    def recognises(self, path: Path) -> bool:
        return holds(path, PARTS)

    def read(self, path: Path) -> Checkpoint:
        from basam.families.efficient_sam.modules import EfficientSam

        shapes = read_shapes(path)
        model: Any = build(path, sizes(shapes), lambda fields: EfficientSam(EfficientSamConfig(**fields)))
        width = model.config.width
        about = {"tensors": len(shapes), "layout": "EfficientSAM's state dict"}
        summary = self.describe(model, architecture=NAMES.get(width, f"EfficientSAM of width {width}"), **about)
        return Checkpoint(model, summary, shapes, partial(read_state, path), own_keys(model))

    def encode(self, model: Any, pixel_values: Tensor) -> Tensor:
        return model.image_encoder(pixel_values).to(model.mask_decoder.iou_token.weight.dtype)

    def decode(self, model: Any, features: Tensor, prompts: PromptTensors, *, multimask: bool) -> tuple[Tensor, Tensor]:
        import torch

        from basam.families.efficient_sam.modules import BOTTOM_RIGHT, MAX_POINTS, TOP_LEFT

        points, labels, boxes = prompts.points, prompts.labels, prompts.boxes
        if prompts.masks is not None:
            raise InputError("masks: EfficientSAM takes points and boxes, it has no mask prompts")
        given: list[tuple[Tensor, Tensor]] = []
        if points is not None and labels is not None:
            if (labels == 0).any():
                warn("EfficientSAM has no embedding for negative points: only their positions are encoded")
            given.append((points, labels))
        if boxes is not None:
            corners = torch.tensor([TOP_LEFT, BOTTOM_RIGHT], device=boxes.device).expand(len(boxes), 2)
            given.append((boxes.view(-1, 2, 2), corners))
        count = sum(kind.shape[1] for _, kind in given)
        if not 0 < count <= MAX_POINTS:
            raise InputError(f"{count} points: EfficientSAM takes 1 to {MAX_POINTS}, of which a box is two")
        if hasattr(model.prompt_encoder, "basam"):
            model.prompt_encoder.basam.grid = (features.shape[-2], features.shape[-1])
        coordinates = torch.cat([where for where, _ in given], dim=1)
        return model.decode(features, coordinates, torch.cat([kind for _, kind in given], dim=1), multimask)


FAMILY = EfficientSamFamily()

__all__ = ["FAMILY"]
