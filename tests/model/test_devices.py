"""Devices are found by name, and refused in one line where they are not there."""

import re

import pytest
import torch

import basam
from basam.model import find_device


def test_auto_is_cuda_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert find_device("auto") == torch.device("cuda")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", "device 'gpu' is unknown: allowed are auto, cpu, cuda, mps and numbered ones such as cuda:1"),
        ("meta", "device 'meta' is unknown"),
        ("cuda", "device 'cuda' is not available: this machine, with torch 2"),
        ("cuda:3", "device 'cuda:3' is not available"),
    ],
)
def test_what_is_not_there_is_named(monkeypatch, name, message):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(basam.BasamError, match=re.escape(message)):
        basam.load("nano", device=name)


def test_a_second_gpu_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match=r"device 'cuda:2' .* has cpu, cuda \(2\)"):
        find_device("cuda:2")
