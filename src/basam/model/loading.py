"""basam.load: a name, a folder or a file -> a model. The families recognise their checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from basam.checks import path_of
from basam.errors import InputError, MissingFileError
from basam.families import Family, UnsupportedModelError, agrees, families, family_of
from basam.families.shared import is_complete, looks_like, read_shapes
from basam.model.downloads import PUBLISHED, DownloadError, is_cached, published
from basam.model.mode_files import mode_of
from basam.model.names import EMBEDDED, check_model_name

if TYPE_CHECKING:
    import torch
    from torch import nn


def resolve(name: str | Path, *, fetch: bool = True) -> Path:
    """The folder or file of a model: an embedded one, a path, a published file or a name on the hub (from the cache, else
    downloaded).

    Args:
        fetch: False: download nothing.

    Raises:
        FileNotFoundError: none of these, and not a possible hub name; or not in the cache, without `fetch`.
        ConnectionError: it is not in the cache and cannot be downloaded.
    """
    check_model_name(name)
    if str(name) in EMBEDDED:
        return EMBEDDED[str(name)]
    path = path_of(name)
    if path.exists():
        return path
    if str(name) in PUBLISHED:
        if not fetch and not is_cached(str(name)):
            raise not_cached(str(name))
        return published(str(name))
    return download(str(name)) if fetch else cached(str(name))


def not_cached(name: str) -> MissingFileError:
    return MissingFileError(f"model {name!r} is not downloaded yet: run `basam download {name}`")


def cached(name: str) -> Path:
    """The snapshot folder of a hub name in the cache, with all its weights, without requests to the hub.

    Raises:
        FileNotFoundError: it is not there, or incomplete.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise not_cached(name) from error
    if not is_complete(folder):
        raise not_cached(name)
    return folder


def download(name: str) -> Path:
    """The snapshot folder of a hub name, downloaded if it is not in the cache.

    Raises:
        FileNotFoundError: the hub does not have the model.
        ConnectionError: the hub cannot be reached and the model is not in the cache.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors"]))
        if not any(folder.glob("*.safetensors")):  # an older repository: pickled weights only
            folder = Path(snapshot_download(name, allow_patterns=["*.json", "*.bin"]))
        return folder
    except RepositoryNotFoundError as error:
        raise MissingFileError(f"the hub has no model {name!r}, or it is private: check the name, or log in") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise DownloadError(
            f"model {name!r} is not in the cache and the hub cannot be reached: connect once, or give a folder; "
            "'nano' needs no network"
        ) from error


def family_of_file(path: Path) -> Family:
    """The family of the checkpoint `path`.

    Raises:
        UnsupportedModelError: no family recognises it.
    """
    for family in families():
        if agrees(family, family.recognises, path):
            return family
    raise UnsupportedModelError(f"{path} is not a checkpoint that basam supports ({describe(path)})")


def describe(path: Path) -> str:
    """A short description of an unknown file or folder.

    Raises:
        UnsupportedModelError: the file is not a checkpoint, or holds more than tensors.
    """
    if not path.is_dir():
        return looks_like(read_shapes(path))
    if not (path / "config.json").is_file():
        return "a folder without config.json"
    from basam.families.shared import read_config

    model_type = (read_config(path) or {}).get("model_type")
    known = ", ".join(name for family in families() for name in family.model_types)
    return f"its config.json has model_type={model_type!r}; supported are {known}"


def load(
    name: str | Path = "nano",
    *,
    adapter: str | Path | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> nn.Module:
    """A plain, not attached model in evaluation mode; with an adapter, tuned and attached with the adapter's mode.

    A mode file beside the weights (`mode.json` in a folder, `STEM.mode.json` beside a file) becomes the default mode of
    `attach` and `Predictor`; its section `focus` has the default settings of regions.

    Args:
        name: `nano` (embedded, needs no network), a checkpoint folder or file, a published file such as
            `sam_vit_b_01ec64`, or a hub name such as `facebook/sam-vit-base`; docs/models.md has them all.
        adapter: a folder that `basam tune` wrote, or its hub name.
        dtype: of the image encoder; prompts and masks keep float32, since coordinates of a large image do not fit
            bfloat16. None: float32.
        device: where the model goes, see `find_device`; None: the CPU.

    Raises:
        FileNotFoundError, ConnectionError: see `resolve`.
        UnsupportedModelError: no family recognises the checkpoint, or its tensors do not fit.
        InputError: `device` is unknown or not available, or `dtype` is not an encoder's.
        ModeFileError: a mode file beside the weights cannot be read.
        AdapterError: not an adapter, or made for other weights.
    """
    import torch

    from basam.model.attaching import set_own_mode
    from basam.model.devices import find_device

    if dtype is not None and dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise InputError(f"dtype={dtype!r}: torch.float32, torch.bfloat16 or torch.float16 is needed")
    path = resolve(name)
    model = family_of_file(path).load(path)
    if (own := mode_of(path, model)) is not None:
        set_own_mode(model, own.mode, own.others)
    if adapter is not None:
        from basam.model.adapters import put_on, read_adapter

        # A path that does not exist goes to `read_adapter`, whose error is about adapters; that of `resolve` is about models.
        folder = (
            resolve(adapter) if str(adapter).count("/") == 1 and not path_of(adapter).exists() else path_of(adapter, "adapter")
        )
        put_on(model, read_adapter(folder), str(adapter))
    if dtype is not None:
        family_of(model).encoder(model).to(dtype)
    return model if device is None else model.to(find_device(device))
