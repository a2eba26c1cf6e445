"""Segmenting photographs with prompts: one mask per prompt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from basam.batch import PhotoTask, PromptRow
from basam.batch.job import PhotoJob, PhotoMasks
from basam.batch.settings import SegmentSettings
from basam.errors import InputError, warn
from basam.families import Attachment
from basam.files import Photograph, read_photograph
from basam.masks import MaskResult, cleaned
from basam.predict import Focus, Prediction, View, check_prompts

# Bytes of low-resolution logits in memory; more prompts are decoded in several batches.
LOGIT_BYTES = 1 << 28


@dataclass(frozen=True, kw_only=True)
class SegmentJob(PhotoJob):
    """One mask per prompt.

    Attributes:
        focus_settings: how regions are chosen.
    """

    settings: SegmentSettings
    focus_settings: Focus

    def read(self, task: PhotoTask) -> Photograph:
        """The photo; it may be read smaller if it is encoded as a whole. Cut-outs use the photo's own pixels."""
        whole = self.settings.pyramid or self.outputs.soft or any(self.may_focus(row) for row in task.prompts)
        most = self.settings.long_side if isinstance(self.settings.long_side, int) else self.predictor.max_side
        return read_photograph(task.photo, max_pixels=self.settings.max_pixels, long_side=None if whole else most)

    def may_focus(self, row: PromptRow) -> bool:
        """Whether a prompt is predicted on its region; by default only boxes: docs/results/focus.md."""
        return row.box is not None if self.settings.focus is None else self.settings.focus and bool(row.box or row.points)

    def find(self, task: PhotoTask, read: Photograph) -> PhotoMasks:
        """One mask per prompt; empty if cleaning removes all of it."""
        width, height = read.size
        prompts = task.prompts or (PromptRow(),)
        places, faults = list(range(len(prompts))), tuple[str, ...]()
        try:
            decoded = self.decode_all(read, prompts, places)
        except InputError as error:
            places, faults = valid_prompts(prompts, height, width)
            if not faults:
                raise
            if not places:
                raise InputError(faults[0]) from error
            decoded = self.decode_all(read, prompts, places)
        masks, values = zip(*(decoded[place] for place in places), strict=True)
        return PhotoMasks(list(masks), list(values), places if task.prompts else None, faults)

    def decode_all(
        self, read: Photograph, prompts: Sequence[PromptRow], places: Sequence[int]
    ) -> dict[int, tuple[MaskResult, dict[str, Any]]]:
        """Mask and values for the records per prompt, by its index."""
        width, height = read.size
        answers: dict[int, tuple[MaskResult, dict[str, Any]]] = {}
        for group in same_kind_groups(prompts, places):
            focus = self.focus_of(prompts[group[0]], height, width)
            side = self.side(focus, height, width)
            self.predictor.set_image(read, long_side=side, square=self.settings.resize, pyramid=self.settings.pyramid)
            count = self.prompts_at_once(focus)
            for start in range(0, len(group), count):
                answers |= self.decode(prompts, group[start : start + count], focus, height, width)
        return answers

    def prompts_at_once(self, focus: Focus | None) -> int:
        """The number of prompts whose low-resolution logits take `LOGIT_BYTES` on the current image, or on its regions."""
        geometry, frame = self.predictor.attachment.geometry, self.predictor.image_frame
        side = geometry.image_size if focus is None or focus.side is None else focus.side
        up, across = frame.padded if focus is None else (side, side)
        return max(1, LOGIT_BYTES // (4 * math.prod(geometry.mask_size(up, across)) * (3 if self.settings.multimask else 1)))

    def decode(
        self, prompts: Sequence[PromptRow], places: Sequence[int], focus: Focus | None, height: int, width: int
    ) -> dict[int, tuple[MaskResult, dict[str, Any]]]:
        """`decode_all` for prompts of one kind on the current image; masks are upscaled to native resolution one at a time."""
        given = arguments([prompts[place] for place in places], height, width)
        answers = self.predictor.predictions(**given, multimask_output=self.settings.multimask, focus=focus or False)
        return {
            place: (
                self.mask_of(answer, prompts[place], place, height, width),
                {
                    **row_of_view(self.predictor.attachment, answer.view),
                    "object_score": None if answer.present is None else float(answer.present),
                },
            )
            for place, answer in zip(places, answers, strict=True)
        }

    def mask_of(self, answer: Prediction, row: PromptRow, place: int, height: int, width: int) -> MaskResult:
        """The mask with the highest predicted IoU."""
        best = int(answer.scores.argmax())
        one = MaskResult(
            answer.runs(best, height, width),
            float(answer.scores[best]),
            place + 1 if row.id is None else row.id,
            row.label,
            point=(row.points[0][0], row.points[0][1]) if len(row.points) == 1 else None,
            soft=answer.soft(best, height, width) if self.outputs.soft else None,
            named=row.id is not None,
            category_id=row.category_id,
            prompt_score=row.score,
        )
        answer.parts.clear()
        return cleaned([one], self.outputs.cleaning, keep_empty=True)[0]

    def rows(self, task: PhotoTask, predicted: PhotoMasks, about: dict[str, Any]) -> list[dict[str, Any]]:
        places = predicted.places or [0]
        return [
            {
                **about,
                "place": place,
                **(task.prompts[place].named() if task.prompts else {}),
                **values,
                "predicted_iou": one.predicted_iou,
                "area": one.runs.area / (about["width"] * about["height"]),
            }
            for place, one, values in zip(places, predicted.masks, predicted.values, strict=True)
        ]

    def with_paths(self, task: PhotoTask, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        count, out = self.masks_wanted(task), []
        for row in rows:
            values = dict(row)
            place = values.pop("place")
            paths = self.outputs.paths(task.stem, count, [place], () if row["area"] else [place])
            out.append({"photo": str(task.photo), **values, **{kind: some[0] for kind, some in paths.items()}})
        return out

    def focus_of(self, row: PromptRow, height: int, width: int) -> Focus | None:
        """The settings of regions for prompts of one kind; None: predict on the whole photo."""
        large = max(height, width) > self.predictor.attachment.geometry.image_size
        return self.focus_settings if self.may_focus(row) and (large or self.settings.focus) else None

    def side(self, focus: Focus | None, height: int, width: int) -> int | None:
        """Long side of the whole photo; a warning tells if `auto` makes it smaller."""
        if focus is not None:
            return self.predictor.attachment.geometry.image_size
        if self.settings.long_side != "auto" or self.settings.pyramid:
            return self.settings.long_side if isinstance(self.settings.long_side, int) else None
        side = self.automatic_side(height, width)
        if side < max(height, width):
            warn(
                f"the whole of {width} x {height} px is encoded at a long side of {side} px; --long-side native avoids this, "
                "--focus encodes the region of a box or a point at native resolution"
            )
        return side


def same_kind_groups(prompts: Sequence[PromptRow], places: Sequence[int]) -> Iterator[list[int]]:
    """Indices of prompts for one decoder batch: all with a box or none, all with points or none."""
    of_kind: dict[tuple[bool, bool], list[int]] = {}
    for place in places:
        of_kind.setdefault((prompts[place].box is not None, bool(prompts[place].points)), []).append(place)
    yield from of_kind.values()


def arguments(rows: Sequence[PromptRow], height: int, width: int) -> dict[str, Any]:
    """K prompts of one kind as arguments of `Predictor.predict`."""
    prompt: dict[str, Any] = {}
    if rows[0].points:
        prompt["point_coords"] = [[point[:2] for point in row.points] for row in rows]
        prompt["point_labels"] = [[point[2] for point in row.points] for row in rows]
    if rows[0].box is not None or not rows[0].points:
        prompt["box"] = [row.box or (0, 0, width, height) for row in rows]
    return prompt


def valid_prompts(prompts: Sequence[PromptRow], height: int, width: int) -> tuple[list[int], tuple[str, ...]]:
    """Indices of the prompts that are valid for an image of height x width px, and what is wrong with the others."""
    valid, faults = [], []
    for place, row in enumerate(prompts):
        values = arguments([row], height, width)
        try:
            check_prompts(height, width, None, values.get("point_coords"), values.get("point_labels"), values.get("box"), None)
            valid.append(place)
        except InputError as error:
            faults.append(f"{row.where}: {error}" if row.where else str(error))
    return valid, tuple(faults)


def row_of_view(attachment: Attachment, view: View) -> dict[str, Any]:
    """The view that a mask was predicted on, and the correction that was active there."""
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
