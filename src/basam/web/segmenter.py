"""Prompts of an object to masks, click by click: each further prompt goes to the model with the mask before it.

An answer follows from the prompts alone: what came before is computed again where it is no longer kept, so that undo, redo, a
reload and a second window see the same masks.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from basam.errors import InputError
from basam.masks import RunMask, SoftMask
from basam.method import BiasMode
from basam.predict import AutomaticMasks, Prediction, Predictor, Region, auto_side
from basam.web.library import LibraryPhoto
from basam.web.open_photo import OpenPhoto
from basam.web.prompts import PromptSet

# What the page calls the ways to answer a prompt.
METHODS = {
    "focus": "Focus: the region of the prompt, at the photo's own pixels",
    "basam": "Corrected: the whole photo, with the correction that suits the model",
    "plain": "Plain SAM: the whole photo, uncorrected",
}
# How sure the model must be of what it finds by itself: predicted IoU, stability. The first is that of Meta's generator, made
# for a large SAM; a small one such as nano is never that sure.
THRESHOLDS = {"sure": (0.88, 0.95), "fairly sure": (0.6, 0.8), "unsure": (0.2, 0.3)}
# Of two masks that the model finds by itself and that have a larger IoU, one stays.
NMS_IOU = 0.6
MAX_POINTS_PER_SIDE = 32
# Pixels along the long side of the copy that it looks at; more where it is encoded at more.
EVERYTHING_SIDE = 1024
# IoU of two masks above which they are the same answer, computed twice.
SAME_MASK_IOU = 0.98
# About what an open photo takes in memory: its pixels, its levels, a predictor's copy.
BYTES_PER_PIXEL = 12
# Answers whose low-resolution logits are kept for the next click.
CACHED_PREDICTIONS = 256


@dataclass(frozen=True, eq=False)
class PromptPrediction:
    """What the model answers, which of its masks counts, and that mask."""

    answer: Prediction
    chosen: int
    runs: RunMask


class FoundMask(NamedTuple):
    """What the model found by itself: the prompts that are answered by it, the mask, its predicted IoU."""

    prompts: PromptSet
    runs: RunMask
    score: float


class Segmenter:
    """Asks one model about photographs; to be called from one thread, but for `opened`.

    Args:
        model, adapter, device: as for `basam.load`.
        cache: bytes of photographs that are kept open; the one used last is kept in any case.
        checkpoint: called before each part of the model; what it raises ends the call.
    """

    def __init__(
        self,
        model: str,
        cache: int,
        max_pixels: int | None,
        *,
        adapter: str | Path | None = None,
        device: str | None = None,
        checkpoint: Callable[..., None] | None = None,
    ) -> None:
        self.base = Predictor.from_pretrained(model, adapter=adapter, device=device)
        if checkpoint is not None:
            for module in self.base.model.modules():
                module.register_forward_pre_hook(checkpoint)
        self.cache, self.max_pixels = cache, max_pixels
        self.photos: OrderedDict[str, OpenPhoto] = OrderedDict()
        self.lock, self.opening = threading.RLock(), threading.Lock()

    def opened(self, photo: LibraryPhoto) -> OpenPhoto:
        """The photo in memory; those that were used longest ago make room for it. Any thread may ask, and waits only where the
        photo is not open yet."""
        found = self.if_open(photo.key)
        if found is None:
            with self.opening:
                found = self.if_open(photo.key)
                if found is None:
                    found = OpenPhoto(photo, self.max_pixels)
                    with self.lock:
                        self.photos[photo.key] = found
                        self.evict()
        return found

    def if_open(self, key: str) -> OpenPhoto | None:
        with self.lock:
            if key in self.photos:
                self.photos.move_to_end(key)
            return self.photos.get(key)

    def evict(self) -> None:
        with self.lock:
            while len(self.photos) > 1 and sum(each.nbytes for each in self.photos.values()) > self.cache:
                self.photos.popitem(last=False)

    def predictor(self, photo: LibraryPhoto, method: str) -> Predictor:
        """That of a photo: focus and the corrected whole share one, plain SAM has its own, hovering sees a small copy."""
        opened = self.opened(photo)
        kind = "basam" if method == "focus" else method
        if kind not in opened.predictors:
            predictor = Predictor(self.base.model, BiasMode.off() if kind == "plain" else self.base.mode)
            geometry = predictor.attachment.geometry
            if kind == "hover":
                small = opened.tiles.at_most(geometry.image_size)
                predictor.set_image(np.asarray(small), long_side=max(geometry.patch, *small.size))
            else:
                predictor.set_image(opened.pixels, long_side=self.whole_side(photo))
            opened.predictors[kind] = predictor
        return opened.predictors[kind]

    def whole_side(self, photo: LibraryPhoto) -> int:
        """Pixels along the long side at which the whole of a photo is encoded."""
        geometry = self.base.attachment.geometry
        side = auto_side(photo.height, photo.width, geometry.image_size, geometry.multiple)
        return max(geometry.patch, min(side, self.base.max_side))

    def everything(self, photo: LibraryPhoto, sure: str, progress: Callable[[int, int], None]) -> list[FoundMask]:
        """Masks of everything in a photo, looked for in a copy that is just large enough; those that stay are then the answers
        to their points by the method `basam`.

        Args:
            sure: a key of `THRESHOLDS`.
            progress: called with how much is done, and of how much.
        """
        if sure not in THRESHOLDS:
            raise InputError(f"sure {sure!r}: allowed are {', '.join(THRESHOLDS)}")
        least_iou, least_stability = THRESHOLDS[sure]
        side = self.whole_side(photo)
        generator = AutomaticMasks(
            Predictor(self.base.model, self.base.mode),
            points_per_side=min(MAX_POINTS_PER_SIDE, self.base.attachment.geometry.trained_side),
            points_per_batch=16,  # progress is reported, and cancelling possible, this often
            pred_iou_thresh=least_iou,
            stability_score_thresh=least_stability,
            mask_nms_thresh=NMS_IOU,
            long_side=side,
        )
        copy = np.asarray(self.opened(photo).tiles.at_most(max(side, EVERYTHING_SIDE)))
        candidates = generator.find(copy, progress=lambda done, whole: progress(4 * done, 5 * whole))
        scale, found = photo.width / copy.shape[1], []
        for number, each in enumerate(candidates):
            progress(4 * len(candidates) + number, 5 * len(candidates))
            x, y = (
                min(value * scale, float(limit)) for value, limit in zip(each.point, (photo.width, photo.height), strict=True)
            )
            prompts = PromptSet(((x, y, 1),), method="basam", candidate=each.number)
            answer = self.answer(photo, prompts)
            if answer.runs.area:
                found.append(FoundMask(prompts, answer.runs, float(answer.answer.scores[each.number])))
        return found

    def prepare(self, photo: LibraryPhoto, method: str) -> None:
        """Open a photo and encode what the first prompt will need."""
        self.predictor(photo, "hover").features  # noqa: B018
        predictor = self.predictor(photo, method)
        if method == "focus":
            predictor.predict(np.array([[0.5, 0.5]]), np.array([1]), multimask_output=False, focus=whole_photo(photo))
        else:
            predictor.features  # noqa: B018
        self.evict()

    def prepare_ahead(self, photo: LibraryPhoto, method: str) -> None:
        """`prepare` a photo that is not looked at yet, where there is room for it beside the one that is."""
        with self.lock:
            taken = [each.nbytes for each in self.photos.values()][-1:]
        if sum(taken) + BYTES_PER_PIXEL * photo.width * photo.height <= self.cache:
            self.prepare(photo, method)

    def hover(self, photo: LibraryPhoto, x: float, y: float) -> tuple[RunMask, float]:
        """A quick mask of a small copy of the photo for a point x, y in pixels of the photo, and its predicted IoU."""
        predictor = self.predictor(photo, "hover")
        scale = predictor.original_size[1] / photo.width
        masks, scores, _ = predictor.predict(np.array([[x * scale, y * scale]]), np.array([1]), multimask_output=True)
        best = int(scores.argmax())
        return RunMask.of(masks[best]), float(scores[best])

    def answer(self, photo: LibraryPhoto, prompts: PromptSet) -> PromptPrediction:
        """Masks of an object.

        Raises:
            ValueError: no prompt, one outside the photo, an unknown method, or a candidate that there is not.
        """
        answer, chosen = self.decided(photo, prompts)
        return PromptPrediction(answer, chosen, answer.runs(chosen, photo.height, photo.width))

    def soft_edge(self, photo: LibraryPhoto, prompts: PromptSet, runs: RunMask) -> SoftMask | None:
        """The soft edge of a mask that prompts were answered by; None where they are now answered otherwise, as by another
        model."""
        found = self.answer(photo, prompts)
        shared = found.runs.shared(runs)
        if not shared or shared < SAME_MASK_IOU * (found.runs.area + runs.area - shared):
            return None
        return found.answer.soft(found.chosen, photo.height, photo.width)

    def decided(self, photo: LibraryPhoto, prompts: PromptSet) -> tuple[Prediction, int]:
        """What the model answers, and which of its masks counts; errors of `answer`."""
        if prompts.method not in METHODS:
            raise InputError(f"method {prompts.method!r}: allowed are {', '.join(METHODS)}")
        if not prompts.count:
            raise InputError("an object without a prompt: give a point or a box")
        predictor, steps = self.predictor(photo, prompts.method), self.opened(photo).steps
        mask_input, region = self.step_before(photo, prompts)
        focus: bool | Region = prompts.method == "focus"
        if focus and mask_input is not None:
            focus = region if region is not None else whole_photo(photo)
        (answer,) = predictor.predictions(
            np.array([point[:2] for point in prompts.points]) if prompts.points else None,
            np.array([point[2] for point in prompts.points]) if prompts.points else None,
            None if prompts.box is None else np.array(prompts.box),
            mask_input,
            multimask_output=prompts.count == 1,
            focus=focus,
        )
        best = int(answer.scores.argmax())
        chosen = best if prompts.candidate is None or prompts.count > 1 else prompts.candidate
        if not 0 <= chosen < len(answer.scores):
            raise InputError(f"candidate {chosen}: there are {len(answer.scores)} masks")
        steps[prompts] = answer.low_res[chosen][None], answer.view.region
        while len(steps) > CACHED_PREDICTIONS:
            steps.popitem(last=False)
        self.evict()
        return answer, chosen

    def step_before(self, photo: LibraryPhoto, prompts: PromptSet) -> tuple[NDArray[np.float32] | None, Region | None]:
        """The mask prompt `(1, h, w)` that the prompts before the newest point left, and the region that it belongs to.

        None where there is nothing before, or where the newest point lies outside of that region: a new one is needed then.
        """
        before = prompts.before
        if not prompts.points or not before.count:
            return None, None
        steps = self.opened(photo).steps
        if before not in steps:
            self.decided(photo, before)
        low_res, region = steps[before]
        if region is not None and not all(lies_in(region, x, y) for x, y, _ in prompts.points):
            return None, None
        return low_res, region


def whole_photo(photo: LibraryPhoto) -> Region:
    return Region(0, 0, max(photo.width, photo.height))


def lies_in(region: Region, x: float, y: float) -> bool:
    return region.left <= x <= region.left + region.side and region.top <= y <= region.top + region.side
