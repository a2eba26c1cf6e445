"""SAM's image encoders of the published sizes, with random weights."""

from __future__ import annotations

from typing import Any

# Channels, layers, heads, global layers, width of the MLP.
VIT = {
    "b": (768, 12, 12, [2, 5, 8, 11], 3072),
    "l": (1024, 24, 16, [5, 11, 17, 23], 4096),
    "h": (1280, 32, 16, [7, 15, 23, 31], 5120),
}


def heads_of(name: str) -> int:
    return VIT[name][2]


def sam_encoder(name: str, image_size: int) -> Any:
    """A `SamVisionModel` of `transformers` for `image_size` pixels, with its fused attention."""
    from transformers import SamVisionConfig, SamVisionModel

    hidden, layers, heads, global_layers, mlp = VIT[name]
    config = SamVisionConfig(
        image_size=image_size,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        global_attn_indexes=global_layers,
        mlp_dim=mlp,
        initializer_range=0.02,
        attn_implementation="sdpa",
    )
    return SamVisionModel(config)
