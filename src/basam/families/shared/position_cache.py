"""Position tables of the last grids, so that they are not made anew for every layer and image.

On an accelerator making them takes long beside the rest: a relative table is six small launches, two for every layer, and
bicubic resampling runs over 768 channels one by one.
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
    """The last `size` tables of every parameter, those longest unused dropped first; for any number of threads."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.lock = threading.Lock()
        self.tables = WeakTensorKeyDictionary()

    def get(self, parameter: Tensor, key: tuple[Any, ...], make: Callable[[], Tensor]) -> Tensor:
        """The table of a parameter under `key`, else what `make` returns, which is cached."""
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
    """What `make` makes of a parameter, which `key` identifies; cached on accelerators if no gradient goes through it."""
    differentiated = torch.is_grad_enabled() and parameter.requires_grad
    if parameter.device.type in ("cpu", "meta") or differentiated or torch.compiler.is_compiling():
        return make()
    version = 0 if parameter.is_inference() else parameter._version  # tensors of inference mode are never changed
    # What was made in inference mode may not be used outside of it.
    key = (*key, parameter.dtype, parameter.data_ptr(), version, torch.is_inference_mode_enabled())
    return CACHE.get(parameter, key, make)
