"""The module that is trained: a prepared model with its slopes, which takes a batch and returns its loss."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from basam.families import PromptTensors, family_of
from basam.lab.tuning.losses import LossWeights, prompt_losses
from basam.lab.tuning.recipe import TuneLoss
from basam.lab.tuning.ways import slopes_of

# What is padded is decided: probability 0, so that neither loss sees it.
NOTHING = -30.0


class Tuned(nn.Module):
    """Args:
    model: as `ways.prepare` leaves it.
    loss: shares of the losses.
    slope_rate: the learning rate of slopes, as a multiple of that of weights.
    """

    def __init__(self, model: nn.Module, loss: TuneLoss | None = None, slope_rate: float = 1.0) -> None:
        super().__init__()
        self.model = model
        # They are no part of the model; here they are seen by the optimiser and shared between processes.
        self.slopes = slopes_of(model)
        self.loss = TuneLoss() if loss is None else loss
        self.slope_rate = slope_rate
        self.family = family_of(model)

    def train(self, mode: bool = True) -> Tuned:
        """As usual, but running statistics (TinyViT's) stay those of the base."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def rate_of(self, name: str) -> float:
        """Multiple of the learning rate for a parameter."""
        return self.slope_rate if name.startswith("slopes.") else 1.0

    def decays(self, name: str, parameter: Tensor) -> bool:
        """Whether a parameter is decayed: matrices are, slopes are not (decay would pull them to 1)."""
        return parameter.ndim >= 2 and not name.startswith("slopes.")

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """`loss` and `iou`, means over the batch (see `batches`)."""
        pixels = batch["pixels"]
        features = self.family.encode(self.model, pixels)
        # Coordinates of a large image do not fit bfloat16, so only the encoder runs in low precision.
        with torch.autocast(pixels.device.type, enabled=False):
            prompts = PromptTensors(batch.get("points"), batch.get("labels"), batch.get("boxes"))
            logits, predicted, _ = self.family.decode_each(self.model, features, prompts, multimask=batch["multimask"])
            valid = batch["valid"]
            logits = logits.float().masked_fill(valid[:, None] == 0, NOTHING)
            weights = LossWeights(focal=0.0, bce=self.loss.bce, dice=self.loss.dice, iou=self.loss.iou)
            targets, counted = batch["targets"], batch.get("counted")
            if counted is not None:
                # Of a pixel that is ignored in part, the share of the object in what counts.
                targets = (targets / counted.clamp(min=1e-6)).clamp(max=1)
            pixel_weight = valid * (1 + self.loss.boundary * edges(targets, counted))
            losses, reached = prompt_losses(
                logits, predicted.float(), targets, weights, pixel_weight, counted, batch.get("beyond")
            )
        return {"loss": losses.mean(), "iou": reached.mean()}


def edges(target: Tensor, counted: Tensor | None = None) -> Tensor:
    """How much of the object begins or ends in the 3 x 3 pixels around every pixel, 0 to 1: `(B, h, w)`.

    Pixels of which nothing counts, by `counted`, begin and end nothing.
    """
    around = F.pad(target[:, None], (1, 1, 1, 1), mode="replicate")
    if counted is None:
        return (F.max_pool2d(around, 3, 1) + F.max_pool2d(-around, 3, 1))[:, 0]
    unknown = F.pad(counted[:, None], (1, 1, 1, 1), mode="replicate") == 0
    highest, lowest = F.max_pool2d(around.masked_fill(unknown, 0), 3, 1), -F.max_pool2d(-around.masked_fill(unknown, 1), 3, 1)
    return (highest - lowest).clamp(min=0)[:, 0]
