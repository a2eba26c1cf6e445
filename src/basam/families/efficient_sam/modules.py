"""EfficientSAM: its encoder with prompt encoder and mask decoder, which are close to SAM's.

Differences of the decoder to SAM's: at most six points (a box is two, with labels of their own), no mask prompts, no embedding
of negative points; self-attention adds positions to values too and is never skipped in the residual; heads and MLPs use GELU;
upscaling normalises over all pixels. Parameters are named as in the published files.

Source: Xiong et al., "EfficientSAM: Leveraged Masked Image Pretraining for Efficient Segment Anything", CVPR 2024.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from basam.families.attachment import Replaced
from basam.families.efficient_sam import encoder as efficient_encoder
from basam.families.efficient_sam.encoder import Encoder
from basam.families.efficient_sam.sizes import EfficientSamConfig
from basam.families.shared import merge_heads
from basam.method import Aspect
from basam.positions import extent, image_wide_coordinates

# Types of points in the prompt encoder.
PADDING, POINT, TOP_LEFT, BOTTOM_RIGHT = -1, 1, 2, 3
MAX_POINTS = 6


class PositionalEncoding(nn.Module):
    """Random Fourier features of coordinates in 0..1: `(..., 2)` to `(..., channels)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, channels // 2))

    def forward(self, coordinates: Tensor) -> Tensor:
        matrix = self.get_buffer("positional_encoding_gaussian_matrix")
        angles = 2 * math.pi * ((2 * coordinates - 1).to(matrix) @ matrix)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Prompts(nn.Module):
    """Encodes points and corners of boxes, and the positions of the grid."""

    def __init__(self, config: EfficientSamConfig) -> None:
        super().__init__()
        self.trained_grid, self.patch = config.grid, config.patch
        self.pe_layer = PositionalEncoding(config.channels)
        self.invalid_points = nn.Embedding(1, config.channels)
        self.point_embeddings = nn.Embedding(1, config.channels)
        self.bbox_top_left_embeddings = nn.Embedding(1, config.channels)
        self.bbox_bottom_right_embeddings = nn.Embedding(1, config.channels)

    @property
    def grid(self) -> tuple[int, int]:
        return self.trained_grid

    @property
    def aspect(self) -> Aspect:
        return "square"

    def dense(self) -> Tensor:
        """Positional encoding of the grid, `(1, channels, H, W)`."""
        coordinates = image_wide_coordinates(*self.grid, self.point_embeddings.weight.device, self.aspect)
        return self.pe_layer(coordinates).permute(2, 0, 1)[None]

    def forward(self, points: Tensor, labels: Tensor) -> Tensor:
        """points `(K, P, 2)` in pixels and labels `(K, P)`, the type of every point or 0, to `(K, 6, C)`."""
        missing = MAX_POINTS - points.shape[1]
        points = F.pad(points, (0, 0, 0, missing), value=-1.0)
        labels = F.pad(labels, (0, missing), value=PADDING)
        points = points.masked_fill((labels == PADDING)[..., None], -1.0)  # whatever coordinates padding has
        height, width = extent(*self.grid, self.aspect)
        encoded = self.pe_layer((points + 0.5) / points.new_tensor([width * self.patch, height * self.patch]))
        kinds = {
            PADDING: self.invalid_points,
            POINT: self.point_embeddings,
            TOP_LEFT: self.bbox_top_left_embeddings,
            BOTTOM_RIGHT: self.bbox_bottom_right_embeddings,
        }
        for label, embedding in kinds.items():
            encoded = encoded + (labels == label)[..., None] * embedding.weight
        return encoded


class AnySizePrompts(Replaced, Prompts):
    """Positions follow the grid of the current image."""

    @property
    def grid(self) -> tuple[int, int]:
        return self.basam.grid

    @property
    def aspect(self) -> Aspect:
        return self.basam.aspect


class Head(nn.Module):
    """An MLP with GELU after every layer but the last."""

    def __init__(self, width: int, hidden: int, outputs: int, layers: int) -> None:
        super().__init__()
        widths = [width] + [hidden] * layers
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(widths[i], hidden), nn.GELU()) for i in range(layers))
        self.fc = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.fc(x)


class CrossAttention(nn.Module):
    """Attention between tokens and image, or among tokens, in `inner` channels."""

    def __init__(self, channels: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(channels, inner)
        self.k_proj = nn.Linear(channels, inner)
        self.v_proj = nn.Linear(channels, inner)
        self.out_proj = nn.Linear(inner, channels)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v))
        )
        return self.out_proj(merge_heads(F.scaled_dot_product_attention(q, k, v)))


class TwoWayBlock(nn.Module):
    """Tokens among themselves, tokens to the image, an MLP, the image to the tokens."""

    def __init__(self, config: EfficientSamConfig, first: bool) -> None:
        super().__init__()
        channels, heads = config.channels, config.decoder_heads
        self.first = first
        self.self_attn = CrossAttention(channels, channels, heads)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn_token_to_image = CrossAttention(channels, config.decoder_inner, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Head(channels, config.decoder_mlp, channels, 1)
        self.norm3 = nn.LayerNorm(channels)
        self.norm4 = nn.LayerNorm(channels)
        self.cross_attn_image_to_token = CrossAttention(channels, config.decoder_inner, heads)

    def forward(self, tokens: Tensor, image: Tensor, token_positions: Tensor, image_positions: Tensor) -> tuple[Tensor, Tensor]:
        if not self.first:
            tokens = tokens + token_positions
        tokens = self.norm1(tokens + self.self_attn(tokens, tokens, tokens))
        keys = image + image_positions
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + token_positions, keys, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(keys, tokens + token_positions, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    def __init__(self, config: EfficientSamConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TwoWayBlock(config, first=layer == 0) for layer in range(config.decoder_depth))
        self.final_attn_token_to_image = CrossAttention(config.channels, config.decoder_inner, config.decoder_heads)
        self.norm_final_attn = nn.LayerNorm(config.channels)

    def forward(self, image: Tensor, image_positions: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """image and its positions `(1, N, C)`, prompts `(K, T, C)`, to tokens `(K, T, C)` and image `(K, N, C)`."""
        image, tokens = image.expand(len(prompts), -1, -1), prompts
        for layer in self.layers:
            tokens, image = layer(tokens, image, prompts, image_positions)
        attended = self.final_attn_token_to_image(tokens + prompts, image + image_positions, image)
        return self.norm_final_attn(tokens + attended), image


def upscaling(inputs: int, outputs: int, last: bool) -> nn.Sequential:
    """Twice the resolution."""
    norm = nn.Identity() if last else nn.GroupNorm(1, outputs)
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 2, 2), norm, nn.GELU())


class MaskDecoder(nn.Module):
    """Embeddings and encoded prompts to mask logits and predicted IoU."""

    def __init__(self, config: EfficientSamConfig) -> None:
        super().__init__()
        channels, (middle, outputs) = config.channels, config.upscaling
        self.transformer = TwoWayTransformer(config)
        self.iou_token = nn.Embedding(1, channels)
        self.mask_tokens = nn.Embedding(config.masks, channels)
        self.final_output_upscaling_layers = nn.ModuleList(
            [upscaling(channels, middle, last=False), upscaling(middle, outputs, last=True)]
        )
        self.output_hypernetworks_mlps = nn.ModuleList(Head(channels, channels, outputs, 2) for _ in range(config.masks))
        self.iou_prediction_head = Head(channels, config.iou_hidden, config.masks, 2)

    def forward(self, image: Tensor, positions: Tensor, prompts: Tensor, multimask: bool) -> tuple[Tensor, Tensor]:
        """image and positions `(1, C, H, W)`, prompts `(K, P, C)`, to masks `(K, M, 4 H, 4 W)` and IoU `(K, M)`."""
        height, width = image.shape[-2:]
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(len(prompts), -1, -1), prompts], dim=1)
        tokens, pixels = self.transformer(image.flatten(2).transpose(1, 2), positions.flatten(2).transpose(1, 2), tokens)
        pixels = pixels.transpose(1, 2).unflatten(2, (height, width))
        for layer in self.final_output_upscaling_layers:
            pixels = layer(pixels)
        weights = torch.stack([mlp(tokens[:, 1 + i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)], dim=1)
        masks = torch.einsum("kmc,kchw->kmhw", weights, pixels)
        iou = self.iou_prediction_head(tokens[:, 0])
        chosen = slice(1, None) if multimask else slice(0, 1)
        return masks[:, chosen], iou[:, chosen]


class EfficientSam(nn.Module):
    """EfficientSAM; takes normalised images, and points in pixels of the image."""

    def __init__(self, config: EfficientSamConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = Encoder(config)
        self.prompt_encoder = Prompts(config)
        self.mask_decoder = MaskDecoder(config)

    def forward(self, pixel_values: Tensor, points: Tensor, labels: Tensor, multimask: bool = True) -> tuple[Tensor, Tensor]:
        """pixel_values `(1, 3, H, W)`; prompts as for `Prompts`, results as of `MaskDecoder`."""
        return self.decode(self.image_encoder(pixel_values), points, labels, multimask)

    def decode(self, embeddings: Tensor, points: Tensor, labels: Tensor, multimask: bool) -> tuple[Tensor, Tensor]:
        prompts = self.prompt_encoder(points, labels)
        return self.mask_decoder(embeddings, self.prompt_encoder.dense(), prompts, multimask)


REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {
    **efficient_encoder.REPLACEMENTS,
    Prompts: AnySizePrompts,
}
