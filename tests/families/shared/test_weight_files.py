"""Which files of a folder are its weights: those that transformers takes, and what is wrong with them is named."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import basam
from basam.model import model_info
from tests.helpers.tiny import tiny_sam
from tests.helpers.tiny_sam2 import tiny_sam2

INDEX = "model.safetensors.index.json"


@pytest.fixture
def whole(tmp_path):
    tiny_sam().save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def sharded(tmp_path):
    tiny_sam().save_pretrained(tmp_path, max_shard_size="20KB")
    assert (tmp_path / INDEX).is_file()
    return tmp_path


def refused(path, message):
    for read in (model_info, basam.load):
        with pytest.raises(basam.BasamError, match=message) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_shards_are_read(sharded):
    assert model_info(sharded).summary.parameters == model_info_of(tiny_sam(), sharded / "again").summary.parameters
    basam.load(sharded)


def model_info_of(model, folder):
    model.save_pretrained(folder)
    return model_info(folder)


def test_other_files_beside_the_weights_do_not_count(whole):
    state = load_file(whole / "model.safetensors")
    before = model_info(whole).summary
    save_file({key: value + float("nan") for key, value in state.items()}, whole / "model_old.safetensors")
    torch.save({key: value + 1 for key, value in state.items()}, whole / "pytorch_model.bin")
    assert model_info(whole).summary == before
    loaded = basam.load(whole).state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in state.items())


@pytest.mark.parametrize("name", ["model.fp16.safetensors", "model_best.safetensors", "model-00001-of-00001.safetensors"])
def test_weights_of_another_name_are_none(whole, name):
    (whole / "model.safetensors").rename(whole / name)
    refused(whole, "has no readable weights: no model.safetensors and no pytorch_model.bin")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", r"holds \[\]: a JSON object is needed: is the checkpoint complete\?"),
        ('{"metadata": {}, "weight_map": {}}', "has no 'weight_map' and 'metadata'"),
        ('{"weight_map": {"a": "b"}}', "has no 'weight_map' and 'metadata'"),
        ('{"metadata": {}, "weight_map": {"a": 3}}', "lists a in 3"),
        ('{"metadata": {}, "weight_map": {"a": "../b"}}', "lists a in '../b'"),
        ('{"metadata": {}, "weight_map": {"a": "b.safetensors"}}', r"names b.safetensors \(1\), which are not there"),
    ],
)
def test_an_odd_index_is_named(sharded, text, message):
    (sharded / INDEX).write_text(text)
    refused(sharded, f"{re.escape(str(sharded / INDEX))} {message}")


def test_an_index_that_leaves_out_a_tensor_is_named(sharded):
    content = json.loads((sharded / INDEX).read_text())
    content["weight_map"].pop("mask_decoder.iou_token.weight")
    (sharded / INDEX).write_text(json.dumps(content))
    refused(sharded, r"and its files differ in mask_decoder.iou_token.weight \(1\)")


def test_a_wrapped_state_dict_beside_a_config_is_named(whole):
    state = load_file(whole / "model.safetensors")
    (whole / "model.safetensors").unlink()
    torch.save({"state_dict": state, "epoch": 1}, whole / "pytorch_model.bin")
    refused(whole, "should hold a state dict by itself, as transformers writes it beside a config.json; it holds state_dict")


def test_an_adapter_beside_the_weights_is_named(whole):
    (whole / "adapter_config.json").write_text("{}")
    refused(whole, "adapters of PEFT are not loaded")


def test_what_only_videos_need_may_be_anything(tmp_path):
    tiny_sam2().save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    save_file({**state, "memory_attention.x": torch.tensor([float("nan")])}, tmp_path / "model.safetensors")
    assert model_info(tmp_path).summary.tensors == len(state) + 1
    basam.load(tmp_path)


def test_a_folder_in_the_place_of_weights_is_none(whole):
    (whole / "model.safetensors").unlink()
    shutil.copytree(whole, whole / "model.safetensors")
    refused(whole, "has no readable weights")
