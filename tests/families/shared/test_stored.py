"""Files read without torch say what torch says of them, and what only torch can read goes to torch."""

import argparse
import collections
import json
import os
import pickle
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import basam
from basam.families.sam2 import layout, sizes
from basam.families.shared import stored_tensors
from basam.families.shared.checkpoints import read_state
from basam.families.shared.stored import NotStoredError, read_safetensors, read_zip
from basam.model import load, model_info
from tests.families.conftest import mobile
from tests.helpers.tiny import tiny_sam
from tests.helpers.tiny_sam2 import tiny_sam2
from tests.helpers.tiny_sam3 import tiny_sam3

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8]
DTYPES += [torch.uint8, torch.bool]


def same(found, expected):
    """As torch loads it: floating-point numbers in float32, to the bit."""
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        each = found[key]
        assert (each.dtype, each.shape) == (str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
        numbers = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        assert each.read().dtype == numbers.dtype
        assert each.read().tobytes() == numbers.tobytes()


def numbers(dtype):
    made = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(0)) * 30
    return (made > 0) if dtype is torch.bool else made.to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_every_type_is_read_to_the_bit(tmp_path, dtype, suffix):
    state = {"a.weight": numbers(dtype), "a.scalar": numbers(dtype)[0, 0, 0].clone(), "a.empty": numbers(dtype)[:0].clone()}
    file = tmp_path / f"file.{suffix}"
    (torch.save if suffix == "pt" else save_file)(state, file)
    same(read_zip(file) if suffix == "pt" else read_safetensors(file), state)


