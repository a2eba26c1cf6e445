"""Tuning on every family: batches are decoded as single images are, and gradients reach what is trained."""

from __future__ import annotations

import pytest
import torch

import basam
from basam.families import PromptTensors
from basam.families.registry import family_of
from basam.lab.tuning import Tuned, TuneLoss, edges, prepare, tuned_mode

BOXES = torch.tensor([[5.0, 9.0, 100.0, 80.0], [20.0, 30.0, 60.0, 90.0]])
POINTS = {"points": torch.tensor([[[30.0, 40.0]], [[70.0, 60.0]]]), "labels": torch.ones(2, 1, dtype=torch.long)}


def sizes(model):
    """Height and width of pictures, about 96 x 128 px, and of their masks."""
    geometry = family_of(model).geometry(model)
    size = [side // geometry.multiple * geometry.multiple for side in (96, 128)]
    return size, geometry.mask_size(*size)


def test_decode_each_is_decode_of_each(each_model):
    basam.attach(each_model)
    family = family_of(each_model)
    size, mask_size = sizes(each_model)
    pixels = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    for prompts in (PromptTensors(boxes=BOXES), PromptTensors(**POINTS)):
        with torch.no_grad():
            together = family.decode_each(each_model, family.encode(each_model, pixels), prompts, multimask=True)
            for index in range(2):
                features = family.encode(each_model, pixels[index : index + 1])
                alone = family.decode_scored(each_model, features, prompts[index : index + 1], multimask=True)
                assert together[0].shape == (2, 3, *mask_size)
                for mine, theirs in zip(together, alone, strict=True):
                    assert (mine is None) == (theirs is None)
                    assert mine is None or torch.allclose(mine[index], theirs[0], atol=2e-4)


@pytest.mark.parametrize("way", ["decoder", "lora", "full"])
def test_gradients_reach_what_is_trained(each_model, way):
    if not family_of(each_model).geometry(each_model).global_layers:
        with pytest.raises(ValueError, match="no global layers"):
            prepare(each_model, way, tuned_mode())
        return
    module = Tuned(prepare(each_model, way, tuned_mode(), slope=0.1)).train()
    size, mask_size = sizes(each_model)
    target = torch.zeros(2, *mask_size)
    target[:, 4:20, 5:25] = 1
    valid = torch.ones(2, *mask_size)
    batch = {"pixels": torch.randn(2, 3, *size), "targets": target, "valid": valid}
    for prompt in ({"boxes": BOXES, "multimask": False}, {**POINTS, "multimask": True}):
        module(batch | prompt)["loss"].backward()
    assert module.slopes.log.grad.abs().min() > 0
    trained = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    reached = [name for name, parameter in trained.items() if parameter.grad is not None and parameter.grad.abs().sum() > 0]
    # LoRA's second matrix begins with zeros, so its first gets no gradient yet.
    missing = [name for name in trained if name not in reached and ".lora_A" not in name]
    # Not in these prompts: points outside the object; two of the three masks fit less and are not trained.
    assert all("prompt_encoder" in name or "hypernetworks" in name for name in missing), missing


def test_what_is_padded_teaches_nothing(each_model):
    if not family_of(each_model).geometry(each_model).global_layers:
        pytest.skip("no global layers")
    module = Tuned(prepare(each_model, "decoder", tuned_mode())).eval()
    size, mask_size = sizes(each_model)
    target, valid = torch.zeros(2, *mask_size), torch.ones(2, *mask_size)
    target[:, 4:20, 5:25] = 1
    valid[..., 28:] = 0
    batch = {"pixels": torch.randn(2, 3, *size), "boxes": BOXES, "multimask": False}
    with torch.no_grad():
        before = module({**batch, "targets": target, "valid": valid})["loss"]
        hook = module.model.mask_decoder.register_forward_hook(lambda m, args, out: (spoiled(out[0]), *out[1:]))
        after = module({**batch, "targets": target, "valid": valid})["loss"]
        hook.remove()
    assert torch.allclose(before, after)


def spoiled(masks):
    masks = masks.clone()
    masks[..., 28:] = 50.0
    return masks


def test_edges_count_more():
    target = torch.zeros(1, 8, 8)
    target[0, 2:6, 2:6] = 1
    found = edges(target)[0]
    assert found[0, 0] == found[3, 3] == 0
    assert found[1, 3] == found[2, 3] == 1
    with pytest.raises(ValueError, match="boundary=-1"):
        TuneLoss(boundary=-1)
    with pytest.raises(ValueError, match="both 0"):
        TuneLoss(bce=0, dice=0)
