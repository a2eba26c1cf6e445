"""Tiny random SAM 3 trackers of the true architecture, whose every tensor holds numbers that matter."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import Sam3TrackerConfig, Sam3TrackerModel

from tests.helpers.tiny_sam2 import DECODER, loud

WINDOW = 3


def sam3_config(
    image_size: Any = 126, *, trained: int = 126, scales: tuple[float, ...] = (4.0, 2.0, 1.0, 0.5)
) -> Sam3TrackerConfig:
    """A configuration for `trained` px; image_size is that of the encoder alone, which upstream reads as [width, height]."""
    side = trained // 14
    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "image_size": image_size,
        "window_size": WINDOW,
        "global_attn_indexes": [1, 3],
        "pretrain_image_size": WINDOW * 14,
    }
    return Sam3TrackerConfig(
        vision_config={
            "backbone_config": backbone,
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[scale * side, scale * side] for scale in (4, 2, 1)],
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": trained, "patch_size": 14},
        mask_decoder_config=dict(DECODER),
    )


def tiny_sam3(size: int = 126, seed: int = 0, **options: Any) -> Any:
    """A Sam3TrackerModel for `size`, in evaluation mode; the weights are the same for every size."""
    pytest.importorskip("transformers.models.sam3.modeling_sam3", reason="it needs torchvision here", exc_type=ImportError)
    options = {"image_size": size, "trained": size} | options
    return loud(Sam3TrackerModel(sam3_config(**options)), seed).eval()
