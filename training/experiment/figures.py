"""The figure of a comparison: what every variant changes, paired by seed."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from theory.typed import AnyPath

from .comparison import Comparison, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
)  # Okabe & Ito: safe for colour-blind eyes
MARKERS = "osD^vP"
PANELS = {"accuracy": ("accuracy, points", 100.0), "nll": ("NLL, nats", 1.0)}
ENDS = ("low", "difference", "high")


def order_figure(comparison: Comparison) -> "Figure":
    """What each variant changes in accuracy (left, up is better) and NLL (right, down is better) on the test set.

    Mean difference from the reference over the same seeds, with a 95 % t-interval where two seeds or more allow one.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 4), layout="constrained")
    for axes, (metric, (label, factor)) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        _panel(axes, comparison, metric, factor)
        axes.set(xlabel="order of the divergence", ylabel=f"difference in {label}")
    seeds = len(comparison.results[comparison.reference])
    marks = figure.axes[0].get_legend_handles_labels()
    figure.legend(*marks, loc="outside lower center", ncols=max(1, len(marks[1])), frameon=False, fontsize="small")
    many = f"on the same {seeds} seeds, 95 % intervals" if seeds > 1 else "on 1 seed"
    figure.suptitle(f"{comparison.title}, test set: difference from {comparison.reference} {many}", fontsize="medium")
    return figure


def save_figure(comparison: Comparison, folder: AnyPath) -> list[Path]:
    """Write the figure of a comparison as `order.svg` and `order.png`."""
    paths = [Path(folder) / f"order.{kind}" for kind in ("svg", "png")]
    figure = order_figure(comparison)
    for path in paths:
        figure.savefig(path, dpi=150)
    return paths


def _panel(axes: "Axes", comparison: Comparison, metric: str, factor: float) -> None:
    variants = [name for name in comparison.variants if name != comparison.reference]
    rows = [row for row in comparison.rows if row["metric"] == metric and row["variant"] in variants]
    people = list(dict.fromkeys(row["who"] for row in rows))
    for number, who in enumerate(people):
        own = [row for row in rows if row["who"] == who]
        shift = 0.12 * (number - (len(people) - 1) / 2)  # so that no interval hides another
        places = [variants.index(str(row["variant"])) + shift for row in own]
        low, centre, high = (factor * np.array([_or_centre(row, end) for row in own]) for end in ENDS)
        style = {"fmt": MARKERS[number % 6], "color": COLOURS[number % 6], "capsize": 2, "markersize": 5}
        axes.errorbar(places, centre, [centre - low, high - centre], label=str(who), **style)
    axes.axhline(0, color="0.6", linewidth=1)
    axes.set_xticks(range(len(variants)), [str(comparison.variants[name].alpha) for name in variants])
    axes.spines[["top", "right"]].set_visible(False)


def _or_centre(row: Row, end: str) -> float:
    """An end of the interval, or its centre where one seed allows none."""
    value = row[end] if row[end] is not None else row["difference"]
    if not isinstance(value, int | float):
        raise TypeError(f"a comparison's row holds {value!r} where a number is due")
    return float(value)
