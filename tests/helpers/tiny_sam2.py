"""Tiny random SAM 2 of the true architecture, whose every tensor holds numbers that matter."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import Sam2Config, Sam2Model

BLOCKS = [1, 2, 3, 2]
HIERA = {
    "hidden_size": 16,
    "num_attention_heads": 1,
    "blocks_per_stage": BLOCKS,
    "embed_dim_per_stage": [16, 32, 64, 128],
    "num_attention_heads_per_stage": [1, 2, 4, 8],
    "window_size_per_stage": [8, 4, 14, 7],
    "global_attention_blocks": [4, 5],
}
DECODER = {"hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32}


def sam2_config(image_size: int = 128, **hiera: Any) -> Sam2Config:
    side = image_size // 16
    backbone = HIERA | {"model_type": "sam2_hiera_det_model", "image_size": [image_size, image_size]} | hiera
    return Sam2Config(
        vision_config={
            "backbone_config": backbone,
            "backbone_channel_list": [128, 64, 32, 16],
            "backbone_feature_sizes": [[scale * side, scale * side] for scale in (4, 2, 1)],
            "fpn_hidden_size": 32,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": image_size, "patch_size": 16},
        mask_decoder_config=dict(DECODER),
    )


def tiny_sam2(image_size: int = 128, seed: int = 0, **hiera: Any) -> Any:
    """A Sam2Model for `image_size`, in evaluation mode; the weights are the same for every size."""
    return loud(Sam2Model(sam2_config(image_size, **hiera)), seed).eval()


def loud(model: nn.Module, seed: int = 0) -> nn.Module:
    """Weights large enough that every part of a model has a say in what comes out."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator)
            if "norm" in name or "lambda1" in name:
                tensor.copy_(0.2 * noise + (0 if name.endswith("bias") else 1))
            elif tensor.ndim < 2:
                tensor.copy_(0.2 * noise)
            elif any(part in name for part in ("embed", "token", "position", "memory")) and "proj" not in name:
                tensor.copy_(0.7 * noise)
            else:
                tensor.copy_(noise * 1.5 / tensor[0].numel() ** 0.5)
    return model
