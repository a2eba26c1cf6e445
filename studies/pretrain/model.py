"""The architecture of the embedded model, and a start from which it learns.

A SAM that `transformers` initialises by its defaults learns nothing: the encoder's initialiser has a deviation of 1e-10,
the image-wide encoding one of half the hidden size (SAM's own is 1), and the decoder's layers are left to the encoder's.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from basam.errors import InputError
from basam.families.shared import quiet
from basam.files import replacing
from basam.model import EMBEDDED, find_device, load

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


def model_to_train(start: str | None, seed: int, device: str) -> Any:
    """The model `start`, or a new one.

    Raises:
        ValueError: `start` is no SAM of this size; whatever `basam.load` raises.
    """
    model: Any = new_model(seed) if start is None else load(start)
    found = type(model).__name__
    if found == "SamModel":
        vision = model.config.vision_config
        if (vision.image_size, vision.patch_size) != (SIZE, PATCH):
            found += f" of {vision.image_size} px with patches of {vision.patch_size}"
    if found != "SamModel":
        raise InputError(f"--init {start} is a {found}: a SamModel of {SIZE} px with patches of {PATCH} px is needed")
    # The backward of PyTorch's fused attention on CPU is slow for the decoder's few prompt tokens: a fifth of a step.
    if find_device(device).type == "cpu":
        with quiet():  # which warns that it finds no submodel of this name
            model.set_attn_implementation({"mask_decoder_config": "eager"})
    return model


def write_model(model: Any, folder: Path) -> None:
    """Write a detached model as float16 safetensors, with the embedded model's preparation of images beside it.

    Every file takes the place of the one before when it is complete, so that the folder loads at any moment.

    Raises:
        OSError: the folder cannot be written.
    """
    with tempfile.TemporaryDirectory() as written, quiet():
        copy.deepcopy(model).half().save_pretrained(written)
        files = [*sorted(Path(written).iterdir()), EMBEDDED["nano"] / "preprocessor_config.json"]
        for file in files:
            with replacing(folder / file.name) as path:
                shutil.copyfile(file, path)
