"""Tile shapes and launch parameters of the Triton kernels: fixed by dtype, head dimension and GPU, never tuned at run time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class LaunchParameters:
    """Of one kernel: queries a block, warps a program, stages of the software pipeline."""

    block_m: int
    warps: int
    stages: int


@dataclass(frozen=True)
class KernelTable:
    """Launch parameters of the three kernels, and keys per tile, which they share since they share the padded bias."""

    block_n: int
    forward: LaunchParameters
    query: LaunchParameters
    key: LaunchParameters


# By bytes of an operand and the largest head dimension that it is for: without spills, in the shared memory of any GPU.
WIDE = KernelTable(32, LaunchParameters(64, 4, 2), LaunchParameters(32, 4, 1), LaunchParameters(32, 4, 1))
DEFAULT = {
    (2, 64): KernelTable(64, LaunchParameters(64, 4, 3), LaunchParameters(64, 4, 2), LaunchParameters(64, 4, 2)),
    (2, 128): KernelTable(64, LaunchParameters(64, 4, 2), LaunchParameters(64, 4, 2), LaunchParameters(64, 4, 1)),
    (4, 64): WIDE,
    (4, 128): WIDE,
}
# By major compute capability. Hopper's were the fastest of several tried on an H200 for head dimensions 64 and 80.
HOPPER = {
    **DEFAULT,
    (2, 64): KernelTable(64, LaunchParameters(64, 4, 3), LaunchParameters(64, 4, 2), LaunchParameters(64, 4, 3)),
    (2, 128): KernelTable(64, LaunchParameters(64, 4, 3), LaunchParameters(64, 4, 2), LaunchParameters(64, 4, 2)),
}
TABLES = {9: HOPPER}


def launch_table(major: int, itemsize: int, head_dim: int) -> KernelTable:
    return TABLES.get(major, DEFAULT)[itemsize, 64 if head_dim <= 64 else 128]


def halves(head_dim: int) -> tuple[int, int]:
    """A head dimension in two pieces that are powers of two of at least 16: 64 -> 64 + 0, 80 -> 64 + 16."""
    largest = max(16, 1 << head_dim.bit_length() - 1)
    rest = head_dim - largest
    return largest, 0 if rest <= 0 else max(16, 1 << (rest - 1).bit_length())


@dataclass(frozen=True)
class TileShape:
    """How the keys of a grid are cut into tiles of `rows` grid rows by `columns`; where `swap`, rows and columns of the grid
    change places: a photo whose long side has 64 tokens wastes nothing whatever its short side."""

    rows: int
    columns: int
    swap: bool
    stored: tuple[int, int]  # keys down and across whose bias is stored for every query


def dense_tiles(height: int, width: int, block_n: int) -> TileShape:
    """The cut that visits the fewest keys, with a fee for tiles of several rows, whose bias costs selections."""
    best: tuple[float, TileShape] | None = None
    for swap in (False, True):
        down, across = (width, height) if swap else (height, width)
        for rows, fee in ((1, 1.0), (2, 1.06), (4, 1.12)):
            columns = block_n // rows
            cost = up(down, rows) * up(across, columns) / (height * width) * fee
            if best is None or cost < best[0]:
                best = cost, TileShape(rows, columns, swap, (up(down, rows), up(across, max(16, columns))))
    assert best is not None
    return best[1]


# Rectangles in which queries with a neighborhood store their bias, and to which the starts of their keys are aligned. 4 x 16
# queries with 64 x 64 keys per query see 67 rows and 79 columns, 17 x 5 tiles of 4 x 16: of all shapes, 8 x 8 and 2 x 32 among
# them, the fewest. Blocks of queries and tiles of keys have as many columns, and rows that divide these.
TILE_ROWS, TILE_COLUMNS = 4, 16


@lru_cache(1024)
def neighborhood_tiles(grid: tuple[int, int], near: tuple[int, int], block_n: int) -> TileShape:
    """The cut for queries that see `near` rows and columns of the grid: of both orders the one that visits fewer keys."""
    best: tuple[int, TileShape] | None = None
    for swap, step in ((False, 1), (True, -1)):
        down, across = map(visits, grid[::step], near[::step], (TILE_ROWS, TILE_COLUMNS))
        cost = sum(down) * sum(across)
        if best is None or cost < best[0]:
            stored = max(down) // TILE_ROWS, max(across) // TILE_COLUMNS
            best = cost, TileShape(block_n // TILE_COLUMNS, TILE_COLUMNS, swap, stored)
    assert best is not None
    return best[1]


def visits(length: int, near: int, tile: int) -> list[int]:
    """Pairs of a query and a key that are multiplied, per tile of queries along one axis."""
    pairs = []
    for start in range(0, length, tile):
        last = min(start + tile, length) - 1
        low, high = (min(max(0, place - near // 2), length - near) for place in (start, last))
        pairs.append(tile * up(high + near - low // tile * tile, tile))
    return pairs


def visited_share(grid: tuple[int, int], near: tuple[int, int]) -> float:
    """Pairs of a query and a key that are multiplied where a query sees `near` rows and columns, over all pairs of the grid."""
    step = -1 if neighborhood_tiles(grid, near, 64).swap else 1
    down, across = map(visits, grid[::step], near[::step], (TILE_ROWS, TILE_COLUMNS))
    return sum(down) * sum(across) / (grid[0] * grid[1]) ** 2


def up(size: int, multiple: int) -> int:
    """The next multiple."""
    return -(-size // multiple) * multiple
