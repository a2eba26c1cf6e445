"""From settings to a job: load the model, set its mode and focus."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import torch

from basam.batch.job import PhotoJob
from basam.batch.rasters import RasterJob
from basam.batch.segmenting import SegmentJob
from basam.batch.settings import EverythingSettings, PhotoSettings, SegmentSettings
from basam.batch.writers import Outputs
from basam.errors import InputError
from basam.method import BiasMode
from basam.model import model_fingerprint, read_mode_file
from basam.predict import AutomaticMasks, Predictor


def open_job(settings: PhotoSettings, outputs: Outputs) -> PhotoJob:
    """The job of a run, with its model loaded.

    Raises:
        BasamError: a model, adapter or mode file cannot be loaded, or settings contradict each other.
    """
    if isinstance(settings, SegmentSettings):
        return segment_job(settings, outputs)
    assert isinstance(settings, EverythingSettings)
    return everything_job(settings, outputs)


def segment_job(settings: SegmentSettings, outputs: Outputs) -> SegmentJob:
    predictor = predictor_of(replace(settings, uncorrected=settings.uncorrected or settings.resize))
    if settings.resize:
        settings = replace(settings, focus=False, long_side=predictor.attachment.geometry.image_size)
    elif settings.pyramid:
        settings = replace(settings, focus=False)
    region = replace(
        predictor.focus,
        context=predictor.focus.context if settings.focus_context is None else settings.focus_context,
        side=predictor.focus.side if settings.focus_side is None else settings.focus_side,
    )
    about = {
        "long side": settings.long_side,
        "square": settings.resize,
        "focus": [settings.focus, region.to_dict()],
        "pyramid": settings.pyramid,
        "multimask": settings.multimask,
    }
    return SegmentJob(**arguments_of(settings, predictor, outputs, about), focus_settings=region)


def everything_job(settings: EverythingSettings, outputs: Outputs) -> RasterJob:
    predictor = predictor_of(settings)
    automatic = asdict(settings.automatic)
    generator = AutomaticMasks(predictor, points_per_batch=settings.points_per_batch, soft=outputs.soft, **automatic)
    about = {"long side": settings.long_side, "everything": automatic}
    return RasterJob(**arguments_of(settings, predictor, outputs, about), generator=generator)


def predictor_of(settings: PhotoSettings) -> Predictor:
    file = None if settings.mode_file is None else read_mode_file(settings.mode_file)
    given = BiasMode.off() if settings.uncorrected else None if file is None else file.mode
    predictor = Predictor.from_pretrained(
        settings.model,
        given,
        adapter=settings.adapter,
        dtype=getattr(torch, settings.dtype),
        device=settings.device,
        max_side=settings.max_side,
    )
    slope = settings.changes.get("slope")
    if slope is not None and predictor.mode.slopes == "learned":
        raise InputError(f"--slope {slope}: the adapter has learned slopes, which replace it; --strength weakens them")
    # A change replaces its own field of the mode: that of the file, the adapter or the model.
    predictor.mode = replace(predictor.mode, **settings.changes)
    return predictor


def arguments_of(settings: PhotoSettings, predictor: Predictor, outputs: Outputs, about: dict[str, Any]) -> dict[str, Any]:
    """Arguments that all jobs have."""
    weights, notes = model_fingerprint(predictor.model), []
    found_for = None if settings.mode_file is None else read_mode_file(settings.mode_file).fingerprint
    if found_for not in (None, weights):
        notes.append(f"{settings.mode_file} was calibrated on other weights, {found_for[:12]}; these are {weights[:12]}")
    about |= {"model": weights, "mode": asdict(predictor.mode), "max side": settings.max_side, "dtype": settings.dtype}
    return {"predictor": predictor, "outputs": outputs, "settings": settings, "about": about, "notes": tuple(notes)}
