"""SAM 3's tracker: at other sizes it is upstream configured for them, and the correction is what the formula says."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import basam
from basam.families import family_of
from basam.method import length_scale
from basam.model import family_of_file
from tests.helpers.forked import Forked
from tests.helpers.pyramids import (
    MEMORY,
    OFF,
    PROMPTS,
    assert_equal,
    check_changed_config,
    check_changed_tensors,
    check_trained_size_and_detaching,
    run,
)
from tests.helpers.tiny_sam3 import sam3_config, tiny_sam3

# Older versions of transformers need torchvision for it.
sam3 = pytest.importorskip("transformers.models.sam3.modeling_sam3", exc_type=ImportError)


# 70 and 182 px are no multiples of the window: upstream pads windows there, and so do we.
@pytest.mark.parametrize("size", [84, 126, 168, 252, 70, 182])
def test_without_the_correction_it_is_upstream_configured_at_that_size(size):
    model, oracle = basam.attach(tiny_sam3(), OFF), tiny_sam3(size)
    pixels = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    for prompts in PROMPTS:
        assert_equal(run(model, pixels, **prompts), run(oracle, pixels, **prompts))


@pytest.mark.parametrize(("height", "width"), [(84, 168), (112, 168)])
def test_a_photo_that_is_not_square_has_one_step_for_both_axes(height, width):
    """Upstream's image_size is [width, height], and its step is that of the width: here that is the long side."""
    model, oracle = basam.attach(tiny_sam3(), OFF), tiny_sam3(image_size=[width, height])
    pixels = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        ours, theirs = model.vision_encoder(pixels), oracle.vision_encoder(pixels)
    for a, b in zip(ours.fpn_hidden_states, theirs.fpn_hidden_states, strict=True):
        assert torch.equal(a, b)
    assert all(encoding.numel() == 0 for encoding in ours.fpn_position_encoding)
    # Prompts agree with that: both axes are divided by the long side.
    oracle.backbone_feature_sizes = [[scale * height // 14, scale * width // 14] for scale in (4, 2, 1)]
    oracle.prompt_encoder.image_embedding_size, oracle.prompt_encoder.input_image_size = (height // 14, width // 14), width
    wide = tiny_sam3(width).get_image_wide_positional_embeddings()[:, :, : height // 14]
    oracle.get_image_wide_positional_embeddings = lambda: wide
    assert_equal(run(model, pixels, **PROMPTS[0]), run(oracle, pixels, **PROMPTS[0]), 1e-4)


def dense(positions_at, lam, slope):
    """The attention of a global layer as the formula reads, with an N x N tensor and positions `(N, 2)` as x, y."""

    def forward(self, hidden_states, position_embeddings, **kwargs):
        batch, height, width, _ = hidden_states.shape
        shape = batch, height * width, self.num_attention_heads, self.head_dim
        q, k, v = (part(hidden_states).view(shape).transpose(1, 2) for part in (self.q_proj, self.k_proj, self.v_proj))
        frequencies = 1.0 / 10000.0 ** (torch.arange(0, self.head_dim // 2, 2).float() / (self.head_dim // 2))
        angles = (positions_at(height, width)[..., None] * frequencies).flatten(1).repeat_interleave(2, -1)
        q, k = sam3.apply_rotary_pos_emb_2d(q, k, angles.cos(), angles.sin())
        i = torch.arange(height * width)
        distance = (i[:, None] // width - i // width).abs() + (i[:, None] % width - i % width).abs()
        p = (lam * self.scaling * q @ k.mT - slope * (lam - 1) * distance).softmax(-1)
        return self.o_proj((p @ v).transpose(1, 2).reshape(hidden_states.shape)), None

    return forward


def grid(height, width, x_step, y_step):
    y, x = torch.meshgrid(torch.arange(height) * y_step, torch.arange(width) * x_step, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], -1)


@pytest.mark.parametrize(
    ("mode", "x_step", "y_step"),
    [
        (basam.BiasMode(slope=0.0), 3 / 12, 3 / 12),
        (basam.BiasMode(slope=1.0), 3 / 12, 3 / 12),
        (basam.BiasMode(slope=1.0, aspect="axes"), 3 / 12, 3 / 8),
    ],
)
def test_factor_mask_and_positions_are_the_dense_formula(mode, x_step, y_step):
    model, oracle = basam.attach(tiny_sam3(), mode), tiny_sam3()
    lam = length_scale(8 * 12, 81)
    forward = dense(lambda height, width: grid(height, width, x_step, y_step), lam, mode.slope)
    for layer in oracle.vision_encoder.backbone.layers:
        if layer.window_size == 0:
            layer.attention.forward = forward.__get__(layer.attention)
    pixels = torch.randn(1, 3, 112, 168, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        found, expected = model.vision_encoder(pixels), oracle.vision_encoder(pixels)
        plain = basam.attach(model, OFF).vision_encoder(pixels)
    for a, b, c in zip(found.fpn_hidden_states, expected.fpn_hidden_states, plain.fpn_hidden_states, strict=True):
        assert (a - b).abs().max() <= 1e-4
        assert (a - c).abs().max() > 1e-3


def test_the_trained_size_is_untouched_and_detach_is_exact():
    check_trained_size_and_detaching(tiny_sam3, basam.BiasMode(slope=1.0), 126, (84, 168))


def test_the_predictor_rounds_to_whole_windows_and_squashes_to_a_square():
    predictor = basam.Predictor(tiny_sam3())
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    predictor.set_image(image)
    assert predictor.image_frame.resized == predictor.image_frame.padded == (210, 294)  # windows of 42 px
    masks, _, low_res = predictor.predict(box=[30, 20, 200, 150])
    assert (masks.shape, low_res.shape) == ((3, 200, 300), (3, 60, 84))
    assert predictor.transform.apply_coords(np.array([[150.0, 100.0]]), (200, 300)).tolist() == [[147.0, 105.0]]
    predictor.set_image(image, long_side=126, square=True)
    assert predictor.image_frame.padded == (126, 126)
    predictor.set_image(image[:10, :30])
    assert predictor.image_frame.padded == (42, 42)
    # What is resized already is padded to whole patches only.
    predictor.set_torch_image(torch.zeros(1, 3, 100, 150), (200, 300))
    assert predictor.image_frame.padded == (112, 154)


def test_upstream_adds_the_embedding_of_an_empty_memory_to_a_level_that_it_drops():
    """So it changes nothing, plain and attached, unless the encoder ends in the three levels that are used."""
    pixels = torch.randn(1, 3, 126, 126)
    for change, matters in ((lambda model: model, False), (without_the_fourth_level, True)):
        model = change(tiny_sam3())
        before = run(model, pixels, **PROMPTS[0])
        with torch.no_grad():
            model.no_memory_embedding.fill_(5.0)
        after = run(model, pixels, **PROMPTS[0])
        assert bool((before[0] - after[0]).abs().max() > 1e-3) is matters
        assert_equal(run(basam.attach(model), pixels, **PROMPTS[0]), after)
        family = family_of(model)
        with torch.no_grad():
            features = family.encode(model, pixels)["image_embeddings"]
        assert len(features) == 3
        assert torch.equal(features[-1], model.get_image_embeddings(pixels)[-1])


def without_the_fourth_level(model):
    del model.vision_encoder.neck.fpn_layers[3]
    return model


def test_a_model_without_the_fourth_level_loads_again(tmp_path):
    model = without_the_fourth_level(tiny_sam3())
    model.config.vision_config.scale_factors = [4.0, 2.0, 1.0]
    model.save_pretrained(tmp_path)
    pixels = torch.randn(1, 3, 126, 126)
    assert_equal(run(basam.load(tmp_path), pixels, **PROMPTS[0]), run(model, pixels, **PROMPTS[0]))


@pytest.fixture
def folder(tmp_path):
    tiny_sam3().save_pretrained(tmp_path / "sam3")
    return tmp_path / "sam3"


def test_a_folder_loads_strictly(folder):
    loaded, expected = basam.load(folder), tiny_sam3()
    assert type(loaded) is transformers.Sam3TrackerModel
    assert not loaded.training
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in expected.state_dict().items())
    pixels = torch.randn(1, 3, 126, 126)
    assert_equal(run(loaded, pixels, **PROMPTS[0]), run(expected, pixels, **PROMPTS[0]), 1e-4)  # rotary positions are there
    memory = next(name for name in load_file(folder / "model.safetensors") if name.endswith("no_memory_embedding"))
    check_changed_tensors(
        folder,
        (lambda t: t.pop(memory), rf"tensors missing: {memory} \(1\)"),
        (lambda t: t.update(extra=torch.ones(1)), r"tensors unexpected: extra \(1\)"),
        (lambda t: t.update({memory: torch.ones(1, 1, 7)}), rf"of another shape: {memory} \(1\)"),
    )


def test_a_process_that_has_not_seen_sam3_loads_and_attaches_it(folder, tmp_path):
    """`transformers` hides the encoder's module where torchvision is missing, until somebody imports it by its whole name."""
    code = f"import basam; print(type(basam.attach(basam.load({str(folder)!r}))).__mro__[1].__name__)"
    process = Forked("-c", [f"import sys; assert {sam3.__name__!r} not in sys.modules\n{code}"], tmp_path / "output.txt")
    assert process.end() == 0, process.text
    assert "AnySizePyramid" in process.text.splitlines()


SMALL = {"hidden_size": 32, "num_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def detector_config(vision):
    text = {"vocab_size": 100, "hidden_size": 16, "intermediate_size": 16, "projection_dim": 16, "num_hidden_layers": 1}
    return {
        "vision_config": vision,
        "text_config": text | {"num_attention_heads": 2, "max_position_embeddings": 8},
        "geometry_encoder_config": SMALL,
        "detr_encoder_config": SMALL,
        "detr_decoder_config": SMALL,
        "mask_decoder_config": {"hidden_size": 32, "num_attention_heads": 2},
    }


def video_model():
    parts = sam3_config().to_dict()
    tracker = {name: parts[name] for name in ("vision_config", "prompt_encoder_config", "mask_decoder_config")}
    torch.manual_seed(0)
    config = transformers.Sam3VideoConfig(
        detector_config=detector_config(parts["vision_config"]), tracker_config={**tracker, "image_size": 126, **MEMORY}
    )
    return transformers.Sam3VideoModel(config).eval()


@pytest.mark.parametrize("prefixes", [1, 2, 3])
def test_the_tracker_of_a_video_model_loads_however_often_its_prefix_was_written(tmp_path, prefixes):
    video = video_model()
    video.save_pretrained(tmp_path)
    state = video.state_dict()
    saved = load_file(tmp_path / "model.safetensors")
    once = {name.replace("tracker_model.tracker_model.", "tracker_model."): value for name, value in saved.items()}
    assert once.keys() == state.keys()
    more = "tracker_model." * prefixes
    save_file(
        {name.replace("tracker_model.", more): value for name, value in once.items()},
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    loaded = basam.load(tmp_path)
    assert type(loaded) is transformers.Sam3TrackerModel
    for name, value in loaded.state_dict().items():
        home = name.replace("vision_encoder.neck.", "tracker_neck.") if ".neck." in name else f"tracker_model.{name}"
        home = f"detector_model.{name}" if ".backbone." in name else home
        assert torch.equal(value, state[home]), name
    summary = family_of_file(tmp_path).read(tmp_path).summary.to_dict()
    assert summary["parameters"] == sum(parameter.numel() for parameter in loaded.parameters())
    pixels = torch.randn(1, 3, 84, 126)
    assert run(basam.attach(loaded), pixels, **PROMPTS[0])[0].shape == (1, 2, 3, 24, 36)
    with pytest.raises(basam.UnsupportedModelError, match=r"Sam3VideoModel is SAM 3 for videos.*Sam3TrackerModel"):
        basam.attach(video)


@pytest.mark.parametrize(
    "end", ["vision_encoder.backbone.layer_norm.bias", "tracker_neck.fpn_layers.1.proj1.bias", "mask_decoder.iou_token.weight"]
)
def test_what_is_missing_of_a_video_model_is_named_as_it_names_it(tmp_path, end):
    video_model().save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    key = next(name for name in state if name.endswith(end))
    del state[key]
    save_file({**state, "extra": torch.ones(1)}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    for read in (basam.load, family_of_file(tmp_path).read):
        with pytest.raises(basam.UnsupportedModelError) as caught:
            read(tmp_path)
        message = f"{tmp_path} does not fit its model: tensors missing: {key} (1); unexpected: extra (1)"
        assert str(caught.value) == message


def test_what_only_videos_need_is_no_tracker_and_no_detector(tmp_path):
    video_model().save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    memory = {key: value for key, value in state.items() if ".memory_" in key or "object_pointer" in key}
    assert len(memory) > 10
    save_file(memory, tmp_path / "model.safetensors", metadata={"format": "pt"})
    for read in (basam.load, family_of_file(tmp_path).read):
        with pytest.raises(
            basam.UnsupportedModelError, match=r"tensors missing: mask_decoder\.conv_s0\.bias, .* \.\.\. \(\d{3}\)$"
        ):
            read(tmp_path)


def test_upstream_writes_the_prefix_of_the_tracker_twice(tmp_path):
    """Why the above is needed. Should upstream mend it, this test says so."""
    video_model().save_pretrained(tmp_path)
    assert any(name.startswith("tracker_model.tracker_model.") for name in load_file(tmp_path / "model.safetensors"))


def test_a_detector_is_named_with_the_class_to_use(tmp_path):
    detector = transformers.Sam3Model(transformers.Sam3Config(**detector_config(sam3_config().to_dict()["vision_config"])))
    with pytest.raises(
        basam.UnsupportedModelError, match=r"Sam3Model is SAM 3's detector, whose prompts are texts.*Sam3Tracker"
    ):
        basam.attach(detector)
    detector.save_pretrained(tmp_path)
    for work in (basam.load, family_of_file(tmp_path).read):
        with pytest.raises(
            basam.UnsupportedModelError, match=r"is SAM 3's detector, whose prompts are texts.*Sam3TrackerModel"
        ):
            work(tmp_path)


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("vision_config", "backbone_feature_sizes", [[64, 64], [32, 32], [16, 16]], r"backbone_feature_sizes=\[\[64, 64\]"),
        ("prompt_encoder_config", "image_size", 252, "beside an image_size of 252 px"),
    ],
)
def test_sizes_that_do_not_agree_are_named(folder, part, name, value, message):
    check_changed_config(folder, part, name, value, message)


def test_a_transformers_that_does_not_import_it_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "basam.families.sam3_tracker.modules", None)  # importing it is an ImportError now
    with pytest.raises(basam.BasamError, match=r"SAM 3 of this transformers does not load: .*a newer one \(5\.23\) does"):
        basam.load(folder)


def test_layers_that_are_not_there_are_named(folder):
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["backbone_config"]["global_attn_indexes"] = [1, 7]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(basam.UnsupportedModelError, match=r"global_attn_indexes=\[1, 7\]: the encoder has 4 layers"):
        basam.load(folder)


@pytest.mark.parametrize("size", [(120, 126), (126, 130), (7, 14)])
def test_sides_that_are_no_multiple_are_refused(size):
    model = basam.attach(tiny_sam3())
    with pytest.raises(ValueError, match=rf"pixel_values of {size[0]} x {size[1]} px: both sides must be multiples of 14 px"):
        run(model, torch.randn(1, 3, *size), **PROMPTS[0])


def test_summaries_of_folder_and_model_agree(folder):
    summary = family_of_file(folder).read(folder).summary.to_dict()
    expected = {"architecture": "SAM 3 ViT 32 x 4", "trained long side": 126, "global layers": [1, 3], "windows": [3]}
    assert summary.items() >= expected.items()
    model = tiny_sam3()
    described = family_of(model).describe(model).to_dict()
    assert described["parameters"] == summary["parameters"] == sum(p.numel() for p in model.parameters())


@pytest.mark.slow
def test_the_published_encoder_is_upstream_at_its_native_size():
    torch.manual_seed(0)
    model = transformers.Sam3TrackerModel(transformers.Sam3TrackerConfig()).eval()
    geometry = family_of(model).geometry(model)
    assert (geometry.trained_tokens, geometry.global_layers, geometry.round_to) == (5184, (7, 15, 23, 31), 336)
    pixels = torch.randn(1, 3, 1008, 1008)
    expected = run(model, pixels, **PROMPTS[0])
    for a, b in zip(run(basam.attach(model), pixels, **PROMPTS[0]), expected, strict=True):
        assert (a - b).abs().max() <= 1e-4 * b.abs().max()
    assert math.isclose(geometry.image_size, 1008)
