"""The architecture of the embedded model, and a start from which it learns.

A SAM that `transformers` initialises by its defaults learns nothing: the encoder's initialiser has a deviation of 1e-10,
the image-wide encoding one of half the hidden size (SAM's own is 1), and the decoder's layers are left to the encoder's.
"""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from basam.model import EMBEDDED

SIZE, PATCH = 256, 16
RESET = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)


def new_model(seed: int) -> nn.Module:
    """A `SamModel` of 4.7 M parameters for 256 px: 8 layers of width 192, every second one global, windows of 8 patches."""
    from transformers import SamConfig, SamModel
    from transformers.models.sam.configuration_sam import SamMaskDecoderConfig, SamPromptEncoderConfig, SamVisionConfig

    width, channels = 192, 128
    vision = SamVisionConfig(
        hidden_size=width,
        output_channels=channels,
        num_hidden_layers=8,
        num_attention_heads=3,
        image_size=SIZE,
        patch_size=PATCH,
        mlp_dim=4 * width,
        window_size=8,
        global_attn_indexes=[1, 3, 5, 7],
        num_pos_feats=channels // 2,
        initializer_range=0.02,
    )
    prompts = SamPromptEncoderConfig(hidden_size=channels, image_size=SIZE, patch_size=PATCH)
    decoder = SamMaskDecoderConfig(
        hidden_size=channels, mlp_dim=4 * channels, num_attention_heads=4, num_hidden_layers=2, iou_head_hidden_dim=channels
    )
    torch.manual_seed(seed)
    model: Any = SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder))
    parts: tuple[Any, ...] = (model.mask_decoder, model.prompt_encoder, model.vision_encoder.neck)
    for part in parts:
        for module in part.modules():
            if isinstance(module, RESET):
                module.reset_parameters()
    nn.init.normal_(model.shared_image_embedding.positional_embedding, std=1.0)
    nn.init.trunc_normal_(model.vision_encoder.pos_embed, std=0.02)
    return model


def write_model(model: Any, folder: Path) -> None:
    """Write a detached model as float16 safetensors, with the embedded model's preparation of images beside it.

    Raises:
        OSError: the folder cannot be written.
    """
    copy.deepcopy(model).half().save_pretrained(folder)
    shutil.copy(EMBEDDED["nano"] / "preprocessor_config.json", folder)
