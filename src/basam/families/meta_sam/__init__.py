"""Meta's SAM: files with its keys become a `SamModel` of `transformers`; live models of `segment_anything` and its forks
(SAM-HQ, MobileSAM's ViT, micro-sam) are attached in place, recognised by their structure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from basam.families.base import Family, PromptTensors, UnsupportedModelError, cropped
from basam.families.geometry import Geometry
from basam.families.shared import Checkpoint, holds, meta_files

if TYPE_CHECKING:
    from torch import Tensor, nn


class MetaSam(Family):
    """`segment_anything.modeling.Sam` with an `ImageEncoderViT`, and models of the same classes."""

    name = "Meta's segment_anything, its forks and its files"

    def matches(self, model: Any) -> bool:
        from torch import nn

        encoder = getattr(model, "image_encoder", None)
        blocks = getattr(encoder, "blocks", None)
        return (
            any(base.__name__ == "ImageEncoderViT" for base in type(encoder).__mro__)
            and hasattr(encoder, "patch_embed")
            and isinstance(blocks, nn.ModuleList)
            and all(hasattr(block, "window_size") and hasattr(block, "attn") for block in blocks)
            and hasattr(getattr(model, "prompt_encoder", None), "get_dense_pe")
            and hasattr(model, "mask_decoder")
            and callable(getattr(model, "preprocess", None))
            and callable(getattr(model, "postprocess_masks", None))
        )

    def geometry(self, model: Any) -> Geometry:
        encoder = model.image_encoder
        patch = encoder.patch_embed.proj.kernel_size[0]
        return Geometry(
            patch=patch,
            trained_side=vars(encoder)["img_size"] // patch,
            layers=len(encoder.blocks),
            global_layers=tuple(layer for layer, block in enumerate(encoder.blocks) if block.window_size == 0),
            heads=encoder.blocks[0].attn.num_heads,
        )

    def replacements(self, model: Any) -> Iterable[tuple[nn.Module, type[nn.Module]]]:
        from basam.families.attachment import combine
        from basam.families.meta_sam import modules as ours

        parts: list[tuple[nn.Module, type[nn.Module]]] = [
            (model, ours.MetaModel),
            (model.image_encoder, ours.MetaEncoder),
            (model.prompt_encoder, ours.MetaPrompts),
            (model.mask_decoder, ours.MetaDecoder),
        ]
        attentions = [block.attn for block in model.image_encoder.blocks if block.window_size == 0]
        for attention in attentions:
            check_attention(attention)
        parts += [(attention, ours.MetaAttention) for attention in attentions]
        return [(module, combine(mixin, type(module))) for module, mixin in parts]

    def encoder(self, model: Any) -> nn.Module:
        return model.image_encoder

    def recognises(self, path: Path) -> bool:
        return holds(path, meta_files.PARTS)

    def read(self, path: Path) -> Checkpoint:
        return meta_files.read(path)

    def encode(self, model: Any, pixel_values: Tensor) -> tuple[Tensor, dict[str, Any]]:
        output = model.image_encoder(pixel_values)
        extra: dict[str, Any] = {}
        if isinstance(output, tuple):  # SAM-HQ: its decoder also takes features of the first global blocks
            output, extra = output[0], {"interm_embeddings": output[1], "hq_token_only": False}
        return output.to(model.mask_decoder.iou_token.weight.dtype), extra

    def embedding(self, features: tuple[Tensor, dict[str, Any]]) -> Tensor:
        return features[0]

    def crop(self, features: tuple[Tensor, dict[str, Any]], rows: slice, columns: slice) -> tuple[Tensor, dict[str, Any]]:
        embedding, extra = features
        early = extra.get("interm_embeddings")  # (1, height, width, channels)
        cut = {} if early is None else {"interm_embeddings": [layer[:, rows, columns] for layer in early]}
        return cropped(embedding, 1, rows, columns), extra | cut

    def decode(
        self, model: Any, features: tuple[Tensor, dict[str, Any]], prompts: PromptTensors, *, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        from basam.families.attachment import Replaced

        embedding, extra = features
        if isinstance(model, Replaced):
            model.basam.grid = (embedding.shape[-2], embedding.shape[-1])
        points = None if prompts.points is None else (prompts.points, prompts.labels)
        sparse, dense = model.prompt_encoder(points=points, boxes=prompts.boxes, masks=prompts.masks)
        return model.mask_decoder(
            image_embeddings=embedding,
            image_pe=model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            **extra,
        )


def check_attention(attention: nn.Module) -> None:
    """Raise for attention that differs from Meta's, because its forward pass is reimplemented here.

    Raises:
        UnsupportedModelError: naming its class.
    """
    own = type(attention)
    forwards = ["forward" in vars(parent) for parent in own.__mro__ if parent.__module__ != "torch.nn.modules.module"]
    parts = ("qkv", "proj", "num_heads", "scale", "use_rel_pos")
    if sum(forwards) > 1 or "forward" in vars(attention) or not all(hasattr(attention, part) for part in parts):
        raise UnsupportedModelError(
            f"{own.__module__}.{own.__qualname__} is the attention of a global layer and not built as Meta's "
            f"({', '.join(parts)}, and no forward over another): basam would change more than the correction"
        )


FAMILY = MetaSam()

__all__ = ["FAMILY"]
