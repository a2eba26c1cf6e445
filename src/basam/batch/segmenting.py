"""Photographs with prompts: a mask for each prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basam.batch import PromptRow
from basam.batch.job import Answered, PhotoJob, PhotoTask
from basam.errors import InputError, warn
from basam.families import Attachment
from basam.files import Photograph, read_photograph
from basam.masks import MaskResult, RunMask, SoftMask, cleaned, reach_in
from basam.predict import Focus, View, check_prompts

# Bytes of masks at the photo's size that are held at once; more prompts are decoded in several passes.
MASK_BYTES = 1 << 29


@dataclass(frozen=True, kw_only=True)
class SegmentJob(PhotoJob):
    """Masks of prompts.

    Attributes:
        square: the whole photo is padded to a square.
        focus: None: for prompts with a box, where the photo is larger than trained.
        multimask: the best of three masks by predicted IoU.
    """

    square: bool = False
    focus: bool | None = None
    focus_settings: Focus = field(default_factory=Focus)
    multimask: bool = False

    def read(self, task: PhotoTask) -> Photograph:
        """The photo; one that is encoded as a whole may be read smaller than it is. Cut-outs have the photo's own pixels."""
        whole = self.outputs.soft or any(self.may_focus(row) for row in task.prompts)
        most = self.long_side if isinstance(self.long_side, int) else self.predictor.max_side
        return read_photograph(task.photo, max_pixels=self.max_pixels, long_side=None if whole else most)

    def may_focus(self, row: PromptRow) -> bool:
        """Whether a prompt is answered on its region; by default for boxes only: docs/results/focus.md."""
        return row.box is not None if self.focus is None else self.focus and bool(row.box or row.points)

    def find(self, task: PhotoTask, read: Photograph) -> Answered:
        """A mask for each prompt; one of which cleaning leaves nothing is empty."""
        width, height = read.size
        prompts = task.prompts or (PromptRow(),)
        places, faults = list(range(len(prompts))), tuple[str, ...]()
        try:
            found = self.decode_all(read, prompts, places)
        except InputError as error:
            places, faults = sound(prompts, height, width)
            if not faults:
                raise
            if not places:
                raise InputError(faults[0]) from error
            found = self.decode_all(read, prompts, places)
        masks, values = zip(*(found[place] for place in places), strict=True)
        return Answered(list(masks), list(values), places if task.prompts else None, faults)

    def decode_all(
        self, read: Photograph, prompts: Sequence[PromptRow], places: Sequence[int]
    ) -> dict[int, tuple[MaskResult, dict[str, Any]]]:
        """The mask of every prompt and its values for the records, by its place."""
        width, height = read.size
        answers: dict[int, tuple[MaskResult, dict[str, Any]]] = {}
        for alike in kinds(prompts, places):
            focus = self.focus_of(prompts[alike[0]], height, width)
            self.predictor.set_image(read, long_side=self.side(focus, height, width), square=self.square)
            each = height * width * (4 if self.outputs.soft else 1) * (3 if self.multimask else 1)
            count = max(1, MASK_BYTES // each)
            for start in range(0, len(alike), count):
                answers |= self.decode(read, prompts, alike[start : start + count], focus)
        return answers

    def decode(
        self, read: Photograph, prompts: Sequence[PromptRow], places: Sequence[int], focus: Focus | None
    ) -> dict[int, tuple[MaskResult, dict[str, Any]]]:
        """Those of prompts of one kind on the image at hand."""
        width, height = read.size
        predictor = self.predictor
        masks, scores, _ = predictor.predict(
            **arguments([prompts[place] for place in places], height, width),
            multimask_output=self.multimask,
            return_logits=self.outputs.soft,
            focus=focus or False,
        )
        best = scores.argmax(axis=1)
        answers = {}
        for index, place in enumerate(places):
            score = float(scores[index, best[index]])
            found = self.found(prompts[place], place, masks[index, best[index]], score)
            objects = predictor.object_scores
            values = {
                **row_of_view(predictor.attachment, predictor.views[index]),
                "object_score": None if objects is None else float(objects[index]),
            }
            answers[place] = found, values
        return answers

    def found(self, row: PromptRow, place: int, mask: NDArray[Any], score: float) -> MaskResult:
        soft = None
        if self.outputs.soft:
            logits: NDArray[np.float32] = mask - np.float32(self.predictor.mask_threshold)
            height, width = logits.shape
            soft, mask = SoftMask.of_logits(logits, reach_in(height, width)), logits > 0
        point = (row.points[0][0], row.points[0][1]) if len(row.points) == 1 else None
        one = MaskResult(
            RunMask.of(mask),
            score,
            place + 1 if row.id is None else row.id,
            row.label,
            point=point,
            soft=soft,
            named=row.id is not None,
            prompt_score=row.score,
        )
        return cleaned([one], self.outputs.cleaning, keep_empty=True)[0]

    def rows(self, task: PhotoTask, answered: Answered, about: dict[str, Any]) -> list[dict[str, Any]]:
        places = answered.places or [0]
        return [
            {
                **about,
                **(task.prompts[place].named() if task.prompts else {}),
                **values,
                "predicted_iou": one.predicted_iou,
                "area": one.runs.area / (about["width"] * about["height"]),
                **self.outputs.paths_of(task.stem, self.masks_wanted(task), place),
            }
            for place, one, values in zip(places, answered.found, answered.values, strict=True)
        ]

    def focus_of(self, row: PromptRow, height: int, width: int) -> Focus | None:
        """How regions of prompts of one kind are chosen; None: they are answered on the whole photo."""
        large = max(height, width) > self.predictor.attachment.geometry.image_size
        return self.focus_settings if self.may_focus(row) and (large or self.focus) else None

    def side(self, focus: Focus | None, height: int, width: int) -> int | None:
        """Long side of the whole photo; what `auto` makes smaller is named."""
        if focus is not None:
            return self.predictor.attachment.geometry.image_size
        if self.long_side != "auto":
            return self.long_side if isinstance(self.long_side, int) else None
        side = self.automatic_side(height, width)
        if side < max(height, width):
            warn(
                f"the whole of {width} x {height} px is encoded at a long side of {side} px; --long-side native keeps its own, "
                "--focus shows the region of a box or a point at the photo's own pixels"
            )
        return side


def kinds(prompts: Sequence[PromptRow], places: Sequence[int]) -> Iterator[list[int]]:
    """Places of the prompts that one pass of the decoder takes: all with a box or none, all with points or none."""
    of_kind: dict[tuple[bool, bool], list[int]] = {}
    for place in places:
        of_kind.setdefault((prompts[place].box is not None, bool(prompts[place].points)), []).append(place)
    yield from of_kind.values()


def arguments(rows: Sequence[PromptRow], height: int, width: int) -> dict[str, Any]:
    """K prompts of one kind as `Predictor.predict` takes them."""
    prompt: dict[str, Any] = {}
    if rows[0].points:
        prompt["point_coords"] = [[point[:2] for point in row.points] for row in rows]
        prompt["point_labels"] = [[point[2] for point in row.points] for row in rows]
    if rows[0].box is not None or not rows[0].points:
        prompt["box"] = [row.box or (0, 0, width, height) for row in rows]
    return prompt


def sound(prompts: Sequence[PromptRow], height: int, width: int) -> tuple[list[int], tuple[str, ...]]:
    """Places of the prompts that are valid for an image of height x width px, and what is wrong with the others."""
    kept, faults = [], []
    for place, row in enumerate(prompts):
        values = arguments([row], height, width)
        try:
            check_prompts(height, width, None, values.get("point_coords"), values.get("point_labels"), values.get("box"), None)
            kept.append(place)
        except InputError as error:
            faults.append(f"{row.where}: {error}" if row.where else str(error))
    return kept, tuple(faults)


def row_of_view(attachment: Attachment, view: View) -> dict[str, Any]:
    """What a mask is answered on, and the correction in force there."""
    mode, trained = attachment.mode, attachment.geometry.trained_tokens
    tokens, region = view.tokens(attachment.geometry), view.region
    return {
        "region": None if region is None else [region.left, region.top, region.side],
        "tokens": tokens,
        "tokens_ratio": tokens / trained,
        "lambda": mode.factor(tokens, trained),
        # Logits per patch, before it is spread over heads; None: learned slopes.
        "slope": None if mode.slopes == "learned" else mode.effective_slope(tokens, trained),
    }
