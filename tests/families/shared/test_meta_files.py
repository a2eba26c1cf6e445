"""Files with Meta's keys, against Meta's own code."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import SamModel

import basam
from basam.families import PromptTensors
from basam.families.registry import family_of
from basam.model import family_of_file

BOX = torch.tensor([[10.0, 20.0, 80.0, 70.0]])


def run_meta(model, pixels):
    """Masks and IoU of Meta's own code for `BOX`."""
    with torch.no_grad():
        sparse, dense = model.prompt_encoder(points=None, boxes=BOX, masks=None)
        return model.mask_decoder(
            image_embeddings=model.image_encoder(pixels),
            image_pe=model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )


def run(model, pixels, **prompts):
    family = family_of(model)
    given = PromptTensors(**({"boxes": BOX} | prompts))
    with torch.no_grad():
        return family.decode(model, family.encode(model, pixels), given, multimask=True)


def agree(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-4)


@pytest.fixture
def saved(small_sam, tmp_path):
    model = small_sam(128)
    torch.save(model.state_dict(), tmp_path / "sam.pth")
    return model, tmp_path / "sam.pth"


def test_the_file_becomes_a_transformers_model_with_the_same_numbers(saved):
    model, file = saved
    pixels = torch.randn(1, 3, 128, 128)
    loaded = basam.load(file)
    assert type(loaded) is SamModel
    assert not loaded.training
    assert loaded.config.vision_config.global_attn_indexes == [1, 2]
    assert loaded.config.vision_config.window_size == 3
    agree(run(loaded, pixels), run_meta(model, pixels))
    agree(run(basam.attach(loaded), pixels), run_meta(model, pixels))


