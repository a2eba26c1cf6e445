"""`AutomaticMasks`: everything in a photo, with the interface of Meta's `SamAutomaticMaskGenerator`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from basam.checks import instance_of
from basam.errors import InputError, OrderError
from basam.files import MAX_PIXELS, ImageLike, pixels_of
from basam.masks import RunMask, without_small_regions
from basam.method import BiasMode
from basam.predict.automatic.decoding import Bar, MaskCandidate, PointDecoding
from basam.predict.automatic.grids import Crop, checked_grids, crops_of, grid_of
from basam.predict.automatic.parts import parts_of
from basam.predict.automatic.settings import POINTS_PER_BATCH, AutomaticSettings, GeneratorSettings
from basam.predict.automatic.suppression import best_masks, best_of
from basam.predict.decoding import PromptDecoder
from basam.predict.predictor import Predictor
from basam.predict.views import LoadedImage, View

Progress = Callable[[int, int], None]


@dataclass
class Kept:
    """Candidates of the last photo, by crop, and the bar that they reached."""

    size: tuple[int, int]
    bar: Bar
    soft: bool
    prompted: tuple[Any, ...]
    crops: list[list[MaskCandidate]] = field(default_factory=list)


class AutomaticMasks:
    """Masks of everything in a photo: the model is prompted with a grid of points, and the best masks stay, each once.

    Names, defaults and results are those of Meta's `SamAutomaticMaskGenerator`; below the line is what it does not have.

    Args:
        model: a SAM of a known family, attached here if it is not yet; or a `Predictor`, whose image is then replaced.
        points_per_side: points along each side of the photo and of each crop. None: `point_grids` or `spacing` is given.
        points_per_batch: at most so many are decoded together; fewer where memory would grow beyond bounds.
        pred_iou_thresh: masks stay whose predicted IoU is above this.
        stability_score_thresh: masks stay whose stability is at least this: the IoU of the masks at the threshold plus and
            minus `stability_score_offset` logits.
        box_nms_thresh: of two masks whose boxes have a larger IoU the one with the higher predicted IoU stays.
        crop_n_layers: the points are decoded again on crops, 2**i x 2**i of them in layer i.
        crop_nms_thresh: `box_nms_thresh` between crops: the smaller crop's mask stays.
        crop_overlap_ratio: overlap of crops in the first layer, as a share of the photo's short side.
        crop_n_points_downscale_factor: in layer i there are by this to the power of i fewer points along a side.
        point_grids: points of each layer, `(P, 2)` in shares of the crop.
        min_mask_region_area: holes and islands of fewer pixels go from each mask (the extra `outputs`).
        output_mode: `binary_mask`, `uncompressed_rle` or `coco_rle`.

        spacing: pixels of the photo between points of the whole photo, instead of points per side; in crops of layer i it is by
            2**i denser, as points per side are.
        mask_nms_thresh: of two masks with a larger IoU, of the masks themselves, the one with the higher predicted IoU stays.
        containment_thresh: and of two that share more than this part of the smaller one. It drops parts of objects, too.
        pyramid: the photo is encoded once, at several sizes, and points are decoded on parts of all of them instead of on
            crops; larger sizes have more points, as crops have.
        long_side: of the photo and of each crop, in pixels of the model; None: their own, up to `max_side` of the predictor.
        square: crops are padded to a square as SAM was trained, instead of only to what the model's grid needs.
        soft: candidates bring their soft edges.
        mode: the correction; None: the model's own.

    Raises:
        UnsupportedModelError: `model` is of no known family.
        ValueError: a setting that makes no sense, by its name.
    """

    def __init__(
        self,
        model: nn.Module | Predictor,
        points_per_side: int | None = AutomaticSettings.points_per_side,
        points_per_batch: int = POINTS_PER_BATCH,
        pred_iou_thresh: float = AutomaticSettings.pred_iou_thresh,
        stability_score_thresh: float = AutomaticSettings.stability_score_thresh,
        stability_score_offset: float = AutomaticSettings.stability_score_offset,
        box_nms_thresh: float = AutomaticSettings.box_nms_thresh,
        crop_n_layers: int = AutomaticSettings.crop_n_layers,
        crop_nms_thresh: float = AutomaticSettings.crop_nms_thresh,
        crop_overlap_ratio: float = AutomaticSettings.crop_overlap_ratio,
        crop_n_points_downscale_factor: int = 1,
        point_grids: Sequence[Any] | None = None,
        min_mask_region_area: int = 0,
        output_mode: str = "binary_mask",
        *,
        spacing: float | None = AutomaticSettings.spacing,
        mask_nms_thresh: float | None = AutomaticSettings.mask_nms_thresh,
        containment_thresh: float | None = AutomaticSettings.containment_thresh,
        pyramid: bool = AutomaticSettings.pyramid,
        long_side: int | None = None,
        square: bool = False,
        soft: bool = False,
        mode: BiasMode | None = None,
    ) -> None:
        self.points_per_side, self.points_per_batch = points_per_side, points_per_batch
        self.pred_iou_thresh, self.stability_score_thresh = pred_iou_thresh, stability_score_thresh
        self.stability_score_offset = stability_score_offset
        self.box_nms_thresh, self.crop_nms_thresh = box_nms_thresh, crop_nms_thresh
        self.crop_n_layers, self.crop_overlap_ratio = crop_n_layers, crop_overlap_ratio
        self.crop_n_points_downscale_factor = crop_n_points_downscale_factor
        self.point_grids, self.spacing = point_grids, spacing
        self.min_mask_region_area, self.output_mode = min_mask_region_area, output_mode
        self.mask_nms_thresh, self.containment_thresh = mask_nms_thresh, containment_thresh
        self.pyramid, self.long_side, self.square, self.soft = pyramid, long_side, square, soft
        self.check()
        if mode is not None:
            instance_of(mode, "mode", BiasMode)
        self.predictor = model if isinstance(model, Predictor) else Predictor(model, mode)
        self.kept: Kept | None = None
        # Of all masks of the last photo, also of rejected ones: predicted IoU, and an upper bound on the stability of those
        # whose predicted IoU was high enough.
        self.highest = [-math.inf, -math.inf]

    def check(self) -> None:
        """Raise ValueError for an attribute that is not valid; they may be set at any time."""
        GeneratorSettings(**{setting.name: getattr(self, setting.name) for setting in fields(GeneratorSettings)})

    def generate(self, image: ImageLike, *, progress: Progress | None = None) -> list[dict[str, Any]]:
        """Records of a photo's masks, as Meta's generator gives them.

        Args:
            image: what `Predictor.set_image` takes.
            progress: called with how many points were decoded, and of how many.

        Returns:
            dicts with `segmentation` (see `output_mode`), `area`, `bbox` (x, y, width, height, of the outermost pixels'
            middles), `predicted_iou`, `point_coords`, `stability_score` and `crop_box` (x, y, width, height).

        Raises:
            ImageError, ValueError: as of `Predictor.set_image`; a spacing larger than the photo.
        """
        return [self.record(candidate) for candidate in self.find(image, progress=progress)]

    def find(
        self, image: ImageLike | LoadedImage, *, max_pixels: int | None = MAX_PIXELS, progress: Progress | None = None
    ) -> list[MaskCandidate]:
        """`generate` with masks as runs, the best first; they cost a few kilobytes each, whatever the photo's size. With
        `pyramid`, `image` may be the `image` of a predictor, whose encoded levels are used."""
        self.check()
        if isinstance(image, LoadedImage):
            if not (self.pyramid and image.levels):
                raise InputError("image: one that is encoded already needs levels (set_image(pyramid=True)) and pyramid=True")
            self.predictor.use(image)
            pixels = np.asarray(image.pixels)
        else:
            pixels = pixels_of(image, max_pixels=max_pixels)[0]
            if self.pyramid:
                self.predictor.set_image(pixels, long_side=self.long_side, pyramid=True)
        height, width = pixels.shape[:2]
        crops = self.crops_of(pixels)
        kept = Kept((height, width), self.bar, self.soft, self.prompted)
        self.kept = None
        whole, done = sum(len(points) for _, _, points in crops), 0
        self.highest[:] = -math.inf, -math.inf
        for crop, view, points in crops:
            found: list[MaskCandidate] = []
            for count, candidates in self.candidates_on(pixels, crop, view, points):
                found += candidates
                done += count
                if progress is not None:
                    progress(done, whole)
            kept.crops.append(found)
        self.predictor.reset_image()
        self.kept = kept
        return self.chosen(kept)

    def find_again(self) -> list[MaskCandidate]:
        """The last photo's masks with the thresholds as they are now, at once: no point is decoded again.

        Raises:
            RuntimeError: no photo was looked at, or thresholds are lower, or points or crops others than they were: masks
                that are wanted now were not kept then.
        """
        self.check()
        if self.kept is None:
            raise OrderError("no photo was looked at: call find or generate first")
        if not self.bar.is_above(self.kept.bar) or self.prompted != self.kept.prompted or (self.soft and not self.kept.soft):
            raise OrderError("thresholds may be raised after the photo was looked at, and nothing else be changed: call find")
        return self.chosen(self.kept)

    @property
    def bar(self) -> Bar:
        return Bar(self.pred_iou_thresh, self.stability_score_thresh, self.stability_score_offset)

    @property
    def grids(self) -> tuple[bytes, ...] | None:
        """`point_grids` by value: the caller may change them in place, or give others in their place."""
        if self.point_grids is None:
            return None
        return tuple(grid.tobytes() for grid in checked_grids(self.point_grids, self.crop_n_layers))

    @property
    def prompted(self) -> tuple[Any, ...]:
        """All that decides which points are decoded, and on what."""
        return (
            (self.points_per_side, self.spacing, self.grids, self.crop_n_layers, self.crop_overlap_ratio),
            (
                self.crop_n_points_downscale_factor,
                self.pyramid,
                self.long_side,
                self.square,
                self.predictor.mode,
                self.predictor.max_side,
            ),
        )

    def crops_of(self, pixels: NDArray[np.uint8]) -> list[tuple[Crop, View | None, NDArray[np.float64]]]:
        """Where points `(P, 2)`, in pixels of the crop, are decoded: on a crop of the photo that is encoded by itself, or on a
        view, a part of the photo's embedding."""
        height, width = pixels.shape[:2]
        if not self.pyramid:
            crops = crops_of(height, width, self.crop_n_layers, self.crop_overlap_ratio)
            return [(crop, None, self.shares_of(crop.size, crop.layer, 1) * crop.size[::-1]) for crop in crops]
        levels, geometry = self.predictor.image.levels, self.predictor.attachment.geometry
        return list(parts_of(levels, geometry, lambda layer, times: self.shares_of((height, width), layer, times)))

    def shares_of(self, size: tuple[int, int], layer: int, times: float) -> NDArray[np.float64]:
        """Points of a crop of (height, width) pixels, `(P, 2)` as x, y in shares of it.

        Args:
            times: of a level of a pyramid: how many times larger it is than the coarsest.

        Raises:
            ValueError: the spacing is larger than the photo.
        """
        height, width = size
        fewer = self.crop_n_points_downscale_factor**layer
        if self.point_grids is not None:
            return checked_grids(self.point_grids, self.crop_n_layers)[0 if self.pyramid else layer]
        if self.spacing is None:
            count = max(1, int(times * (self.points_per_side or 1) / fewer))
            return grid_of(count, count)
        if layer == 0 and self.spacing > max(height, width):
            raise InputError(f"spacing={self.spacing:g}: larger than the photo of {width} x {height} px; give a smaller one")
        apart = self.spacing * fewer / (times if self.pyramid else 2**layer)
        return grid_of(max(1, round(width / apart)), max(1, round(height / apart)))

    def candidates_on(
        self, pixels: NDArray[np.uint8], crop: Crop, view: View | None, points: NDArray[np.float64]
    ) -> Iterator[tuple[int, list[MaskCandidate]]]:
        """How many points of a crop were decoded, and what came of them, piece by piece."""
        if view is None:  # only the crop is encoded
            part = pixels[crop.y0 : crop.y1, crop.x0 : crop.x1]
            self.predictor.set_image(part, long_side=self.long_side, square=self.square)
            view = self.predictor.image.whole
        photo = (pixels.shape[0], pixels.shape[1])
        decoding = PointDecoding(PromptDecoder(self.predictor, True), view, crop, photo, self.bar, self.soft, self.highest)
        yield from decoding.candidates(points, self.points_per_batch)

    def chosen(self, kept: Kept) -> list[MaskCandidate]:
        """Of all candidates those that reach the bar, each object once."""
        found: list[MaskCandidate] = []
        for candidates in kept.crops:
            reached = [candidate for candidate in candidates if self.bar.is_reached_by(candidate)]
            found += best_of(reached, [each.predicted_iou for each in reached], self.box_nms_thresh)
        if len(kept.crops) > 1:
            # Parts of a level are alike but for those at the photo's edge.
            better = [one.crop.layer + one.predicted_iou if self.pyramid else 1 / one.crop.area for one in found]
            found = best_of(found, better, self.crop_nms_thresh)
        if self.mask_nms_thresh is not None or self.containment_thresh is not None:
            ious = np.array([candidate.predicted_iou for candidate in found])
            left = best_masks([each.runs for each in found], ious, self.mask_nms_thresh, self.containment_thresh)
            found = [found[index] for index in left]
        return self.cleaned(found) if self.min_mask_region_area > 0 else found

    def cleaned(self, found: list[MaskCandidate]) -> list[MaskCandidate]:
        """Without small holes and islands; what then has the box of another goes, first of those that were changed."""
        cleaned, unchanged = [], []
        for candidate in found:
            mask, changed = without_small_regions(candidate.runs.mask(), int(np.ceil(self.min_mask_region_area)))
            unchanged.append(float(not changed))
            cleaned.append(replace(candidate, runs=RunMask.of(mask)) if changed else candidate)
        return best_of(cleaned, unchanged, max(self.box_nms_thresh, self.crop_nms_thresh))

    def record(self, candidate: MaskCandidate) -> dict[str, Any]:
        """What Meta's generator returns of a mask."""
        runs, crop = candidate.runs, candidate.crop
        forms = {"binary_mask": runs.mask, "uncompressed_rle": runs.uncompressed, "coco_rle": runs.coco}
        x0, y0, x1, y1 = candidate.corners.astype(int).tolist()
        return {
            "segmentation": forms[self.output_mode](),
            "area": runs.area,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "predicted_iou": candidate.predicted_iou,
            "point_coords": [list(candidate.point)],
            "stability_score": candidate.stability,
            "crop_box": [crop.x0, crop.y0, crop.x1 - crop.x0, crop.y1 - crop.y0],
        }
