"""Prints constraints with the lower bounds of pyproject.toml, for `make test-oldest`; torch keeps its own pin."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def lower_bounds(text: str) -> list[str]:
    """`name==X.Y.*` of every `"name>=X.Y"` in the dependencies and extras but torch, each once."""
    found = dict(re.findall(r'"([a-z0-9-]+)(?:\[[a-z]+\])?>=([0-9.]+)"', text))
    return [f"{name}=={version}.*" for name, version in found.items() if name != "torch"]


if __name__ == "__main__":
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")]
    print("\n".join([*pins, *lower_bounds((ROOT / "pyproject.toml").read_text())]))
