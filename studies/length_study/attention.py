"""Entropy of the attention of a model's global layers, measured for some queries while it encodes an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from basam.attention import separable_bias
from basam.families.shared import GridAttention


@contextmanager
def recorded_entropies(model: nn.Module, places: Tensor) -> Iterator[list[float]]:
    """A list that gets one number per global layer of the next encoded image, in order; the model's outputs do not change.

    The number is the entropy in nats, as a mean over heads and queries: ln N where attention over N keys is uniform.
    Queries are the patches that hold `places`, `(Q, 2)` as y, x in patches of the image's grid.
    """
    layers: list[float] = []
    with ExitStack() as stack:
        for module in (module for module in model.modules() if isinstance(module, GridAttention)):
            # An attribute of the instance hides the method of its class until it is deleted again.
            module.__dict__["attend_grid"] = recording(module, layers, places)
            stack.callback(module.__dict__.pop, "attend_grid")
        yield layers


def recording(module: GridAttention, layers: list[float], places: Tensor) -> Callable[[Tensor], Tensor]:
    attend_grid = module.attend_grid

    def record_and_attend(qkv: Tensor) -> Tensor:
        with torch.no_grad():
            layers.append(mean_entropy(module, qkv, places))
        return attend_grid(qkv)

    return record_and_attend


def mean_entropy(module: GridAttention, qkv: Tensor, places: Tensor) -> float:
    """Of one layer, from its projection `(1, H, W, 3, heads, d)`."""
    _, height, width = qkv.shape[:3]
    q, k, _ = qkv.flatten(1, 2).permute(2, 0, 3, 1, 4)  # (1, heads, N, d)
    tables = module.tables((height, width), (height, width), q.dtype)
    slopes = module.basam.mask_slopes(q.shape[1], module.basam_layer)
    y, x = (places[:, axis].long().clamp(0, side - 1) for axis, side in enumerate((height, width)))
    index = (y * width + x).to(q.device)
    entropies = []
    # The bias of all queries of one head is small; that of all heads at once is not.
    for head in range(q.shape[1]):
        part = slice(head, head + 1)
        rows, cols = separable_bias(
            q[:, part], (height, width), (height, width), tables, None if slopes is None else slopes[part].to(q)
        )
        bias = (rows[0, 0, index, :, None] + cols[0, 0, index, None, :]).float().flatten(1)
        logits = module.scale * module.basam.factor * (q[0, head, index].float() @ k[0, head].float().T) + bias
        entropies.append(torch.special.entr(logits.softmax(-1)).sum(-1))
    return float(torch.stack(entropies).mean())
