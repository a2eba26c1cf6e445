"""EfficientSAM: its published files, any size, and what its prompts cannot be."""

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import basam
from basam.families import PromptTensors, count_parameters, efficient_sam
from basam.families.efficient_sam.encoder import Attention
from basam.families.efficient_sam.modules import EfficientSam
from basam.families.efficient_sam.sizes import EfficientSamConfig
from basam.families.registry import family_of
from basam.families.shared import Shapes
from basam.method import distances, length_scale
from basam.model import family_of_file
from tests.helpers.slowly import slowly

BOX = {"boxes": torch.tensor([[100.0, 100.0, 200.0, 180.0]])}


@pytest.fixture(scope="module")
def case(oracle):
    case = oracle("eff", wrap="model")
    mean, std = (torch.tensor(values)[:, None, None] for values in (efficient_sam.FAMILY.mean, efficient_sam.FAMILY.std))
    case.pixels = (0.25 * case.pixels + 0.5 - mean) / std  # the authors' model normalises by itself
    return case


@pytest.fixture(scope="module")
def loaded(case):
    return basam.load(case.file)


@pytest.fixture
def model(loaded):
    return copy.deepcopy(loaded)


@pytest.fixture
def small():
    torch.manual_seed(0)
    sizes = {"width": 32, "depth": 2, "heads": 2, "mlp": 64, "positions": 5, "patch": 8, "image_size": 48, "channels": 16}
    model = EfficientSam(EfficientSamConfig(**sizes, decoder_inner=8, decoder_mlp=32, iou_hidden=16, upscaling=(8, 4)))
    torch.nn.init.normal_(model.image_encoder.pos_embed, std=0.5)
    return model.eval()


def run(model, pixels, multimask=True, **prompts):
    family = family_of(model)
    with torch.no_grad():
        return family.decode(model, family.encode(model, pixels), PromptTensors(**(BOX | prompts)), multimask=multimask)


@pytest.mark.parametrize("attached", slowly([False, True], True))
def test_it_agrees_with_the_authors_code_plain_and_attached(attached, model, case, check_oracle):
    def full_size(masks):
        return F.interpolate(masks, (1024, 1024), mode="bicubic")[:, :, ::16, ::16]

    if attached:
        basam.attach(model, basam.BiasMode(decoder="log", strength=1.0))
    check_oracle(model, case, full_size, "masks")


def test_summary_and_counts_are_the_published_ones(case):
    summary = family_of_file(case.file).read(case.file).summary.to_dict()
    assert (summary["architecture"], summary["parameters"], summary["tensors"]) == ("EfficientSAM-Ti", 10_223_204, 278)
    assert summary["global layers"] == list(range(12))


def test_the_larger_one_is_recognised_from_its_tensors():
    with torch.device("meta"):
        model = EfficientSam(EfficientSamConfig(width=384, heads=6, mlp=1536))
    shapes = Shapes(Path("efficient_sam_vits.pt"), {key: tuple(value.shape) for key, value in model.state_dict().items()})
    assert (len(shapes), count_parameters(model)) == (278, 26_413_028)
    assert EfficientSamConfig(**efficient_sam.sizes(shapes)) == EfficientSamConfig(width=384, heads=6, mlp=1536)


