"""The tensors of a checkpoint, by key and shape: its format, and whether it has exactly the tensors that a model needs.

Every message names the keys of the user's file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from copy import copy
from functools import lru_cache
from pathlib import Path

from basam.families.base import UnsupportedModelError
from basam.families.shared.state_dicts import listed, read_state, without_prefix

# Parts of keys in formats that are not supported, and descriptions of these formats. The first match is used.
FORMATS = (
    ("mask_decoder.hf_", "SAM-HQ's own file; basam.load takes SAM-HQ in transformers' layout"),
    ("sam_mask_decoder.", "SAM 2 without its image encoder, or with parts named otherwise; give the whole file"),
    ("memory_attention.", "the part of SAM 2 that only videos need; give the whole file"),
    ("image_encoder.trunk", "the image encoder of SAM 2 alone; give the whole file"),
    ("lora_", "a model with LoRA adapters; merge them into its weights first"),
    ("Adapter.", "a SAM with adapter layers, which plain SAM does not have"),
)
# The same for files that belong to no family.
LOOKS = (
    *FORMATS,
    ("vision_encoder.", "transformers' SAM without its config.json; give the folder that holds both"),
    ("image_encoder.", "a SAM-like model whose parts are named otherwise, or not all there"),
    ("layer1.0.conv1.weight", "a ResNet"),
    ("cls_token", "a plain ViT"),
)


class Shapes(dict[str, tuple[int, ...]]):
    """Shapes of the tensors of one checkpoint, by key without prefix.

    Attributes:
        path: of the checkpoint.
        prefix: of its keys in the file, such as `module.`
        added: keys without that prefix in the file.
    """

    def __init__(self, path: Path, shapes: Mapping[str, tuple[int, ...]], *, whole_keys: bool = False) -> None:
        names, self.prefix = ({key: key for key in shapes}, "") if whole_keys else without_prefix(shapes)
        super().__init__({names[key]: shape for key, shape in shapes.items()})
        self.path = path
        self.added = {name for key, name in names.items() if key == name}

    def in_file(self, key: str) -> str:
        """A key as in the file, or as it would be there."""
        return key if key in self.added else self.prefix + key

    def without(self, beginnings: tuple[str, ...]) -> Shapes:
        """These shapes without the tensors whose keys begin with one of these."""
        part = copy(self)
        for key in self:
            if key.startswith(beginnings):
                del part[key]
        return part

    def sizes(self, key: str, dimensions: int) -> tuple[int, ...]:
        """The shape of a tensor from which sizes of the model are inferred.

        Raises:
            UnsupportedModelError: it is missing, or has an unsuitable shape.
        """
        if key not in self:
            raise self.misfit(missing=[key])
        if len(self[key]) != dimensions or 0 in self[key]:
            raise self.misfit(of_another_shape=[key])
        return self[key]

    def compare(self, expected: Mapping[str, tuple[int, ...]]) -> None:
        """Raise unless a checkpoint has exactly the expected tensors.

        Raises:
            UnsupportedModelError: names the missing, unexpected and wrongly shaped ones; and the format of the unexpected ones
                if there are several.
        """
        unexpected = self.keys() - expected.keys()
        kinds: dict[str, Collection[str]] = {
            "missing": expected.keys() - self.keys(),
            "unexpected": unexpected,
            "of_another_shape": [key for key in expected.keys() & self.keys() if expected[key] != self[key]],
        }
        if any(kinds.values()):
            raise self.misfit(**kinds, looks=format_of(unexpected))

    def misfit(self, *, looks: str = "", **kinds: Collection[str]) -> UnsupportedModelError:
        """The error that names the tensors by the kinds in `kinds` (`missing=...`)."""
        parts = {kind.replace("_", " "): listed(map(self.in_file, keys)) for kind, keys in kinds.items() if keys}
        tensors = "; ".join(f"{kind}: {keys}" for kind, keys in parts.items())
        return UnsupportedModelError(
            f"{self.path} does not fit its model: tensors {tensors}{looks and f'; it looks like {looks}'}"
        )


def format_of(keys: Iterable[str]) -> str:
    """The format that the surplus keys belong to; empty if there is only one such key, or none."""
    keys = list(keys)
    return next((name for part, name in FORMATS if sum(part in key for key in keys) > 1), "")


def looks_like(keys: Iterable[str]) -> str:
    """A description of a state dict with these keys, in a few words."""
    keys = list(keys)
    for part, name in LOOKS:
        if any(part in key for key in keys):
            return f"it looks like {name}"
    return f"a state dict of {len(keys)} tensors, the first: {', '.join(keys[:3])}"


def read_shapes(path: Path) -> Shapes:
    """Shapes of all tensors of a checkpoint file. Cached until the file changes: every family reads them."""
    return Shapes(path, stored_shapes(path))


def stored_shapes(path: Path, wrapped: bool = True) -> Mapping[str, tuple[int, ...]]:
    """`read_shapes`, by the keys of the file."""
    stat = path.stat()
    return shapes_of(path, wrapped, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def shapes_of(path: Path, wrapped: bool, modified: int, size: int) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in read_state(path, wrapped).items()}


def holds(path: Path, parts: Mapping[str, str]) -> bool:
    """Whether `path` is a checkpoint file of a family; False for a file that cannot be read.

    Args:
        parts: prefixes of keys, and a regular expression that most keys with that prefix continue with: a missing or unexpected
            tensor does not change the format of a file.
    """
    if not path.is_file():
        return False
    try:
        keys = read_shapes(path).keys()
    except UnsupportedModelError:
        return False
    return all(goes_on(keys, prefix, rest) for prefix, rest in parts.items())


def goes_on(keys: Iterable[str], prefix: str, rest: str) -> bool:
    """Whether most of the keys with this beginning, and at least one, continue as in `rest`."""
    fits = [re.match(rest, key[len(prefix) :]) is not None for key in keys if key.startswith(prefix)]
    return 2 * sum(fits) > len(fits)


def count_parts(keys: Iterable[str], prefix: str) -> int:
    """The number of numbered parts below `prefix`, such as blocks.

    A part counts if it has at least half of the tensors of the fullest one: an unexpected tensor does not add a part, and a
    missing one does not remove one.
    """
    sizes: dict[int, int] = {}
    for key in keys:
        if key.startswith(prefix) and (number := key[len(prefix) :].partition(".")[0]).isdecimal():
            sizes[int(number)] = sizes.get(int(number), 0) + 1
    whole = [number for number, size in sizes.items() if 2 * size >= max(sizes.values())]
    # A part may be missing as a whole; numbers far beyond the count are not a SAM's.
    return min(max(whole) + 1, 2 * len(whole)) if whole else 0
