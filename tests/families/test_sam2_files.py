"""Meta's files of SAM 2: what Meta's own package computes with the same weights, and files that do not fit."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import Sam2Model

import basam
from basam.families import PromptTensors, family_of
from basam.families.sam2 import official, sizes
from basam.model import PUBLISHED, family_of_file
from tests.helpers.slowly import slowly

OFF = basam.BiasMode.off()
POINTS = PromptTensors(torch.tensor([[[60.0, 70.0], [20.0, 30.0]]]), torch.tensor([[1, 0]]))
BOX = PromptTensors(boxes=torch.tensor([[10.0, 15.0, 190.0, 200.0]]))


def metas_features(model: nn.Module, pixels):
    """Meta's SAM2ImagePredictor without its torchvision: the fine, the middle and the coarse feature map."""
    with torch.no_grad():
        _, features, _, shapes = model._prepare_backbone_features(model.forward_image(pixels))
        features[-1] = features[-1] + model.no_mem_embed
        return [f.permute(1, 2, 0).view(1, -1, *size) for f, size in zip(features, shapes, strict=True)]


def metas_answer(model: nn.Module, features, prompts: PromptTensors, multimask: bool):
    """Its prompts: a box is two points labelled 2 and 3."""
    fine, middle, coarse = features
    with torch.no_grad():
        points = None if prompts.points is None else (prompts.points, prompts.labels)
        if prompts.boxes is not None:
            points = prompts.boxes.view(-1, 2, 2), torch.tensor([[2, 3]])
        sparse, dense = model.sam_prompt_encoder(points=points, boxes=None, masks=prompts.masks)
        masks, iou, _, present = model.sam_mask_decoder(
            image_embeddings=coarse,
            image_pe=model.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            repeat_image=False,
            high_res_features=[fine, middle],
        )
    return masks, iou, present.flatten().sigmoid()


