"""`save_pretrained` of an attached model writes its mode beside it: the folder gives the same correction again."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import SamVisionModel

import basam
from basam.families import LearnedSlopes
from basam.model import attachment_of, own_section
from basam.model.attaching import set_own_mode
from tests.families.conftest import mobile
from tests.helpers.tiny import tiny_sam
from tests.helpers.tiny_sam2 import tiny_sam2
from tests.helpers.tiny_sam3 import tiny_sam3

MODE = basam.BiasMode(strength=0.5, slope=0.3)


def tiny_vision() -> nn.Module:
    return SamVisionModel(tiny_sam().config.vision_config)


@pytest.mark.parametrize("build", [tiny_sam, lambda: tiny_sam(hq=True), tiny_sam2, tiny_sam3, mobile, tiny_vision])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_mode_comes_back(tmp_path: Path, build: object, dtype: torch.dtype) -> None:
    model = basam.attach(build().to(dtype), MODE)  # type: ignore[operator]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.save_pretrained(tmp_path)
        loaded = basam.attach(basam.load(tmp_path))
    present = attachment_of(loaded)
    assert present is not None
    assert present.mode == MODE


def test_other_sections_come_back_too(tmp_path: Path) -> None:
    model = tiny_sam()
    set_own_mode(model, MODE, {"focus": {"context": 3.0}})
    basam.attach(model).save_pretrained(tmp_path)
    assert own_section(basam.load(tmp_path), "focus") == {"context": 3.0}


def test_a_plain_model_writes_no_mode(tmp_path: Path) -> None:
    basam.detach(basam.attach(tiny_sam(), MODE)).save_pretrained(tmp_path)
    assert not (tmp_path / "mode.json").exists()


def test_the_mode_is_for_these_weights(tmp_path: Path) -> None:
    basam.attach(tiny_sam(), MODE).save_pretrained(tmp_path)
    tiny_sam(seed=5).save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="mode.json is for weights"):
        loaded = basam.load(tmp_path)
    assert attachment_of(basam.attach(loaded)).mode == basam.BiasMode()  # type: ignore[union-attr]


def test_learned_slopes_are_not_saved_and_a_warning_says_so(tmp_path: Path) -> None:
    model = basam.attach(tiny_sam(), basam.BiasMode(slopes="learned"), LearnedSlopes.uniform(2, 2, 0.1))
    with pytest.warns(UserWarning, match="does not save learned slopes"):
        model.save_pretrained(tmp_path)
    assert not (tmp_path / "mode.json").exists()


def test_another_process_writes_nothing(tmp_path: Path) -> None:
    basam.attach(tiny_sam(), MODE).save_pretrained(tmp_path, is_main_process=False)
    assert not (tmp_path / "mode.json").exists()
