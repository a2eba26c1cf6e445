"""The figures of the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from basam.lab.evaluation import METHODS, new_figure, save_figure
from studies.length_study import choosing
from studies.length_study.configurations import (
    DECODER,
    PLAIN,
    SLOPE,
    SLOPES,
    SQUEEZED,
    STRENGTHS,
    USUAL,
    configuration,
)
from studies.length_study.measuring import PROMPTS
from studies.length_study.pictures import TRAINED, for_choosing
from studies.length_study.results import Estimate, Point, Study
from studies.length_study.tables import PROMPT_NAMES, Rise, log_ratio, points_of, rises

PLAIN_NAME, FACTOR, MASK, BOTH = (c.name for c in USUAL)
STYLES: dict[str, dict[str, Any]] = {
    SQUEEZED.name: {
        "color": METHODS["resize"].colour,
        "marker": "s",
        "label": METHODS["resize"].label.removeprefix("resize: "),
    },
    PLAIN_NAME: {"color": METHODS["plain"].colour, "marker": "o", "label": METHODS["plain"].label},
    FACTOR: {"color": "#edae49", "marker": "v", "label": "factor"},
    MASK: {"color": "#66a182", "marker": "D", "label": f"mask, slope {SLOPE:g}"},
    BOTH: {"color": METHODS["basam"].colour, "marker": "^", "label": "factor and mask"},
    DECODER.name: {"color": "#8e44ad", "marker": "*", "label": "decoder scaled"},
}
SMALL = {"markersize": 4, "linewidth": 1.3}
LEGEND: dict[str, Any] = {"loc": "outside lower center", "fontsize": 8, "frameon": False}


def band(axis: Any, xs: Sequence[float], estimates: Sequence[Estimate | None], shade: bool = True, **style: Any) -> None:
    """A line, by default with its 95 % interval, over the points that were measured."""
    there = [(x, found) for x, found in zip(xs, estimates, strict=True) if found is not None]
    if not there:
        return
    at = [x for x, _ in there]
    axis.plot(at, [found.mean for _, found in there], **SMALL, **style)
    low, high = [found.low for _, found in there], [found.high for _, found in there]
    if shade:
        axis.fill_between(at, low, high, color=style["color"], alpha=0.13, linewidth=0)


def finish(axis: Any, points: Sequence[Point], title: str, label: str) -> None:
    axis.set_xticks(range(len(points)), [str(point.size) for point in points])
    axis.set_title(title, fontsize=9)
    axis.set_ylabel(label, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)


def against_size(study: Study, regime: str, title: str, path: Path) -> Path | None:
    """Mean IoU above, paired differences to plain below; a column a prompt. None where nothing was measured.

    Means are over the pictures that every size has, so that a curve does not change pictures on its way; differences are over
    all pictures of a size.
    """
    points = [point for point in points_of(regime) if study.of(point, PLAIN.name, PROMPTS[0])]
    if regime == "scene":
        points = [Point("scene", TRAINED), *points]
    everywhere = set.intersection(*(set(study.of(point, PLAIN.name, PROMPTS[0])) for point in points)) if points else set()
    if len(points) < 2 or not everywhere:
        return None
    figure, axes = new_figure(2, 2, 4.4, 3.1)
    xs = range(len(points))
    for column, prompt in enumerate(PROMPTS):
        top, bottom = axes[:, column]
        for name, style in STYLES.items():
            means = [study.mean(point, name, prompt, keep=everywhere.__contains__) for point in points]
            band(top, xs, means, shade=name == PLAIN.name, **style)
            if name == PLAIN.name:
                bottom.axhline(0, color=style["color"], linewidth=1)
            elif name != SQUEEZED.name:
                against = [study.difference((point, name), (point, PLAIN.name), prompt) for point in points]
                band(bottom, xs, against, **style)
        finish(top, points, f"{PROMPT_NAMES[prompt]}: the {len(everywhere)} pictures that every size has", "mean IoU")
        finish(bottom, points, f"{PROMPT_NAMES[prompt]}: minus plain SAM, paired", "difference of IoU")
        bottom.set_xlabel("side, pixels" if regime in ("detail", "scene") else "long side, pixels", fontsize=8)
    figure.suptitle(title, fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), **LEGEND, ncols=3)
    return save_figure(figure, path)


def entropy(study: Study, layers: Sequence[int], path: Path) -> Path | None:
    """Rise of entropy against ln(n / n0): a column a global layer, a row a regime."""
    if not rises(study, "detail", PLAIN.name):
        return None
    figure, axes = new_figure(len(layers), 2, 2.3, 2.4)
    for line, regime in enumerate(("detail", "scene")):
        for column, layer in enumerate(layers):
            axis = axes[line, column]
            for name, style in STYLES.items():
                found = rises(study, regime, name)
                found = sorted([*found, Rise(Point(regime, TRAINED), [0.0] * len(layers), 0)], key=lambda rise: rise.point.size)
                if len(found) > 1:
                    axis.plot([log_ratio(r.point) for r in found], [r.by_layer[column] for r in found], **SMALL, **style)
            ends = [-1.4, 2.8] if regime == "detail" else [0, 2.8]
            axis.plot(ends, ends, color="black", linestyle="--", linewidth=1, label="ln(n/n0)")
            axis.set_title(f"more {regime}, layer {layer}", fontsize=8)
            axis.tick_params(labelsize=7)
            axis.grid(alpha=0.3)
        axes[line, 0].set_ylabel("rise of entropy, nats", fontsize=8)
    for axis in axes[1]:
        axis.set_xlabel("ln(n/n0)", fontsize=8)
    figure.suptitle("Entropy of attention against that of plain SAM at 256 px, same scenes and places", fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), **LEGEND, ncols=4)
    return save_figure(figure, path)


def sweeps(study: Study, path: Path) -> Path | None:
    """Paired differences to plain at 512 px against slope (two columns) and strength (one); a row a regime."""
    if not study.of(choosing.FIRST_POINTS[0], configuration(False, SLOPES[-1]).name, PROMPTS[0]):
        return None
    figure, axes = new_figure(3, 2, 3.1, 2.6)
    colours = {"gt-box": METHODS["basam"].colour, "gt-point": METHODS["plain"].colour}
    for line, point in enumerate(choosing.FIRST_POINTS):

        def against_plain(name: str, prompt: str, point: Point = point) -> Estimate | None:
            return study.difference((point, name), (point, PLAIN.name), prompt, keep=for_choosing)

        for column, scaling in enumerate((False, True)):
            axis = axes[line, column]
            for prompt in PROMPTS:
                swept = [configuration(scaling, slope).name for slope in (0.0, *SLOPES)]
                style: dict[str, Any] = {"color": colours[prompt], "linestyle": "-", "marker": "o"}
                found = [against_plain(name, prompt) for name in swept]
                band(axis, range(len(swept)), found, label=PROMPT_NAMES[prompt], **style)
            axis.set_xticks(range(len(SLOPES) + 1), ["0", *(f"{slope:g}" for slope in SLOPES)])
            axis.set_title(f"more {point.regime}: {'factor and mask' if scaling else 'mask alone'}", fontsize=8)
            axis.set_xlabel("slope", fontsize=8)
        axis = axes[line, 2]
        strengths = (*STRENGTHS, 1.0)
        for prompt in PROMPTS:
            for slope, dash in ((0.0, ":"), (SLOPE, "-"), (1.0, "-.")):
                swept = [configuration(True, slope, strength=strength).name for strength in strengths]
                values = [0.0, *(getattr(against_plain(name, prompt), "mean", None) for name in swept)]
                style = {"color": colours[prompt], "linestyle": dash, "marker": "."}
                label = f"{PROMPT_NAMES[prompt]}, " + (f"with mask {slope:g}" if slope else "factor alone")
                axis.plot((0.0, *strengths), values, **SMALL, **style, label=label)
        axis.set_title(f"more {point.regime}: strength", fontsize=8)
        axis.set_xlabel("strength (0: plain)", fontsize=8)
        for axis in axes[line]:
            axis.axhline(0, color="black", linewidth=0.8)
            axis.tick_params(labelsize=7)
            axis.grid(alpha=0.3)
        axes[line, 0].set_ylabel("IoU minus plain SAM, paired", fontsize=8)
    figure.suptitle("Slope and strength at 512 px (more scene: 2 x 2), scenes for choosing", fontsize=10)
    entries = [axes[0, column].get_legend_handles_labels() for column in (0, 2)]
    figure.legend(entries[0][0] + entries[1][0], entries[0][1] + entries[1][1], **LEGEND, ncols=4)
    return save_figure(figure, path)
