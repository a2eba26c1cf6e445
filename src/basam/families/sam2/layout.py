"""Which tensors a SAM 2 for images has, and of what shape, by its configuration: no model is built for it.

Keys are Meta's; `pyramid_layout.table_to_transformers` gives them their other names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from basam.families.sam2 import sizes
from basam.families.shared import layout, pyramid_files, pyramid_layout


def expected_tensors(config: Mapping[str, Any]) -> layout.Table:
    """The tensors that a configuration promises.

    Raises:
        UnsupportedModelError: a size is none; the message names it.
    """
    neck, vision = "image_encoder.neck.convs.", sizes.vision_of(config)
    channels = vision["fpn_hidden_size"]
    found = trunk(sizes.backbone_of(config)) | {"no_mem_embed": (1, 1, channels)}
    for number, width in enumerate(vision["backbone_channel_list"]):
        found |= layout.conv(f"{neck}{number}.conv", width, channels, 1)
    return found | pyramid_layout.prompts_and_masks(pyramid_files.decoder_sizes(config))


def trunk(backbone: Mapping[str, Any]) -> layout.Table:
    """Meta's `Hiera` of a `backbone_config`."""
    prefix, width, window = "image_encoder.trunk.", backbone["hidden_size"], backbone["window_size_per_stage"][0]
    found = layout.conv(f"{prefix}patch_embed.proj", backbone["num_channels"], width, sizes.KERNEL)
    found[f"{prefix}pos_embed"] = (1, width, *backbone["window_positional_embedding_background_size"])
    found[f"{prefix}pos_embed_window"] = (1, width, window, window)
    number = 0
    for blocks, outputs in zip(backbone["blocks_per_stage"], backbone["embed_dim_per_stage"], strict=True):
        for _ in range(blocks):
            block = f"{prefix}blocks.{number}."
            found |= layout.norm(f"{block}norm1", width) | layout.norm(f"{block}norm2", outputs)
            found |= layout.linear(f"{block}attn.qkv", width, 3 * outputs)
            found |= layout.linear(f"{block}attn.proj", outputs, outputs)
            found |= layout.head(f"{block}mlp", outputs, int(outputs * backbone["mlp_ratio"]), outputs, 2)
            if width != outputs:
                found |= layout.linear(f"{block}proj", width, outputs)
            width, number = outputs, number + 1
    return found
