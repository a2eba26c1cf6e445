"""An adapter: the changes of tuning, in its own folder; the base weights are not changed.

    adapter.safetensors   slopes, replaced weights, LoRA pairs; its header names the base and the hash of its weights
    mode.json             the correction and the focus that it was tuned with; its fingerprint is that of the base
    README.md             the model card

Tensors: `slopes.log` `(global layers, heads)`, `weight.KEY` with a key of the base's state dict, `lora.MODULE.A` `(rank, in)`
and `lora.MODULE.B` `(out, rank)`. LoRA is added to the weights when an adapter is put on a model, so that the model keeps its
parameters, names and speed; nothing but torch is needed for it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from basam.checks import path_of, real_number
from basam.errors import BasamError, InputError, MissingFileError
from basam.families import LearnedSlopes
from basam.families.shared import is_finite, listed
from basam.files import write_bytes, write_text
from basam.method import BiasMode
from basam.model.attaching import attach, set_own_mode
from basam.model.fingerprint import model_fingerprint
from basam.model.mode_files import ModeFile, read_mode_file, write_mode

TENSORS, MODE, CARD = "adapter.safetensors", "mode.json", "README.md"
FORMAT = "basam adapter 1"


class AdapterError(BasamError, ValueError):
    """An adapter that cannot be read, or belongs to another model; the message names the folder and the mismatch."""


@dataclass(frozen=True)
class LoraPair:
    """What LoRA adds to one weight `(out, in)`: `scale * b @ a`."""

    a: Tensor  # (rank, in)
    b: Tensor  # (out, rank)

    def change(self, scale: float) -> Tensor:
        """`(out, in)`, computed as `peft` does, so that both give the same numbers."""
        return (self.b @ self.a) * scale


@dataclass(frozen=True, eq=False)
class Adapter:
    """Attributes:
    base: what `basam.load` was given; base_sha256: `model_fingerprint` of it.
    mode: the correction; slopes: those of `BiasMode(slopes="learned")`.
    weights: entries of the base's state dict that take the place of its own.
    lora: by the name of the module whose weight they are added to; lora_scale: of all of them.
    sections: of the mode file, beside the mode, such as `focus`.
    """

    base: str
    base_sha256: str
    mode: BiasMode
    slopes: LearnedSlopes | None = None
    weights: dict[str, Tensor] = field(default_factory=dict)
    lora: dict[str, LoraPair] = field(default_factory=dict)
    lora_scale: float = 1.0
    sections: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """Numbers that the adapter holds."""
        return sum(tensor.numel() for tensor in self.tensors().values())

    def tensors(self) -> dict[str, Tensor]:
        """Everything by its name in the file."""
        tensors = {} if self.slopes is None else {"slopes.log": self.slopes.log.detach()}
        tensors |= {f"weight.{key}": tensor for key, tensor in self.weights.items()}
        for module, pair in self.lora.items():
            tensors |= {f"lora.{module}.A": pair.a, f"lora.{module}.B": pair.b}
        return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def write_adapter(folder: Path, adapter: Adapter, card: str, found: dict[str, Any] | None = None) -> None:
    """Write the three files atomically; `found` goes into `mode.json`.

    Raises:
        OSError: the folder cannot be written.
    """
    write_mode(folder / MODE, adapter.mode, found, fingerprint=adapter.base_sha256, others=adapter.sections)
    write_text(folder / CARD, [card])
    header = {
        "format": FORMAT,
        "base": adapter.base,
        "base_sha256": adapter.base_sha256,
        "lora_scale": repr(adapter.lora_scale),
    }
    write_bytes(folder / TENSORS, save(adapter.tensors(), header))


def read_adapter(folder: str | os.PathLike[str]) -> Adapter:
    """The adapter of a folder that `write_adapter` wrote.

    Raises:
        FileNotFoundError: no such folder, or one of its files is missing.
        AdapterError: a file that is not an adapter's, or holds NaN or infinity, or a mode for another base.
        ModeFileError: see `read_mode_file`.
    """
    folder = path_of(folder, "adapter")
    for name in (TENSORS, MODE):
        if not (folder / name).is_file():
            raise MissingFileError(f"adapter {folder}: {f'{name} is missing' if folder.is_dir() else 'no such folder'}")
    content, file = read_mode_file(folder / MODE), folder / TENSORS
    try:
        with safe_open(file, framework="pt") as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        adapter = adapter_of_tensors(header, tensors, content)
    except SafetensorError as error:
        raise AdapterError(f"{file} cannot be read: {error}") from error
    except InputError as error:
        raise AdapterError(f"{file}: {error}") from error
    own, base = content.fingerprint, adapter.base_sha256
    if own not in (None, base):
        raise AdapterError(
            f"{folder / MODE} is for weights {own[:12]}, and the adapter's base has {base[:12]}: put back the file that basam "
            "tune wrote"
        )
    return adapter


def adapter_of_tensors(header: dict[str, str], tensors: dict[str, Tensor], content: ModeFile) -> Adapter:
    """The adapter of what its files hold.

    Raises:
        ValueError: what is missing, unknown or wrong.
    """
    if header.get("format") != FORMAT:
        raise InputError(f"not a basam adapter (its header has format={header.get('format')!r})")
    if missing := [key for key in ("base", "base_sha256", "lora_scale") if key not in header]:
        raise InputError(f"its header has no {', '.join(map(repr, missing))}")
    try:
        scale = real_number(float(header["lora_scale"]), "lora_scale", -sys.float_info.max, sys.float_info.max)
    except ValueError as error:
        raise InputError(f"its header has lora_scale={header['lora_scale']!r}: a finite number is needed") from error
    if broken := [name for name, tensor in tensors.items() if not is_finite(tensor)]:
        raise InputError(f"it holds NaN or infinity in {listed(broken)}: tune it again")
    if whole := [name for name, tensor in tensors.items() if not tensor.is_floating_point()]:
        raise InputError(f"it holds whole numbers in {listed(whole)}: floating ones are needed")
    rest = dict(tensors)
    slopes = slopes_of_log(rest.pop("slopes.log")) if "slopes.log" in rest else None
    weights = {name.removeprefix("weight."): rest.pop(name) for name in tensors if name.startswith("weight.")}
    lora = {}
    for module in sorted({name[5:-2] for name in rest if name.startswith("lora.") and name.endswith((".A", ".B"))}):
        if lost := [name for name in (f"lora.{module}.A", f"lora.{module}.B") if name not in rest]:
            raise InputError(f"{lost[0]} is missing")
        a, b = (rest.pop(f"lora.{module}.{side}").float() for side in "AB")
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
            shapes = f"{tuple(a.shape)} and {tuple(b.shape)}"
            raise InputError(f"lora.{module} has A and B of {shapes}: (rank, in) and (out, rank) are needed")
        lora[module] = LoraPair(a, b)
    if rest:
        raise InputError(f"unknown tensors {listed(sorted(rest))}")
    return Adapter(header["base"], header["base_sha256"], content.mode, slopes, weights, lora, scale, content.others)


def slopes_of_log(log: Tensor) -> LearnedSlopes:
    if log.ndim != 2:
        raise InputError(f"slopes.log of shape {tuple(log.shape)}: (global layers, heads) is needed")
    if not is_finite(log.double().exp().float()):
        raise InputError(f"slopes.log goes up to {float(log.max()):g}, whose exponential is infinite")
    slopes = LearnedSlopes(torch.ones(log.shape))
    slopes.load_state_dict({"log": log})
    return slopes


def put_on(model: nn.Module, adapter: Adapter, name: str) -> nn.Module:
    """Apply `adapter` to a plain `model` and attach it with the adapter's mode. Everything is checked first.

    Args:
        name: of the adapter, for messages.

    Returns:
        `model` itself.

    Raises:
        AdapterError: it was made for other weights, or its tensors do not fit.
    """
    present = model_fingerprint(model)
    if present != adapter.base_sha256:
        raise AdapterError(
            f"adapter {name} was made for {adapter.base!r} with weights {adapter.base_sha256[:12]}; the weights of this model "
            f"are {present[:12]}: load the adapter with its own base"
        )
    state = model.state_dict()
    wanted = {key: tuple(tensor.shape) for key, tensor in adapter.weights.items()}
    wanted |= {f"{module}.weight": (pair.b.shape[0], pair.a.shape[1]) for module, pair in adapter.lora.items()}
    for key, shape in wanted.items():
        if key not in state or tuple(state[key].shape) != shape:
            there = f"of {tuple(state[key].shape)}" if key in state else "not there"
            raise AdapterError(f"adapter {name} holds {key} of {shape}; in this model it is {there}")
    attach(model, adapter.mode, adapter.slopes)
    set_own_mode(model, adapter.mode, adapter.sections)  # the base's own mode file was calibrated before tuning
    with torch.no_grad():
        for key, tensor in adapter.weights.items():
            state[key].copy_(tensor)
        for module, pair in adapter.lora.items():
            weight = state[f"{module}.weight"]
            weight += pair.change(adapter.lora_scale).to(weight)
    return model
