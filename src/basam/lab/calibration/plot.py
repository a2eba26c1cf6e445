"""The plot of a calibration without masks: entropy and total variation against strength, a column a global layer."""

from __future__ import annotations

import itertools
import statistics
from pathlib import Path

from basam.checks import checked
from basam.files import replacing, require
from basam.lab.calibration.unlabelled import LayerStatistics, UnlabelledCalibration
from basam.method import BiasMode


@checked
def plot_calibration(path: Path, result: UnlabelledCalibration, title: str = "") -> None:
    """Write the plot as an image, in the format of the suffix.

    One line a size and slope. The dashed line is the entropy at the trained size.

    Raises:
        ImportError: matplotlib is missing.
    """
    require("matplotlib", "evaluate").use("agg")
    from matplotlib import pyplot

    columns = len(result.layers)
    figure, axes = pyplot.subplots(2, columns, figsize=(2.9 * columns + 0.6, 5.4), sharex=True, squeeze=False)
    colours = pyplot.get_cmap("viridis")([0.85 * index / max(1, len(result.sizes) - 1) for index in range(len(result.sizes))])
    curves = modes_by_slope(result)
    for column, layer in enumerate(result.layers):
        top, bottom = axes[0, column], axes[1, column]
        for (slope, modes), line in zip(curves.items(), itertools.cycle(("-", ":", "-.")), strict=False):
            strengths = [strength(mode) for mode in modes]
            for index, (size, colour) in enumerate(zip(result.sizes, colours, strict=True)):
                cells = [[photo[index][column] for photo in result.statistics[mode]] for mode in modes]
                label = f"{size} px" + (f", slope {slope:g}" if len(curves) > 1 else "")
                style = {"color": colour, "linestyle": line, "marker": "o", "markersize": 3.5, "label": label}
                top.plot(strengths, [mean(of_mode, "entropy") for of_mode in cells], **style)
                bottom.plot(strengths, [mean(of_mode, "total_variation") for of_mode in cells], **style)
        trained = [photo[0][column] for photo in result.statistics[result.plain.mode]]
        top.axhline(mean(trained, "trained_entropy"), color="black", linestyle="--", linewidth=1, label="trained size")
        for axis in (top, bottom):
            axis.axvline(strength(result.chosen.mode), color="crimson", linewidth=1, alpha=0.6, label="chosen")
            axis.grid(alpha=0.25)
            axis.spines[["top", "right"]].set_visible(False)
        top.set_title(f"layer {layer}", fontsize=10)
        bottom.set_xlabel("strength (0: plain)")
    axes[0, 0].set_ylabel("entropy, nats")
    axes[1, 0].set_ylabel("total variation")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False)
    figure.suptitle(title, fontsize=11, parse_math=False)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)


def modes_by_slope(result: UnlabelledCalibration) -> dict[float, list[BiasMode]]:
    """Plain SAM and the modes of one slope, by strength, for every slope."""
    plain, *others = (candidate.mode for candidate in result.candidates)
    slopes = sorted({mode.slope for mode in others}) or [0.0]
    return {slope: [plain, *sorted((m for m in others if m.slope == slope), key=strength)] for slope in slopes}


def strength(mode: BiasMode) -> float:
    return 0.0 if mode == BiasMode.off() else mode.strength


def mean(cells: list[LayerStatistics], name: str) -> float:
    return statistics.fmean(getattr(cell, name) for cell in cells)
