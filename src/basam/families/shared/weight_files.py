"""The weight files beside a config.json, as chosen by `transformers`: one file, or the shards of an index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from basam.errors import MissingFileError
from basam.families.base import UnsupportedModelError
from basam.families.shared.shapes import Shapes, stored_shapes
from basam.families.shared.state_dicts import listed, read_state
from basam.files import read_json

NAMES = ("model.safetensors", "pytorch_model.bin")  # the first one that exists, by itself or as an index


def weight_files(path: Path) -> list[Path]:
    """The weight files beside a config.json.

    Raises:
        MissingFileError: there are none, or a shard is missing.
        UnsupportedModelError: not an index of weights.
    """
    for name in NAMES:
        if (path / name).is_file():
            return [path / name]
        if (index := path / f"{name}.index.json").is_file():
            files = [path / file for file in sorted(set(shards(index).values()))]
            if missing := [file.name for file in files if not file.is_file()]:
                raise MissingFileError(f"{index} names {listed(missing)}, which are not there: is the checkpoint complete?")
            return files
    raise MissingFileError(
        f"{path} has no readable weights: no {' and no '.join(NAMES)} beside its config.json, nor an index of shards"
    )


def shards(index: Path) -> dict[str, str]:
    """Names of the files that hold the tensors, by the tensors' keys.

    Raises:
        UnsupportedModelError: not a valid index; names it.
    """
    content = read_json(index, UnsupportedModelError, ": is the checkpoint complete?")
    weight_map = content.get("weight_map")
    if not isinstance(weight_map, Mapping) or not weight_map or not isinstance(content.get("metadata"), Mapping):
        raise UnsupportedModelError(f"{index} has no 'weight_map' and 'metadata', as transformers writes them")
    for key, name in weight_map.items():
        if not isinstance(name, str) or Path(name).name != name:
            raise UnsupportedModelError(f"{index} lists {key} in {name!r}: the name of a file beside it is needed")
    return dict(weight_map)


def is_complete(path: Path) -> bool:
    """Whether a folder holds weights, with all shards of their index."""
    try:
        return bool(weight_files(path))
    except (MissingFileError, UnsupportedModelError):
        return False


def folder_shapes(path: Path) -> Shapes:
    """Shapes of all tensors beside a config.json, sharded or not, by their keys there.

    Raises:
        UnsupportedModelError: an index does not match its files; or an adapter is beside them, which would be ignored.
    """
    if (adapter := path / "adapter_config.json").is_file():
        raise UnsupportedModelError(f"{adapter}: adapters of PEFT are not loaded; merge it into the weights and take it away")
    files = weight_files(path)
    shapes = {key: shape for file in files for key, shape in stored_shapes(file, wrapped=False).items()}
    index = path / f"{NAMES[files[0].suffix != '.safetensors']}.index.json"
    if files[0].name not in NAMES and (odd := shards(index).keys() ^ shapes.keys()):
        raise UnsupportedModelError(f"{index} and its files differ in {listed(odd)}: is the checkpoint complete?")
    return Shapes(path, shapes, whole_keys=True)


def folder_state(path: Path) -> dict[str, Tensor]:
    """All tensors beside a config.json, sharded or not, by their keys there.

    Raises:
        UnsupportedModelError: a pickled file holds more than tensors.
    """
    return {key: value for file in weight_files(path) for key, value in read_state(file, wrapped=False).items()}
