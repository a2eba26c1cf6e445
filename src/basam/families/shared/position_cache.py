"""A cache of position tables of the last grids, so that they are not recomputed for every layer and image.

On an accelerator they take long compared with the rest: a relative table is six small launches, two per layer, and bicubic
resampling runs over 768 channels one by one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary


class PositionCache:
    """The last `size` tables per parameter, least recently used ones evicted first; thread-safe."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.lock = threading.Lock()
        self.tables = WeakTensorKeyDictionary()

    def get(self, parameter: Tensor, key: tuple[Any, ...], make: Callable[[], Tensor]) -> Tensor:
        """The table of a parameter under `key`, or the result of `make`, which is then cached."""
        with self.lock:
            tables = self.tables.setdefault(parameter, OrderedDict())
            if key in tables:
                tables.move_to_end(key)
                return tables[key]
        table = make()  # without the lock, so that other tables do not wait for it
        with self.lock:
            tables[key] = table
            tables.move_to_end(key)
            while len(tables) > self.size:
                tables.popitem(last=False)
        return table


CACHE = PositionCache(size=4)  # grids: window and whole image, of a few photos


def cached_table(parameter: Tensor, key: tuple[Any, ...], make: Callable[[], Tensor]) -> Tensor:
    """The result of `make` for a parameter, identified by `key`; cached on accelerators if no gradient goes through it."""
    differentiated = torch.is_grad_enabled() and parameter.requires_grad
    if parameter.device.type in ("cpu", "meta") or differentiated or torch.compiler.is_compiling():
        return make()
    version = 0 if parameter.is_inference() else parameter._version  # tensors of inference mode are never changed
    # Tensors made in inference mode may not be used outside of it.
    key = (*key, parameter.dtype, parameter.data_ptr(), version, torch.is_inference_mode_enabled())
    return CACHE.get(parameter, key, make)
