"""The four ways: what is trained, in which order peft and attach work together, and that an adapter is the tuned model."""

from __future__ import annotations

import copy

import pytest
import torch

import basam
from basam.families import family_of
from basam.lab.tuning.accounting import parameter_table, parts_of, total_of
from basam.lab.tuning.recipe import Lora
from basam.lab.tuning.ways import adapter_of, lora_layers, prepare, slopes_of, tuned_mode
from basam.model import attachment_of, model_fingerprint, write_adapter
from tests.helpers.tiny import tiny_sam

MODE = tuned_mode()
BOX = torch.tensor([[[5.0, 9.0, 40.0, 50.0]]])


def masks_of(model):
    pixels = torch.randn(1, 3, 96, 112, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        return model.eval()(pixel_values=pixels, input_boxes=BOX).pred_masks


def trained(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def shake(model):
    """Other numbers in everything that is trained, as training would leave them."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in [p for p in model.parameters() if p.requires_grad] + list(slopes_of(model).parameters()):
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)


def test_what_each_way_trains():
    names = [name for name, _ in tiny_sam().named_parameters()]
    assert trained(prepare(tiny_sam(), "bias", MODE)) == set()
    assert trained(prepare(tiny_sam(), "decoder", MODE)) == {name for name in names if name.startswith("mask_decoder.")}
    full = trained(prepare(tiny_sam(), "full", MODE))
    assert "vision_encoder.pos_embed" in full
    assert "prompt_encoder.point_embed.0.weight" in full
    assert not any("positional_embedding" in name or "mask_embed" in name for name in full)
    lora = prepare(tiny_sam(), "lora", MODE, lora=Lora(rank=3, scale=0.5))
    assert all(".lora_" in name for name in trained(lora))
    layers = dict(lora_layers(lora))
    assert "vision_encoder.layers.0.attn.qkv" in layers
    assert "mask_decoder.transformer.final_attn_token_to_image.v_proj" in layers
    assert not any(name.endswith(("proj_in", "out_proj", ".proj")) for name in layers)
    assert all(layer.lora_A["default"].weight.shape[0] == 3 for layer in layers.values())
    for way in ("bias", "decoder", "lora", "full"):
        slopes = slopes_of(prepare(tiny_sam(), way, MODE, slope=0.02))
        assert torch.allclose(slopes(), torch.full((2, 2), 0.02))
        assert slopes.log.requires_grad


@pytest.mark.parametrize("way", ["bias", "decoder", "lora", "full"])
def test_an_adapter_gives_the_masks_of_the_tuned_model(way, tmp_path):
    base = tmp_path / "base"
    tiny_sam().save_pretrained(base)
    model = basam.load(base)
    fingerprint = model_fingerprint(model)
    prepare(model, way, MODE, slope=0.3)
    start = masks_of(model)
    shake(model)
    tuned = masks_of(model)
    assert (tuned - start).abs().max() > 1e-3
    adapter = adapter_of(model, str(base), fingerprint)
    write_adapter(tmp_path / "adapter", adapter, "")
    loaded = basam.load(base, adapter=tmp_path / "adapter")
    # LoRA is added to the weights when it is loaded, and to the outputs while it is trained.
    assert (masks_of(loaded) - tuned).abs().max() <= (1e-3 * tuned.abs().max() if way == "lora" else 0)
    assert list(loaded.state_dict()) == list(tiny_sam().state_dict())
    assert model_fingerprint(basam.load(base)) == fingerprint
    counted = total_of(parts_of(model)).trained
    assert adapter.parameters == counted
    assert f"{counted:,}" in "".join(str(cell) for cell in parameter_table(parts_of(model), way).columns[2].cells)


def test_lora_on_a_model_that_is_attached_already_is_the_same():
    mode = tuned_mode(basam.BiasMode(decoder="log"))
    results = []
    for attached in (False, True):
        model = tiny_sam()
        if attached:
            basam.attach(model, basam.BiasMode.off())
        torch.manual_seed(0)
        prepare(model, "lora", mode)
        shake(model)
        results.append(masks_of(model))
        assert attachment_of(model).mode == mode
    assert torch.equal(*results)


def test_a_factor_on_the_decoders_queries_reaches_what_lora_adds(tmp_path):
    """Why peft comes before attach: with the other order the loaded adapter, whose weights are one, would differ."""
    base = tmp_path / "base"
    tiny_sam().save_pretrained(base)
    model = basam.load(base)
    fingerprint = model_fingerprint(model)
    prepare(model, "lora", tuned_mode(basam.BiasMode(decoder="log")))
    shake(model)
    write_adapter(tmp_path / "adapter", adapter_of(model, str(base), fingerprint), "")
    expected = masks_of(model)
    assert (masks_of(basam.load(base, adapter=tmp_path / "adapter")) - expected).abs().max() <= 1e-3 * expected.abs().max()


def test_layers_computed_anew_give_the_same_gradients():
    from basam.lab.tuning.fine_tuning import keep_little

    gradients = []
    for again in (False, True):
        model = prepare(tiny_sam(), "full", MODE)
        if again:
            keep_little(model)
            assert model.vision_encoder.layers[1].gradient_checkpointing
        model.train()
        calls = []
        model.vision_encoder.layers[1].layer_norm1.register_forward_hook(lambda *args, calls=calls: calls.append(1))
        model(pixel_values=torch.ones(1, 3, 80, 96), input_boxes=BOX).pred_masks.square().mean().backward()
        assert len(calls) == 1 + again
        gradients.append([slopes_of(model).log.grad, model.vision_encoder.layers[0].attn.qkv.weight.grad])
    for plain, again in zip(*gradients, strict=True):
        assert torch.allclose(plain, again, rtol=1e-4, atol=1e-7)


def test_what_cannot_be_prepared():
    with pytest.raises(ValueError, match="tune='hat': allowed are bias, decoder, lora, full"):
        prepare(tiny_sam(), "hat", MODE)
    with pytest.raises(ValueError, match="mode has slopes='uniform'"):
        prepare(tiny_sam(), "bias", basam.BiasMode())
    with pytest.raises(ValueError, match="no global layers, so there are no slopes to learn"):
        prepare(tiny_sam(global_attn_indexes=[]), "bias", MODE)
    assert tuned_mode(basam.BiasMode(slope=0.5, decoder="log")) == basam.BiasMode(
        slope=0.5, decoder="log", slopes="learned", schedule="constant"
    )


def test_a_copy_of_a_prepared_model_is_trained_on_its_own():
    model = prepare(tiny_sam(), "lora", MODE)
    copied = copy.deepcopy(model)
    before = masks_of(copied)
    shake(model)
    assert torch.equal(masks_of(copied), before)
    assert family_of(copied) is family_of(model)
