"""BiasMode.off() at another size, against transformers' own model configured at that size with the tables resampled."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers import SamConfig, SamModel

import basam
from tests.helpers.tiny import tiny_sam


def resampled(state, side):
    """A state dict with its absolute and global relative tables for `side` patches; written apart from basam's code."""
    out = {}
    trained = state["vision_encoder.pos_embed"].shape[1]
    for name, tensor in state.items():
        if name.endswith("pos_embed"):
            tensor = F.interpolate(tensor.permute(0, 3, 1, 2), (side, side), mode="bicubic").permute(0, 2, 3, 1)
        elif "rel_pos" in name and tensor.shape[0] == 2 * trained - 1:
            tensor = F.interpolate(tensor.t()[None], 2 * side - 1, mode="linear")[0].t()
        out[name] = tensor
    return out


def configured_at(model, size):
    config = SamConfig.from_dict(model.config.to_dict())
    config._attn_implementation = "sdpa"
    config.vision_config.image_size = size
    config.prompt_encoder_config.image_size = size
    config.prompt_encoder_config.image_embedding_size = size // 16
    other = SamModel(config).eval()
    other.load_state_dict(resampled(model.state_dict(), size // 16))
    return other


class InParts(nn.Module):
    """Attention of upstream's own class with a few of its heads at a time: 12 of them at 2048 px take 26 GB in float32."""

    def __init__(self, attention, parts):
        super().__init__()
        heads = attention.num_attention_heads
        qkv = attention.qkv.weight.view(3, heads, -1, attention.qkv.in_features)
        bias = attention.qkv.bias.view(3, heads, -1)
        self.parts = nn.ModuleList()
        for which in torch.arange(heads).chunk(parts):
            part = copy.deepcopy(attention)
            part.num_attention_heads = len(which)
            part.qkv.weight, part.qkv.bias = (nn.Parameter(t[:, which].flatten(0, 2)) for t in (qkv, bias))
            part.proj.weight = nn.Parameter(attention.proj.weight.unflatten(1, (heads, -1))[:, which].flatten(1))
            part.proj.bias = nn.Parameter(attention.proj.bias / parts)
            self.parts.append(part)

    def forward(self, hidden_states):
        return sum(part(hidden_states)[0] for part in self.parts), None


def compare(model, size, parts=1):
    pixels = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(size))
    prompts = {
        "input_points": torch.tensor([[[[0.3, 0.6], [0.7, 0.2]]]]) * size,
        "input_labels": torch.tensor([[[1, 0]]]),
        "input_boxes": torch.tensor([[[0.1, 0.2, 0.8, 0.9]]]) * size,
    }
    with torch.no_grad():
        other = configured_at(model, size)
        for layer in other.vision_encoder.layers:
            if layer.window_size == 0 and parts > 1:
                layer.attn = InParts(layer.attn, parts)
        expected = other(pixel_values=pixels, **prompts)
        with basam.attached(model, basam.BiasMode.off()):
            out = model(pixel_values=pixels, **prompts)
    assert expected.pred_masks.std() > 0.005  # random weights of a true ViT-B say little, but something
    assert (out.pred_masks - expected.pred_masks).abs().max() <= 1e-4
    assert (out.iou_scores - expected.iou_scores).abs().max() <= 1e-4


@pytest.mark.parametrize("factor", [0.5, 1.5, 2])
@pytest.mark.parametrize("parts", [1, 2])
def test_off_equals_transformers_configured_at_that_size(factor, parts):
    compare(tiny_sam(image_size=128), int(128 * factor), parts)


@pytest.mark.slow
@pytest.mark.parametrize("size", [512, 1536, 2048])
def test_true_vit_b(size):
    model = SamModel(SamConfig()).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "rel_pos" in name or "pos_embed" in name or parameter.abs().max() < 1e-6:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
        model.shared_image_embedding.positional_embedding.copy_(torch.randn(2, 128, generator=generator))
    compare(model, size, parts=4 if size > 1024 else 1)
