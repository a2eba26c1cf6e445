"""A model is attached whole or not at all: subclasses, own attention, wrappers, sharded models."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn.parallel import DistributedDataParallel
from transformers import SamModel
from transformers.models.sam import modeling_sam as sam

import basam
from basam.families.attachment import Replaced
from basam.model import attachment_of
from tests.families.conftest import efficient
from tests.helpers.tiny import tiny_sam
from tests.helpers.tiny_sam2 import tiny_sam2
from tests.helpers.tiny_sam3 import tiny_sam3

MODE = basam.BiasMode(slope=0.5)
BUILDERS = {"sam": (tiny_sam, 64), "hq": (lambda: tiny_sam(hq=True), 64), "sam2": (tiny_sam2, 128), "sam3": (tiny_sam3, 126)}


class MySam(SamModel):
    """Keeps upstream's forward, and has something of its own."""

    def get_image_embeddings(self, *args: Any, **kwargs: Any) -> Any:
        return super().get_image_embeddings(*args, **kwargs)


def masks_of(model: nn.Module, side: int) -> torch.Tensor:
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        masks: torch.Tensor = model(pixel_values=pixels, input_boxes=torch.tensor([[[5.0, 9.0, 40.0, 50.0]]])).pred_masks
    return masks


def state_of(model: nn.Module) -> list[tuple[type, list[str]]]:
    return [(type(module), sorted(vars(module))) for module in model.modules()]


def rejected(model: nn.Module, message: str) -> None:
    before = state_of(model)
    with pytest.raises(basam.UnsupportedModelError, match=message):
        basam.attach(model, MODE)
    assert state_of(model) == before
    assert attachment_of(model) is None


@pytest.mark.parametrize("name", BUILDERS)
def test_a_subclass_that_keeps_upstreams_forward_is_attached_as_upstreams(name: str) -> None:
    build, side = BUILDERS[name]
    model, expected = build(), masks_of(basam.attach(build(), MODE), 2 * side)
    upstream = type(model)
    model.__class__ = own = type("Own", (upstream,), {"more": lambda self: 3})
    basam.attach(model, MODE)
    assert torch.equal(masks_of(model, 2 * side), expected)
    assert model.more() == 3
    assert type(basam.detach(model)) is own


@pytest.mark.parametrize("name", BUILDERS)
def test_a_subclass_with_its_own_forward_is_named(name: str) -> None:
    build, _ = BUILDERS[name]
    model = build()
    model.__class__ = type("Own", (type(model),), {"forward": lambda self, pixel_values: None})
    rejected(model, r"Own has its own forward: basam replaces that of \w+Model and would lose it")


def test_a_subclass_that_python_finds_by_name_is_copied_and_pickled() -> None:
    model = basam.attach(MySam(tiny_sam().config), MODE)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(masks_of(other, 128), masks_of(model, 128))
        assert type(basam.detach(other)) is MySam
    assert attachment_of(model) is not None


