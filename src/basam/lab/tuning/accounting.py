"""What is trained in a prepared model, and its cost: parameters, their share, memory."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table
from torch import nn

from basam.lab.tuning.ways import slopes_of
from basam.printing import new_table

ADAM_STATES = 2  # AdamW keeps two numbers a trained parameter
LORA, SLOPES = "LoRA", "slopes"


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters of one part of a model, how many of them are trained, and bytes of its weights, gradients and optimiser."""

    name: str
    parameters: int
    trained: int
    weight_bytes: int
    gradient_bytes: int
    optimiser_bytes: int

    @property
    def bytes(self) -> int:
        return self.weight_bytes + self.gradient_bytes + self.optimiser_bytes


def parts_of(model: nn.Module) -> list[ParameterGroup]:
    """The parts of a prepared model in its own order, then LoRA, then the slopes."""
    groups: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        groups.setdefault(LORA if ".lora_" in name else name.partition(".")[0], []).append(parameter)
    lora = groups.pop(LORA, None)
    if lora is not None:
        groups[LORA] = lora
    groups[SLOPES] = list(slopes_of(model).parameters())
    return [part(name, parameters) for name, parameters in groups.items()]


def part(name: str, parameters: list[nn.Parameter]) -> ParameterGroup:
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    weights = sum(parameter.numel() * parameter.element_size() for parameter in parameters)
    gradients = sum(parameter.numel() * parameter.element_size() for parameter in trained)
    counts = sum(parameter.numel() for parameter in parameters), sum(parameter.numel() for parameter in trained)
    return ParameterGroup(name, *counts, weights, gradients, ADAM_STATES * gradients)


def total_of(parts: list[ParameterGroup]) -> ParameterGroup:
    """All parts as one."""
    numbers = ("parameters", "trained", "weight_bytes", "gradient_bytes", "optimiser_bytes")
    return ParameterGroup("all", *(sum(getattr(one, name) for one in parts) for name in numbers))


def parameter_table(parts: list[ParameterGroup], title: str) -> Table:
    """One row a part and one for all."""
    caption = "MB: weights, gradients and AdamW's two states; activations come on top and grow with the tokens"
    out = new_table(("part", "parameters", "trained", "share", "MB"), title=title, texts=("part",))
    out.caption = caption
    for one in [*parts, total_of(parts)]:
        share = f"{one.trained / one.parameters:.2%}" if one.parameters else "-"
        style = "bold" if one.name == "all" else None
        out.add_row(one.name, f"{one.parameters:,}", f"{one.trained:,}", share, f"{one.bytes / 2**20:.2f}", style=style)
    return out
