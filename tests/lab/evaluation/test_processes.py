"""Processes of one run: who takes which images, and what a launcher's environment means."""

from __future__ import annotations

import pytest

from basam.errors import InputError
from basam.lab.evaluation.processes import Processes, from_environment, processes


def test_shards_are_all_and_disjoint() -> None:
    items = list("abcdefg")
    shards = [Processes(rank, 3).shard(items) for rank in range(3)]
    assert shards == [["a", "d", "g"], ["b", "e"], ["c", "f"]]


def test_each_process_has_its_own_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert Processes(5, 8, 1, 4).device("cuda") == "cuda:1"
    assert Processes(5, 8, 1, 4).device("cpu") == "cpu"
    assert Processes().device("cuda") == "cuda"
    assert Processes().device("cuda:1") == "cuda:1"
    with pytest.raises(InputError, match="'cuda:1' with 8 processes: give 'cuda'"):
        Processes(5, 8, 1, 4).device("cuda:1")
    with pytest.raises(InputError, match="device 'cuda:2'"):
        Processes(5, 8, 2, 4).device("cuda")


def test_processes_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    assert Processes().workers() == 15
    assert Processes(0, 8, 0, 4).workers() == 3
    assert Processes(0, 64, 0, 64).workers() == 1


def test_counts_of_torchrun_and_mpi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert from_environment(("WORLD_SIZE", "PMI_SIZE")) == 1
    monkeypatch.setenv("PMI_SIZE", "4")
    assert from_environment(("WORLD_SIZE", "PMI_SIZE")) == 4


def test_a_launcher_that_started_one_process_of_several_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with pytest.warns(UserWarning, match="torchrun --standalone"):
        assert processes("cpu") == Processes()
