"""TinyViT, the image encoder of MobileSAM, for grids of any size; parameters are named as in the published file.

Convolutions down to four pixels per token, then three stages of window attention with a convolution in every block. The
window never changes, so attention needs no correction for the size of the image; `BiasMode(tinyvit_windows=...)` scales it.

Sources: Wu et al., "TinyViT: Fast Pretraining Distillation for Small Vision Transformers", ECCV 2022; Zhang et al., "Faster
Segment Anything" (MobileSAM), 2023, which makes the last merging keep the resolution.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from basam.attention import join_windows, split_windows
from basam.errors import InputError
from basam.families.attachment import Replaced
from basam.families.mobile_sam.sizes import TinyViTConfig
from basam.families.shared import ReplacedEncoder, neck
from basam.method import distances


class ConvNorm(nn.Sequential):
    """A convolution and its batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.add_module("c", nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False))
        self.add_module("bn", nn.BatchNorm2d(outputs))


class PatchEmbedding(nn.Module):
    """Two strided convolutions: four pixels per token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(ConvNorm(3, width // 2, 3, 2), nn.GELU(), ConvNorm(width // 2, width, 3, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.seq(x)


class Bottleneck(nn.Module):
    """An inverted bottleneck with a residual: a block of the convolutional stage."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        inner = width * expansion
        self.conv1 = ConvNorm(width, inner)
        self.conv2 = ConvNorm(inner, inner, 3, groups=inner)
        self.conv3 = ConvNorm(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x + self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x))))))


class Merging(nn.Module):
    """To the width of the next stage, and to its resolution."""

    def __init__(self, width: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, outputs)
        self.conv2 = ConvNorm(outputs, outputs, 3, stride, groups=outputs)
        self.conv3 = ConvNorm(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class WindowAttention(nn.Module):
    """Attention inside windows, with a bias for every distance; padding takes part in it, as in training."""

    def __init__(self, width: int, heads: int, window: int, trained_side: int) -> None:
        super().__init__()
        self.heads, self.window, self.trained_side = heads, window, trained_side
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window**2))  # entry |dy| * window + |dx|

    def factor(self, height: int, width: int) -> float:
        """The factor on q.k for a grid of this size."""
        return 1.0

    def project(self, x: Tensor) -> Tensor:
        """`(..., C)` to `(..., 3, heads, d)`; upstream keeps q, k and v of a head side by side."""
        return self.qkv(self.norm(x)).unflatten(-1, (self.heads, 3, -1)).transpose(-3, -2)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C)` to the same."""
        batch, height, width, channels = x.shape
        fill = self.project(x.new_zeros(channels))  # upstream pads with zeros before the norm
        q, k, v = split_windows(self.project(x), self.window, fill)  # (B * windows, heads, window ** 2, d)
        distance = distances(self.window).to(x.device)
        index = distance[:, None, :, None] * self.window + distance[None, :, None, :]  # (y, x, y', x')
        bias = self.attention_biases[:, index.reshape(self.window**2, -1)]
        scale = q.shape[-1] ** -0.5 * self.factor(height, width)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)
        return self.proj(join_windows(out, batch, height, width, self.window))


class ScaledWindowAttention(Replaced, WindowAttention):
    """Window attention under `BiasMode(tinyvit_windows=...)`."""

    def factor(self, height: int, width: int) -> float:
        windows = math.ceil(height / self.window) * math.ceil(width / self.window)
        return self.basam.mode.window_factor(windows, math.ceil(self.trained_side / self.window) ** 2)


class Mlp(nn.Module):
    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, expansion * width)
        self.fc2 = nn.Linear(expansion * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class Block(nn.Module):
    """Window attention, a convolution over the whole grid, an MLP."""

    def __init__(self, width: int, heads: int, window: int, expansion: int, trained_side: int) -> None:
        super().__init__()
        self.attn = WindowAttention(width, heads, window, trained_side)
        self.local_conv = ConvNorm(width, width, 3, groups=width)
        self.mlp = Mlp(width, expansion)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        x = x.permute(0, 2, 3, 1)
        x = self.local_conv((x + self.attn(x)).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return (x + self.mlp(x)).permute(0, 3, 1, 2)


class Stage(nn.Module):
    """Blocks of one width, and the merging towards the next one."""

    def __init__(self, config: TinyViTConfig, stage: int) -> None:
        super().__init__()
        width, strides = config.widths[stage], config.strides
        side = config.image_size // strides[stage]
        self.blocks = nn.ModuleList(
            Block(width, config.heads[stage], config.windows[stage], config.expansion, side)
            if config.heads[stage]
            else Bottleneck(width, config.expansion)
            for _ in range(config.depths[stage])
        )
        last = stage + 1 == len(config.widths)
        self.downsample = None if last else Merging(width, config.widths[stage + 1], strides[stage + 1] // strides[stage])

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class TinyViT(nn.Module):
    """`(B, 3, H, W)` to embeddings `(B, channels, H / 16, W / 16)`; without attaching, only at the trained size, as
    upstream."""

    def __init__(self, config: TinyViTConfig) -> None:
        super().__init__()
        self.image_size = config.image_size
        self.patch_embed = PatchEmbedding(config.widths[0])
        self.layers = nn.ModuleList(Stage(config, stage) for stage in range(len(config.widths)))
        self.norm_head = nn.LayerNorm(config.widths[-1])
        self.head = nn.Linear(config.widths[-1], config.classes)
        self.neck = neck(config.widths[-1], config.channels)

    def check(self, pixel_values: Tensor) -> None:
        if tuple(pixel_values.shape[-2:]) != (self.image_size, self.image_size):
            height, width = pixel_values.shape[-2:]
            raise InputError(
                f"pixel_values of {height} x {width} px: a plain MobileSAM takes {self.image_size} x {self.image_size}; "
                "basam.attach(model) makes it take any size"
            )

    def forward(self, pixel_values: Tensor) -> Tensor:
        self.check(pixel_values)
        x = self.patch_embed(pixel_values)
        for layer in self.layers:
            x = layer(x)
        return self.neck(x)


class AnySizeTinyViT(ReplacedEncoder, TinyViT):
    """Takes any multiple of 16 pixels, and stores the grid."""

    def check(self, pixel_values: Tensor) -> None:
        self.basam.fit(pixel_values)


REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {TinyViT: AnySizeTinyViT, WindowAttention: ScaledWindowAttention}
