"""A model with a correction that is active during the calls of one predictor only."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from basam.families import Attachment, Family, family_of
from basam.method import BiasMode
from basam.model import attach, attachment_of, check_mode, own_attachment


class AttachedModel:
    """A model with this predictor's own mode; several predictors may share it. Arguments and errors: see `Predictor`."""

    mask_threshold: float = 0.0

    def __init__(self, model: nn.Module, mode: BiasMode | None = None) -> None:
        self.family: Family = family_of(model)
        self.family.check_whole(model)
        if attachment_of(model) is None:
            attach(model, mode)
        self.model = model
        self.mode = own_attachment(model).mode if mode is None else mode

    @property
    def mode(self) -> BiasMode:
        """This predictor's correction, independent of the model's and of other predictors'.

        It can be set; the current image is then encoded again when the next prompt needs it.
        """
        return self._attachment.mode

    @mode.setter
    def mode(self, mode: BiasMode) -> None:
        own = own_attachment(self.model)
        check_mode(mode, own.learned, own.geometry)
        self._attachment, self._local = own.for_predictor(mode), own.for_predictor(replace(mode, reach="trained"))
        self.mode_changed()

    def mode_changed(self) -> None:
        """Called after the mode was set."""

    @property
    def is_local(self) -> bool:
        """Whether global layers attend to a neighborhood of the trained size."""
        return False

    @property
    def attachment(self) -> Attachment:
        """The attachment that is active during this predictor's calls: its mode, with `reach="trained"` for a pyramid, and the
        grid of the current image.

        Raises:
            RuntimeError: the model was detached.
        """
        own = own_attachment(self.model)
        if self._attachment.model_own is not own:  # detached and attached again since
            self.mode = self._attachment.mode
        return self._local if self.is_local else self._attachment

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device