def test_views_of_one_storage_and_parameters(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    state = {"whole": base, "turned": base.T, "part": base[1:3, ::2], "wide": base[0, :1].expand(5), "tied": base}
    state["parameter"] = torch.nn.Parameter(base[2])
    torch.save(state, tmp_path / "file.pt")
    same(read_zip(tmp_path / "file.pt"), {key: value.detach() for key, value in state.items()})


def test_what_lies_around_a_state_dict(tmp_path):
    model = tiny_sam()
    torch.save({"model": model.state_dict(), "epoch": 3, "names": ["a", ("b", None)]}, tmp_path / "file.pt")
    same(stored_tensors(tmp_path / "file.pt"), read_state(tmp_path / "file.pt"))
    torch.save({"epoch": 3}, tmp_path / "file.pt")
    with pytest.raises(basam.UnsupportedModelError, match="it holds none, but a dict"):
        stored_tensors(tmp_path / "file.pt")


def zip_again(file, change=lambda name, content: content, method=zipfile.ZIP_STORED):
    """The same file with other contents, or packed."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, change(name, content))


def older(file):
    torch.save(torch.load(file), file, _use_new_zipfile_serialization=False)


def big(file):
    zip_again(file, lambda name, content: b"big" if name.endswith("byteorder") else content)


def of_eight_bits(file):
    torch.save({"a": torch.ones(3).to(torch.float8_e4m3fn)}, file)


@pytest.mark.parametrize("change", [older, big, of_eight_bits])
def test_torch_reads_what_needs_it(tmp_path, change):
    file = tmp_path / "file.pt"
    torch.save({"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3])}, file)
    change(file)
    with pytest.raises(NotStoredError):
        read_zip(file)
    same(stored_tensors(file), read_state(file))


def truncated(file):
    file.write_bytes(file.read_bytes()[:-200])


def short_of_numbers(file):
    zip_again(file, lambda name, content: content[:4] if "/data/" in name else content)


def with_a_program(file):
    torch.save({"a": torch.ones(2), "settings": argparse.Namespace(lr=1)}, file)


def that_runs_something(file):
    class Bad:
        def __reduce__(self):
            return Path.touch, (file.with_name("touched"),)

    torch.save({"a": torch.ones(2), "b": Bad()}, file)


def of_a_program(file):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(file))


@pytest.mark.parametrize("change", [truncated, with_a_program, that_runs_something, of_a_program])
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_what_torch_refuses_is_refused_alike(tmp_path, change):
    file = tmp_path / "file.pt"
    torch.save({"a": torch.arange(100.0)}, file)
    change(file)
    with pytest.raises(basam.UnsupportedModelError) as by_torch:
        read_state(file)
    with pytest.raises(basam.UnsupportedModelError) as found:
        stored_tensors(file)
    assert str(found.value) == str(by_torch.value)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("offset", "shape", "strides"), [(3, (2,), (1,)), (0, (2, 2), (2, 2)), (0, (5,), (1,)), (-1, (1,), (1,))]
)
def test_a_tensor_beyond_its_numbers_is_refused(tmp_path, offset, shape, strides):
    """A pickle may say anything."""
    file = tmp_path / "file.pt"
    torch.save({"a": torch.arange(4.0)}, file)

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            return ("storage", torch.FloatStorage, "0", "cpu", 4) if isinstance(thing, Storage) else None

    class Tensor:
        def __reduce__(self):
            arguments = (Storage(), offset, shape, strides, False, collections.OrderedDict())
            return torch._utils._rebuild_tensor_v2, arguments

    with (tmp_path / "pickle").open("wb") as stream:
        Pickler(stream, 2).dump({"a": Tensor()})
    said = (tmp_path / "pickle").read_bytes()
    zip_again(file, lambda name, content: said if name.endswith("data.pkl") else content)
    with pytest.raises(NotStoredError, match="beyond its 4 numbers"):
        read_zip(file)


def test_fewer_numbers_than_it_says_are_refused_by_load_too(tmp_path, small_sam):
    file = tmp_path / "file.pt"
    torch.save(small_sam(128).state_dict(), file)
    zip_again(file, lambda name, content: content[:-4] if name.endswith("/data/3") else content)
    for read in (stored_tensors, load):
        with pytest.raises(basam.UnsupportedModelError, match="is no checkpoint, or an incomplete one"):
            read(file)


def test_a_zip_that_is_packed_in_part_is_read_right(tmp_path):
    """Mapped into memory, torch would take the packed bytes for numbers."""
    file, state = tmp_path / "file.pt", {"a": torch.arange(1000.0), "b": torch.ones(3)}
    torch.save(state, file)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content, zipfile.ZIP_DEFLATED if name.endswith("/data/0") else zipfile.ZIP_STORED)
    same(stored_tensors(file), state)
    assert all(torch.equal(value, state[key]) for key, value in read_state(file).items())


def test_tensors_with_gradients_and_turned_signs_are_read_by_torch(tmp_path):
    file = tmp_path / "file.pt"
    negative = torch.complex(torch.ones(3), torch.ones(3)).conj().imag
    assert negative.is_neg()
    state = {"a": torch.nn.Parameter(torch.ones(2)), "b": negative}
    torch.save(state, file)
    same(stored_tensors(file), {"a": torch.ones(2), "b": -torch.ones(3)})
    torch.save({"model": state, "seen": {1, 2}}, file, _use_new_zipfile_serialization=False)
    same(stored_tensors(file), {"a": torch.ones(2), "b": -torch.ones(3)})


def under_another_folder(file):
    with zipfile.ZipFile(file) as archive:
        parts = {name.replace("file/", "other/"): archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_the_name_of_the_folder_in_a_zip_does_not_matter(tmp_path):
    torch.save({"a": torch.ones(3)}, tmp_path / "file.pt")
    under_another_folder(tmp_path / "file.pt")
    same(read_zip(tmp_path / "file.pt"), {"a": torch.ones(3)})


def twice(file):
    with zipfile.ZipFile(file, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("file/data/0", bytes(400))


def test_the_first_of_two_entries_counts_as_in_torch(tmp_path):
    torch.save({"a": torch.arange(100.0)}, tmp_path / "file.pt")
    twice(tmp_path / "file.pt")
    same(stored_tensors(tmp_path / "file.pt"), read_state(tmp_path / "file.pt"))


def without_a_version(file):
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if not name.endswith("version")}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def behind_something(file):
    file.write_bytes(b"1234567" + file.read_bytes())


def of_a_newer_protocol(file):
    torch.save({"a": torch.ones(2)}, file, pickle_protocol=4)


def of_safetensors(file):
    save_file({"a": torch.ones(2)}, file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_a_version, "is no checkpoint, or an incomplete one"),
        (behind_something, "is no checkpoint, or an incomplete one"),
        (of_a_newer_protocol, "save it with torch.save and its default protocol"),
        (of_safetensors, "looks like a file of safetensors: its name has to end with .safetensors"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*pickle protocol")
def test_what_torch_does_not_read_is_named(tmp_path, change, message):
    file = tmp_path / "file.pt"
    torch.save({"a": torch.arange(100.0)}, file)
    change(file)
    for read in (stored_tensors, read_state):
        with pytest.raises(basam.UnsupportedModelError, match=message):
            read(file)


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
    for read in (stored_tensors, read_state):
        with pytest.raises(basam.UnsupportedModelError, match=r"sparse, nested or without numbers: a\.weight \(1\)"):
            read(tmp_path / "file.pt")


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool, torch.complex64])
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
def test_what_is_no_file_is_refused_at_once(tmp_path, suffix):
    os.mkfifo(tmp_path / f"pipe.{suffix}")
    for read in (model_info, load):
        with pytest.raises(basam.UnsupportedModelError, match="is neither a file nor a folder"):
            read(tmp_path / f"pipe.{suffix}")


def test_a_packed_zip_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1000)}, tmp_path / "file.pt")
    zip_again(tmp_path / "file.pt", method=zipfile.ZIP_DEFLATED)
    with pytest.raises(NotStoredError, match="data/0 is packed"):
        read_zip(tmp_path / "file.pt")


def test_half_a_file_of_safetensors_is_refused(tmp_path):
    file = tmp_path / "file.safetensors"
    save_file({"a": torch.ones(100)}, file)
    truncated(file)
    with pytest.raises(basam.UnsupportedModelError, match="is no checkpoint, or an incomplete one"):
        stored_tensors(file)


def save_official(file):
    """Meta's file of the smallest SAM 2: all tensors share one number."""
    hiera = sizes.PUBLISHED["T"]
    vision = {"backbone_config": hiera, "backbone_channel_list": hiera["embed_dim_per_stage"][::-1]}
    table = layout.expected_tensors({"model_type": "sam2", "vision_config": vision})
    torch.save({"model": {key: torch.zeros(()).expand(shape) for key, shape in table.items()}}, file)


LEAN = """
import sys
from basam.cli import app
app(["info", sys.argv[1], "--json"], standalone_mode=False)
slow = {name.partition(".")[0] for name in sys.modules} & {"torch", "transformers", "scipy", "cv2", "PIL", "matplotlib"}
assert not slow, slow
"""


@pytest.mark.parametrize("name", ["nano", "sam", "mobile", "mobile folder", "eff", "sam2", "sam2 folder", "sam3 folder"])
def test_info_waits_for_no_large_library(name, oracle, small_sam, tmp_path):
    """torch alone takes seconds to import."""
    file = tmp_path / "file.pt"
    if name == "sam":
        torch.save(small_sam(128).state_dict(), file)
    elif name in ("mobile", "eff"):
        file = oracle(name).file
    elif name == "sam2":
        save_official(file)
    elif name.endswith("folder"):
        file = tmp_path / "folder"
        tiny = {"mobile": mobile, "sam2": tiny_sam2, "sam3": tiny_sam3}[name.split()[0]]
        tiny().save_pretrained(file)
    else:
        file = name
    found = subprocess.run([sys.executable, "-c", LEAN, str(file)], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["parameters"] > 0
