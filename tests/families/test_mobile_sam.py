"""MobileSAM: its published file, any size, and folders saved from it."""

import copy

import pytest
import torch

import basam
from basam.families import PromptTensors
from basam.families.registry import family_of
from basam.model import family_of_file
from tests.helpers.slowly import slowly

BOXES = torch.tensor([[100.0, 100.0, 500.0, 400.0]])


@pytest.fixture(scope="module")
def case(oracle):
    return oracle("mobile")


@pytest.fixture(scope="module")
def loaded(case):
    return basam.load(case.file)


@pytest.fixture
def model(loaded):
    return copy.deepcopy(loaded)


def run(model, pixels):
    family = family_of(model)
    with torch.no_grad():
        return family.decode(model, family.encode(model, pixels), PromptTensors(boxes=BOXES), multimask=True)


@pytest.mark.parametrize("attached", slowly([False, True], True))
def test_it_agrees_with_the_authors_code_plain_and_attached(attached, model, case, check_oracle):
    if attached:
        basam.attach(model, basam.BiasMode(decoder="log", tinyvit_windows="log-count", strength=1.0))
    check_oracle(model, case, lambda masks: masks[:, :, ::4, ::4], "low_res")


def test_summary_and_counts_are_the_published_ones(case):
    summary = family_of_file(case.file).read(case.file).summary.to_dict()
    assert (summary["parameters"], summary["tensors"]) == (10_130_092, 439)
    assert (summary["architecture"], summary["windows"], summary["global layers"]) == ("MobileSAM (TinyViT)", [7, 14, 7], [])


def test_a_photo_of_any_size_is_taken_once_attached(model):
    wide = torch.randn(1, 3, 400, 592)
    with pytest.raises(ValueError, match="a plain MobileSAM takes 1024 x 1024"):
        run(model, wide)
    basam.attach(model)
    masks, iou = run(model, wide)
    assert masks.shape == (1, 3, 100, 148)
    assert iou.shape == (1, 3)
    scaled = run(basam.attach(model, basam.BiasMode(tinyvit_windows="log-count", strength=1.0)), wide)[0]
    assert not torch.allclose(scaled, masks)
    with pytest.raises(ValueError, match="multiples of 16 px"):
        run(model, torch.randn(1, 3, 400, 600))
    basam.detach(model)
    with pytest.raises(ValueError, match="a plain MobileSAM takes"):
        run(model, wide)


def test_it_is_used_like_a_model_of_transformers(model):
    basam.attach(model)
    pixels = torch.randn(1, 3, 160, 240)
    with torch.no_grad():
        output = model(pixel_values=pixels, input_boxes=BOXES[None])
    torch.testing.assert_close(output.pred_masks[0], run(model, pixels)[0])


def test_a_saved_folder_loads_again(model, tmp_path):
    pixels = torch.randn(1, 3, 160, 160)
    expected = run(basam.attach(model), pixels)[0]
    model.save_pretrained(tmp_path / "mobile")
    again = basam.load(tmp_path / "mobile")
    torch.testing.assert_close(run(basam.attach(again), pixels)[0], expected, atol=1e-4, rtol=0)
    summary = family_of_file(tmp_path / "mobile").read(tmp_path / "mobile").summary.to_dict()
    assert (summary["parameters"], summary["windows"]) == (10_130_092, [7, 14, 7])


def test_a_missing_tensor_is_named(case, tmp_path):
    state = torch.load(case.file, weights_only=True)
    del state["image_encoder.norm_head.bias"]
    torch.save(state, tmp_path / "mobile.pt")
    with pytest.raises(basam.UnsupportedModelError, match=r"missing: image_encoder.norm_head.bias \(1\)"):
        basam.load(tmp_path / "mobile.pt")


def test_the_encoder_alone_takes_a_lower_precision(case):
    model = basam.attach(basam.load(case.file, dtype=torch.bfloat16))
    family = family_of(model)
    assert {p.dtype for p in family.encoder(model).parameters()} == {torch.bfloat16}
    masks, _ = run(model, torch.randn(1, 3, 160, 160, dtype=torch.bfloat16))
    assert masks.dtype == torch.float32
