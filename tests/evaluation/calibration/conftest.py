"""A SAM too small to be of use, and photographs with masks for it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture
def tiny_sam():
    """A random SAM trained, as it were, at 64 px: 4 x 4 tokens, layers 1 and 2 of three global."""
    from transformers import SamConfig, SamModel

    torch.manual_seed(0)
    vision = {"hidden_size": 32, "mlp_dim": 64, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 64}
    vision |= {"patch_size": 16, "window_size": 2, "global_attn_indexes": [1, 2], "output_channels": 16}
    vision |= {"initializer_range": 0.02, "num_pos_feats": 8}
    prompts = {"hidden_size": 16, "image_size": 64, "patch_size": 16, "mask_input_channels": 4}
    masks = {"hidden_size": 16, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16}
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=masks)
    model = SamModel(config).eval()
    with torch.no_grad():  # as trained ones, layers attend to something and know where they are
        for layer in model.vision_encoder.layers:
            layer.attn.qkv.weight.normal_(std=0.3)
            layer.attn.rel_pos_h.normal_(std=0.3)
            layer.attn.rel_pos_w.normal_(std=0.3)
    return model


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """`train/images` with four photographs, `train/masks` beside it, and the same again as `test`."""
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        images, masks = tmp_path / split / "images", tmp_path / split / "masks"
        images.mkdir(parents=True)
        masks.mkdir()
        for number, (height, width) in enumerate(((48, 64), (64, 64), (40, 64), (64, 44))):
            Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(images / f"{number}.png")
            mask = np.zeros((height, width), dtype=np.uint8)
            mask[10:30, 12:40] = 255
            Image.fromarray(mask).save(masks / f"{number}.png")
    return tmp_path
