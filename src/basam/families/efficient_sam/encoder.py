"""The image encoder of EfficientSAM: a plain vision transformer with absolute positions, every layer of which is global.

Parameters are named as in the published files. Source: Xiong et al., "EfficientSAM: Leveraged Masked Image Pretraining for
Efficient Segment Anything", CVPR 2024.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from basam.errors import InputError
from basam.families.efficient_sam.sizes import EfficientSamConfig
from basam.families.shared import GridAttention, ReplacedEncoder, merge_heads, neck
from basam.method import Aspect
from basam.positions import resample_absolute


class PatchEmbedding(nn.Module):
    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).permute(0, 2, 3, 1)  # (B, H, W, C)


class Attention(nn.Module):
    """Attention of every token to all tokens."""

    use_rel_pos = False

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def attend_grid(self, qkv: Tensor) -> Tensor:
        batch, height, width = qkv.shape[:3]
        q, k, v = qkv.flatten(1, 2).permute(2, 0, 3, 1, 4)  # (B, heads, N, d)
        out = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return merge_heads(out).view(batch, height, width, -1)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(self.attend_grid(self.qkv(x).unflatten(-1, (3, self.heads, -1))))


class CorrectedAttention(GridAttention, Attention): ...


class Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, config: EfficientSamConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp = Mlp(config.width, config.mlp)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Encoder(nn.Module):
    """`(B, 3, H, W)` to embeddings `(B, channels, H / patch, W / patch)`; without attaching, only at the trained size."""

    def __init__(self, config: EfficientSamConfig) -> None:
        super().__init__()
        self.image_size, self.positions = config.image_size, config.positions
        # The first position is of a class token, which the encoder does not have.
        self.pos_embed = nn.Parameter(torch.zeros(1, config.positions**2 + 1, config.width))
        self.patch_embed = PatchEmbedding(config.width, config.patch)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.neck = neck(config.width, config.channels)

    def check(self, pixel_values: Tensor) -> None:
        if tuple(pixel_values.shape[-2:]) != (self.image_size, self.image_size):
            height, width = pixel_values.shape[-2:]
            raise InputError(
                f"pixel_values of {height} x {width} px: a plain EfficientSAM takes {self.image_size} x {self.image_size}; "
                "basam.attach(model) makes it take any size"
            )

    @property
    def aspect(self) -> Aspect:
        return "square"

    def forward(self, pixel_values: Tensor) -> Tensor:
        self.check(pixel_values)
        x = self.patch_embed(pixel_values)
        table = self.pos_embed[:, 1:].unflatten(1, (self.positions, self.positions))
        height, width = x.shape[1:3]
        x = x + resample_absolute(table, height, width, self.aspect)
        for block in self.blocks:
            x = block(x)
        return self.neck(x.permute(0, 3, 1, 2))


class AnySizeEncoder(ReplacedEncoder, Encoder):
    """Takes any multiple of the patch, and stores the grid."""

    def check(self, pixel_values: Tensor) -> None:
        self.basam.fit(pixel_values)

    @property
    def aspect(self) -> Aspect:
        return self.basam.aspect


REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {Encoder: AnySizeEncoder, Attention: CorrectedAttention}
