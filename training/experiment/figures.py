"""The figure of a comparison: test accuracy and generalisation gap of every variant."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

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
PANELS = {"accuracy": "test accuracy, %", "gap_accuracy": "training minus test accuracy, %"}


def order_figure(comparison: Comparison) -> "Figure":
    """Test accuracy (left) and generalisation gap (right) of every variant: mean over seeds with a 95 % t-interval."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 4), layout="constrained")
    for axes, (metric, label) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        _panel(axes, comparison, metric)
        axes.set_ylabel(label)
        axes.set_xlabel("order of the divergence")
    seeds = len(comparison.results[comparison.reference])
    marks = figure.axes[0].get_legend_handles_labels()
    figure.legend(*marks, loc="outside lower center", ncols=len(marks[1]), frameon=False, fontsize="small")
    figure.suptitle(f"{comparison.title}: mean over {seeds} seeds, 95 % intervals", fontsize="medium")
    return figure


def save_figure(comparison: Comparison, folder: AnyPath) -> list[Path]:
    """Write the figure of a comparison as `order.svg` and `order.png`."""
    paths = [Path(folder) / f"order.{kind}" for kind in ("svg", "png")]
    figure = order_figure(comparison)
    for path in paths:
        figure.savefig(path, dpi=150)
    return paths


def _panel(axes: "Axes", comparison: Comparison, metric: str) -> None:
    rows = [row for row in comparison.rows if row["metric"] == metric]
    people = list(dict.fromkeys(row["who"] for row in rows))
    places = np.arange(len(comparison.variants))
    for number, who in enumerate(people):
        own = [row for row in rows if row["who"] == who]
        shift = 0.12 * (number - (len(people) - 1) / 2)  # so that no interval hides another
        centres, reach = (
            np.array([100 * _number(row["mean"]) for row in own]),
            [100 * _half_interval(row) for row in own],
        )
        style = {"fmt": MARKERS[number % 6], "color": COLOURS[number % 6], "capsize": 2, "markersize": 5}
        axes.errorbar(places + shift, centres, reach, label=str(who), **style)
    axes.axvline(0.5, color="0.8", linewidth=1)
    axes.set_xticks(places, [_tick(name, comparison) for name in comparison.variants])
    axes.spines[["top", "right"]].set_visible(False)


def _half_interval(row: Row) -> float:
    """Half the 95 % t-interval of the mean; 0 where one seed allows none."""
    n = int(_number(row["n"]))
    return float(stats.t.ppf(0.975, n - 1)) * _number(row["se"]) if n > 1 else 0.0


def _number(value: str | float | None) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"a comparison's row holds {value!r} where a number is due")
    return float(value)


def _tick(name: str, comparison: Comparison) -> str:
    recipe = comparison.variants[name]
    return "none\n(independent)" if recipe.weight == 0 else str(recipe.alpha)
