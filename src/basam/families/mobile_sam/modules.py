"""MobileSAM as a `SamModel` of `transformers` whose image encoder is a TinyViT."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from torch import Tensor, nn
from transformers import SamConfig
from transformers.models.sam import modeling_sam as sam

from basam.families.mobile_sam import tinyvit
from basam.families.mobile_sam.sizes import TinyViTConfig, tinyvit_config
from basam.families.mobile_sam.tinyvit import TinyViT
from basam.families.shared import AnySizeModel, SamEncoding, SamPrompts


class MobileSamConfig(SamConfig):
    """`SamConfig` with the sizes of the TinyViT; its `vision_config` has the fields read by prompts and positions."""

    model_type = "mobile_sam"

    def __init__(self, tinyvit: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # JSON has lists only.
        sizes = asdict(tinyvit_config(tinyvit or {}))
        self.tinyvit = {name: list(value) if isinstance(value, tuple) else value for name, value in sizes.items()}

    def sizes(self) -> TinyViTConfig:
        return tinyvit_config(self.tinyvit)


class Encoder(TinyViT):
    """TinyViT with the output of `transformers`' encoders."""

    def forward(self, pixel_values: Tensor, **kwargs: Any) -> sam.SamVisionEncoderOutput:
        return sam.SamVisionEncoderOutput(last_hidden_state=super().forward(pixel_values))


class AnySizeEncoder(tinyvit.AnySizeTinyViT, Encoder): ...


class MobileSamModel(sam.SamModel):
    """MobileSAM; used like `transformers.SamModel`."""

    config_class = MobileSamConfig

    def __init__(self, config: MobileSamConfig) -> None:
        super().__init__(config)
        self.vision_encoder = Encoder(config.sizes())

    def get_input_embeddings(self) -> nn.Module:
        return self.vision_encoder.patch_embed


class AnySizeMobileSam(AnySizeModel, MobileSamModel): ...


# `save_pretrained` writes the name of the class into config.json.
AnySizeMobileSam.__name__ = MobileSamModel.__name__

REPLACEMENTS = {
    **tinyvit.REPLACEMENTS,
    Encoder: AnySizeEncoder,
    MobileSamModel: AnySizeMobileSam,
    sam.SamPromptEncoder: SamPrompts,
    sam.SamPositionalEmbedding: SamEncoding,
}