@pytest.mark.parametrize("size", [96, 192])
def test_other_sizes_are_metas_code_built_at_that_size(saved, small_sam, size):
    """768 and 1536 px of a model trained at 1024, in small: Meta's code interpolates relative positions by itself."""
    model, file = saved
    other = small_sam(size)
    state = {key: value for key, value in model.state_dict().items() if "rel_pos" not in key}
    table = state["image_encoder.pos_embed"].permute(0, 3, 1, 2)
    grid = (size // 16, size // 16)
    state["image_encoder.pos_embed"] = F.interpolate(table, grid, mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
    other.load_state_dict(state, strict=False)
    for block, trained in zip(other.image_encoder.blocks, model.image_encoder.blocks, strict=True):
        block.attn.rel_pos_h, block.attn.rel_pos_w = trained.attn.rel_pos_h, trained.attn.rel_pos_w
    pixels = torch.randn(1, 3, size, size)
    agree(run(basam.attach(basam.load(file), basam.BiasMode.off()), pixels), run_meta(other, pixels))


@pytest.mark.parametrize("mode", [basam.BiasMode.off(), basam.BiasMode(slope=0.3, decoder="log", strength=1.0)])
def test_a_photo_of_three_to_two_is_the_same_in_the_file_and_in_the_live_model(saved, mode):
    model, file = saved
    pixels = torch.randn(1, 3, 128, 192)
    masks = torch.randn(1, 1, 32, 48)
    loaded = basam.attach(basam.load(file), mode)
    basam.attach(model, mode)
    agree(run(loaded, pixels), run(model, pixels))
    agree(run(loaded, pixels, masks=masks), run(model, pixels, masks=masks))


@pytest.mark.slow
def test_vit_b_agrees_with_the_authors_code(oracle, check_oracle):
    case = oracle("vitb")
    model = basam.load(case.file)
    assert sum(p.numel() for p in model.parameters()) == 93_735_728
    check_oracle(model, case, lambda masks: masks[:, :, ::4, ::4], "low_res")
    check_oracle(
        basam.attach(model, basam.BiasMode(decoder="log", strength=1.0)), case, lambda masks: masks[:, :, ::4, ::4], "low_res"
    )


def test_wrapped_half_precision_and_safetensors_files_load(saved, tmp_path):
    model, file = saved
    half = {f"module.{key}": value.half() for key, value in model.state_dict().items()}
    torch.save({"model": half, "epoch": 1}, tmp_path / "wrapped.pth")
    save_file(model.state_dict(), tmp_path / "sam.safetensors")
    plain = basam.load(file).state_dict()
    for other, tolerance in (("wrapped.pth", 1e-2), ("sam.safetensors", 0.0)):
        state = basam.load(tmp_path / other).state_dict()
        assert state.keys() == plain.keys()
        assert all(value.dtype == torch.float32 for value in state.values())
        assert all(torch.allclose(state[key], plain[key], atol=tolerance) for key in plain)


def test_the_loaded_model_does_not_change_with_the_file(saved):
    _, file = saved
    loaded = basam.load(file)
    before = loaded.vision_encoder.pos_embed.clone()
    with file.open("r+b") as stream:
        stream.write(bytes(file.stat().st_size))
    assert torch.equal(loaded.vision_encoder.pos_embed, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("image_encoder.neck.3.bias"), r"missing: image_encoder.neck.3.bias \(1\)"),
        (lambda state: state.update(extra=torch.ones(1)), r"unexpected: extra \(1\)"),
        (
            lambda state: state.update({"mask_decoder.iou_token.weight": torch.ones(2, 32)}),
            r"of another shape: mask_decoder.iou_token.weight \(1\)",
        ),
        (
            lambda state: state.update({f"mask_decoder.hf_mlp.layers.{i}.weight": torch.ones(1, 32) for i in range(3)}),
            r"unexpected: mask_decoder.hf_mlp.* \(3\); it looks like SAM-HQ",
        ),
        (
            lambda state: state.update({"image_encoder.pos_embed": torch.ones(1, 6, 6, 32)}),
            "relative positions for 3, 8 patches per side on a grid of 6 x 6",
        ),
        (
            lambda state: [state.pop(key) for key in list(state) if "rel_pos" in key],
            "no layer has relative positions, so windows and heads are unknown",
        ),
    ],
)
def test_every_tensor_is_accounted_for(saved, tmp_path, change, message):
    state = dict(saved[0].state_dict())
    change(state)
    torch.save(state, tmp_path / "changed.pth")
    with pytest.raises(basam.UnsupportedModelError, match=message):
        basam.load(tmp_path / "changed.pth")


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"use_abs_pos": False}, r"missing: image_encoder.pos_embed \(1\)"),
        ({"qkv_bias": False}, r"missing: image_encoder.blocks.0.attn.qkv.bias, .* \(3\)"),
    ],
)
def test_what_no_published_sam_lacks_is_missing(small_sam, tmp_path, variant, message):
    torch.save(small_sam(128, **variant).state_dict(), tmp_path / "sam.pth")
    with pytest.raises(basam.UnsupportedModelError, match=message):
        basam.load(tmp_path / "sam.pth")


def test_all_layers_may_be_global(small_sam, tmp_path):
    model = small_sam(128, global_attn_indexes=(0, 1, 2))
    torch.save(model.state_dict(), tmp_path / "sam.pth")
    pixels = torch.randn(1, 3, 128, 128)
    loaded = basam.load(tmp_path / "sam.pth")
    agree(run(loaded, pixels), run_meta(model, pixels))
    assert family_of(loaded).geometry(loaded).global_layers == (0, 1, 2)


def test_summary_tells_the_sizes(saved):
    summary = family_of_file(saved[1]).read(saved[1]).summary.to_dict()
    parameters = sum(p.numel() for p in saved[0].parameters())
    assert summary["architecture"] == "SAM ViT 32 x 3"
    assert (summary["parameters"], summary["trained long side"], summary["windows"]) == (parameters, 128, [3])
    assert (summary["global layers"], summary["heads"], summary["tensors"]) == ([1, 2], 2, len(saved[0].state_dict()))
    described = family_of(saved[0]).describe(saved[0]).to_dict()
    assert described.items() >= {"architecture": "Sam", "parameters": parameters, "trained tokens": 64}.items()
