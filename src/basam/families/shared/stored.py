"""Tensors as they lie in a file, read without torch, which takes seconds to import: what `basam info` looks at.

Two kinds of files: safetensors, and what `torch.save` writes, a zip of a pickle that says which tensors there are and of their
numbers. The pickle may build dicts and tensors here and nothing else. `checkpoints` reads the same files for a model, and with
torch all others.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from basam.families.base import UnsupportedModelError
from basam.families.shared.state_dicts import check_numbers, listed

# Classes of storages in pickles, and types in headers of safetensors, by the names of torch's types.
STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
HEADERS = {
    **{"F32": "float32", "F64": "float64", "F16": "float16", "BF16": "bfloat16"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool"},
}
PROTOCOL = 3  # of pickles, the newest that torch's safe reader knows
COUNTERS = "num_batches_tracked"  # of batch norms
LOCAL_HEADER = 30  # bytes in front of the name of a file in a zip


class NotStoredError(Exception):
    """The file is of neither kind, or holds something else than dicts and tensors: torch has to look at it."""


class TornError(Exception):
    """Fewer numbers than a file says it has, which torch does not notice: it would take what lies behind them."""


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file.

    Attributes:
        dtype: as torch calls it.
        read: its numbers as a model would get them, floating-point ones in float32.
    """

    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]

    @property
    def is_floating(self) -> bool:
        """Of what torch calls complex or quantised types nothing is."""
        return self.dtype.startswith(("float", "bfloat"))


def read_safetensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a file of safetensors, by key.

    Raises:
        SafetensorError: it is none, or not whole.
        NotStoredError: a type that NumPy has not.
    """
    from safetensors import safe_open

    with safe_open(path, framework="np"):  # refuses headers that do not fit the file
        data = np.memmap(path, np.uint8, "r")
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8:start].tobytes())
    found = {}
    for key, about in header.items():
        if key == "__metadata__":
            continue
        if about["dtype"] not in HEADERS:
            raise NotStoredError(about["dtype"])
        dtype, shape, (first, last) = HEADERS[about["dtype"]], tuple(about["shape"]), about["data_offsets"]
        numbers = data[start + first : start + last].view(raw_type(dtype)).reshape(shape)
        found[key] = StoredTensor(dtype, shape, partial(as_loaded, numbers, dtype))
    return found


def read_zip(path: Path) -> Any:
    """What a file of `torch.save` holds, with `StoredTensor` for its tensors.

    Raises:
        NotStoredError: it is none, an older one, or holds something else.
        TornError, OSError: it is not whole, or cannot be opened.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return content_of(archive, np.memmap(path, np.uint8, "r"))
    except (OSError, TornError):
        raise
    except Exception as error:  # pickle raises nearly anything on what is none
        raise NotStoredError(str(error)) from error


def content_of(archive: zipfile.ZipFile, data: np.ndarray) -> Any:
    """What a zip holds that lies in the file `data`, bytes."""
    listing = archive.infolist()
    entries = {each.filename: each for each in listing}
    folder = listing[0].filename.partition("/")[0] + "/"
    index, order = f"{folder}data.pkl", f"{folder}byteorder"
    if len(entries) < len(listing) or listing[0].header_offset or not archive.read(f"{folder}version").strip().isdigit():
        raise NotStoredError("not as torch writes it")
    if f"{folder}constants.pkl" in entries or (order in entries and archive.read(order) != b"little"):
        raise NotStoredError("a program, or numbers of a machine of another kind")
    pickled = archive.read(index)
    if pickled[:1] != b"\x80" or pickled[1] > PROTOCOL:
        raise NotStoredError("a protocol that torch does not read safely")

    def storage(about: tuple[Any, ...]) -> tuple[str, np.ndarray]:
        _, dtype, key, _, count = about
        entry = entries[f"{folder}data/{key}"]
        header = data[entry.header_offset : entry.header_offset + LOCAL_HEADER]
        # Behind it lie a name and further fields, whose lengths it ends with.
        start = entry.header_offset + LOCAL_HEADER + int(header[-4:].view("<u2").sum())
        size = count * raw_type(dtype).itemsize
        if entry.compress_type != zipfile.ZIP_STORED:
            raise NotStoredError(f"{entry.filename} is packed")
        if not 0 <= size <= entry.file_size or start + size > len(data):
            raise TornError(f"{entry.filename} does not hold {count} numbers")
        return dtype, data[start : start + size].view(raw_type(dtype))

    return Tensors(io.BytesIO(pickled), storage).load()


