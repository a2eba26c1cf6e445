"""config.json of a checkpoint folder, and the model that it describes, on the meta device.

`transformers` decides which values are valid: the model is built, and if that fails the invalid field is searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from basam.errors import BasamError
from basam.families.base import UnsupportedModelError
from basam.files import read_json

Model = TypeVar("Model", bound=nn.Module)

# Fields that are a number of modules, and the largest plausible value: building more would take forever.
COUNTED = ("num_hidden_layers", "num_point_embeddings", "num_multimask_outputs", "iou_head_depth", "blocks_per_stage", "depths")
MOST = 1000


def read_config(path: Path) -> dict[str, Any] | None:
    """config.json of a checkpoint folder; None if there is none.

    Raises:
        ValueError: config.json is not a JSON object.
    """
    file = path / "config.json"
    return read_json(file, hint=": is the checkpoint complete?") if file.is_file() else None


def build(source: Path, config: Mapping[str, Any], make: Callable[[dict[str, Any]], Model]) -> Model:
    """The model that `make` builds from a configuration, on the meta device.

    Args:
        source: the configuration's file, for the message.
        make: also raises for values that no tensor shows and that no model can run with.

    Raises:
        UnsupportedModelError: names the field and its value, if a single field is the cause.
    """

    def attempt(config: dict[str, Any]) -> Model:
        check_counts(config)
        with quiet(), torch.device("meta"):
            return make(config)

    try:
        return attempt(dict(config))
    except (OSError, MemoryError):
        raise
    except BasamError as error:
        raise UnsupportedModelError(f"{source}: {error}") from error
    except Exception as error:  # transformers raises many types, with multi-line messages
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise UnsupportedModelError(f"{source}: {wrong_field(dict(config), attempt)}no such model ({words})") from error


def wrong_field(config: dict[str, Any], attempt: Callable[[dict[str, Any]], Any], place: str = "") -> str:
    """`name=value in place: ` of the field without which a model can be built; empty if no single field is the cause."""
    for name, value in config.items():
        try:
            attempt({other: config[other] for other in config if other != name})
        except BasamError:  # built, and too large or too small for the other fields
            pass
        except Exception:
            continue
        where = f"{place}.{name}" if place else name
        inner = ""
        if isinstance(value, dict):
            inner = wrong_field(value, lambda part, name=name: attempt({**config, name: part}), where)  # type: ignore[misc]
        return inner or f"{name}={value!r}{f' in {place}' if place else ''}: "
    return ""


def check_counts(config: Mapping[str, Any], place: str = "") -> None:
    """Raise for implausibly large numbers of layers and the like.

    Raises:
        UnsupportedModelError: naming the field and its value.
    """
    for name, value in config.items():
        if isinstance(value, Mapping):
            check_counts(value, name)
        numbers = [number for number in (value if isinstance(value, list) else [value]) if isinstance(number, int)]
        if name in COUNTED and max(numbers, default=0) > MOST:
            raise UnsupportedModelError(f"{name}={value!r}{f' in {place}' if place else ''}: at most {MOST} is needed")


def require(config: Any, **needed: Any) -> None:
    """Raise if a field of a configuration, given once or per axis, differs from the value in all published models.

    Raises:
        UnsupportedModelError: naming the field, its value and the one that is needed.
    """
    for name, value in needed.items():
        given = getattr(config, name)
        if given != value and (not isinstance(given, (list, tuple)) or set(given) != {value}):
            raise UnsupportedModelError(f"{name}={given!r}: {value!r} is needed, which the grids and feature maps rest on")


def check_heads(config: Any, name: str = "num_attention_heads", widths: str = "hidden_size") -> None:
    """Raise if the number of heads does not divide the channels of a layer or stage.

    Raises:
        UnsupportedModelError: naming the field and its value.
    """
    heads, channels = getattr(config, name), getattr(config, widths)
    pairs = zip(heads, channels, strict=True) if isinstance(heads, (list, tuple)) else [(heads, channels)]
    if any(count < 1 or width % count for count, width in pairs):
        raise UnsupportedModelError(f"{name}={heads!r}: numbers above 0 are needed that divide {widths}={channels!r}")


def check_layers(name: str, layers: Any, count: int) -> tuple[int, ...]:
    """Indexes of layers in their order.

    Raises:
        UnsupportedModelError: the layers do not exist; names the field and its value.
    """
    if not all(0 <= layer < count for layer in layers):
        raise UnsupportedModelError(f"{name}={layers!r}: the encoder has {count} layers, counted from 0")
    return tuple(sorted(layers))


@contextmanager
def quiet() -> Iterator[None]:
    """`transformers` without warnings and progress bars for the length of a block."""
    import transformers

    level, bar = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)
        if bar:
            transformers.logging.enable_progress_bar()
