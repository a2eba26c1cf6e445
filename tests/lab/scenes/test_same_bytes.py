"""Same seed, same bytes: stored checksums, and processes that compute with other instructions."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from basam.lab.scenes import DOMAINS, render

SUMS = {
    "thin": "8278127bbf0fe1ba",
    "salient": "04071ef0a5f25920",
    "lesion": "a4503d74467e42c2",
    "camouflage": "aacbd91acd742509",
    "crowd": "c1bc9ee6a5ee740c",
}
SCRIPT = "import sys; sys.path.insert(0, sys.argv[1]); import test_same_bytes as t; print(*map(t.checksum, t.DOMAINS))"


def checksum(domain: str) -> str:
    """Of image, masks and names of four scenes, two of them of an odd size."""
    found = hashlib.sha256()
    for seed, size in ((0, 64), (1, 64), (2, 99), (3, 99)):
        scene = render(seed, size, domain)
        found.update(scene.image.tobytes())
        found.update(np.packbits(scene.masks).tobytes())
        found.update(" ".join(scene.names).encode())
    return found.hexdigest()[:16]


@pytest.mark.parametrize("domain", DOMAINS)
def test_stored_checksums(domain: str) -> None:
    assert checksum(domain) == SUMS[domain], (
        "the scenes of this domain have changed: data sets written before differ from now on"
    )


def test_other_processes_threads_and_instructions_give_the_same_bytes() -> None:
    simd = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    settings = {"OMP_NUM_THREADS": "3", "NPY_DISABLE_CPU_FEATURES": " ".join(simd), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, os.path.dirname(__file__)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [SUMS[domain] for domain in DOMAINS]
