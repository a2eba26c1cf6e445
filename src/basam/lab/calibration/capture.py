"""Record what the global layers of an attached model attend to while it encodes an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from basam.attention import separable_bias
from basam.families import UnsupportedModelError
from basam.families.shared import GridAttention
from basam.lab.calibration.attention import axis_pooling, patches_at, pooled_attention


@dataclass(frozen=True)
class Places:
    """Where to look: places `(Q, 2)` as y, x in trained patches, on a trained grid of (h, w) patches (see `attention`)."""

    coordinates: Tensor
    grid: tuple[int, int]


@contextmanager
def recording(model: nn.Module, places: Places, ratios: tuple[float, float]) -> Iterator[list[Tensor]]:
    """Fills a list with the pooled attention `(heads, Q, h, w)` of every global layer, in order, of the next encoded image.

    `ratios` are the numbers of the image's patches to a trained patch, along y and x. The model's outputs are not changed.

    Raises:
        UnsupportedModelError: the model is not attached, or attends in windows only.
    """
    layers: list[Tensor] = []
    modules = [module for module in model.modules() if isinstance(module, GridAttention)]
    if not modules or not modules[0].basam.geometry.global_layers:
        raise UnsupportedModelError(
            f"{type(model).__name__} has no attached layer that attends over the whole grid: there is nothing to calibrate by"
        )
    with ExitStack() as stack:
        for module in modules:
            # An attribute of the instance hides the method of its class until it is deleted again.
            module.__dict__["attend_grid"] = watched(module, layers, places, ratios)
            stack.callback(module.__dict__.pop, "attend_grid")
        yield layers


def watched(
    module: GridAttention, layers: list[Tensor], places: Places, ratios: tuple[float, float]
) -> Callable[[Tensor], Tensor]:
    attend_grid = module.attend_grid

    def record_and_attend(qkv: Tensor) -> Tensor:
        with torch.no_grad():
            layers.append(measure(module, qkv, places, ratios))
        return attend_grid(qkv)

    return record_and_attend


def measure(module: GridAttention, qkv: Tensor, places: Places, ratios: tuple[float, float]) -> Tensor:
    """Pooled attention `(heads, Q, h, w)` of one layer, from its projection `(1, H, W, 3, heads, d)`."""
    _, height, width = qkv.shape[:3]
    q, k, _ = qkv.flatten(1, 2).permute(2, 0, 3, 1, 4)  # (1, heads, N, d)
    tables = module.tables(q, height, width)
    slopes = module.basam.mask_slopes(q.shape[1], module.basam_layer)
    scale = module.scale * module.basam.factor
    rows_at = patches_at(places.coordinates[:, 0], ratios[0], height)
    index = (rows_at * width + patches_at(places.coordinates[:, 1], ratios[1], width)).to(q.device)
    pools = axis_pooling(height, places.grid[0], ratios[0]), axis_pooling(width, places.grid[1], ratios[1])
    heads = []
    # The bias of all queries of one head is small; that of all heads at once is not.
    for head in range(q.shape[1]):
        part = slice(head, head + 1)
        rows, cols = separable_bias(q[:, part], *tables, None if slopes is None else slopes[part].to(q))
        heads.append(pooled_attention(q[0, head, index], k[0, head], rows[0, 0, index], cols[0, 0, index], scale, *pools))
    return torch.stack(heads).cpu()
