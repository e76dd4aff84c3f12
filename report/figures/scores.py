"""The report's own figures; the studies bring theirs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, BLACK = "#0072B2", "#D55E00", "#009E73", "#000000"  # Okabe and Ito: safe for colour-blind readers
STYLES = {"student 1": (BLUE, "o"), "student 2": (ORANGE, "s"), "ensemble": (BLACK, "D")}
METRICS = {
    "accuracy": ("test accuracy (%)", 100.0),
    "nll": ("test NLL (nats per image)", 1.0),
    "calibration_error": ("calibration error (%)", 100.0),
}
Row = dict[str, Any]


def scores(rows: Sequence[Row]) -> Figure:
    """Mean and standard error of each metric for each student and the ensemble, one column a variant."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for axes, (metric, (label, unit)) in zip(figure.subplots(1, 3), METRICS.items(), strict=True):
        for shift, (who, (colour, marker)) in zip((-0.2, 0.0, 0.2), STYLES.items(), strict=True):
            chosen = [row for row in rows if row["who"] == who and row["metric"] == metric]
            x = np.arange(len(chosen)) + shift
            mean, error = ([unit * row[key] for row in chosen] for key in ("mean", "se"))
            axes.errorbar(x, mean, error, fmt=marker, color=colour, markersize=5, capsize=3, label=who)
        _name_variants(axes, list(dict.fromkeys(row["variant"] for row in rows)))
        axes.set_ylabel(label)
    figure.axes[0].legend(frameon=False, fontsize="small")
    return opened(figure)


def differences(rows: Sequence[Row], reference: str) -> Figure:
    """Paired difference from independent training with its 95 % interval."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for axes, (metric, (label, unit)) in zip(figure.subplots(1, 3), METRICS.items(), strict=True):
        for shift, (who, (colour, marker)) in zip((-0.2, 0.0, 0.2), STYLES.items(), strict=True):
            chosen = [r for r in rows if r["who"] == who and r["metric"] == metric and r["variant"] != reference]
            x = np.arange(len(chosen)) + shift
            centre, low, high = (unit * np.array([row[key] for row in chosen]) for key in ("difference", "low", "high"))
            axes.errorbar(
                x, centre, (centre - low, high - centre), fmt=marker, color=colour, markersize=5, capsize=3, label=who
            )
        axes.axhline(0, color="0.5", linewidth=1)
        _name_variants(axes, [v for v in dict.fromkeys(row["variant"] for row in rows) if v != reference])
        axes.set_ylabel("change in " + label.replace("(%)", "(percentage points)"))
    figure.axes[0].legend(frameon=False, fontsize="small")
    return opened(figure)


def _name_variants(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), [_broken(name) for name in names])
    axes.tick_params(axis="x", labelsize="small")
    axes.margins(x=0.08)


def _broken(name: str) -> str:
    return name.replace(" (", "\n(").replace("RDML ", "RDML\n").replace("independent", "inde-\npendent")


def opened(figure: Figure) -> Figure:
    """The figure with light horizontal rules instead of a box."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
    return figure
