"""What tests of SAM 2 and of SAM 3's tracker share: prompts as `transformers` takes them, runs, and checks of both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import basam

OFF = basam.BiasMode.off()
POINTS = torch.tensor([[[[60.0, 70.0]], [[20.0, 30.0]]]])
LABELS = torch.ones(1, 2, 1, dtype=torch.long)
BOXES = torch.tensor([[[10.0, 15.0, 90.0, 100.0]]])
PROMPTS: tuple[dict[str, Any], ...] = (
    {"input_points": POINTS, "input_labels": LABELS},
    {"input_boxes": BOXES},
    {"input_boxes": BOXES, "multimask_output": False},
)
# Of the part of their video models that images do not use.
MEMORY = {
    "memory_attention_hidden_size": 32,
    "memory_attention_num_layers": 1,
    "memory_attention_feed_forward_hidden_size": 32,
    "memory_encoder_hidden_size": 32,
    "memory_encoder_output_channels": 8,
    "mask_downsampler_embed_dim": 32,
    "memory_fuser_embed_dim": 32,
    "memory_fuser_intermediate_dim": 32,
    "memory_fuser_num_layers": 1,
}


def run(model: Any, pixels: Tensor, **prompts: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Masks, predicted IoU and object scores; every image gets the same prompts."""
    with torch.no_grad():
        output = model(pixel_values=pixels, **{name: for_each(value, len(pixels)) for name, value in prompts.items()})
    return output.pred_masks, output.iou_scores, output.object_score_logits


def for_each(value: Any, images: int) -> Any:
    return value.expand(images, *value.shape[1:]) if isinstance(value, torch.Tensor) else value


def assert_equal(found: Iterable[Tensor], expected: tuple[Tensor, ...], tolerance: float = 0.0) -> None:
    assert expected[0].std() > 0.1  # a model that says something
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() <= tolerance


def check_trained_size_and_detaching(
    build: Callable[[], nn.Module], mode: basam.BiasMode, trained: int, other: tuple[int, int]
) -> None:
    """At the trained side in pixels outputs are upstream's, and after an image of another size `detach` leaves no trace."""
    model, plain = build(), build()
    pixels = torch.randn(1, 3, trained, trained)
    expected = run(plain, pixels, **PROMPTS[0])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    basam.attach(model, mode)
    assert_equal(run(model, pixels, **PROMPTS[0]), expected)
    run(model, torch.randn(1, 3, *other), **PROMPTS[0])
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())
    basam.detach(model)
    assert all(type(a) is type(b) for a, b in zip(model.modules(), plain.modules(), strict=True))
    assert [sorted(vars(a)) for a in model.modules()] == [sorted(vars(b)) for b in plain.modules()]
    assert_equal(run(model, pixels, **PROMPTS[0]), expected)


def check_changed_tensors(folder: Path, *cases: tuple[Callable[[dict[str, Tensor]], Any], str]) -> None:
    """Each change to the tensors of a folder is refused with the message beside it."""
    tensors = load_file(folder / "model.safetensors")
    for change, message in cases:
        changed = dict(tensors)
        change(changed)
        save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(basam.UnsupportedModelError, match=message):
            basam.load(folder)


def check_changed_config(folder: Path, part: str, name: str, value: Any, message: str) -> None:
    """A changed value in a part of config.json is refused with the message."""
    config = json.loads((folder / "config.json").read_text())
    config[part][name] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(basam.UnsupportedModelError, match=message):
        basam.load(folder)
