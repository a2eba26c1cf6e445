"""Models of the original authors' code and weights to load: `segment_anything` with stand-ins for torchvision, the oracle."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from basam.families import PromptTensors
from tests.helpers.slowly import slowly
from tests.helpers.tiny import tiny_sam
from tests.helpers.tiny_sam2 import tiny_sam2
from tests.helpers.tiny_sam3 import tiny_sam3

ORACLE = Path(__file__).with_name("oracle")


def stand_ins() -> dict[str, ModuleType]:
    """The four names of torchvision that `segment_anything` imports."""
    names = ("", ".transforms", ".transforms.functional", ".ops", ".ops.boxes")
    modules = {f"torchvision{name}": ModuleType(f"torchvision{name}") for name in names}
    modules["torchvision.transforms.functional"].__dict__.update(
        to_pil_image=Image.fromarray, resize=lambda image, size: image.resize(size[::-1], Image.Resampling.BILINEAR)
    )
    modules["torchvision.ops.boxes"].__dict__.update(
        batched_nms=lambda boxes, scores, groups, iou_threshold: scores.argsort(descending=True),
        box_area=lambda boxes: (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
    )
    return modules


@pytest.fixture(scope="session")
def meta() -> SimpleNamespace:
    """Meta's package: its modeling module, `SamPredictor` and `SamAutomaticMaskGenerator`."""
    if importlib.util.find_spec("segment_anything") is None:
        pytest.skip('segment-anything is not installed: pip install -e ".[dev]"')
    modules = stand_ins()
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)  # gone again afterwards: others ask whether torchvision is there
        package = importlib.import_module("segment_anything")
    return SimpleNamespace(
        modeling=importlib.import_module("segment_anything.modeling"),
        SamPredictor=package.SamPredictor,
        SamAutomaticMaskGenerator=package.SamAutomaticMaskGenerator,
    )


@pytest.fixture(scope="session")
def meta2() -> Callable[..., nn.Module]:
    """Builds Meta's SAM 2 with random weights: `meta2(hiera, image_size)`, hiera as in `basam.families.sam2.sizes`."""
    if importlib.util.find_spec("sam2") is None:
        pytest.skip("sam2 is not installed: pip install --no-deps --no-build-isolation sam2")
    hydra = {name: ModuleType(name) for name in ("hydra", "hydra.core", "hydra.core.global_hydra")}
    hydra["hydra"].__dict__["initialize_config_module"] = lambda *args, **kwargs: None
    hydra["hydra.core.global_hydra"].__dict__["GlobalHydra"] = SimpleNamespace(
        instance=lambda: SimpleNamespace(is_initialized=lambda: True)
    )
    iopath = {name: ModuleType(name) for name in ("iopath", "iopath.common", "iopath.common.file_io")}
    iopath["iopath.common.file_io"].__dict__["g_pathmgr"] = None  # reads weights from a store of Meta's
    with pytest.MonkeyPatch.context() as patch:
        for name, module in (hydra | iopath).items():
            patch.setitem(sys.modules, name, module)
        base = importlib.import_module("sam2.modeling.sam2_base").SAM2Base
        image = importlib.import_module("sam2.modeling.backbones.image_encoder")
        trunk = importlib.import_module("sam2.modeling.backbones.hieradet").Hiera
        positions = importlib.import_module("sam2.modeling.position_encoding").PositionEmbeddingSine
        memory = importlib.import_module("sam2.modeling.memory_encoder")

    def build(hiera: dict[str, Any], image_size: int) -> nn.Module:
        torch.manual_seed(0)
        encoder = image.ImageEncoder(
            trunk(
                embed_dim=hiera["hidden_size"],
                num_heads=hiera["num_attention_heads"],
                stages=hiera["blocks_per_stage"],
                global_att_blocks=hiera["global_attention_blocks"],
                window_pos_embed_bkg_spatial_size=hiera["window_positional_embedding_background_size"],
                window_spec=hiera["window_size_per_stage"],
            ),
            image.FpnNeck(
                positions(256),
                d_model=256,
                backbone_channel_list=hiera["embed_dim_per_stage"][::-1],
                fpn_top_down_levels=[2, 3],
                fpn_interp_model="nearest",
            ),
            scalp=1,
        )
        memory_encoder = memory.MemoryEncoder(
            out_dim=64,
            mask_downsampler=memory.MaskDownSampler(kernel_size=3, stride=2, padding=1),
            fuser=memory.Fuser(memory.CXBlock(dim=256), num_layers=2),
            position_encoding=positions(64),
        )
        # As in the published configurations, but for the attention to memory, which images do not reach.
        attention = nn.Module()
        attention.d_model = 256
        model = base(
            encoder,
            attention,
            memory_encoder,
            image_size=image_size,
            directly_add_no_mem_embed=True,
            no_obj_embed_spatial=True,
            use_high_res_features_in_sam=True,
            multimask_output_in_sam=True,
            iou_prediction_use_sigmoid=True,
            use_obj_ptrs_in_encoder=True,
            proj_tpos_enc_in_obj_ptrs=True,
            pred_obj_scores=True,
            pred_obj_scores_mlp=True,
            fixed_no_obj_ptr=True,
            use_multimask_token_for_obj_ptr=True,
            use_mlp_for_obj_ptr_proj=True,
            sam_mask_decoder_extra_args={
                "dynamic_multimask_via_stability": True,
                "dynamic_multimask_stability_delta": 0.05,
                "dynamic_multimask_stability_thresh": 0.98,
            },
        )
        for name, parameter in model.named_parameters():
            if "pos_embed" in name or "no_mem" in name:
                nn.init.normal_(parameter, std=0.2)
        return model.eval()

    return build


