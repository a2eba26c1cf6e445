"""reach="trained": global layers attend to a neighborhood of the trained size, beside dense doubles of upstream's layers."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import basam
from basam.families import LearnedSlopes, family_of
from basam.families.shared import GridAttention
from basam.families.transformers_sam.modules import CorrectedAttention
from tests.families.conftest import MODELS
from tests.helpers.slowly import slowly

OFF = basam.BiasMode.off()
NEAR = replace(OFF, reach="trained")


def window_start(place: int, window: int, length: int) -> int:
    return min(max(place - window // 2, 0), length - window)


def seen(grid: tuple[int, int], side: int) -> Tensor:
    """Which key `(N, N)` each query of a grid sees."""
    height, width = grid
    down, across = min(side, height), min(side, width)
    mask = torch.zeros(height, width, height, width, dtype=torch.bool)
    for y in range(height):
        for x in range(width):
            top, left = window_start(y, down, height), window_start(x, across, width)
            mask[y, x, top : top + down, left : left + across] = True
    return mask.view(height * width, -1)


def relative(table: Tensor, length: int) -> Tensor:
    """Rows of a trained table by distance, `(length, length, d)`; what is beyond it is never seen."""
    index = torch.arange(length)
    trained = (len(table) + 1) // 2
    return table[(index[:, None] - index + trained - 1).clamp(0, len(table) - 1)]


def turned(x: Tensor, step: float, theta: float, grid: tuple[int, int]) -> Tensor:
    """Axial rotary positions of `(B, heads, N, d)` as complex numbers: columns turn one half of the channels."""
    quarter = x.shape[-1] // 4
    frequencies = theta ** -(torch.arange(quarter, dtype=x.dtype) / quarter)
    y, x_place = torch.meshgrid(*(torch.arange(side, dtype=x.dtype) * step for side in grid), indexing="ij")
    angles = torch.cat([x_place.flatten()[:, None] * frequencies, y.flatten()[:, None] * frequencies], -1)
    complex_x = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(complex_x * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


def dense_forward(module: Any, slope: float, hidden: Tensor) -> Any:
    """Upstream's layer with all N x N logits and a mask that hides keys outside of the window."""
    batch, height, width, _ = hidden.shape
    trained = module.basam.geometry.trained_side
    heads = next(getattr(module, name) for name in ("num_attention_heads", "num_heads", "heads") if hasattr(module, name))
    if hasattr(module, "qkv"):
        q, k, v = module.qkv(hidden).unflatten(-1, (3, heads, -1)).flatten(1, 2).permute(2, 0, 3, 1, 4)
    else:
        q, k, v = (
            project(hidden).unflatten(-1, (heads, -1)).flatten(1, 2).transpose(1, 2)
            for project in (module.q_proj, module.k_proj, module.v_proj)
        )
        theta = module.config.rope_parameters["rope_theta"]
        q, k = (turned(t, module.config.window_size / trained, theta, (height, width)) for t in (q, k))
    logits = q.shape[-1] ** -0.5 * (q @ k.mT)
    if getattr(module, "rel_pos_h", None) is not None:
        cells = q.unflatten(2, (height, width))
        rows = torch.einsum("bnhwd,hkd->bnhwk", cells, relative(module.rel_pos_h, height))
        cols = torch.einsum("bnhwd,wkd->bnhwk", cells, relative(module.rel_pos_w, width))
        logits = logits + (rows[..., :, None] + cols[..., None, :]).flatten(-2).flatten(2, 3)
    at = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1).view(-1, 2)
    logits = logits - slope * (at[:, None] - at).abs().sum(-1)
    out = logits.masked_fill(~seen((height, width), trained), float("-inf")).softmax(-1) @ v
    out = out.transpose(1, 2).reshape(batch, height, width, -1)
    if hasattr(module, "o_proj"):
        return module.o_proj(out), None
    return (module.proj(out), None) if isinstance(module, CorrectedAttention) else module.proj(out)


def dense_of(module: nn.Module, slope: float) -> Any:
    """What takes the place of its `forward`: upstream gives the hidden states first or by name."""
    return lambda *given, **named: dense_forward(module, slope, given[0] if given else named["hidden_states"])


def double(model: nn.Module, slope: float = 0.0) -> nn.Module:
    """A copy of an attached model with dense global layers."""
    model = basam.attach(copy.deepcopy(model), OFF)
    for module in model.modules():
        if "basam_layer" in vars(module):  # a global layer
            module.forward = dense_of(module, slope)
    return model


def embedding(model: nn.Module, pixels: Tensor) -> Tensor:
    family = family_of(model)
    return family.embedding(family.encode(model, pixels))