def attention_of(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The module that a global layer has its attention in, and the name there."""
    if name == "sam":
        return model.vision_encoder.layers[1], "attn"
    if name == "sam2":
        blocks = model.vision_encoder.backbone.blocks
        return next(block for block in blocks if block.window_size == 0), "attn"
    layers = model.vision_encoder.backbone.layers
    return next(layer for layer in layers if layer.window_size == 0), "attention"


@pytest.mark.parametrize("name", ["sam", "sam2", "sam3"])
def test_own_attention_is_named(name: str) -> None:
    model = BUILDERS[name][0]()
    home, attribute = attention_of(model, name)
    attention = getattr(home, attribute)
    upstream = type(attention)
    attention.__class__ = type("Fast", (upstream,), {"forward": lambda self, x, **kwargs: (x, None)})
    rejected(model, r"Fast has its own forward")
    attention.__class__ = type("Hooked", (upstream,), {})
    attention.forward = lambda x, **kwargs: (x, None)
    rejected(model, r"Hooked has its own forward")
    setattr(home, attribute, nn.Identity())
    rejected(model, r"Identity is the attention of a global layer")


def test_an_attention_that_overrides_a_part_of_upstreams_is_named() -> None:
    model = tiny_sam()
    model.vision_encoder.layers[1].attn.__class__ = type(
        "Relative", (sam.SamVisionAttention,), {"get_rel_pos": lambda self, *args: None}
    )
    rejected(model, r"Relative has its own get_rel_pos")


def test_own_attention_of_metas_model_is_named(small_sam: Any) -> None:
    model = small_sam(128)
    attention = model.image_encoder.blocks[1].attn
    attention.__class__ = type("Fast", (type(attention),), {"forward": lambda self, x: x})
    rejected(model, r"Fast is the attention of a global layer and not built as Meta's")


def test_the_number_of_global_layers_is_that_of_the_configuration() -> None:
    model = efficient()
    model.image_encoder.blocks[0].attn = nn.Identity()
    rejected(model, "Identity is the attention of a global layer")
    model = tiny_sam()
    model.vision_encoder.layers[2].window_size = 0
    rejected(model, "the model has 3 global layers and its configuration 2")
    model = tiny_sam2()
    next(block for block in model.vision_encoder.backbone.blocks if block.window_size == 0).window_size = 4
    rejected(model, r"the model has \d global layers and its configuration \d")


def test_without_windows_every_layer_is_global() -> None:
    model = basam.attach(tiny_sam(window_size=0), MODE)
    assert masks_of(model, 128).isfinite().all()
    present = attachment_of(model)
    assert present is not None
    assert present.geometry.global_layers == (0, 1, 2, 3)


class Wrapper(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


@pytest.mark.parametrize("name", BUILDERS)
def test_a_wrapped_model_is_named_with_the_way_out(name: str) -> None:
    build, side = BUILDERS[name]
    wrapper = Wrapper(build())
    rejected(wrapper, r"Wrapper wraps a \w+Model: attach the model inside, model\.module; that is in place")
    basam.attach(wrapper.module, MODE)
    assert torch.equal(masks_of(wrapper.module, 2 * side), masks_of(basam.attach(build(), MODE), 2 * side))


@pytest.mark.parametrize(("name", "target"), [("sam2", "qkv"), ("sam3", "q_proj")])
def test_a_model_in_peft_is_named_with_the_way_out(name: str, target: str) -> None:
    build, side = BUILDERS[name]
    model = peft.get_peft_model(build(), peft.LoraConfig(target_modules=[target]))
    rejected(model, r"PeftModel wraps a \w+Model: attach the model inside, model\.base_model\.model;")
    plain = masks_of(basam.attach(build(), MODE), 2 * side)
    basam.attach(model.base_model.model, MODE)
    assert (masks_of(model, 2 * side) - plain).abs().max() < 1e-4  # LoRA begins at nothing


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'rendezvous'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("wrap", [DistributedDataParallel, nn.DataParallel])
def test_a_model_in_a_data_parallel_wrapper_is_named_with_the_way_out(wrap: Any) -> None:
    wrapper = wrap(tiny_sam())
    rejected(wrapper, rf"{wrap.__name__} wraps a SamModel: attach the model inside, model\.module;")
    basam.attach(wrapper.module, MODE)
    assert torch.equal(masks_of(wrapper, 128), masks_of(basam.attach(tiny_sam(), MODE), 128))


@pytest.mark.usefixtures("one_process")
@pytest.mark.filterwarnings("ignore:FSDP is switching")
def test_a_model_in_the_former_fsdp_is_named_with_the_way_out() -> None:
    """It lets attributes of the model through, so that it looks like one, and then fails in forward."""
    whole = FullyShardedDataParallel(tiny_sam(), device_id=torch.device("cpu"))
    rejected(whole, r"FullyShardedDataParallel.*\.fully_shard")
    model = tiny_sam()
    model.vision_encoder = FullyShardedDataParallel(model.vision_encoder, device_id=torch.device("cpu"))
    rejected(model, r"SamModel is sharded by FullyShardedDataParallel.*\.fully_shard")


@pytest.mark.usefixtures("one_process")
def test_a_sharded_model_is_attached_or_named() -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model, expected = tiny_sam(), masks_of(basam.attach(tiny_sam(), MODE), 128)
    mesh = init_device_mesh("cpu", (1,))
    for layer in model.vision_encoder.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    basam.attach(model, MODE)
    replaced = sum(isinstance(module, Replaced) for module in model.modules())
    assert replaced == sum(isinstance(module, Replaced) for module in basam.attach(tiny_sam(), MODE).modules())
    assert (masks_of(model, 128) - expected).abs().max() < 1e-5
    assert type(basam.detach(model)).__name__ == "FSDPSamModel"
