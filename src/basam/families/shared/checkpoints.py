"""A checkpoint that fits: a model on the meta device, and exactly the tensors that it needs.

The expected tensors and their shapes come from the model built from the configuration; there is no list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from basam.families.base import ModelSummary, UnsupportedModelError
from basam.families.shared.shapes import Shapes
from basam.families.shared.state_dicts import listed

COUNTERS = "num_batches_tracked"  # of batch norms


@dataclass(frozen=True, eq=False, repr=False)
class Checkpoint:
    """Attributes:
    model: on the meta device, without numbers.
    summary: of model and file.
    shapes: of the tensors that the model needs.
    read: the tensors as stored, by the keys of the user's file.
    keys: for the names of the model's tensors, their keys in `shapes`; several are concatenated along the first dimension.

    Raises:
        UnsupportedModelError: a tensor is missing, unexpected or of another shape; the message has its key in the file.
    """

    model: nn.Module
    summary: ModelSummary
    shapes: Shapes
    read: Callable[[], Mapping[str, Tensor]]
    keys: Mapping[str, Sequence[str]]

    def __post_init__(self) -> None:
        expected: dict[str, tuple[int, ...]] = {}
        for name, tensor in self.model.state_dict().items():
            keys, shape = self.keys[name], tuple(tensor.shape)
            expected |= dict.fromkeys(keys, shape if len(keys) == 1 else (shape[0] // len(keys), *shape[1:]))
        self.shapes.compare(expected)

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that the model needs, by the keys of the user's file.

        Raises:
            UnsupportedModelError: tensors that are not floating-point, or hold NaN or infinity, which would make masks empty or
                wrong; the message has their keys.
        """
        path, stored = self.shapes.path, self.read()
        tensors = {key: stored[key] for keys in self.keys.values() for key in map(self.shapes.in_file, keys)}
        odd = [key for key, value in tensors.items() if not value.is_floating_point() and not key.endswith(COUNTERS)]
        if odd:
            types = ", ".join(sorted({str(tensors[key].dtype).removeprefix("torch.") for key in odd}))
            raise UnsupportedModelError(f"{path} holds {types} in {listed(odd)}: floating-point weights are needed")
        if broken := [key for key, value in tensors.items() if not is_finite(value)]:
            raise UnsupportedModelError(
                f"{path} holds NaN or infinity in {listed(broken)}: no mask can come of such weights; load a copy that is "
                "whole, or one from before the training went wrong"
            )
        return tensors

    def weights(self) -> dict[str, Tensor]:
        """The state dict of the model: float32 copies in memory, because a mapped tensor changes with its file.

        Raises:
            UnsupportedModelError: as `tensors`.
        """
        tensors = self.tensors()
        made: dict[tuple[str, ...], Tensor] = {}
        for keys in {tuple(keys) for keys in self.keys.values()}:
            parts = [tensors[self.shapes.in_file(key)] for key in keys]
            whole = torch.cat(parts) if len(parts) > 1 else parts[0]
            made[keys] = whole.to(torch.float32 if whole.is_floating_point() else None, copy=True)
        return {name: made[tuple(keys)] for name, keys in self.keys.items()}

    def load(self) -> nn.Module:
        """The model with its weights, in evaluation mode."""
        model: Any = self.model
        model.load_state_dict(self.weights(), strict=True, assign=True)
        if hasattr(model, "tie_weights"):
            model.tie_weights()
        return model.eval()


def is_finite(tensor: Tensor) -> bool:
    """Whether no number of `tensor`, in float32, is NaN or infinite.

    NaN and infinity survive a sum, which is quicker than checking every number; and NumPy's sum, in one thread, is quicker than
    waking torch's threads for every one of hundreds of tensors: 30 times on a busy machine.
    """
    if not tensor.is_floating_point():
        return True
    numbers: Any = tensor.detach().cpu().float().numpy()
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.add.reduce(numbers, axis=None)) or np.isfinite(numbers).all())  # a sum may be too large


def own_keys(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """`Checkpoint.keys` if the file uses the names of the model."""
    return {name: (name,) for name in model.state_dict()}
