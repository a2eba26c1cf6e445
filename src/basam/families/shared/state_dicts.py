"""State dicts as files hold them: which mapping is one, how keys begin, and the errors about tensors and files.

Nothing here needs torch, which takes seconds to import.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from basam.families.base import UnsupportedModelError

Kind = TypeVar("Kind")

# What keys begin with in files whose keys have no prefix.
PARTS = ("image_encoder", "vision_encoder", "prompt_encoder", "mask_decoder")
NEARLY_ALL = 0.9  # share of the keys that begin with a prefix, where a few tensors were added without it


def is_safetensors(path: Path) -> bool:
    return path.suffix.lower() == ".safetensors"


def refuse(path: Path, error: Exception) -> UnsupportedModelError:
    """The error for a file that neither torch nor safetensors read."""
    found = re.search(r"GLOBAL:? (?:GLOBAL )?([\w.]+)", str(error))
    if found:
        return UnsupportedModelError(
            f"{path} holds more than tensors ({found[1]}) and is not loaded: unpickling it could run code of its author. "
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


def unwrap(path: Path, content: Any, kind: type[Kind], wrapped: bool = True) -> dict[str, Kind]:
    """The state dict in `content`: itself, or the one entry of it that is a dict of tensors (`model`, `state_dict`, ...).

    Args:
        kind: what a tensor is.
        wrapped: the latter is allowed.

    Raises:
        UnsupportedModelError: there is none, or more than one.
    """

    def is_state(value: Any) -> bool:
        return isinstance(value, Mapping) and bool(value) and all(isinstance(item, kind) for item in value.values())

    if not is_state(content) and not wrapped:
        raise UnsupportedModelError(
            f"{path} should hold a state dict by itself, as transformers writes it beside a config.json; it holds "
            f"{', '.join(map(str, list(content)[:5])) if isinstance(content, Mapping) else f'a {type(content).__name__}'}"
        )
    if not is_state(content):
        inside = {name: value for name, value in content.items() if is_state(value)} if isinstance(content, Mapping) else {}
        if len(inside) != 1:
            found = f"several: {', '.join(map(str, inside))}" if inside else f"none, but a {type(content).__name__}"
            raise UnsupportedModelError(f"{path} should hold one state dict; it holds {found}. Save the one to load by itself")
        (content,) = inside.values()
    return {str(key): value for key, value in content.items()}


def without_prefix(keys: Iterable[str]) -> tuple[dict[str, str], str]:
    """By the keys of a file, those without what they begin with (`module.` of DataParallel, `_orig_mod.` of torch.compile).

    Returns:
        the keys, and the beginning. A few keys may be without it: they stay as they are.
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


def check_numbers(path: Path, broken: Iterable[str]) -> None:
    """Refuse weights that hold NaN or infinity, for which every mask would be empty or wrong.

    Args:
        path: of the checkpoint, for the message.
        broken: keys in it of the tensors that do.

    Raises:
        UnsupportedModelError: naming them, where there are any.
    """
    keys = list(broken)
    if keys:
        raise UnsupportedModelError(
            f"{path} holds NaN or infinity in {listed(keys)}: no mask can come of such weights; load a copy that is whole, "
            "or one from before the training went wrong"
        )


def listed(keys: Iterable[str]) -> str:
    """The first five keys, and how many there are."""
    keys = sorted(keys)
    return f"{', '.join(keys[:5])}{' ...' * (len(keys) > 5)} ({len(keys)})"
