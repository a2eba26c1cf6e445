"""SAM 2 of transformers: at other sizes it is upstream configured for them, and the correction is what the formula says."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import Sam2Model, Sam2VideoConfig, Sam2VideoModel, Sam2VisionModel

import basam
from basam.attention import dispatch
from basam.families import PromptTensors, family_of
from basam.families.sam2 import sizes
from basam.method import length_scale
from basam.model import family_of_file
from tests.helpers.pyramids import (
    BOXES,
    LABELS,
    MEMORY,
    OFF,
    POINTS,
    PROMPTS,
    assert_equal,
    check_changed_config,
    check_changed_tensors,
    check_trained_size_and_detaching,
    run,
)
from tests.helpers.tiny_sam2 import sam2_config, tiny_sam2


@pytest.mark.parametrize("size", [64, 128, 192, 256])
def test_without_the_correction_it_is_upstream_configured_at_that_size(size):
    model, oracle = basam.attach(tiny_sam2(), OFF), tiny_sam2(size)
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    for prompts in PROMPTS:
        assert_equal(run(model, pixels, **prompts), run(oracle, pixels, **prompts))
    masks = torch.randn(2, 1, size // 4, size // 4)
    assert_equal(run(model, pixels, input_masks=masks), run(oracle, pixels, input_masks=masks))


def test_a_photo_of_three_to_two_is_upstreams_encoder_with_prompts_normalised_per_axis():
    model, plain = basam.attach(tiny_sam2(), OFF), tiny_sam2()
    pixels = torch.randn(1, 3, 128, 192, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        ours, theirs = model.vision_encoder(pixels), plain.vision_encoder(pixels)
    for a, b in zip(ours.fpn_hidden_states, theirs.fpn_hidden_states, strict=True):
        assert torch.equal(a, b)
    assert all(encoding.numel() == 0 for encoding in ours.fpn_position_encoding)
    plain.backbone_feature_sizes = [[32, 48], [16, 24], [8, 12]]
    plain.prompt_encoder.image_embedding_size, plain.prompt_encoder.mask_input_size = (8, 12), (32, 48)
    by_hand = (POINTS + 0.5) * torch.tensor([128 / 192, 1.0]) - 0.5  # upstream divides both axes by 128
    found = run(model, pixels, input_points=POINTS, input_labels=LABELS)
    assert_equal(found, run(plain, pixels, input_points=by_hand, input_labels=LABELS), 1e-4)


def test_the_other_rule_is_a_crop_of_the_square():
    model, plain = basam.attach(tiny_sam2(), basam.BiasMode(aspect="square")), tiny_sam2()
    model(pixel_values=torch.randn(1, 3, 128, 192), input_boxes=BOXES)
    hiera = model.vision_encoder.backbone
    assert torch.equal(hiera._get_pos_embed((32, 48)), plain.vision_encoder.backbone._get_pos_embed((48, 48))[:, :32])
    assert torch.equal(model.get_image_wide_positional_embeddings(), wide(tiny_sam2(192))[:, :, :8])


def wide(model):
    return model.get_image_wide_positional_embeddings()


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_factor_and_mask_are_the_dense_formula(slope):
    mode = basam.BiasMode(slope=slope)
    model, oracle = basam.attach(tiny_sam2(), mode), tiny_sam2(192)
    lam, side = length_scale(144, 64), 12

    def dense(self, hidden_states, **kwargs):
        batch, height, width, _ = hidden_states.shape
        q, k, v = self.qkv(hidden_states).view(batch, -1, 3, self.num_attention_heads, 16).permute(2, 0, 3, 1, 4)
        i = torch.arange(height * width)
        distance = (i[:, None] // side - i // side).abs() + (i[:, None] % side - i % side).abs()
        logits = lam / math.sqrt(16) * q @ k.mT - slope * (lam - 1) * distance
        return self.proj((logits.softmax(-1) @ v).transpose(1, 2).reshape(batch, height, width, -1))

    plain = tiny_sam2(192)
    for block in oracle.vision_encoder.backbone.blocks:
        if block.window_size == 0:
            block.attn.forward = dense.__get__(block.attn)
    pixels = torch.randn(1, 3, 192, 192, generator=torch.Generator().manual_seed(3))
    found = run(model, pixels, **PROMPTS[0])
    assert_equal(found, run(oracle, pixels, **PROMPTS[0]), 1e-4)
    assert (found[0] - run(plain, pixels, **PROMPTS[0])[0]).abs().max() > 1e-2


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_with_the_factor_alone_attention_stays_fused(monkeypatch, slope):
    masked, fused = [], []
    separable, sdpa = dispatch.separable, F.scaled_dot_product_attention
    monkeypatch.setattr(dispatch, "separable", lambda *given: masked.append(1) or separable(*given))
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda *given, **more: fused.append(more) or sdpa(*given, **more))
    model = basam.attach(tiny_sam2(), basam.BiasMode(slope=slope))
    with torch.no_grad():
        model.vision_encoder(torch.randn(1, 3, 192, 192))
    scale = pytest.approx(length_scale(144, 64) / math.sqrt(16))
    plain = [more for more in fused if more.get("attn_mask") is None and more.get("scale") == scale]
    assert (len(masked), len(plain)) == ((2, 0) if slope else (0, 2))  # of two global blocks


def test_the_trained_size_is_untouched_and_detach_is_exact():
    check_trained_size_and_detaching(tiny_sam2, basam.BiasMode(slope=1.0), 128, (96, 160))


def test_features_and_answers_of_the_family_are_those_of_the_model():
    model = basam.attach(tiny_sam2(), OFF)
    family = family_of(model)
    pixels = torch.randn(1, 3, 128, 192)
    for multimask in (True, False):
        expected = run(model, pixels, input_boxes=BOXES, multimask_output=multimask)
        with torch.no_grad():
            features = family.encode(model, pixels)
            masks, iou, present = family.decode_scored(model, features, PromptTensors(boxes=BOXES[0]), multimask=multimask)
        assert torch.equal(masks, expected[0][0])
        assert torch.equal(iou, expected[1][0])
        assert torch.equal(present, expected[2].flatten().sigmoid())


def test_a_bfloat16_encoder_meets_a_float32_decoder():
    exact = basam.Predictor(tiny_sam2())
    low = basam.Predictor(tiny_sam2())
    low.model.vision_encoder.to(torch.bfloat16)
    image = np.random.default_rng(0).integers(0, 256, (150, 220, 3), dtype=np.uint8)
    scores = []
    for predictor in (exact, low):
        predictor.set_image(image)
        scores.append(predictor.predict(box=[10, 20, 100, 120])[1])
        assert predictor.features["image_embeddings"][0].dtype == torch.float32
    assert np.abs(scores[0] - scores[1]).max() < 0.1


def test_the_object_score_is_beside_the_predicted_iou():
    predictor = basam.Predictor(tiny_sam2())
    predictor.set_image(np.zeros((100, 150, 3), dtype=np.uint8))
    predictor.predict(box=[[10, 20, 100, 80], [0, 0, 50, 50], [5, 5, 20, 30]])
    assert predictor.object_scores.shape == (3,)
    assert ((predictor.object_scores > 0) & (predictor.object_scores < 1)).all()
    other = basam.Predictor.from_pretrained("nano")
    other.set_image(np.zeros((100, 150, 3), dtype=np.uint8))
    other.predict(box=[10, 20, 100, 80])
    assert other.object_scores is None


def test_the_photo_is_squashed_where_a_square_is_asked_for():
    predictor = basam.Predictor(tiny_sam2())
    predictor.set_image(np.zeros((100, 150, 3), dtype=np.uint8), long_side=128, square=True)
    assert predictor.image_frame.resized == predictor.image_frame.padded == (128, 128)
    assert predictor.transform.apply_coords(np.array([[75.0, 50.0]]), (100, 150)).tolist() == [[64.0, 64.0]]


@pytest.fixture
def folder(tmp_path):
    tiny_sam2().save_pretrained(tmp_path / "sam2")
    return tmp_path / "sam2"


def test_a_folder_loads_strictly(folder):
    loaded, expected = basam.load(folder), tiny_sam2().state_dict()
    assert type(loaded) is Sam2Model
    assert not loaded.training
    assert list(loaded.state_dict()) == list(expected)
    assert all(torch.equal(value, expected[name]) for name, value in loaded.state_dict().items())
    check_changed_tensors(
        folder,
        (lambda t: t.pop("no_memory_embedding"), r"tensors missing: no_memory_embedding \(1\)"),
        (lambda t: t.pop("shared_image_embedding.positional_embedding"), r"tensors missing: shared_image_embedding"),
        (lambda t: t.update(extra=torch.ones(1)), r"tensors unexpected: extra \(1\)"),
        (lambda t: t.update({"no_memory_embedding": torch.ones(1, 1, 7)}), "of another shape: no_memory_embedding"),
    )


def test_a_folder_of_the_video_model_loads_as_the_image_model(tmp_path):
    parts = sam2_config().to_dict()
    config = Sam2VideoConfig(
        **{name: parts[name] for name in ("vision_config", "prompt_encoder_config", "mask_decoder_config")},
        **MEMORY,
    )
    torch.manual_seed(0)
    video = Sam2VideoModel(config).eval()
    video.save_pretrained(tmp_path)
    loaded = basam.load(tmp_path)
    assert type(loaded) is Sam2Model
    state = video.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())
    left = set(state) - set(loaded.state_dict())
    assert left
    assert family_of_file(tmp_path).read(tmp_path).summary.architecture == "SAM 2.1 Hiera 16 x 8"
    with pytest.raises(basam.UnsupportedModelError, match=r"Sam2VideoModel is SAM 2 for videos: .*basam\.load.*Sam2Model"):
        basam.attach(video)


def test_the_image_encoder_alone_is_named():
    with pytest.raises(basam.UnsupportedModelError, match="Sam2VisionModel is the image encoder of SAM 2 alone"):
        basam.attach(Sam2VisionModel(sam2_config().vision_config))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("EdgeTamModel", "EdgeTamModel is EdgeTAM, which is not supported: .*Sam2Model"),
        ("SAM2Base", r"SAM2Base is a live model of Meta's sam2: give its file to basam\.load"),
    ],
)
def test_a_relative_that_is_not_supported_is_named(name, message):
    with pytest.raises(basam.UnsupportedModelError, match=message):
        basam.attach(type(name, (torch.nn.Module,), {})())


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("vision_config", "backbone_feature_sizes", [[64, 64], [32, 32], [16, 16]], r"backbone_feature_sizes=\[\[64, 64\]"),
        ("prompt_encoder_config", "image_size", 256, "beside an image_size of 256 px"),
        ("prompt_encoder_config", "patch_size", 8, "with patch_size=8: "),
        ("prompt_encoder_config", "image_size", [128, 192], r"image_size=\[128, 192\] in prompt_encoder_config: "),
    ],
)
def test_sizes_that_do_not_agree_are_named(folder, part, name, value, message):
    check_changed_config(folder, part, name, value, message)


def test_global_blocks_elsewhere_are_refused():
    check_refused(
        tiny_sam2(global_attention_blocks=[2, 4]), r"global_attention_blocks=\[2, 4\]: blocks 4 to 5 .*\[2\] lie outside"
    )


def test_a_live_model_with_a_wrong_table_of_sizes_is_refused():
    model = tiny_sam2()
    model.config.vision_config.backbone_feature_sizes = [[64, 64], [32, 32], [16, 16]]
    check_refused(model, r"backbone_feature_sizes=\[\[64, 64\], \[32, 32\], \[16, 16\]\] beside an image_size of 128 px")


def check_refused(model, message):
    """With the message, and without a change."""
    kinds = [type(module) for module in model.modules()]
    with pytest.raises(basam.UnsupportedModelError, match=message):
        basam.attach(model)
    assert [type(module) for module in model.modules()] == kinds


@pytest.mark.parametrize("size", [(120, 128), (128, 144), (16, 16)])
def test_sides_that_are_no_multiple_are_refused(size):
    model = basam.attach(tiny_sam2())
    with pytest.raises(ValueError, match=rf"pixel_values of {size[0]} x {size[1]} px: both sides must be multiples of 32 px"):
        run(model, torch.randn(1, 3, *size), **PROMPTS[0])


def test_summaries_of_folder_and_model_agree(folder):
    summary = family_of_file(folder).read(folder).summary.to_dict()
    assert summary["architecture"] == "SAM 2 or 2.1 Hiera 16 x 8"
    expected = {"trained long side": 128, "layers": 8, "global layers": [4, 5], "heads": 4, "windows": [8, 4, 14, 7]}
    assert summary.items() >= expected.items()
    model = tiny_sam2()
    described = family_of(model).describe(model).to_dict()
    assert described["parameters"] == summary["parameters"] == sum(p.numel() for p in model.parameters())
    assert described["trained tokens"] == 64


def test_hidden_states_are_recorded_as_upstream_does():
    plain, pixels = tiny_sam2(), torch.randn(1, 3, 128, 128)
    model = basam.attach(tiny_sam2())
    with torch.no_grad():
        expected = plain(pixel_values=pixels, input_boxes=BOXES, output_hidden_states=True).vision_hidden_states
        found = model(pixel_values=pixels, input_boxes=BOXES, output_hidden_states=True).vision_hidden_states
    assert len(found) == len(expected)
    assert all((a - b).abs().max() < 1e-4 for a, b in zip(found, expected, strict=True))


def test_saved_while_attached_loads_as_upstream(tmp_path):
    basam.attach(tiny_sam2()).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == ["Sam2Model"]
    assert type(basam.load(tmp_path)) is Sam2Model


@pytest.mark.slow
@pytest.mark.parametrize("name", list(sizes.PUBLISHED))
def test_every_published_encoder_is_upstream_at_its_native_size(name):
    hiera = sizes.PUBLISHED[name]
    config = sam2_config(1024, **hiera)
    config.vision_config.backbone_channel_list = hiera["embed_dim_per_stage"][::-1]
    torch.manual_seed(0)
    model = Sam2Model(config).eval()
    pixels = torch.randn(1, 3, 1024, 1024)
    expected = run(model, pixels, **PROMPTS[0])
    assert family_of(model).describe(model).to_dict()["trained tokens"] == 4096
    found = run(basam.attach(model), pixels, **PROMPTS[0])
    for a, b in zip(found, expected, strict=True):
        assert (a - b).abs().max() <= 1e-4 * b.abs().max()
