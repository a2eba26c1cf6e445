"""State dicts as files hold them, read without running anything that is in the files.

Pickled files are read by `torch.load(weights_only=True)`, which builds only tensors and plain containers. Whether the tensors
fit a model is checked in `shapes` and `checkpoints`.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from basam.families.base import UnsupportedModelError

# First parts of keys without a prefix.
PARTS = ("image_encoder", "vision_encoder", "prompt_encoder", "mask_decoder")
NEARLY_ALL = 0.9  # share of keys with a common prefix; a few may lack it


def is_safetensors(path: Path) -> bool:
    return path.suffix.lower() == ".safetensors"


def read_state(path: Path, wrapped: bool = True) -> dict[str, Tensor]:
    """The tensors of a checkpoint file as stored (memory-mapped if the format allows it), by their keys.

    Args:
        wrapped: the state dict may be an entry of the file, see `unwrap`.

    Raises:
        UnsupportedModelError: the file holds anything else, a sparse or nested tensor or one without numbers; or it is not a
            checkpoint. Nothing in it was executed.
    """
    if path.exists() and not path.is_file():
        raise UnsupportedModelError(f"{path} is neither a file nor a folder: a checkpoint is needed")
    state = unwrap(path, read(path), wrapped)
    if odd := [key for key, value in state.items() if not is_plain(value)]:
        raise UnsupportedModelError(f"{path} holds tensors that are sparse, nested or without numbers: {listed(odd)}")
    return {key: value.detach().resolve_conj().resolve_neg() for key, value in state.items()}


def is_plain(tensor: Tensor) -> bool:
    return not tensor.is_nested and not tensor.is_meta and tensor.layout == torch.strided


def read(path: Path) -> Any:
    """Tensors and plain containers, as the file has them."""
    if is_safetensors(path):
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise unreadable(path, error) from error
    try:
        mapped, size = numbers_in_zip(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        # torch does not notice a file with too few numbers: it would read what follows them.
        storages = [leaf.untyped_storage() for leaf in tree_leaves(content) if isinstance(leaf, Tensor) and is_plain(leaf)]
        if mapped and sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values()) > size:
            raise EOFError(f"{size} bytes of numbers are too few")
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # torch raises many types for files that are not its own
        raise unreadable(path, error) from error
    return content


def numbers_in_zip(path: Path) -> tuple[bool, int]:
    """Whether numbers are stored uncompressed in a file, and in how many bytes: torch would read compressed ones as numbers."""
    if not zipfile.is_zipfile(path):
        return False, 0
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    numbers = sum(entry.file_size for entry in entries if "/data/" in entry.filename)
    return all(entry.compress_type == zipfile.ZIP_STORED for entry in entries), numbers


def unreadable(path: Path, error: Exception) -> UnsupportedModelError:
    """The error for a file that neither torch nor safetensors can read."""
    more = re.search(r"GLOBAL:? (?:GLOBAL )?([\w.]+)", str(error))
    if more:
        return UnsupportedModelError(
            f"{path} holds more than tensors ({more[1]}) and is not loaded: unpickling it could run code of its author. "
            "Save its state_dict() where you trust it, and load that"
        )
    with path.open("rb") as stream:
        start = stream.read(23)
    if start == b"version https://git-lfs":
        return UnsupportedModelError(f"{path} is a Git LFS pointer, not the checkpoint itself: run `git lfs pull`")
    if start[8:9] == b"{" and not is_safetensors(path):
        return UnsupportedModelError(f"{path} looks like a file of safetensors: its name has to end with .safetensors")
    pickled = start[:2] == b"PK" or (start[:1] == b"\x80" and start[1:2] > b"\x03")
    if pickled and "Unsupported operand" in str(error):
        return UnsupportedModelError(
            f"{path} was pickled in a way that torch does not read safely: save it with torch.save and its default protocol"
        )
    return UnsupportedModelError(
        f"{path} is no checkpoint, or an incomplete one: a file of {path.stat().st_size} bytes that neither torch nor "
        "safetensors reads"
    )


def unwrap(path: Path, content: Any, wrapped: bool = True) -> dict[str, Tensor]:
    """The state dict in `content`: itself, or the one entry of it that is a dict of tensors (`model`, `state_dict`, ...).

    Args:
        wrapped: whether such an entry is allowed.

    Raises:
        UnsupportedModelError: there is none, or more than one.
    """

    def is_state(value: Any) -> bool:
        return isinstance(value, Mapping) and bool(value) and all(isinstance(item, Tensor) for item in value.values())

    if not is_state(content) and not wrapped:
        raise UnsupportedModelError(
            f"{path} should hold a state dict by itself, as transformers writes it beside a config.json; it holds "
            f"{', '.join(map(str, list(content)[:5])) if isinstance(content, Mapping) else f'a {type(content).__name__}'}"
        )
    if not is_state(content):
        inside = {name: value for name, value in content.items() if is_state(value)} if isinstance(content, Mapping) else {}
        if len(inside) != 1:
            several = f"several: {', '.join(map(str, inside))}" if inside else f"none, but a {type(content).__name__}"
            raise UnsupportedModelError(
                f"{path} should hold one state dict; it holds {several}. Save the one to load by itself"
            )
        (content,) = inside.values()
    return {str(key): value for key, value in content.items()}


def without_prefix(keys: Iterable[str]) -> tuple[dict[str, str], str]:
    """The keys of a file without their common prefix (`module.` of DataParallel, `_orig_mod.` of torch.compile).

    Returns:
        the keys, and the prefix. A few keys may lack it: they stay as they are.
    """
    names, prefix = {key: key for key in keys}, ""
    while len(names) > 1 and (heads := Counter(name.partition(".")[0] for name in names.values() if "." in name)):
        head, count = heads.most_common(1)[0]
        if count < len(names) and (head in PARTS or count < NEARLY_ALL * len(names)):
            break
        shorter = {key: name.removeprefix(f"{head}.") for key, name in names.items()}
        if len(set(shorter.values())) < len(shorter):
            break  # two tensors would have one name
        names, prefix = shorter, f"{prefix}{head}."
    return names, prefix


def listed(keys: Iterable[str]) -> str:
    """The first five keys, and how many there are."""
    keys = sorted(keys)
    return f"{', '.join(keys[:5])}{' ...' * (len(keys) > 5)} ({len(keys)})"
