"""`AutomaticMasks`: all masks of a photo, with the interface of Meta's `SamAutomaticMaskGenerator`."""

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
from basam.predict.automatic.decoding import MaskCandidate, PointDecoding
from basam.predict.automatic.grids import Crop, checked_grids, crops_of, grid_of
from basam.predict.automatic.parts import parts_of
from basam.predict.automatic.settings import POINTS_PER_BATCH, AutomaticSettings, GeneratorSettings
from basam.predict.automatic.suppression import best_masks, best_of
from basam.predict.automatic.thresholds import MaskThresholds
from basam.predict.decoding import PromptDecoder
from basam.predict.predictor import Predictor
from basam.predict.views import LoadedImage, View

Progress = Callable[[int, int], None]


@dataclass
class PhotoCandidates:
    """Candidates of the last photo per crop, and the thresholds that they passed."""

    size: tuple[int, int]
    thresholds: MaskThresholds
    soft: bool
    prompting: tuple[Any, ...]
    crops: list[list[MaskCandidate]] = field(default_factory=list)


class AutomaticMasks:
    """All masks of a photo: the model is prompted with a grid of points, duplicates and poor masks are dropped.

    Names, defaults and results are those of Meta's `SamAutomaticMaskGenerator`; arguments below the blank line are additions.

    Args:
        model: a SAM of a known family, attached here if it is not yet; or a `Predictor`, whose image is then replaced.
        points_per_side: points along every side of the photo and of the crops. None: use `point_grids` or `spacing`.
        points_per_batch: most points that are decoded in one batch; fewer if memory requires it.
        pred_iou_thresh: drop masks unless their predicted IoU is above this.
        stability_score_thresh: drop masks with a stability score below this: the IoU of the masks at the threshold plus and
            minus `stability_score_offset` logits.
        box_nms_thresh: of two masks whose boxes have a larger IoU, drop the one with the lower predicted IoU.
        crop_n_layers: the points are decoded again on crops, 2**i x 2**i of them in layer i.
        crop_nms_thresh: `box_nms_thresh` between crops: drop the mask of the larger crop.
        crop_overlap_ratio: overlap of crops in the first layer, as a share of the photo's short side.
        crop_n_points_downscale_factor: layer i has fewer points along a side, by this factor to the power of i.
        point_grids: points per layer, `(P, 2)` in shares of the crop.
        min_mask_region_area: fill holes and drop islands of fewer pixels (the extra `outputs`).
        output_mode: `binary_mask`, `uncompressed_rle` or `coco_rle`.

        spacing: pixels of the photo between points, instead of points per side; in crops of layer i points are 2**i times
            denser, as with `points_per_side`.
        mask_nms_thresh: of two masks with a larger IoU (of masks, not boxes), drop the one with the lower predicted IoU.
        containment_thresh: drop a mask if more than this fraction of the smaller one is covered by the other.
        pyramid: encode the photo once, at several sizes, and decode points on parts of them instead of on crops; larger sizes
            have more points, as crops have.
        long_side: of the photo and of the crops, in model pixels; None: native resolution, up to the predictor's `max_side`.
        square: pad crops to a square as in training, instead of only to a multiple of the patch.
        soft: compute soft edges of the candidates.
        mode: the correction; None: the model's own.

    Raises:
        UnsupportedModelError: `model` is of no known family.
        ValueError: a setting that is not valid; the message names it.
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
        self.candidates: PhotoCandidates | None = None
        # Highest values in the last photo, rejected masks included: predicted IoU, and an upper bound on the stability score of
        # masks whose predicted IoU passed.
        self.highest = [-math.inf, -math.inf]

    def check(self) -> None:
        """Raise ValueError for an attribute that is not valid; attributes can be set at any time."""
        GeneratorSettings(**{setting.name: getattr(self, setting.name) for setting in fields(GeneratorSettings)})

    def generate(self, image: ImageLike, *, progress: Progress | None = None) -> list[dict[str, Any]]:
        """Records of a photo's masks, as Meta's generator returns them.

        Args:
            image: what `Predictor.set_image` takes.
            progress: called with the number of decoded points, and of all points.

        Returns:
            dicts with `segmentation` (see `output_mode`), `area`, `bbox` (x, y, width, height, from pixel centre to pixel
            centre), `predicted_iou`, `point_coords`, `stability_score` and `crop_box` (x, y, width, height).

        Raises:
            ImageError, ValueError: see `Predictor.set_image`; a spacing larger than the photo.
        """
        return [self.record(candidate) for candidate in self.find(image, progress=progress)]

    def find(
        self, image: ImageLike | LoadedImage, *, max_pixels: int | None = MAX_PIXELS, progress: Progress | None = None
    ) -> list[MaskCandidate]:
        """`generate` with masks as run lengths, best first; they take a few kilobytes, whatever the photo's size. With
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
        candidates = PhotoCandidates((height, width), self.thresholds, self.soft, self.prompting)
        self.candidates = None
        whole, done = sum(len(points) for _, _, points in crops), 0
        self.highest[:] = -math.inf, -math.inf
        for crop, view, points in crops:
            of_crop: list[MaskCandidate] = []
            for count, some in self.candidates_on(pixels, crop, view, points):
                of_crop += some
                done += count
                if progress is not None:
                    progress(done, whole)
            candidates.crops.append(of_crop)
        self.predictor.reset_image()
        self.candidates = candidates
        return self.best_masks_of(candidates)

    def find_again(self) -> list[MaskCandidate]:
        """The last photo's masks under the current thresholds, without decoding points again.

        Raises:
            RuntimeError: no photo was segmented, or thresholds are lower, or points or crops differ: masks that are wanted now
                were not computed then.
        """
        self.check()
        last = self.candidates
        if last is None:
            raise OrderError("no photo was segmented yet: call find or generate first")
        if not self.thresholds.are_above(last.thresholds) or self.prompting != last.prompting or (self.soft and not last.soft):
            raise OrderError("thresholds may be raised after the photo was segmented, and nothing else be changed: call find")
        return self.best_masks_of(last)

    @property
    def thresholds(self) -> MaskThresholds:
        return MaskThresholds(self.pred_iou_thresh, self.stability_score_thresh, self.stability_score_offset)

    @property
    def grids(self) -> tuple[bytes, ...] | None:
        """`point_grids` by value, because the caller may change them in place."""
        if self.point_grids is None:
            return None
        return tuple(grid.tobytes() for grid in checked_grids(self.point_grids, self.crop_n_layers))

    @property
    def prompting(self) -> tuple[Any, ...]:
        """All settings that decide which points are decoded, and on what."""
        return (
            (self.points_per_side, self.spacing, self.grids, self.crop_n_layers, self.crop_overlap_ratio),
            (self.crop_n_points_downscale_factor, self.pyramid, self.long_side, self.square),
            (self.predictor.mode, self.predictor.max_side),
        )

    def crops_of(self, pixels: NDArray[np.uint8]) -> list[tuple[Crop, View | None, NDArray[np.float64]]]:
        """Crops with their points `(P, 2)` in pixels of the crop. The view is None if the crop is to be encoded, otherwise a
        part of the photo's embedding."""
        height, width = pixels.shape[:2]
        if not self.pyramid:
            crops = crops_of(height, width, self.crop_n_layers, self.crop_overlap_ratio)
            return [(crop, None, self.shares_of(crop.size, crop.layer, 1) * crop.size[::-1]) for crop in crops]
        levels, geometry = self.predictor.image.levels, self.predictor.attachment.geometry
        return list(parts_of(levels, geometry, lambda layer, times: self.shares_of((height, width), layer, times)))

    def shares_of(self, size: tuple[int, int], layer: int, times: float) -> NDArray[np.float64]:
        """Points of a crop of (height, width) pixels, `(P, 2)` as x, y in shares of it.

        Args:
            times: of a pyramid's level: its size relative to the coarsest level.

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
        """The number of decoded points of a crop and their masks, batch by batch."""
        if view is None:  # only the crop is encoded
            part = pixels[crop.y0 : crop.y1, crop.x0 : crop.x1]
            self.predictor.set_image(part, long_side=self.long_side, square=self.square)
            view = self.predictor.image.whole
        photo = (pixels.shape[0], pixels.shape[1])
        decoding = PointDecoding(
            PromptDecoder(self.predictor, True), view, crop, photo, self.thresholds, self.soft, self.highest
        )
        yield from decoding.candidates(points, self.points_per_batch)

    def best_masks_of(self, candidates: PhotoCandidates) -> list[MaskCandidate]:
        """The candidates that pass the thresholds, without duplicates."""
        masks: list[MaskCandidate] = []
        for of_crop in candidates.crops:
            passing = [candidate for candidate in of_crop if self.thresholds.accept(candidate)]
            masks += best_of(passing, [candidate.predicted_iou for candidate in passing], self.box_nms_thresh)
        if len(candidates.crops) > 1:
            # Parts of a level have the same size except at the photo's edge.
            preference = [mask.crop.layer + mask.predicted_iou if self.pyramid else 1 / mask.crop.area for mask in masks]
            masks = best_of(masks, preference, self.crop_nms_thresh)
        if self.mask_nms_thresh is not None or self.containment_thresh is not None:
            ious = np.array([mask.predicted_iou for mask in masks])
            left = best_masks([mask.runs for mask in masks], ious, self.mask_nms_thresh, self.containment_thresh)
            masks = [masks[index] for index in left]
        return self.cleaned(masks) if self.min_mask_region_area > 0 else masks

    def cleaned(self, masks: list[MaskCandidate]) -> list[MaskCandidate]:
        """Without small holes and islands; of masks whose boxes then coincide, changed ones are dropped first."""
        cleaned, unchanged = [], []
        for candidate in masks:
            mask, changed = without_small_regions(candidate.runs.mask(), int(np.ceil(self.min_mask_region_area)))
            unchanged.append(float(not changed))
            cleaned.append(replace(candidate, runs=RunMask.of(mask)) if changed else candidate)
        return best_of(cleaned, unchanged, max(self.box_nms_thresh, self.crop_nms_thresh))

    def record(self, candidate: MaskCandidate) -> dict[str, Any]:
        """A mask as Meta's generator returns it."""
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
