"""The Triton kernels compiled for GPUs that are not there: no spills in the loop that counts, shared memory that there is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton")
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("the interpreter compiles nothing", allow_module_level=True)
# Not before: they import triton.
from tests.attention.triton_builds import SHARED, build
from tests.helpers.slowly import slowly

GPUS = (80, 86, 90, 100, 120)


@pytest.mark.parametrize("sm", slowly(GPUS, 90))
@pytest.mark.parametrize(("head_dim", "rows", "windows"), [(64, 1, False), (80, 4, True)])
def test_forward_in_16_bit_does_not_spill(sm: int, head_dim: int, rows: int, windows: bool) -> None:
    built = build("forward", sm, head_dim=head_dim, rows=rows, windows=windows)
    assert built.loop, "no matrix instruction was found in a loop"
    assert built.loop_spills == 0
    assert built.shared <= SHARED[sm]


@pytest.mark.parametrize("sm", slowly([80, 90], 90))
@pytest.mark.parametrize("head_dim", slowly([64, 80], 80))
def test_neighborhoods_in_16_bit_do_not_spill(sm: int, head_dim: int) -> None:
    """Tiles of queries and bounds of loops cost registers, which the loop must not pay for."""
    built = build("forward", sm, head_dim=head_dim, neighborhood=True)
    assert built.loop
    assert built.loop_spills == 0
    assert built.shared <= SHARED[sm]


@pytest.mark.parametrize("sm", slowly([80, 90], 80))
@pytest.mark.parametrize("name", slowly(["query", "key"], "query"))
def test_backward_of_neighborhoods_fits_as_that_of_whole_grids_does(sm: int, name: str) -> None:
    near, whole = (build(name, sm, rows=4, neighborhood=neighborhood) for neighborhood in (True, False))
    assert near.loop
    assert near.loop_spills <= whole.loop_spills
    assert near.shared <= SHARED[sm]


@pytest.mark.slow
def test_windows_in_float32() -> None:
    """Whose blocks of queries are larger than tiles of keys."""
    built = build("forward", 90, torch.float32, rows=4, windows=True)
    assert built.shared <= SHARED[90]


@pytest.mark.parametrize("sm", slowly(GPUS, 90))
@pytest.mark.parametrize("name", ["query", "key"])
def test_backward_fits_shared_memory(sm: int, name: str) -> None:
    built = build(name, sm, head_dim=80)
    assert built.loop
    assert built.shared <= SHARED[sm]


@pytest.mark.slow
@pytest.mark.parametrize("sm", GPUS)
@pytest.mark.parametrize("name", ["forward", "query", "key", "bias"])
@pytest.mark.parametrize(("dtype", "head_dim"), [(torch.float32, 128), (torch.float16, 128), (torch.bfloat16, 24)])
@pytest.mark.parametrize("rows", [1, 2])
def test_every_kernel_fits_shared_memory(sm: int, name: str, dtype: torch.dtype, head_dim: int, rows: int) -> None:
    assert build(name, sm, dtype, head_dim, rows).shared <= SHARED[sm]


@pytest.mark.parametrize("training", slowly([False, True], True))
def test_sixty_sizes_of_photographs_compile_nine_kernels(training: bool) -> None:
    """In a process of its own: it takes the place of Triton's driver."""
    command = [sys.executable, "-m", "tests.attention.triton_count", *(["training"] if training else [])]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    kernels = done.stdout.split()
    assert 5 <= len(kernels) <= 9, kernels  # more than one size of tile, and not one of each for every photograph