def test_the_correction_is_the_formula(small):
    """Every layer, at a grid of 9 x 12 for a trained one of 6 x 6, written out with N x N tensors."""
    pixels = torch.randn(1, 3, 72, 96)
    mode = basam.BiasMode(slope=0.7, slopes="geometric", strength=1.0)
    height, width, encoder = 9, 12, small.image_encoder
    factor = length_scale(108, 36)
    table = encoder.pos_embed[:, 1:].view(1, 5, 5, 32).permute(0, 3, 1, 2)
    table = F.interpolate(table, (12, 12), mode="bicubic", align_corners=False)[:, :, :9]
    slopes = 0.7 * (factor - 1) * torch.tensor([2.0**-4, 2.0**-8])
    distance = (distances(9)[:, None, :, None] + distances(12)[None, :, None, :]).reshape(108, 108)
    with torch.no_grad():
        x = (encoder.patch_embed(pixels) + table.permute(0, 2, 3, 1)).view(108, 32)
        for block in encoder.blocks:
            q, k, v = block.attn.qkv(block.norm1(x)).view(108, 3, 2, 16).permute(1, 2, 0, 3)
            logits = factor / 4 * (q @ k.transpose(1, 2)) - slopes[:, None, None] * distance
            x = x + block.attn.proj((logits.softmax(-1) @ v).transpose(0, 1).reshape(108, 32))
            x = x + block.mlp(block.norm2(x))
        expected = encoder.neck(x.view(1, height, width, 32).permute(0, 3, 1, 2))
        found = basam.attach(small, mode).image_encoder(pixels)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_any_size_once_attached_and_plain_again_once_detached(small):
    square, wide = torch.randn(1, 3, 48, 48), torch.randn(1, 3, 40, 96)
    prompts = {"boxes": torch.tensor([[5.0, 6.0, 30.0, 40.0], [1.0, 1.0, 9.0, 9.0]])}
    plain = run(small, square, **prompts)[0]
    with pytest.raises(ValueError, match=r"40 x 96 px: a plain EfficientSAM takes 48 x 48; basam\.attach"):
        run(small, wide)
    basam.attach(small)
    torch.testing.assert_close(run(small, square, **prompts)[0], plain, atol=1e-5, rtol=0)
    masks, iou = run(small, wide, **prompts)
    assert (masks.shape, iou.shape) == ((2, 3, 20, 48), (2, 3))
    assert run(small, wide, multimask=False)[0].shape == (1, 1, 20, 48)
    basam.detach(small)
    assert type(small.image_encoder.blocks[0].attn) is Attention
    assert torch.equal(run(small, square, **prompts)[0], plain)


def test_points_and_box_together_are_tokens_of_one_prompt(small):
    pixels = torch.randn(1, 3, 48, 48)
    point = {"points": torch.tensor([[[20.0, 20.0]]]), "labels": torch.tensor([[1]])}
    box = {"boxes": torch.tensor([[5.0, 6.0, 30.0, 40.0]])}
    both = run(small, pixels, **point, **box)[0]
    with torch.no_grad():
        corners = torch.tensor([[[5.0, 6.0], [30.0, 40.0], [20.0, 20.0]]])
        direct = small(pixels, corners, torch.tensor([[2, 3, 1]]))[0]
    torch.testing.assert_close(both, direct, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ({"masks": torch.zeros(1, 1, 24, 24)}, "has no mask prompts"),
        ({"boxes": None}, "0 points: EfficientSAM takes 1 to 6"),
        (
            {"points": torch.zeros(1, 5, 2), "labels": torch.ones(1, 5)},
            "7 points: EfficientSAM takes 1 to 6, of which a box is two",
        ),
    ],
)
def test_prompts_that_it_does_not_have_are_refused(small, prompts, message):
    with pytest.raises(ValueError, match=message):
        run(small, torch.randn(1, 3, 48, 48), **prompts)


def test_negative_points_warn(small):
    with pytest.warns(UserWarning, match="no embedding for negative points"):
        run(small, torch.randn(1, 3, 48, 48), points=torch.zeros(1, 1, 2), labels=torch.zeros(1, 1))


def test_a_superfluous_tensor_is_named(case, tmp_path):
    state = torch.load(case.file, weights_only=True)["model"]
    state["mask_decoder.more"] = torch.ones(1)
    torch.save(state, tmp_path / "eff.pt")
    with pytest.raises(basam.UnsupportedModelError, match=r"unexpected: mask_decoder.more \(1\)"):
        basam.load(tmp_path / "eff.pt")
