"""All that decides what is done with photographs, as plain values that travel to another process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from basam.checks import Count, Device, Dtype, NameOrPath, NotNegative, check_fields
from basam.distributed.finding import EverythingJob
from basam.distributed.job import PhotoJob
from basam.distributed.segmenting import SegmentJob
from basam.errors import InputError
from basam.files import MAX_PIXELS, ResultFolder
from basam.masks import Cleaning
from basam.method import BiasMode
from basam.model import model_fingerprint, read_mode_file
from basam.predict import MAX_SIDE, AutomaticMasks, Predictor
from basam.predict.writers import TOLERANCE, Outputs, check_kinds


@dataclass(frozen=True, kw_only=True)
class PhotoSettings(ABC):
    """The model, its correction, and what is written.

    Attributes:
        model, adapter, device: as of `basam.load`; dtype: of the image encoder, `float32`, `bfloat16` or `float16`.
        uncorrected: plain SAM. mode_file: a `mode.json`, instead of the model's own mode. changes: fields of `BiasMode` that
            differ from the mode in force.
        long_side: of the whole photo in pixels; None: its own; `auto`: up to four times the trained tokens.
        max_side, max_pixels: see `Predictor` and `read_photograph`.
        kinds, cleaning, tolerance: see `Outputs`.
        overwrite: photos that are done are done again.
    """

    model: NameOrPath = "nano"
    adapter: NameOrPath | None = None
    device: Device = "auto"
    dtype: Dtype = "float32"
    uncorrected: bool = False
    mode_file: Path | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    long_side: Count | Literal["auto"] | None = "auto"
    max_side: Count = MAX_SIDE
    max_pixels: Count | None = MAX_PIXELS
    kinds: tuple[str, ...] = ("mask", "overlay")
    cleaning: Cleaning = field(default_factory=Cleaning)
    tolerance: NotNegative = TOLERANCE
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        check_kinds(self.kinds)
        BiasMode.from_dict(self.changes)

    def outputs(self, folder: ResultFolder) -> Outputs:
        """What is written to a folder.

        Raises:
            FileExistsError: the folder has a file of another program in the place of one that is written.
        """
        return Outputs.of(folder, self.kinds, self.cleaning, self.tolerance)

    @abstractmethod
    def open(self, outputs: Outputs) -> PhotoJob:
        """The job, with its model loaded.

        Raises:
            BasamError: a model, adapter or mode file that cannot be loaded, or settings that do not go together.
        """

    def predictor(self) -> Predictor:
        file = None if self.mode_file is None else read_mode_file(self.mode_file)
        given = BiasMode.off() if self.uncorrected else None if file is None else file.mode
        predictor = Predictor.from_pretrained(
            self.model,
            given,
            adapter=self.adapter,
            dtype=getattr(torch, self.dtype),
            device=self.device,
            max_side=self.max_side,
        )
        slope = self.changes.get("slope")
        if slope is not None and predictor.mode.slopes == "learned":
            raise InputError(f"--slope {slope}: the adapter has learned slopes, which take its place; --strength weakens them")
        # A change is of its own field of the mode in force: that of the file, of the adapter or of the model.
        predictor.mode = replace(predictor.mode, **self.changes)
        return predictor

    def common(self, predictor: Predictor, outputs: Outputs) -> dict[str, Any]:
        """Arguments that all jobs have; `settings` among them are those that all results depend on."""
        weights, notes = model_fingerprint(predictor.model), []
        found_for = None if self.mode_file is None else read_mode_file(self.mode_file).fingerprint
        if found_for not in (None, weights):
            notes.append(f"{self.mode_file} was found for other weights, {found_for[:12]}; these are {weights[:12]}")
        return {
            "predictor": predictor,
            "outputs": outputs,
            "settings": {
                "model": weights,
                "mode": asdict(predictor.mode),
                "max side": self.max_side,
                "dtype": self.dtype,
            },
            "overwrite": self.overwrite,
            "max_pixels": self.max_pixels,
            "notes": tuple(notes),
        }


@dataclass(frozen=True, kw_only=True)
class SegmentSettings(PhotoSettings):
    """How prompts are answered.

    Attributes:
        resize: squeezed and padded to a square as SAM was trained, uncorrected.
        focus: encode the region of each prompt. None: for prompts with a box, where the photo is larger than trained.
        focus_context, focus_side: of `Focus`; None: as the model says.
        multimask: the best of three masks by predicted IoU.
    """

    resize: bool = False
    focus: bool | None = None
    focus_context: float | None = None
    focus_side: Count | None = None
    multimask: bool = False

    def open(self, outputs: Outputs) -> SegmentJob:
        predictor = replace(self, uncorrected=self.uncorrected or self.resize).predictor()
        focus, side = (False, predictor.attachment.geometry.image_size) if self.resize else (self.focus, self.long_side)
        region = replace(
            predictor.focus,
            context=predictor.focus.context if self.focus_context is None else self.focus_context,
            side=predictor.focus.side if self.focus_side is None else self.focus_side,
        )
        common = self.common(predictor, outputs)
        common["settings"] |= {
            "long side": side,
            "square": self.resize,
            "focus": [focus, region.to_dict()],
            "multimask": self.multimask,
        }
        return SegmentJob(
            **common,
            long_side=side,
            square=self.resize,
            focus=focus,
            focus_settings=region,
            multimask=self.multimask,
        )


@dataclass(frozen=True, kw_only=True)
class EverythingSettings(PhotoSettings):
    """How everything is found.

    Attributes:
        asked: arguments of `AutomaticMasks` that decide the result.
        points_per_batch: points that are asked together, at most.
    """

    asked: dict[str, Any] = field(default_factory=dict)
    points_per_batch: Count = 64

    def open(self, outputs: Outputs) -> EverythingJob:
        predictor = self.predictor()
        common = self.common(predictor, outputs)
        common["settings"] |= {"long side": self.long_side, "everything": self.asked}
        generator = AutomaticMasks(predictor, points_per_batch=self.points_per_batch, soft=outputs.soft, **self.asked)
        return EverythingJob(**common, long_side=self.long_side, generator=generator)
