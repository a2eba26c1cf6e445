import json
import os
import socket
from fnmatch import fnmatch

import pytest
import torch
from safetensors.torch import load_file, save_file

import basam
from basam.model import resolve
from tests.helpers.tiny import tiny_sam


@pytest.fixture
def folder(tmp_path):
    tiny_sam().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_nano_needs_no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    model = basam.load("nano")
    assert model.config.vision_config.image_size == 256
    assert not model.training
    assert model.dtype == torch.float32


def test_a_folder(folder):
    model, expected = basam.load(folder).state_dict(), tiny_sam().state_dict()
    assert list(model) == list(expected)
    assert all(torch.equal(model[name], expected[name]) for name in expected)


def test_dtype_is_of_the_encoder(folder):
    model = basam.load(folder, dtype=torch.bfloat16, device="cpu")
    assert model.vision_encoder.neck.conv1.weight.dtype == torch.bfloat16
    assert model.mask_decoder.iou_token.weight.dtype == torch.float32


def test_every_tensor_is_accounted_for(folder):
    file = folder / "model.safetensors"
    tensors = load_file(file)
    cases = {
        r"tensors missing: vision_encoder.neck.conv1.weight \(1\)$": {
            k: v for k, v in tensors.items() if k != "vision_encoder.neck.conv1.weight"
        },
        r"tensors unexpected: extra \(1\)$": {**tensors, "extra": torch.zeros(2)},
        r"tensors of another shape: vision_encoder.pos_embed \(1\)$": {
            **tensors,
            "vision_encoder.pos_embed": torch.zeros(1, 2, 2, 32),
        },
    }
    for message, changed in cases.items():
        save_file(changed, file, metadata={"format": "pt"})
        with pytest.raises(basam.UnsupportedModelError, match=message):
            basam.load(folder)


def test_a_folder_that_is_no_checkpoint(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(basam.UnsupportedModelError, match="a folder without config"):
        basam.load(tmp_path / "empty")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "sam9"}))
    with pytest.raises(basam.UnsupportedModelError, match=r"model_type='sam9'.*sam, "):
        basam.load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is not JSON"):
        basam.load(folder)


def test_pickled_weights_beside_good_ones_are_left_alone(folder):
    (folder / "pytorch_model.bin").write_bytes(b"not even a pickle")
    expected = tiny_sam().state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in basam.load(folder).state_dict().items())


@pytest.mark.parametrize(("files", "patterns"), [({"model.safetensors"}, 1), ({"pytorch_model.bin"}, 2)])
def test_pickled_weights_are_downloaded_only_where_there_are_no_others(tmp_path, monkeypatch, files, patterns):
    calls = []

    def snapshot(name, allow_patterns):
        calls.append(allow_patterns)
        for file in files:
            if any(fnmatch(file, pattern) for pattern in allow_patterns):
                (tmp_path / file).touch()
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert resolve("someone/sam") == tmp_path
    assert {path.name for path in tmp_path.iterdir()} == files
    assert len(calls) == patterns


def test_weights_that_are_not_there(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="no readable weights"):
        basam.load(folder)


def test_unknown_names():
    for name in ("no-such-model", "a/b/c", "./absent/folder"):
        with pytest.raises(FileNotFoundError, match="neither an embedded model"):
            basam.load(name)


def test_a_hub_name_without_a_network(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise OSError("network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConnectionError, match="'someone/no-such-sam' is not in the cache and the hub cannot be reached"):
        basam.load("someone/no-such-sam")
    assert os.listdir(tmp_path) in ([], ["models--someone--no-such-sam"])
