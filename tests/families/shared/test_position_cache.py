"""Position tables of the last grids, for one thread and for many."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from basam.families.shared.position_cache import PositionCache


def test_the_table_longest_unused_is_dropped() -> None:
    cache, parameter, made = PositionCache(2), torch.zeros(1), []

    def table(side: int) -> Tensor:
        return cache.get(parameter, (side,), lambda: made.append(side) or torch.tensor(side))

    for side in (1, 2, 1, 3, 1, 2):
        assert int(table(side)) == side
    assert made == [1, 2, 3, 2]


def test_threads_with_different_grids_get_their_tables() -> None:
    cache = PositionCache(2)
    parameters = [torch.zeros(1) for _ in range(3)]

    def work(thread: int) -> bool:
        right = True
        for step in range(3000):
            key = (thread + step) % 5
            right &= int(cache.get(parameters[step % 3], (key,), lambda key=key: torch.tensor(key))) == key
        return right

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_tables_go_with_their_parameter() -> None:
    cache, parameter = PositionCache(2), torch.zeros(1)
    cache.get(parameter, (1,), lambda: torch.ones(1))
    del parameter
    gc.collect()
    assert len(cache.tables) == 0
