"""Parts of `transformers`' SAM that make prompts and masks follow the image; used by MobileSAM too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from transformers.models.sam import modeling_sam as sam

from basam.families.attachment import Replaced
from basam.positions import image_wide_coordinates

try:
    from transformers.utils import output_capturing
except ImportError:  # before transformers 5.2 the registry was elsewhere
    from transformers.utils import generic as output_capturing


def share_recording(replacements: Iterable[tuple[nn.Module, type[nn.Module]]]) -> None:
    """Register a replacement for recording (`output_hidden_states=True`) as its upstream class is registered.

    The registry is private to `transformers`: without it only recording of intermediate results is lost.
    """
    registry: dict[str, Any] = getattr(output_capturing, "_CAN_RECORD_REGISTRY", {})
    for base, replacement in {(type(module), replacement) for module, replacement in replacements}:
        recorded = dict.get(registry, str(base))
        if recorded is not None:
            dict.__setitem__(registry, str(replacement), recorded)


class AnySizeEncoding(Replaced, nn.Module):
    """Upstream normalises coordinates of prompts by a square; here they follow the aspect rule."""

    def forward(self, input_coords: Tensor, input_shape: tuple[int, int] | None = None) -> Tensor:
        return super().forward(input_coords, None if input_shape is None else self.basam.pixel_extent)


class AnySizePrompts(Replaced, nn.Module):
    """Upstream reads the grid from `image_embedding_size`, and normalises coordinates by a square from `input_image_size`."""

    @property
    def image_embedding_size(self) -> tuple[int, int]:
        return self.basam.grid

    @property
    def mask_input_size(self) -> tuple[int, int]:
        height, width = self.basam.grid
        scale = self.basam.geometry.mask_scale
        return scale * height, scale * width

    @property
    def input_image_size(self) -> int:
        return self.basam.long_side * self.basam.geometry.patch


class SavedWithMode(Replaced, nn.Module):
    """A model whose `save_pretrained` writes its mode too, so that `basam.load` gives the same correction."""

    def save_pretrained(
        self, save_directory: Any, is_main_process: bool = True, state_dict: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        upstream: Any = super()
        upstream.save_pretrained(save_directory, is_main_process, state_dict, *args, **kwargs)
        if is_main_process and self.basam_own.save_mode is not None:
            pushed = bool(kwargs.get("push_to_hub", args and args[0]))
            self.basam_own.save_mode(self, save_directory, own_weights=state_dict is None, pushed=pushed)


class AnySizeModel(SavedWithMode):
    """Stores the grid before upstream's forward pass reads it."""

    shared_image_embedding: Any

    def get_image_wide_positional_embeddings(self) -> Tensor:
        device = self.shared_image_embedding.positional_embedding.device
        coordinates = image_wide_coordinates(*self.basam.grid, device, self.basam.aspect)
        return self.shared_image_embedding(coordinates).permute(2, 0, 1)[None]  # (1, channels, H, W)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        input_points: Tensor | None = None,
        input_labels: Tensor | None = None,
        input_boxes: Tensor | None = None,
        input_masks: Tensor | None = None,
        image_embeddings: Tensor | list[Tensor] | None = None,
        **kwargs: Any,
    ) -> Any:
        if pixel_values is not None:
            self.basam.fit(pixel_values)
        elif image_embeddings is not None:
            # SAM 2 and 3 have several feature maps, the coarsest of which has a pixel a patch.
            coarsest = image_embeddings if isinstance(image_embeddings, Tensor) else image_embeddings[-1]
            self.basam.grid = (coarsest.shape[-2], coarsest.shape[-1])
        return super().forward(
            pixel_values, input_points, input_labels, input_boxes, input_masks, image_embeddings=image_embeddings, **kwargs
        )


class SamPrompts(AnySizePrompts, sam.SamPromptEncoder): ...


class SamEncoding(AnySizeEncoding, sam.SamPositionalEmbedding): ...