class Tensors(pickle.Unpickler):
    """Builds dicts and tensors, and refuses every other name."""

    def __init__(self, stream: Any, storage: Callable[[tuple[Any, ...]], tuple[str, np.ndarray]]) -> None:
        super().__init__(stream)
        self.storage = storage

    def persistent_load(self, about: Any) -> tuple[str, np.ndarray]:
        return self.storage(about)

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): tensor,
            ("torch._utils", "_rebuild_parameter"): parameter,
            **{("torch", storage): dtype for storage, dtype in STORAGES.items()},
        }
        if (module, name) not in known:
            raise NotStoredError(f"{module}.{name}")
        return known[module, name]


def tensor(
    storage: tuple[str, np.ndarray], offset: int, shape: Any, strides: Any, grad: bool, hooks: Any, bits: Any = None
) -> StoredTensor:
    """The tensor that a pickle describes, with or without gradients."""
    if bits:
        raise NotStoredError(f"a tensor with {bits}")  # such as a sign that is to be turned
    dtype, numbers = storage
    shape, strides = tuple(map(int, shape)), tuple(map(int, strides))
    span = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + 1 if 0 not in shape else 0
    if min((offset, *shape, *strides)) < 0 or offset + span > len(numbers):
        raise NotStoredError(f"a tensor of {shape} beyond its {len(numbers)} numbers")
    steps = [stride * numbers.itemsize for stride in strides]
    return StoredTensor(
        dtype, shape, lambda: as_loaded(np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False), dtype)
    )


def parameter(found: StoredTensor, *_: Any) -> StoredTensor:
    """A parameter is its tensor."""
    return found


def raw_type(dtype: str) -> np.dtype[Any]:
    """NumPy has no bfloat16: its bits stand for it."""
    return np.dtype("uint16" if dtype == "bfloat16" else dtype)


def as_loaded(numbers: np.ndarray, dtype: str) -> np.ndarray:
    """Floating-point numbers in float32, all others as they are."""
    if dtype == "bfloat16":
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, as in torch
        return numbers.astype(np.float32, copy=False) if "float" in dtype else numbers


def is_finite(numbers: np.ndarray) -> bool:
    """Whether no number is NaN or infinite.

    Neither vanishes in a sum, which is quicker than looking at each number; and that of NumPy, in one thread, than waking
    torch's threads for each of hundreds of tensors: 30 times on a busy machine.
    """
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.add.reduce(numbers, axis=None)) or np.isfinite(numbers).all())  # a sum may be too large


def check_types(path: Path, state: Mapping[str, StoredTensor]) -> None:
    """Refuse weights that are no floating-point numbers; those that count what training saw may be whole.

    Raises:
        UnsupportedModelError: naming them, with their types.
    """
    odd = {key: value.dtype for key, value in state.items() if not value.is_floating and not key.endswith(COUNTERS)}
    if odd:
        raise UnsupportedModelError(
            f"{path} holds {', '.join(sorted(set(odd.values())))} in {listed(odd)}: floating-point weights are needed"
        )


def check_finite(path: Path, state: Mapping[str, StoredTensor]) -> None:
    """`check_numbers` of tensors by their keys in the file.

    Raises:
        UnsupportedModelError: naming those that hold NaN or infinity.
    """
    check_numbers(path, [key for key, value in state.items() if value.is_floating and not is_finite(value.read())])
