"""Prints the lower bounds of pyproject.toml as constraints, for `make test-oldest`; torch keeps the pin of constraints.txt."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11; pytest brings this one there
    import tomli as tomllib

ROOT = Path(__file__).parents[2]


def lower_bounds(text: str) -> dict[str, str]:
    """The oldest release of every library that dependencies and extras of a pyproject.toml name, but of torch and of ourselves.

    Raises:
        ValueError: a library has no lower bound, or another one in another extra, of which just one could be installed.
    """
    project = tomllib.loads(text)["project"]
    found: dict[str, str] = {}
    for line in chain(project["dependencies"], *project["optional-dependencies"].values()):
        requirement = Requirement(line)
        if requirement.name in ("torch", project["name"]):
            continue
        version = next((each.version for each in requirement.specifier if each.operator == ">="), None)
        if version is None or found.setdefault(requirement.name, version) != version:
            raise ValueError(f"{line!r}: one lower bound is needed, the same in every extra")
    return found


def constraints() -> list[str]:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")]
    bounds = lower_bounds((ROOT / "pyproject.toml").read_text())
    return [*pins, *(f"{name}=={version}" for name, version in bounds.items())]


if __name__ == "__main__":
    print("\n".join(constraints()))
