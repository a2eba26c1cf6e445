"""attach and detach on transformers' SAM: nothing is renamed, nothing is lost, everything comes back."""

import copy
import pickle
from dataclasses import replace

import pytest
import torch

import basam
from basam.model.attaching import attachment_of
from tests.helpers.tiny import tiny_sam

BOX = torch.tensor([[[5.0, 9.0, 40.0, 50.0]]])


def masks_of(model, pixels, **kwargs):
    with torch.no_grad():
        return model(pixel_values=pixels, input_boxes=BOX, **kwargs).pred_masks


@pytest.fixture
def pixels():
    return torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("hq", [False, True])
@pytest.mark.parametrize("attn", ["sdpa", "eager"])
def test_identity_at_the_trained_size_and_exact_return(pixels, hq, attn):
    model = tiny_sam(hq=hq, attn=attn)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    plain = masks_of(model, pixels)
    assert basam.attach(model) is model
    corrected = masks_of(model, pixels)
    assert plain.std() > 0.1  # a model that says something
    assert (corrected - plain).abs().max() <= 1e-4
    masks_of(model, torch.randn(1, 3, 96, 128))
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert basam.detach(model) is model
    assert torch.equal(masks_of(model, pixels), plain)
    assert model.prompt_encoder.image_embedding_size == (4, 4)
    assert model.prompt_encoder.input_image_size == 64
    assert tuple(model.vision_encoder.patch_embed.image_size) == (64, 64)
    assert list(model.state_dict()) == list(before)
    with pytest.raises(ValueError, match="doesn't match model"):
        masks_of(model, torch.randn(1, 3, 96, 128))


