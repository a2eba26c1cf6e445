"""The neck that closes every image encoder of SAM: to the width of the decoder, with norms over channels."""

from __future__ import annotations

from torch import Tensor, nn


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of `(B, C, H, W)`."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def neck(width: int, channels: int) -> nn.Sequential:
    """`(B, width, H, W)` to `(B, channels, H, W)`; parameters are named as in the published files."""
    return nn.Sequential(
        nn.Conv2d(width, channels, kernel_size=1, bias=False),
        ChannelNorm(channels),
        nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
        ChannelNorm(channels),
    )
