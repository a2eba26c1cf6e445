"""Prompts of an object to masks, click by click: each further prompt goes to the model with the mask before it.

An answer follows from the prompts alone: what came before is computed again where it is no longer kept, so that undo, redo, a
reload and a second window see the same masks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_leaves

from basam.errors import InputError
from basam.files import read_image
from basam.method import BiasMode
from basam.predict import Predictor, Region, View, auto_side
from basam.web.library import LibraryPhoto
from basam.web.pyramid import Pyramid

# What the page calls the ways to answer a prompt.
METHODS = {
    "focus": "Focus: the region of the prompt, at the photo's own pixels",
    "basam": "Corrected: the whole photo, with bias-mode attention",
    "plain": "Plain SAM: the whole photo, uncorrected",
}
# Answers whose low-resolution logits are kept for the next click.
KEPT_ANSWERS = 256


@dataclass(frozen=True)
class PromptSet:
    """Prompts of one object, in pixels of the photo; see `session.SegmentedObject`."""

    points: tuple[tuple[float, float, int], ...] = ()
    box: tuple[float, float, float, float] | None = None
    method: str = "focus"
    candidate: int | None = None

    @property
    def count(self) -> int:
        return len(self.points) + (self.box is not None)

    @property
    def before(self) -> PromptSet:
        """Without the newest point."""
        return replace(self, points=self.points[:-1])


@dataclass(frozen=True, eq=False)
class PromptAnswer:
    """Masks `(M, H, W)`, predicted IoU `(M,)`, low-resolution logits `(M, h, w)`, which mask counts, and what was encoded."""

    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]
    low_res: NDArray[np.float32]
    chosen: int
    view: View


class OpenPhoto:
    """A photograph in memory, with its tiles, and predictors that hold what was encoded of it."""

    def __init__(self, photo: LibraryPhoto, max_pixels: int | None) -> None:
        self.pixels = read_image(photo.path, max_pixels=max_pixels)
        self.pyramid = Pyramid(self.pixels)
        self.predictors: dict[str, Predictor] = {}
        self.steps: OrderedDict[PromptSet, tuple[NDArray[np.float32], Region | None]] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """What it takes in memory, embeddings included."""
        total = self.pixels.nbytes + self.pyramid.nbytes
        for predictor in self.predictors.values():
            image = predictor.image
            total += int(getattr(image.pixels, "nbytes", 0))
            leaves = [leaf for features in list(image.encoded.values()) for leaf in tree_leaves(features)]
            total += sum(leaf.nbytes for leaf in leaves if isinstance(leaf, Tensor))
        return total


class Answering:
    """Asks one model about photographs; to be called from one thread.

    Args:
        model, adapter, device: as for `basam.load`.
        cache: bytes of photographs that are kept open; the one used last is kept in any case.
    """

    def __init__(
        self, model: str, cache: int, max_pixels: int | None, *, adapter: str | Path | None = None, device: str | None = None
    ) -> None:
        self.base = Predictor.from_pretrained(model, adapter=adapter, device=device)
        self.cache, self.max_pixels = cache, max_pixels
        self.photos: OrderedDict[str, OpenPhoto] = OrderedDict()

    def opened(self, photo: LibraryPhoto) -> OpenPhoto:
        """The photo in memory; those that were used longest ago make room for it."""
        if photo.key not in self.photos:
            self.photos[photo.key] = OpenPhoto(photo, self.max_pixels)
        self.photos.move_to_end(photo.key)
        self.make_room()
        return self.photos[photo.key]

    def make_room(self) -> None:
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
                predictor.set_image(np.asarray(opened.pyramid.at_most(geometry.image_size)))
            else:
                side = auto_side(photo.height, photo.width, geometry.image_size, geometry.multiple)
                predictor.set_image(opened.pixels, long_side=min(side, predictor.max_side))
            opened.predictors[kind] = predictor
        return opened.predictors[kind]

    def prepare(self, photo: LibraryPhoto, method: str) -> None:
        """Open a photo and encode what the first prompt will need."""
        self.predictor(photo, "hover").features  # noqa: B018
        predictor = self.predictor(photo, method)
        if method == "focus":
            predictor.predict(np.array([[0.5, 0.5]]), np.array([1]), multimask_output=False, focus=whole_photo(photo))
        else:
            predictor.features  # noqa: B018
        self.make_room()

    def hover(self, photo: LibraryPhoto, x: float, y: float) -> tuple[NDArray[np.bool_], float]:
        """A quick mask `(h, w)` of a small copy of the photo for a point x, y in pixels of the photo, and its predicted IoU."""
        predictor = self.predictor(photo, "hover")
        scale = predictor.original_size[1] / photo.width
        masks, scores, _ = predictor.predict(np.array([[x * scale, y * scale]]), np.array([1]), multimask_output=True)
        best = int(scores.argmax())
        return masks[best], float(scores[best])

    def answer(self, photo: LibraryPhoto, prompts: PromptSet) -> PromptAnswer:
        """Masks of an object.

        Raises:
            ValueError: no prompt, one outside the photo, an unknown method, or a candidate that there is not.
        """
        if prompts.method not in METHODS:
            raise InputError(f"method {prompts.method!r}: allowed are {', '.join(METHODS)}")
        if not prompts.count:
            raise InputError("an object without a prompt: give a point or a box")
        predictor, steps = self.predictor(photo, prompts.method), self.opened(photo).steps
        mask_input, region = self.step_before(photo, prompts)
        focus: bool | Region = prompts.method == "focus"
        if focus and mask_input is not None:
            focus = region if region is not None else whole_photo(photo)
        points = np.array([point[:2] for point in prompts.points]) if prompts.points else None
        labels = np.array([point[2] for point in prompts.points]) if prompts.points else None
        masks, scores, low_res = predictor.predict(
            points,
            labels,
            None if prompts.box is None else np.array(prompts.box),
            mask_input,
            multimask_output=prompts.count == 1,
            focus=focus,
        )
        view = predictor.views[0]
        chosen = int(scores.argmax()) if prompts.candidate is None or prompts.count > 1 else prompts.candidate
        if not 0 <= chosen < len(scores):
            raise InputError(f"candidate {chosen}: there are {len(scores)} masks")
        steps[prompts] = low_res[chosen][None], view.region
        while len(steps) > KEPT_ANSWERS:
            steps.popitem(last=False)
        self.make_room()
        return PromptAnswer(masks, scores, low_res, chosen, view)

    def step_before(self, photo: LibraryPhoto, prompts: PromptSet) -> tuple[NDArray[np.float32] | None, Region | None]:
        """The mask prompt `(1, h, w)` that the prompts before the newest point left, and the region that it belongs to.

        None where there is nothing before, or where the newest point lies outside of that region: a new one is needed then.
        """
        before = prompts.before
        if not prompts.points or not before.count:
            return None, None
        steps = self.opened(photo).steps
        if before not in steps:
            self.answer(photo, before)
        low_res, region = steps[before]
        if region is not None and not all(lies_in(region, x, y) for x, y, _ in prompts.points):
            return None, None
        return low_res, region


def whole_photo(photo: LibraryPhoto) -> Region:
    return Region(0, 0, max(photo.width, photo.height))


def lies_in(region: Region, x: float, y: float) -> bool:
    return region.left <= x <= region.left + region.side and region.top <= y <= region.top + region.side


def prompts_of(values: dict[str, Any], photo: LibraryPhoto) -> PromptSet:
    """Prompts as the page sends them.

    Raises:
        ValueError: naming what is wrong.
    """
    points = tuple((*(inside(f"point {point}", point[:2], photo)), label_of(point)) for point in listed("points", values, 3))
    box = values.get("box")
    corners = None if box is None else inside("box", listed("box", {"box": [box]}, 4)[0], photo)
    candidate = values.get("candidate")
    if candidate is not None and (not isinstance(candidate, int) or isinstance(candidate, bool)):
        raise InputError(f"candidate {candidate!r}: a whole number is needed")
    method = values.get("method", "focus")
    return PromptSet(points, corners, method if isinstance(method, str) else repr(method), candidate)  # type: ignore[arg-type]


def listed(name: str, values: dict[str, Any], length: int) -> Sequence[Any]:
    found = values.get(name) or []
    if not isinstance(found, list) or len(found) > 1000 or not all(isinstance(e, list) and len(e) == length for e in found):
        raise InputError(f"{name}: lists of {length} numbers are needed, at most 1000")
    return found


def label_of(point: Sequence[Any]) -> int:
    if point[2] not in (0, 1):
        raise InputError(f"label {point[2]!r} of a point: 1 (on the object) or 0 (not on it) is needed")
    return int(point[2])


def inside(name: str, numbers: Sequence[Any], photo: LibraryPhoto) -> tuple[float, ...]:
    """Numbers x, y, x, y, ... that lie in the photo."""
    for place, number in enumerate(numbers):
        limit = photo.height if place % 2 else photo.width
        if not isinstance(number, (int, float)) or isinstance(number, bool) or not 0 <= number <= limit:
            raise InputError(f"{name}: {number!r} lies outside the photo of {photo.width} x {photo.height} px")
    return tuple(float(number) for number in numbers)
