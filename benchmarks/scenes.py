"""Scenes a second of processor time in one process, cost of a large scene, and agreement between sizes, for every domain.

python benchmarks/scenes.py [--size 256] [--count 60] [--large 4096]
python benchmarks/scenes.py --agreement [--size 256] [--count 20]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from basam.lab.scenes import DOMAINS, render


def rate(domain: str, size: int, count: int) -> float:
    """Scenes a second of processor time, which other programs disturb less than the time on the clock."""
    render(count, size, domain)
    start = time.process_time()
    for seed in range(count):
        render(seed, size, domain)
    return count / (time.process_time() - start)


def large(domain: str, size: int) -> str:
    """Seconds of processor time and peak memory of scene 1 in a fresh process."""
    command = [sys.executable, __file__, "--one", domain, "--size", str(size)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def agreement(domain: str, size: int, count: int) -> str:
    """Scenes at 4 * size reduced to size against the same scenes rendered at size."""
    ious: list[float] = []
    differences: list[float] = []
    for seed in range(count):
        few, many = render(seed, size, domain), render(seed, 4 * size, domain)
        large = many.masks.reshape(-1, size, 4, size, 4).mean(axis=(2, 4)) >= 0.5
        ious += [(a & b).sum() / (a | b).sum() for a, b in zip(few.masks, large, strict=True)]
        picture = many.image.reshape(size, 4, size, 4, 3).mean(axis=(1, 3))
        differences.append(float(np.abs(picture - few.image).mean()))
    return f"mask IoU mean {np.mean(ious):.3f}, lowest {min(ious):.3f}; picture differs by {np.mean(differences):.1f} of 255"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--large", type=int, default=0, help="also render one scene of each domain at this size")
    parser.add_argument("--agreement", action="store_true", help="compare sizes instead of timing")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        start = time.process_time()
        render(1, options.size, options.one)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{time.process_time() - start:.1f} s, peak {peak:.2f} GB")
        return
    if options.agreement:
        for domain in DOMAINS:
            print(f"{domain:12} {agreement(domain, options.size, options.count)}", flush=True)
        return
    seconds = 0.0
    for domain in DOMAINS:
        found = rate(domain, options.size, options.count)
        seconds += 1 / found
        line = f"{domain:12} {found:6.1f} scenes/s at {options.size} px"
        print(line + (f"; at {options.large} px: {large(domain, options.large)}" if options.large else ""), flush=True)
    print(f"{'mean':12} {len(DOMAINS) / seconds:6.1f} scenes/s (as many of each domain)")


if __name__ == "__main__":
    main()
