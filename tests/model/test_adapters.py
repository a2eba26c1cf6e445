"""Adapters: what was changed comes back to the bit, and what does not fit is reported before anything is changed."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

import basam
from basam import BiasMode
from basam.families import LearnedSlopes
from basam.model.adapters import Adapter, AdapterError, LoraPair, read_adapter, write_adapter
from basam.model.attaching import attachment_of
from basam.model.fingerprint import model_fingerprint
from basam.model.mode_files import write_mode
from tests.helpers.tiny import tiny_folder, tiny_sam

MODE = basam.BiasMode(slopes="learned", schedule="constant", strength=0.5)
QKV = "vision_encoder.layers.1.attn.qkv"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_folder(tmp_path_factory.mktemp("base"))


@pytest.fixture
def adapter(base):
    model = basam.load(base)
    weights = {key: value + 0.1 for key, value in model.state_dict().items() if key.startswith("mask_decoder.iou_token")}
    generator = torch.Generator().manual_seed(1)
    lora = {QKV: LoraPair(torch.randn(2, 32, generator=generator), torch.randn(96, 2, generator=generator))}
    slopes = LearnedSlopes(torch.tensor([[0.1, 0.2], [0.3, 0.4]]))
    return Adapter(str(base), model_fingerprint(model), MODE, slopes, weights, lora, 0.25)


def test_an_adapter_comes_back_as_it_was(base, adapter, tmp_path):
    write_adapter(tmp_path / "adapter", adapter, "# card\n", {"steps": 3})
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir()) == ["README.md", "adapter.safetensors", "mode.json"]
    assert json.loads((tmp_path / "adapter" / "mode.json").read_text())["found"] == {"steps": 3}
    model = basam.load(base, adapter=tmp_path / "adapter")
    plain = basam.load(base)
    assert list(model.state_dict()) == list(plain.state_dict())
    attachment = attachment_of(model)
    assert attachment.mode == MODE
    assert torch.equal(attachment.learned.log, adapter.slopes.log)
    for key, value in plain.state_dict().items():
        expected = adapter.weights.get(key, value)
        if key == f"{QKV}.weight":
            expected = value + 0.25 * adapter.lora[QKV].b @ adapter.lora[QKV].a
        assert torch.allclose(model.state_dict()[key], expected, atol=1e-6), key
    assert basam.Predictor(model).attachment.mode == MODE
    assert read_adapter(tmp_path / "adapter").parameters == 4 + 16 + 2 * 32 + 96 * 2


def test_lora_is_added_as_peft_adds_it():
    from peft import LoraConfig, inject_adapter_in_model

    model = tiny_sam()
    names = "vision_encoder.layers.1.attn.qkv"
    config = LoraConfig(r=2, lora_alpha=3, target_modules=[names], init_lora_weights=False)
    inject_adapter_in_model(config, model)
    layer = model.get_submodule(names)
    pair = LoraPair(layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach())
    assert torch.equal(pair.change(1.5), layer.get_delta_weight("default"))


@pytest.mark.parametrize("missing", ["adapter.safetensors", "mode.json"])
def test_a_missing_file_is_named(base, adapter, tmp_path, missing):
    write_adapter(tmp_path / "adapter", adapter, "")
    (tmp_path / "adapter" / missing).unlink()
    with pytest.raises(FileNotFoundError, match=f"adapter: {missing} is missing"):
        basam.load(base, adapter=tmp_path / "adapter")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        basam.load(base, adapter=tmp_path / "elsewhere")


def test_an_adapter_of_another_base_is_refused(adapter, tmp_path):
    write_adapter(tmp_path / "adapter", adapter, "")
    tiny_sam(seed=5).save_pretrained(tmp_path / "other")
    with pytest.raises(
        AdapterError, match=r"was made for '.*base.*' with weights \w{12}; .* load the adapter with its own base"
    ):
        basam.load(tmp_path / "other", adapter=tmp_path / "adapter")


def test_files_that_are_none_of_an_adapter(base, adapter, tmp_path):
    folder = tmp_path / "adapter"
    write_adapter(folder, adapter, "")
    header = {"format": "basam adapter 1", "base": "b", "base_sha256": adapter.base_sha256, "lora_scale": "1.0"}
    cases = [
        (adapter.tensors(), {"format": "pt"}, "not a basam adapter"),
        ({**adapter.tensors(), "bias": torch.ones(1)}, header, "unknown tensors bias"),
        ({f"lora.{QKV}.A": torch.ones(2, 32)}, header, f"lora.{QKV}.B is missing"),
        ({"weight.mask_decoder.hat": torch.ones(1)}, header, r"mask_decoder.hat of \(1,\); in this model it is not there"),
        ({"slopes.log": torch.zeros(4)}, header, r"slopes.log of shape \(4,\): \(global layers, heads\)"),
        ({"slopes.log": torch.full((2, 2), float("nan"))}, header, r"NaN or infinity in slopes.log \(1\)"),
        ({**adapter.tensors(), f"lora.{QKV}.B": torch.full((96, 2), float("inf"))}, header, rf"infinity in lora.{QKV}.B \(1\)"),
        ({f"lora.{QKV}.A": torch.ones(2), f"lora.{QKV}.B": torch.ones(96, 2)}, header, r"A and B of \(2,\) and \(96, 2\)"),
        *(
            (adapter.tensors(), {key: value for key, value in header.items() if key != missing}, f"header has no '{missing}'")
            for missing in ("base", "base_sha256", "lora_scale")
        ),
        (adapter.tensors(), {**header, "lora_scale": "much"}, "lora_scale='much'"),
        (adapter.tensors(), {**header, "lora_scale": "nan"}, "lora_scale='nan'"),
        ({"slopes.log": torch.zeros(3, 2)}, header, r"learned slopes of \(3, 2\)"),
    ]
    for tensors, metadata, message in cases:
        save_file(tensors, folder / "adapter.safetensors", metadata)
        with pytest.raises(ValueError, match=message):
            basam.load(base, adapter=folder)
    (folder / "adapter.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(AdapterError, match="cannot be read"):
        basam.load(base, adapter=folder)


def test_an_adapter_by_its_hub_name(base, adapter, tmp_path, monkeypatch):
    write_adapter(tmp_path / "snapshot", adapter, "")
    asked = []
    monkeypatch.setattr("basam.model.loading.download", lambda name: asked.append(name) or tmp_path / "snapshot")
    monkeypatch.chdir(tmp_path)
    assert torch.equal(attachment_of(basam.load(base, adapter="me/lesions")).learned.log, adapter.slopes.log)
    assert asked == ["me/lesions"]
    basam.load(base, adapter="./snapshot")  # what is there is not looked for on the hub
    assert asked == ["me/lesions"]


def test_the_adapter_s_mode_is_the_model_s_own(base, adapter, tmp_path):
    write_adapter(tmp_path / "adapter", adapter, "")
    tuned_on = shutil.copytree(base, tmp_path / "base")
    write_mode(tuned_on / "mode.json", BiasMode(strength=0.25), fingerprint=adapter.base_sha256)  # found before tuning
    model = basam.load(tuned_on, adapter=tmp_path / "adapter")
    assert attachment_of(basam.attach(model)).mode == MODE
    basam.attach(model, BiasMode.off())
    with basam.attached(model):
        assert attachment_of(model).mode == MODE
        assert torch.equal(attachment_of(model).learned.log, adapter.slopes.log)
    with pytest.raises(ValueError, match="learned', but this model has none"):  # and not the mode of the base in silence
        basam.attach(basam.detach(model))


def test_a_mode_of_another_base_is_refused(base, adapter, tmp_path):
    write_adapter(tmp_path / "adapter", adapter, "")
    mode_file = tmp_path / "adapter" / "mode.json"
    write_mode(mode_file, BiasMode(), fingerprint="0123456789abcdef")
    with pytest.raises(AdapterError, match=r"mode\.json is for weights 0123456789ab, and the adapter's base has \w{12}: put"):
        basam.load(base, adapter=tmp_path / "adapter")
    mode_file.write_text('{"strength": 0.5}')  # by hand: nothing to compare
    assert read_adapter(tmp_path / "adapter").mode == BiasMode(strength=0.5)