@pytest.fixture(scope="session")
def small_sam(meta: SimpleNamespace) -> Callable[..., nn.Module]:
    """Builds Meta's SAM with few channels and random weights: `small_sam(image_size)`."""

    def build(image_size: int = 128, encoder_class: Any = None, **encoder: Any) -> nn.Module:
        torch.manual_seed(0)
        parts, grid, width = meta.modeling, image_size // 16, 32
        sizes = {
            "depth": 3,
            "embed_dim": width,
            "num_heads": 2,
            "global_attn_indexes": (1, 2),
            "window_size": 3,
            "out_chans": width,
        }
        model = parts.Sam(
            (encoder_class or parts.ImageEncoderViT)(
                img_size=image_size,
                mlp_ratio=2,
                norm_layer=partial(nn.LayerNorm, eps=1e-6),
                use_rel_pos=True,
                **(sizes | encoder),
            ),
            parts.PromptEncoder(
                embed_dim=width, image_embedding_size=(grid, grid), input_image_size=(image_size, image_size), mask_in_chans=8
            ),
            parts.MaskDecoder(
                num_multimask_outputs=3,
                transformer=parts.TwoWayTransformer(depth=2, embedding_dim=width, mlp_dim=64, num_heads=8),
                transformer_dim=width,
                iou_head_hidden_dim=48,
            ),
        )
        for name, parameter in model.named_parameters():
            if "rel_pos" in name or "pos_embed" in name:
                nn.init.normal_(parameter, std=0.2)
        return model.eval()

    return build


@pytest.fixture
def photo() -> Callable[[int, int], np.ndarray]:
    """A random image: `photo(height, width)`, `(height, width, 3)` uint8."""
    return lambda height, width: np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SimpleNamespace]:
    """What the original authors' code computes with weights filled from their keys by `oracle/fill.py`:
    the file to load, the input, and the numbers expected."""
    spec = importlib.util.spec_from_file_location("oracle_fill", ORACLE / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)

    def get(name: str, wrap: str | None = None) -> SimpleNamespace:
        shapes = json.loads((ORACLE / f"{name}.shapes.json").read_text())
        state = {key: torch.as_tensor(np.asarray(value)) for key, value in rule.state(shapes).items()}
        file = tmp_path_factory.mktemp("oracle") / f"{name}.pth"
        torch.save({wrap: state} if wrap else state, file)
        pixels = torch.as_tensor(rule.fill("input", (1, 3, 1024, 1024)))
        return SimpleNamespace(file=file, shapes=shapes, pixels=pixels, expected=np.load(ORACLE / f"{name}.expected.npz"))

    return get


BOX = PromptTensors(boxes=torch.tensor([[200.0, 150.0, 800.0, 700.0]]))
POINT = PromptTensors(torch.tensor([[[512.0, 400.0]]]), torch.tensor([[1]]))


@pytest.fixture
def check_oracle() -> Callable[..., None]:
    """Compare a model with the oracle: embedding, masks and IoU of a box and of a point."""
    from basam.families.registry import family_of

    def check(model: nn.Module, case: SimpleNamespace, masks_of: Callable[[torch.Tensor], torch.Tensor], key: str) -> None:
        family = family_of(model)
        with torch.no_grad():
            features = family.encode(model, case.pixels)
            embedding = features["image_embeddings"] if isinstance(features, dict) else features
            np.testing.assert_allclose(embedding[0, ::16, ::4, ::4], case.expected["embedding"], atol=1e-4)
            for name, prompt in (("box", BOX), ("point", POINT)):
                masks, iou = family.decode(model, features, prompt, multimask=True)
                np.testing.assert_allclose(masks_of(masks)[0], case.expected[f"{name}_{key}"], atol=1e-4)
                np.testing.assert_allclose(iou[0], case.expected[f"{name}_iou"], atol=1e-4)

    return check


def mobile() -> nn.Module:
    from basam.families.mobile_sam.modules import MobileSamConfig, MobileSamModel

    tinyvit = {"widths": (8, 8, 8, 8), "depths": (1, 1, 1, 1), "heads": (0, 1, 1, 1), "channels": 32, "image_size": 128}
    vision = {"num_hidden_layers": 0, "image_size": 128, "num_pos_feats": 16}
    parts = {
        "prompt_encoder_config": {"hidden_size": 32, "image_size": 128},
        "mask_decoder_config": {"hidden_size": 32, "mlp_dim": 32},
    }
    model = MobileSamModel(MobileSamConfig(tinyvit=tinyvit, vision_config=vision, **parts))
    for parameter in model.mask_decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # transformers' own values are too small to tell results apart
    return model


def efficient() -> nn.Module:
    from basam.families.efficient_sam.modules import EfficientSam
    from basam.families.efficient_sam.sizes import EfficientSamConfig

    sizes = {"width": 16, "depth": 1, "heads": 1, "mlp": 16, "image_size": 128, "channels": 32}
    return EfficientSam(EfficientSamConfig(**sizes, decoder_inner=16, decoder_mlp=32, iou_hidden=16, upscaling=(8, 4)))


MODELS = ("sam", "nano", "hq", "mobile", "efficient", "meta", "sam2", "sam3")


@pytest.fixture(params=slowly(MODELS, *(name for name in MODELS if name != "nano")))
def each_model(request: pytest.FixtureRequest) -> nn.Module:
    """A small model of every family in turn."""
    if request.param == "meta":
        return request.getfixturevalue("small_sam")(128)
    import basam

    torch.manual_seed(0)
    builders = {"nano": basam.load, "mobile": mobile, "efficient": efficient, "sam2": tiny_sam2}
    builders |= {"sam": lambda: tiny_sam(128), "hq": lambda: tiny_sam(128, hq=True), "sam3": lambda: tiny_sam3(168)}
    return builders[request.param]().eval()
