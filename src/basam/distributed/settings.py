"""All that decides how photographs are segmented, as plain values that travel to another process."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from basam.distributed.job import SegmentJob
from basam.errors import InputError
from basam.files import MAX_PIXELS, ResultFolder
from basam.method import BiasMode
from basam.model import model_fingerprint, read_mode_file
from basam.predict import MAX_SIDE, Predictor


@dataclass(frozen=True)
class SegmentSettings:
    """How photographs are segmented; `open` loads the model.

    Attributes:
        model, adapter, device: as of `basam.load`; dtype: of the image encoder, `float32`, `bfloat16` or `float16`.
        uncorrected: plain SAM. mode_file: a `mode.json`, instead of the model's own mode. changes: fields of `BiasMode` that
            differ from the mode in force.
        long_side: of the whole photo in pixels; None: its own; `auto`: up to four times the trained tokens.
        resize: squeezed and padded to a square as SAM was trained, uncorrected.
        focus: encode the region of each prompt. None: where the photo is larger than trained. focus_context, focus_side: of
            `Focus`; None: as the model says.
        multimask: the best of three masks by predicted IoU.
        max_side, max_pixels: see `Predictor` and `read_photograph`.
        overwrite: photos that are done are done again.
    """

    model: str = "nano"
    adapter: str | None = None
    device: str = "auto"
    dtype: str = "float32"
    uncorrected: bool = False
    mode_file: Path | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    long_side: int | str | None = "auto"
    resize: bool = False
    focus: bool | None = None
    focus_context: float | None = None
    focus_side: int | None = None
    multimask: bool = False
    max_side: int = MAX_SIDE
    max_pixels: int | None = MAX_PIXELS
    overwrite: bool = False

    def open(self, folder: ResultFolder) -> SegmentJob:
        """The job, with its model loaded.

        Raises:
            BasamError: a model, adapter or mode file that cannot be loaded, or settings that do not go together.
        """
        file = None if self.mode_file is None else read_mode_file(self.mode_file)
        given = BiasMode.off() if self.uncorrected or self.resize else None if file is None else file.mode
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
        weights = model_fingerprint(predictor.model)
        notes = []
        if file is not None and file.fingerprint not in (None, weights):
            notes.append(f"{self.mode_file} was found for other weights, {file.fingerprint[:12]}; these are {weights[:12]}")
        # A change is of its own field of the mode in force: that of the file, of the adapter or of the model.
        predictor.mode = replace(predictor.mode, **self.changes)
        focus, side = (False, predictor.attachment.geometry.image_size) if self.resize else (self.focus, self.long_side)
        region = replace(
            predictor.focus,
            context=predictor.focus.context if self.focus_context is None else self.focus_context,
            side=predictor.focus.side if self.focus_side is None else self.focus_side,
        )
        return SegmentJob(
            predictor=predictor,
            folder=folder,
            long_side=side,
            square=self.resize,
            focus=focus,
            focus_settings=region,
            multimask=self.multimask,
            settings={
                "model": weights,
                "mode": asdict(predictor.mode),
                "long side": side,
                "max side": self.max_side,
                "square": self.resize,
                "focus": [focus, region.to_dict()],
                "multimask": self.multimask,
                "dtype": self.dtype,
            },
            overwrite=self.overwrite,
            max_pixels=self.max_pixels,
            notes=tuple(notes),
        )
