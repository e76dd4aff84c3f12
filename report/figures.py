"""The report's own figures; the studies bring theirs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from theory import renyi_divergence

BLUE, ORANGE, GREEN, BLACK = "#0072B2", "#D55E00", "#009E73", "#000000"  # Okabe and Ito: safe for colour-blind readers
STYLES = {"student 1": (BLUE, "o"), "student 2": (ORANGE, "s"), "ensemble": (BLACK, "D")}
METRICS = {
    "accuracy": ("test accuracy (%)", 100.0),
    "nll": ("test NLL (nats per image)", 1.0),
    "calibration_error": ("calibration error (%)", 100.0),
}
Row = dict[str, Any]


def divergence_against_order() -> Figure:
    """D_alpha of three pairs against the order, on an axis that shows 0, 1 and inf."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    position = np.linspace(0, 1, 400)
    with np.errstate(divide="ignore"):  # the right end of the axis is order inf
        orders = position / (1 - position)
    pairs = [([0.5, 0.5], [0.1, 0.9]), ([0.1, 0.9], [0.5, 0.5]), ([0.7, 0.2, 0.1], [0.4, 0.4, 0.2])]
    for (p, q), colour, dashes in zip(pairs, (BLUE, ORANGE, GREEN), ("-", "--", "-."), strict=True):
        label = f"p = {_vector(p)}, q = {_vector(q)}"
        axes.plot(position, renyi_divergence(p, q, orders), color=colour, linestyle=dashes, label=label)
    ticks = np.array([0, 0.25, 0.5, 1, 2, 4, np.inf])
    axes.set_xticks([1.0 if np.isinf(a) else a / (1 + a) for a in ticks], ["0", "¼", "½", "1 (KL)", "2", "4", "∞"])
    axes.set(xlabel="order α (axis: α/(1+α))", ylabel="divergence (nats)", xlim=(0, 1), ylim=(0, None))
    axes.legend(frameon=False)
    return _open(figure)


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
    return _open(figure)


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
    return _open(figure)


def _vector(p: Sequence[float]) -> str:
    return "(" + ", ".join(f"{x:g}" for x in p) + ")"


def _name_variants(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), [_broken(name) for name in names])
    axes.tick_params(axis="x", labelsize="small")
    axes.margins(x=0.08)


def _broken(name: str) -> str:
    return name.replace(" (", "\n(").replace("RDML ", "RDML\n").replace("independent", "inde-\npendent")


def _open(figure: Figure) -> Figure:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
    return figure
