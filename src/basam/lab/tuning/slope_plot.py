"""The learned slopes of an adapter as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from basam.lab.evaluation import new_figure, save_figure


def plot_slopes(slopes: Sequence[Sequence[float]], path: Path) -> Path:
    """A PNG with one line per global layer over the heads, sorted from the steepest; `slopes` `(global layers, heads)`.

    Raises:
        MissingExtraError: the extra `evaluate` is not installed.
    """
    figure, axes = new_figure(1, 1, 5.6, 3.6)
    axis = axes[0, 0]
    for layer, heads in enumerate(slopes):
        shade = 0.25 + 0.75 * (layer + 1) / len(slopes)
        values = sorted(heads, reverse=True)
        axis.plot(range(1, len(values) + 1), values, marker="o", color="#00798c", alpha=shade, label=f"global layer {layer}")
    axis.set_xlabel("head, by slope")
    axis.set_ylabel("slope, logits per patch")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return save_figure(figure, path)