def agree(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() <= 1e-4 * b.abs().max()


@pytest.fixture(scope="module")
def saved(meta2, tmp_path_factory):
    """A file of SAM 2.1 T as Meta publishes them, with random weights."""
    file = tmp_path_factory.mktemp("sam2") / "sam2.1_hiera_tiny.pt"
    torch.save({"model": meta2(sizes.PUBLISHED["T"], 1024).state_dict()}, file)
    return file


@pytest.mark.parametrize("size", slowly([256, 512], 256))
def test_the_file_gives_what_metas_code_gives_at_that_size(saved, meta2, size):
    theirs = meta2(sizes.PUBLISHED["T"], size)
    assert "no_obj_embed_spatial" in theirs.state_dict()
    loaded = basam.attach(basam.load(saved), OFF)
    family = family_of(loaded)
    pixels = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features, expected = family.encode(loaded, pixels), metas_features(theirs, pixels)
        masks = PromptTensors(boxes=BOX.boxes, masks=torch.randn(1, 1, size // 4, size // 4))
        for prompts in (POINTS, BOX, masks):
            for multimask in (True, False):
                found = family.decode_scored(loaded, features, prompts, multimask=multimask)
                agree(found, metas_answer(theirs, expected, prompts, multimask))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["S", "B+", "L"])
def test_every_published_encoder_converts(meta2, tmp_path, name):
    theirs = meta2(sizes.PUBLISHED[name], 256)
    torch.save({"model": theirs.state_dict()}, tmp_path / "file.pt")
    loaded = basam.attach(basam.load(tmp_path / "file.pt"), OFF)
    pixels = torch.randn(1, 3, 256, 256)
    with torch.no_grad():
        found = family_of(loaded).decode_scored(loaded, family_of(loaded).encode(loaded, pixels), BOX, multimask=True)
    agree(found, metas_answer(theirs, metas_features(theirs, pixels), BOX, True))
    summary = family_of_file(tmp_path / "file.pt").read(tmp_path / "file.pt").summary
    assert summary.architecture == f"SAM 2.1 Hiera-{name}"


def test_every_tensor_of_the_image_part_arrives(saved):
    loaded = basam.load(saved)
    assert type(loaded) is Sam2Model
    assert not loaded.training
    state = torch.load(saved)["model"]
    plain = loaded.state_dict()
    images = sum(value.numel() for key, value in state.items() if not key.startswith(official.VIDEO_ONLY))
    shared = plain["shared_image_embedding.positional_embedding"]
    assert sum(value.numel() for value in plain.values()) == images + shared.numel()
    assert torch.equal(shared, state["sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"])
    table = plain["prompt_encoder.point_embed.weight"]
    assert all(torch.equal(table[kind], state[f"sam_prompt_encoder.point_embeddings.{kind}.weight"][0]) for kind in range(4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("no_mem_embed"), "missing: no_mem_embed (1)"),
        (
            lambda state: state.pop("sam_prompt_encoder.point_embeddings.2.weight"),
            "missing: sam_prompt_encoder.point_embeddings.2.weight (1)",
        ),
        (
            lambda state: state.pop("image_encoder.trunk.patch_embed.proj.weight"),
            "missing: image_encoder.trunk.patch_embed.proj.weight (1)",
        ),
        (lambda state: state.pop("image_encoder.neck.convs.3.conv.bias"), "missing: image_encoder.neck.convs.3.conv.bias (1)"),
        (lambda state: state.update(extra=torch.ones(1)), "unexpected: extra (1)"),
        (lambda state: state.update({"no_mem_embed": torch.ones(1, 1, 9)}), "of another shape: no_mem_embed (1)"),
        (
            lambda state: state.pop("image_encoder.trunk.blocks.11.attn.qkv.weight"),
            "missing: image_encoder.trunk.blocks.11.attn.qkv.weight (1)",
        ),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(saved, tmp_path, change, message):
    state, file = torch.load(saved)["model"], tmp_path / "changed.pt"
    change(state)
    torch.save({"model": state}, file)
    for read in (basam.load, family_of_file(file).read):
        with pytest.raises(basam.UnsupportedModelError) as caught:
            read(file)
        assert str(caught.value) == f"{file} does not fit its model: tensors {message}"


def test_keys_with_a_prefix_are_named_with_it(saved, tmp_path):
    state, file = torch.load(saved)["model"], tmp_path / "parallel.pt"
    torch.save({f"module.{key}": value for key, value in state.items()}, file)
    loaded, expected = basam.load(file).state_dict(), basam.load(saved).state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in expected.items())
    assert family_of_file(file).read(file).summary.to_dict() == family_of_file(saved).read(saved).summary.to_dict()
    del state["no_mem_embed"]
    torch.save({f"module.{key}": value for key, value in state.items()}, file)
    for read in (basam.load, family_of_file(file).read):
        with pytest.raises(basam.UnsupportedModelError, match=r"tensors missing: module\.no_mem_embed \(1\)$"):
            read(file)


def test_an_encoder_that_is_not_published_is_named(saved, tmp_path):
    state = {key: value for key, value in torch.load(saved)["model"].items() if ".blocks.11." not in key}
    torch.save(state, tmp_path / "changed.pt")
    with pytest.raises(basam.UnsupportedModelError, match=r"a Hiera of 96 channels and 11 blocks.*known are T \(96 x 12\), S"):
        basam.load(tmp_path / "changed.pt")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("memory_attention.", "memory_encoder.", "obj_ptr_proj."), "the part of SAM 2 that only videos need"),
        (("image_encoder.",), "the image encoder of SAM 2 alone"),
        (("sam_mask_decoder.", "sam_prompt_encoder."), "SAM 2 without its image encoder"),
    ],
)
def test_a_part_of_a_file_is_named(saved, tmp_path, parts, message):
    state = {key: value for key, value in torch.load(saved)["model"].items() if key.startswith(parts)}
    # The attention to memory is not built above: one of its names is enough.
    more = ("other", "memory_attention.norm.weight") if "memory_attention." in parts else ("other",)
    state |= {name: torch.ones(1) for name in more}
    torch.save(state, tmp_path / "part.pt")
    with pytest.raises(basam.UnsupportedModelError, match=message):
        basam.load(tmp_path / "part.pt")


def test_the_published_files_have_names():
    for version in ("sam2", "sam2.1"):
        for size in ("tiny", "small", "base_plus", "large"):
            assert PUBLISHED[f"{version}_hiera_{size}"].file == f"{version}_hiera_{size}.pt"