def test_sizes_follow_the_image_while_attached(tiny):
    basam.attach(tiny)
    for height, width in ((64, 64), (96, 128), (160, 48), (16, 16)):
        out = masks_of(tiny, torch.randn(1, 3, height, width))
        assert out.shape[-2:] == (height // 4, width // 4)
        assert tiny.prompt_encoder.image_embedding_size == (height // 16, width // 16)
        assert tiny.prompt_encoder.input_image_size == max(height, width)
        assert tuple(tiny.vision_encoder.patch_embed.image_size) == (height, width)
        assert tiny.get_image_wide_positional_embeddings().shape[-2:] == (height // 16, width // 16)


@pytest.mark.parametrize("hq", [False, True])
def test_embeddings_then_prompts_equal_one_call(hq):
    model = basam.attach(tiny_sam(hq=hq))
    pixels = torch.randn(1, 3, 96, 144)
    whole = masks_of(model, pixels)
    features = model.get_image_embeddings(pixels)
    features = dict(zip(("image_embeddings", "intermediate_embeddings"), features if hq else (features,), strict=False))
    masks_of(model, torch.randn(1, 3, 64, 64))  # another image in between
    with torch.no_grad():
        assert torch.equal(model(input_boxes=BOX, **features).pred_masks, whole)


def test_the_mode_matters_beyond_the_trained_size(tiny):
    pixels = torch.randn(1, 3, 128, 128)
    results = []
    changes = ({"slope": 2.0}, {"scaling": "log"})
    for mode in (basam.BiasMode.off(), *(replace(basam.BiasMode.off(), **change) for change in changes)):
        with basam.attached(tiny, mode):
            results.append(masks_of(tiny, pixels))
    for i, a in enumerate(results):
        for b in results[:i]:
            assert (a - b).abs().max() > 1e-3


def test_windows_are_left_as_trained():
    model = tiny_sam(global_attn_indexes=[])
    pixels = torch.randn(1, 3, 128, 160)
    with basam.attached(model, basam.BiasMode.off()):
        plain = masks_of(model, pixels)
    with basam.attached(model, basam.BiasMode(slope=5.0)):
        assert torch.equal(masks_of(model, pixels), plain)


def test_attaching_again_replaces_the_mode(tiny):
    basam.attach(tiny, basam.BiasMode(slope=0.7))
    basam.attach(tiny, basam.BiasMode.off())
    assert attachment_of(tiny).mode == basam.BiasMode.off()
    basam.detach(tiny)
    assert attachment_of(tiny) is None
    assert basam.detach(tiny) is tiny


def test_the_with_block_gives_back_what_was_there(tiny):
    with basam.attached(tiny) as model:
        assert model is tiny
        assert attachment_of(tiny) is not None
    assert attachment_of(tiny) is None
    basam.attach(tiny, basam.BiasMode(slope=0.3))
    with pytest.raises(RuntimeError, match="inside"), basam.attached(tiny, basam.BiasMode.off()):
        raise RuntimeError("inside")
    assert attachment_of(tiny).mode == basam.BiasMode(slope=0.3)


@pytest.mark.parametrize("leave", [basam.detach, lambda model: basam.attach(model, basam.BiasMode(slope=3.0))])
def test_the_with_block_gives_it_back_whatever_the_block_did(tiny, leave):
    with basam.attached(tiny):
        leave(tiny)
    assert attachment_of(tiny) is None
    basam.attach(tiny, basam.BiasMode(slope=2.0))
    with basam.attached(tiny, basam.BiasMode.off()):
        leave(tiny)
    assert attachment_of(tiny).mode == basam.BiasMode(slope=2.0)


def test_copies_are_of_their_own(tiny, pixels):
    basam.attach(tiny)
    large = torch.randn(1, 3, 96, 96)
    expected = masks_of(tiny, large)
    for copied in (copy.deepcopy(tiny), pickle.loads(pickle.dumps(tiny))):
        assert torch.equal(masks_of(copied, large), expected)
        masks_of(copied, pixels)
        assert attachment_of(copied).grid == (4, 4)
        assert attachment_of(tiny).grid == (6, 6)
        basam.detach(copied)
        assert attachment_of(tiny) is not None


def test_two_models_at_two_sizes(pixels):
    first, second = basam.attach(tiny_sam(seed=1)), basam.attach(tiny_sam(seed=2), basam.BiasMode.off())
    large = torch.randn(1, 3, 128, 128)
    a, b = masks_of(first, large), masks_of(second, pixels)
    assert torch.equal(masks_of(first, large), a)
    assert torch.equal(masks_of(second, pixels), b)


@pytest.mark.parametrize("hq", [False, True])
def test_saved_while_attached_loads_as_upstream(tmp_path, pixels, hq):
    model = tiny_sam(hq=hq)
    plain = masks_of(model, pixels)
    basam.attach(model).save_pretrained(tmp_path)
    reloaded = basam.load(tmp_path)
    assert type(reloaded).__module__.startswith("transformers.")
    saved, kept = reloaded.state_dict(), model.state_dict()
    assert list(saved) == list(kept)
    assert all(torch.equal(saved[name], kept[name]) for name in kept)
    assert (masks_of(reloaded, pixels) - plain).abs().max() < 1e-5  # the alignment of memory may cost the last bit
    assert f'"{type(reloaded).__name__}"' in (tmp_path / "config.json").read_text()


def test_to_dtype_and_device(tiny, pixels):
    basam.attach(tiny).to(torch.bfloat16).to("cpu")
    with torch.no_grad():
        out = tiny(pixel_values=pixels.bfloat16(), input_boxes=BOX.bfloat16()).pred_masks
    assert out.dtype == torch.bfloat16
    assert torch.isfinite(out).all()


def test_recorded_hidden_states_are_those_of_upstream(tiny, pixels):
    with torch.no_grad():
        plain = tiny(pixel_values=pixels, input_boxes=BOX, output_hidden_states=True).vision_hidden_states
    fresh = basam.attach(tiny_sam())  # attached before anything was ever recorded
    with torch.no_grad():
        ours = fresh(pixel_values=pixels, input_boxes=BOX, output_hidden_states=True).vision_hidden_states
    assert len(ours) == len(plain) == 5
    for a, b in zip(ours, plain, strict=True):
        assert (a - b).abs().max() <= 1e-4


@pytest.mark.slow
def test_compiled_model_equals_eager():
    """For one size, neither square nor the trained one: every further one is compiled again."""
    model = basam.attach(tiny_sam(num_hidden_layers=2, global_attn_indexes=[1]))
    compiled = torch.compile(model, backend="aot_eager", dynamic=False)
    pixels = torch.randn(1, 3, 96, 128)
    assert (masks_of(compiled, pixels) - masks_of(model, pixels)).abs().max() < 1e-4


@pytest.mark.slow
def test_a_model_compiled_for_any_size_equals_eager(tiny):
    basam.attach(tiny)
    compiled = torch.compile(tiny, backend="aot_eager")  # the second size makes the sizes of its graph symbolic
    for size in ((64, 64), (96, 128), (80, 112)):
        pixels = torch.randn(1, 3, *size)
        assert (masks_of(compiled, pixels) - masks_of(tiny, pixels)).abs().max() < 1e-4


def test_gradients_reach_every_parameter_of_the_encoder(tiny):
    basam.attach(tiny)
    tiny(pixel_values=torch.randn(1, 3, 96, 80), input_boxes=BOX).pred_masks.square().mean().backward()
    for name, parameter in tiny.vision_encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_pieces_of_the_mlp_equal_the_whole(monkeypatch, tiny):
    from basam.families.transformers_sam import modules

    pixels = torch.randn(2, 3, 80, 112)
    with basam.attached(tiny):
        with torch.no_grad():
            whole = tiny.vision_encoder(pixels).last_hidden_state
            monkeypatch.setattr(modules, "MLP_TOKENS", 7)
            pieces = tiny.vision_encoder(pixels).last_hidden_state
        kept = tiny.vision_encoder(pixels).last_hidden_state
    assert (whole - pieces).abs().max() < 1e-5
    assert (whole - kept).abs().max() < 1e-5


def test_vision_model_alone():
    from transformers import SamVisionModel

    full = tiny_sam()
    vision = SamVisionModel(full.config.vision_config).eval()
    vision.vision_encoder.load_state_dict(full.vision_encoder.state_dict())
    pixels = torch.randn(1, 3, 64, 96)
    with torch.no_grad(), basam.attached(full), basam.attached(vision):
        assert torch.equal(vision(pixels).last_hidden_state, full.vision_encoder(pixels).last_hidden_state)


def test_an_unsupported_model_is_named_and_left_alone():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    with pytest.raises(basam.UnsupportedModelError, match=r"torch\.nn\.modules\.container\.Sequential.*SamModel"):
        basam.attach(model)
    assert type(model) is torch.nn.Sequential


def test_a_mode_that_is_none_of_ours(tiny):
    with pytest.raises(TypeError, match=r"mode='log': a basam\.BiasMode is needed"):
        basam.attach(tiny, "log")
    assert attachment_of(tiny) is None


@pytest.mark.parametrize("size", [(60, 64), (64, 8), (8, 8)])
def test_pixels_that_are_no_multiple_of_the_patch(tiny, size):
    basam.attach(tiny)
    with pytest.raises(ValueError, match=rf"pixel_values of {size[0]} x {size[1]} px.*multiples of 16 px"):
        masks_of(tiny, torch.randn(1, 3, *size))


@pytest.mark.parametrize("rel_pos", [False, True])
def test_the_factor_acts_on_q_k_of_global_layers_alone(rel_pos):
    """With the mask off, lambda is the same as larger queries: exactly so without relative positions, which it spares."""
    pixels = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(5))  # 64 tokens of 16: lambda is 1.5
    model = tiny_sam()
    layers = [model.vision_encoder.layers[index].attn for index in (1, 3)]
    with torch.no_grad():
        for attention in layers if not rel_pos else ():
            attention.rel_pos_h.zero_()
            attention.rel_pos_w.zero_()
    with basam.attached(model, basam.BiasMode(scaling="log", strength=1.0, slope=0)):
        corrected = masks_of(model, pixels)
    with torch.no_grad():
        for attention in layers:
            attention.qkv.weight[:32] *= 1.5
            attention.qkv.bias[:32] *= 1.5
    with basam.attached(model, basam.BiasMode.off()):
        larger = masks_of(model, pixels)
    difference = (corrected - larger).abs().max()
    assert difference > 1e-3 if rel_pos else difference <= 1e-4
