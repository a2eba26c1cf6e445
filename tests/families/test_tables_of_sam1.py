"""Which tensors the sizes of a MobileSAM and of an EfficientSAM promise: those of their modules."""

from __future__ import annotations

import pytest
import torch

from basam.families.efficient_sam.layout import expected_tensors
from basam.families.efficient_sam.modules import EfficientSam
from basam.families.efficient_sam.sizes import EfficientSamConfig
from basam.families.mobile_sam.layout import PREFIX, encoder_tensors
from basam.families.mobile_sam.sizes import TinyViTConfig
from basam.families.mobile_sam.tinyvit import TinyViT


@pytest.mark.parametrize(
    "sizes",
    [
        TinyViTConfig(),
        TinyViTConfig((16, 24, 32, 40), (1, 3, 2, 1), (0, 2, 4, 5), (0, 3, 5, 2), expansion=3, classes=7, channels=20),
    ],
)
def test_tinyvit(sizes):
    with torch.device("meta"):
        model = TinyViT(sizes)
    assert encoder_tensors(sizes) == {f"{PREFIX}{key}": tuple(value.shape) for key, value in model.state_dict().items()}


@pytest.mark.parametrize(
    "sizes",
    [
        EfficientSamConfig(),
        EfficientSamConfig(
            *(32, 3, 2, 48, 5, 8, 64, 24, 3, 4, 12, 40),
            masks=3,
            iou_hidden=20,
            upscaling=(12, 6),
        ),
    ],
)
def test_efficient_sam(sizes):
    with torch.device("meta"):
        model = EfficientSam(sizes)
    assert expected_tensors(sizes) == {key: tuple(value.shape) for key, value in model.state_dict().items()}