def pixels_of(model: nn.Module, scales: tuple[float, float]) -> Tensor:
    """An image of that many times the trained side, in whole steps of the model."""
    geometry = family_of(model).geometry(model)
    sides = (max(1, round(scale * geometry.image_size / geometry.multiple)) * geometry.multiple for scale in scales)
    return torch.randn(1, 3, *sides, generator=torch.Generator().manual_seed(0))


def has_global_layers(model: nn.Module) -> bool:
    return bool(family_of(model).geometry(model).global_layers)


@pytest.mark.parametrize("scales", [(0.75, 2.5), (1.5, 1.25)])
@torch.no_grad()
def test_global_layers_see_a_neighborhood_of_the_trained_size(each_model: nn.Module, scales: tuple[float, float]) -> None:
    pixels = pixels_of(each_model, scales)
    plain = embedding(basam.attach(copy.deepcopy(each_model), OFF), pixels)
    wanted = embedding(double(each_model), pixels)
    found = embedding(basam.attach(each_model, basam.BiasMode(reach="trained", slope=1.0)), pixels)
    assert (found - wanted).abs().max() <= 1e-4 * wanted.abs().max()
    if has_global_layers(each_model):
        assert (found - plain).abs().max() > 1e-3 * wanted.abs().max()
    else:
        assert torch.equal(found, plain)


@torch.no_grad()
def test_a_constant_slope_acts_inside_the_window(each_model: nn.Module) -> None:
    pixels = pixels_of(each_model, (2.0, 1.5))
    wanted = embedding(double(each_model, slope=0.4), pixels)
    found = embedding(basam.attach(each_model, replace(NEAR, slope=0.4, schedule="constant")), pixels)
    assert (found - wanted).abs().max() <= 1e-4 * wanted.abs().max()


@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.5, 0.75)])
@torch.no_grad()
def test_up_to_the_trained_grid_it_is_plain_sam_bit_for_bit(each_model: nn.Module, scales: tuple[float, float]) -> None:
    pixels = pixels_of(each_model, scales)
    plain = embedding(basam.attach(copy.deepcopy(each_model), OFF), pixels)
    assert torch.equal(embedding(basam.attach(each_model, basam.BiasMode(reach="trained", slope=1.0)), pixels), plain)


def test_gradients_reach_weights_and_learned_slopes(each_model: nn.Module) -> None:
    geometry = family_of(each_model).geometry(each_model)
    if not geometry.global_layers:
        pytest.skip("no global layers")
    reference, pixels = double(each_model, slope=0.3), pixels_of(each_model, (1.5, 1.25))
    slopes = LearnedSlopes.uniform(len(geometry.global_layers), geometry.heads, 0.3)
    basam.attach(each_model, replace(NEAR, slopes="learned", schedule="constant"), slopes)
    gradients = []
    for model in (each_model, reference):
        found = embedding(model, pixels)
        (found * torch.randn(found.shape, generator=torch.Generator().manual_seed(1))).mean().backward()
        module = next(module for module in model.modules() if isinstance(module, GridAttention))
        gradients.append({name: weight.grad for name, weight in module.named_parameters() if weight.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() != set()
    for name, wanted in gradients[1].items():
        assert (gradients[0][name] - wanted).abs().max() <= 1e-3 * wanted.abs().max()
    assert slopes.log.grad is not None
    assert bool(slopes.log.grad.isfinite().all())
    assert float(slopes.log.grad.abs().min()) > 0


@pytest.mark.parametrize("each_model", slowly(MODELS, "sam3"), indirect=True)
@torch.no_grad()
def test_compiled_in_one_graph(each_model: nn.Module) -> None:
    encoder = family_of(each_model).encoder(basam.attach(each_model, NEAR))
    pixels = pixels_of(each_model, (2.0, 1.5))
    torch.compiler.reset()
    found, wanted = torch.compile(encoder, backend="eager", fullgraph=True, dynamic=False)(pixels), encoder(pixels)
    for name in ("fpn_hidden_states", "last_hidden_state"):
        found, wanted = getattr(found, name, found), getattr(wanted, name, wanted)
    found, wanted = (output if isinstance(output, (tuple, list)) else (output,) for output in (found, wanted))
    assert all((a - b).abs().max() <= 1e-4 for a, b in zip(found, wanted, strict=True))
    torch.compiler.reset()


@torch.no_grad()
def test_autocast_and_bfloat16_encoders(each_model: nn.Module) -> None:
    pixels = pixels_of(each_model, (2.0, 1.5))
    exact = embedding(basam.attach(each_model, NEAR), pixels)
    with torch.autocast("cpu", torch.bfloat16):
        cast = embedding(each_model, pixels)
    family_of(each_model).encoder(each_model).to(torch.bfloat16)
    low = embedding(each_model, pixels.to(torch.bfloat16))
    for found in (cast, low):
        assert (found.float() - exact).abs().mean() <= 0.1 * exact.abs().mean()
