"""The plot of a calibration without masks: entropy and total variation against strength, a column a global layer."""

from __future__ import annotations

import statistics
from pathlib import Path

from basam.evaluation.calibration.unlabelled import LayerStatistics, UnlabelledCalibration
from basam.extras import require
from basam.method import BiasMode
from basam.writing import replacing


def plot_calibration(path: Path, result: UnlabelledCalibration, title: str = "") -> None:
    """Write the plot as an image, in the format of the suffix.

    One line a size; with several slopes, those modes that have the slope of the chosen one (any slope where plain SAM was
    chosen: then the first). The dashed line is the entropy at the trained size.

    Raises:
        ImportError: matplotlib is missing.
    """
    require("matplotlib", "evaluate").use("agg")
    from matplotlib import pyplot

    plain, shown = result.plain.mode, shown_modes(result)
    columns = len(result.layers)
    figure, axes = pyplot.subplots(2, columns, figsize=(2.9 * columns + 0.6, 5.4), sharex=True, squeeze=False)
    colours = pyplot.get_cmap("viridis")([0.85 * index / max(1, len(result.sizes) - 1) for index in range(len(result.sizes))])
    strengths = [0.0 if mode == plain else mode.strength for mode in shown]
    for column, layer in enumerate(result.layers):
        top, bottom = axes[0, column], axes[1, column]
        for index, (size, colour) in enumerate(zip(result.sizes, colours, strict=True)):
            cells = [[photo[index][column] for photo in result.statistics[mode]] for mode in shown]
            style = {"color": colour, "marker": "o", "markersize": 3.5, "label": f"{size} px"}
            top.plot(strengths, [mean(of_mode, "entropy") for of_mode in cells], **style)
            bottom.plot(strengths, [mean(of_mode, "total_variation") for of_mode in cells], **style)
        top.axhline(mean(cells[0], "trained_entropy"), color="black", linestyle="--", linewidth=1, label="trained size")
        chosen = 0.0 if result.chosen.mode == plain else result.chosen.mode.strength
        for axis in (top, bottom):
            axis.axvline(chosen, color="crimson", linewidth=1, alpha=0.6, label="chosen")
            axis.grid(alpha=0.25)
            axis.spines[["top", "right"]].set_visible(False)
        top.set_title(f"layer {layer}", fontsize=10)
        bottom.set_xlabel("strength (0: plain)")
    axes[0, 0].set_ylabel("entropy, nats")
    axes[1, 0].set_ylabel("total variation")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)


def shown_modes(result: UnlabelledCalibration) -> list[BiasMode]:
    """Plain SAM and the modes of one slope, by strength."""
    modes = [candidate.mode for candidate in result.candidates]
    reference = result.chosen.mode if result.chosen is not result.plain else modes[min(1, len(modes) - 1)]
    others = [mode for mode in modes[1:] if mode.slope == reference.slope]
    return [modes[0], *sorted(others, key=lambda mode: mode.strength)]


def mean(cells: list[LayerStatistics], name: str) -> float:
    return statistics.fmean(getattr(cell, name) for cell in cells)
