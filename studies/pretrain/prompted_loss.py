"""One training step of a promptable model: decode, correct by a click, decode again with the answer as a prompt."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from basam.families import IMAGENET_MEAN, IMAGENET_STD
from basam.lab.tuning import LossWeights, prompt_losses


class PromptedLoss(nn.Module):
    """Wraps an attached `transformers` SamModel; `forward(batch)` gives losses of a batch of `PromptedViews`."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, model: Any, weights: LossWeights) -> None:
        super().__init__()
        self.model = model
        self.weights = weights
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        pixels = (batch["pixels"].float() / 255 - self.mean) / self.deviation
        embeddings = self.model.vision_encoder(pixels).last_hidden_state
        figures: dict[str, Tensor] = {}
        losses = []
        for asked in batch["asked"]:
            loss, reached = self.ask(embeddings, asked | {"target": asked["cells"].float() / 16})
            losses.append(asked["weight"] * loss)
            figures |= reached
        return {"loss": torch.stack(losses).sum()} | figures

    def ask(self, embeddings: Tensor, asked: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one kind of prompt, and the IoU that its answers reach."""
        kind, prompts, target = asked["kind"], asked["prompts"], asked["target"]
        labels = torch.ones(prompts.shape[:3], dtype=torch.long, device=prompts.device)
        first = {"input_boxes": prompts} if kind == "box" else {"input_points": prompts, "input_labels": labels}
        output = self.answer(embeddings, asked["multimask"], **first)
        # One click says little of where an object ends: cross entropy that counts every pixel around it makes such answers
        # too small, so the surroundings weigh only where the prompt says which object is meant.
        losses, ious = self.losses(output, target, surrounding=kind == "box")
        loss, figures = losses.mean(), {f"iou_{kind}": ious.mean()}
        if asked["refine"]:
            corrected, one_each = self.decode_again(embeddings, asked, output), target.flatten(0, 1)[:, None]
            again, better = self.losses(corrected, one_each, surrounding=True)
            loss = (loss + again.mean()) / 2
            figures[f"iou_{kind}_corrected"] = better.mean()
        return loss, figures

    def answer(
        self,
        embeddings: Tensor,
        multimask: bool,
        input_points: Tensor | None = None,
        input_labels: Tensor | None = None,
        input_boxes: Tensor | None = None,
        input_masks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Mask logits `(B, P, M, h, w)` and predicted IoU `(B, P, M)`, as the model's own forward makes them, but with
        coordinates in float32 under autocast: a pixel of 256 is lost in bfloat16."""
        with torch.autocast(embeddings.device.type, enabled=False):
            everywhere = self.model.get_image_wide_positional_embeddings()
            sparse, dense = self.model.prompt_encoder(
                input_points=input_points, input_labels=input_labels, input_boxes=input_boxes, input_masks=input_masks
            )
        logits, scores = self.model.mask_decoder(
            image_embeddings=embeddings,
            image_positional_embeddings=everywhere.repeat(len(embeddings), 1, 1, 1),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
        )
        return logits.float(), scores.float()

    def losses(self, answer: tuple[Tensor, Tensor], target: Tensor, surrounding: bool) -> tuple[Tensor, Tensor]:
        logits, scores = (each.flatten(0, 1) for each in answer)
        flat = target.flatten(0, 1)
        return prompt_losses(logits, scores, flat, self.weights, surroundings(flat) if surrounding else None)

    def decode_again(self, embeddings: Tensor, batch: dict[str, Any], before: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The answer thought best as a mask prompt, with a click where it is wrong; a box stays. One prompt an image from
        here on, since that is how the prompt encoder takes masks."""
        logits, scores = (each.detach() for each in before)
        count = logits.shape[1]
        best = scores.argmax(2)[..., None, None, None].expand(*logits.shape[:2], 1, *logits.shape[3:])
        mask = logits.gather(2, best)[:, :, 0]
        points, labels = corrections(mask, batch["target"], batch["chance"])
        points, labels = points.flatten(0, 1)[:, None, None], labels.flatten(0, 1)[:, None, None]
        given = batch["prompts"].flatten(0, 1)[:, None]
        boxes = given if batch["kind"] == "box" else None
        if boxes is None:
            points, labels = torch.cat([given, points], 2), torch.cat([torch.ones_like(labels), labels], 2)
        masks = mask.flatten(0, 1)[:, None]
        return self.answer(embeddings.repeat_interleave(count, 0), False, points, labels, boxes, masks)


def surroundings(target: Tensor, far: float = 0.01) -> Tensor:
    """How much each pixel counts in the cross entropy: 1 in the object's box enlarged by half its size and two pixels on
    every side, `far` elsewhere. Without it an object of a few pixels is lost in the mean over the picture.

    Args:
        target: `(K, h, w)` in 0..1; one without any object counts alike everywhere.
    """
    near = []
    for axis in (2, 1):  # columns that the object reaches over rows, then the reverse
        reached = target.amax(3 - axis) > 0
        length = reached.shape[1]
        places = torch.arange(length, device=target.device)
        first = torch.where(reached, places, length).amin(1, keepdim=True)
        last = torch.where(reached, places, -1).amax(1, keepdim=True)
        margin = (last - first + 1) / 2 + 2
        near.append((places >= first - margin) & (places <= last + margin))
    columns, rows = near
    inside = rows[:, :, None] & columns[:, None, :]
    return torch.where(inside | ~inside.any((1, 2), keepdim=True), 1.0, far)


def corrections(answer: Tensor, target: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
    """A click on a wrong pixel of each answer, or on a right one where none is wrong.

    Args:
        answer: logits `(B, P, h, w)`; target: `(B, P, h, w)` in 0..1; chance: `(B, P)` in 0..1, which of the pixels.

    Returns:
        points `(B, P, 2)` as x, y in pixels of the image (four times those of the logits), labels `(B, P)` of 1 and 0.
    """
    truth = target >= 0.5
    wrong = ((answer > 0) != truth).flatten(2)
    allowed = torch.where(wrong.any(2, keepdim=True), wrong, torch.ones_like(wrong))
    ranks = allowed.cumsum(2)
    wanted = (chance * ranks[..., -1]).floor().long() + 1
    place = torch.searchsorted(ranks, wanted.clamp(max=ranks[..., -1])[..., None])[..., 0]
    width = answer.shape[-1]
    points = torch.stack([place % width, place // width], -1) * 4 + 2
    return points.to(answer.dtype), truth.flatten(2).gather(2, place[..., None])[..., 0].long()
