"""Tiny random SAMs of the true architecture, whose every table holds numbers that matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import SamConfig, SamHQConfig, SamHQModel, SamModel, SamVisionConfig, SamVisionModel

VISION = {
    "hidden_size": 32,
    "output_channels": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "patch_size": 16,
    "mlp_dim": 64,
    "window_size": 3,
    "global_attn_indexes": [1, 3],
    "num_pos_feats": 8,
    "initializer_range": 0.02,
}
DECODER = {"hidden_size": 16, "mlp_dim": 32, "num_attention_heads": 2, "num_hidden_layers": 2, "iou_head_hidden_dim": 16}


def tiny_sam(image_size: int = 64, hq: bool = False, seed: int = 0, attn: str = "sdpa", **vision: Any) -> Any:
    """A SamModel (or SamHQModel) for `image_size`, in evaluation mode, all parameters drawn with a visible scale."""
    sides = {"image_size": image_size}
    prompt = {"hidden_size": 16, "mask_input_channels": 8, "image_embedding_size": image_size // 16, "patch_size": 16, **sides}
    decoder = DECODER | ({"vit_dim": 32} if hq else {})
    config_class, model_class = (SamHQConfig, SamHQModel) if hq else (SamConfig, SamModel)
    config = config_class(vision_config=VISION | sides | vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
    config._attn_implementation = attn
    return drawn(model_class(config).eval(), seed)


def tiny_folder(folder: Path) -> Path:
    """`tiny_sam()` as a checkpoint folder."""
    tiny_sam().save_pretrained(folder)
    return folder


def tiny_encoder(image_size: int = 64, seed: int = 0) -> Any:
    """The image encoder alone: heads of 16 channels, windows of 3 that do not fit its grid."""
    return drawn(SamVisionModel(SamVisionConfig(**VISION, image_size=image_size)).eval(), seed)


def drawn(model: Any, seed: int) -> Any:
    """A model whose every parameter is drawn with a visible scale."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 1.0 if "positional_embedding" in name or "pos_embed" in name else 0.3
            noise = torch.randn(parameter.shape, generator=generator) * scale
            parameter.copy_(1 + 0.1 * noise if "norm" in name and name.endswith("weight") else noise)
    return model


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A photograph of noise, `(height, width, 3)` uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
