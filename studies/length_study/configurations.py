"""The ways of encoding a picture that are compared, by name. None takes a default of `BiasMode`: they follow from here.

| name | what it is |
|---|---|
| `squeezed` | plain SAM on the picture squeezed (or enlarged) to the trained size |
| `plain` | SAM at the size of the picture, uncorrected |
| `factor` | the scaling factor alone |
| `mask S` | the bias-mode mask alone, with slope S |
| `both S` | factor and mask |
| `... x T` | the same at strength T |
| `decoder` | plain but for the mask decoder's attention to the image, which is scaled by the factor |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from basam.method import BiasMode

SLOPE = 0.1  # of the configurations that every point has
SLOPES = (0.1, 0.3, 1.0, 3.0, 10.0)
STRENGTHS = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Configuration:
    """`squeezed`: the picture is encoded at the trained size, whatever its own."""

    name: str
    mode: BiasMode
    squeezed: bool = False


def configuration(scaling: bool, slope: float = 0.0, *, strength: float = 1.0) -> Configuration:
    """The configuration of these fields, named as the table above says."""
    mode = BiasMode(
        scaling="log" if scaling else "none",
        strength=strength,
        slope=slope,
        slopes="uniform",
        schedule="extrapolation",
        decoder="none",
        tinyvit_windows="none",
    )
    family = ("both" if scaling else "mask") if slope else ("factor" if scaling else "plain")
    name = family + (f" {slope:g}" if slope else "") + (f" x {strength:g}" if strength != 1 else "")
    return Configuration(name, mode)


PLAIN = configuration(False)
SQUEEZED = Configuration("squeezed", PLAIN.mode, squeezed=True)
# Plain, factor, mask and both: what the curves show.
USUAL = (PLAIN, configuration(True), configuration(False, SLOPE), configuration(True, SLOPE))
CORE = (SQUEEZED, *USUAL)
SLOPE_SWEEP = tuple(configuration(scaling, slope) for scaling in (False, True) for slope in SLOPES if slope != SLOPE)
STRENGTH_SWEEP = tuple(configuration(True, slope, strength=strength) for slope in (0.0, SLOPE, 1.0) for strength in STRENGTHS)
SWEEPS = SLOPE_SWEEP + STRENGTH_SWEEP
DECODER = Configuration("decoder", replace(PLAIN.mode, decoder="log"))
ALL = {c.name: c for c in (*CORE, *SWEEPS, DECODER)}


def names(configurations: Iterable[Configuration]) -> tuple[str, ...]:
    return tuple(c.name for c in configurations)


def effect(c: Configuration, grid: tuple[int, int], trained_side: int) -> tuple[object, ...]:
    """What a configuration does on a grid of (height, width) patches: configurations of one effect are encoded once."""
    tokens, trained = grid[0] * grid[1], trained_side**2
    if c.squeezed and grid != (trained_side, trained_side):
        return ("squeezed",)
    decoder = c.mode.decoder if tokens != trained else ""
    return c.mode.factor(tokens, trained), c.mode.effective_slope(tokens, trained), decoder


def by_effect(wanted: Sequence[str], grid: tuple[int, int], trained_side: int) -> list[list[Configuration]]:
    """The wanted configurations in groups of one effect each."""
    groups: dict[tuple[object, ...], list[Configuration]] = {}
    for name in wanted:
        groups.setdefault(effect(ALL[name], grid, trained_side), []).append(ALL[name])
    return list(groups.values())
