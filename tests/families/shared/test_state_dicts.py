"""Odd files: what torch would read wrongly or not at all is named in one error, for `basam.load` and `basam info` alike."""

import argparse
import os
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import basam
from basam.families.shared import read_state
from basam.model import load, model_info
from tests.helpers.tiny import tiny_sam
from tests.helpers.tiny_sam2 import tiny_sam2


def zip_again(file, change=lambda name, content: content, method=lambda name: zipfile.ZIP_STORED):
    """The same file with other contents, or packed."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, change(name, content), method(name))


def truncated(file):
    file.write_bytes(file.read_bytes()[:-200])


def short_of_numbers(file):
    zip_again(file, lambda name, content: content[:-4] if name.endswith("/data/0") else content)


def with_a_program(file):
    torch.save({"a": torch.ones(2), "settings": argparse.Namespace(lr=1)}, file)


def that_runs_something(file):
    class Bad:
        def __reduce__(self):
            return Path.touch, (file.with_name("touched"),)

    torch.save({"a": torch.ones(2), "b": Bad()}, file)


def of_a_program(file):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(file))


def behind_something(file):
    file.write_bytes(b"1234567" + file.read_bytes())


def of_a_newer_protocol(file):
    torch.save({"a": torch.ones(2)}, file, pickle_protocol=4)


def of_safetensors(file):
    save_file({"a": torch.ones(2)}, file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (truncated, "is no checkpoint, or an incomplete one"),
        (short_of_numbers, "is no checkpoint, or an incomplete one"),
        (behind_something, "is no checkpoint, or an incomplete one"),
        (of_a_program, "is no checkpoint, or an incomplete one"),
        (with_a_program, r"holds more than tensors \(argparse\.Namespace\)"),
        (that_runs_something, "holds more than tensors"),
        (of_a_newer_protocol, "save it with torch.save and its default protocol"),
        (of_safetensors, "looks like a file of safetensors: its name has to end with .safetensors"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*(torch.jit|pickle protocol)")
def test_what_torch_does_not_read_is_named(tmp_path, change, message):
    file = tmp_path / "file.pt"
    torch.save({"a": torch.arange(100.0)}, file)
    change(file)
    for read in (model_info, load):
        with pytest.raises(basam.UnsupportedModelError, match=message):
            read(file)
    assert not (tmp_path / "touched").exists()


def test_half_a_file_of_safetensors_is_named(tmp_path):
    file = tmp_path / "file.safetensors"
    save_file({"a": torch.ones(100)}, file)
    truncated(file)
    with pytest.raises(basam.UnsupportedModelError, match="is no checkpoint, or an incomplete one"):
        read_state(file)


def older(file):
    torch.save(torch.load(file), file, _use_new_zipfile_serialization=False)


def packed_in_part(file):
    """Mapped into memory, torch would take the packed bytes for numbers."""
    zip_again(file, method=lambda name: zipfile.ZIP_DEFLATED if name.endswith("/data/0") else zipfile.ZIP_STORED)


@pytest.mark.parametrize("change", [older, packed_in_part, lambda file: None])
def test_every_way_of_storing_is_read_right(tmp_path, change):
    file, base = tmp_path / "file.pt", torch.arange(1000.0)
    state = {"a": base, "part": base[3:9:2], "wide": base[5:6].expand(7), "parameter": torch.nn.Parameter(torch.ones(3))}
    torch.save({"model": state, "epoch": 3, "optimizer": [torch.ones(2)]}, file)
    change(file)
    stored = read_state(file)
    assert stored.keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in stored.items())


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.ones(2, device="meta"),
        lambda: torch.nested.nested_tensor([torch.ones(2)]),
    ],
)
@pytest.mark.filterwarnings("ignore:.*nested tensors")
def test_tensors_without_plain_numbers_are_named(tmp_path, make):
    torch.save({"a.weight": make(), "b": torch.ones(2)}, tmp_path / "file.pt")
    for read in (model_info, load):
        with pytest.raises(basam.UnsupportedModelError, match=r"sparse, nested or without numbers: a\.weight \(1\)"):
            read(tmp_path / "file.pt")


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
@pytest.mark.parametrize("kind", ["file", "folder", "sam2"])
def test_weights_that_are_no_floating_numbers_are_named(tmp_path, small_sam, dtype, kind):
    if kind == "file":
        path, state, key = tmp_path / "file.pt", small_sam(128).state_dict(), "mask_decoder.iou_token.weight"
        torch.save({**state, key: state[key].to(dtype)}, path)
    else:
        path, key = tmp_path, "mask_decoder.iou_token.weight"
        (tiny_sam if kind == "folder" else tiny_sam2)().save_pretrained(path)
        state = load_file(path / "model.safetensors")
        (path / "model.safetensors").unlink()
        torch.save({**state, key: state[key].to(dtype)}, path / "pytorch_model.bin")
    message = rf"holds {str(dtype).removeprefix('torch.')} in {key} \(1\): floating-point weights are needed"
    for read in (model_info, load):
        with pytest.raises(basam.UnsupportedModelError, match=message):
            read(path)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_what_is_no_file_is_named_at_once(tmp_path, suffix):
    os.mkfifo(tmp_path / f"pipe.{suffix}")
    for read in (model_info, load):
        with pytest.raises(basam.UnsupportedModelError, match="is neither a file nor a folder"):
            read(tmp_path / f"pipe.{suffix}")
