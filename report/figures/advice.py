"""The figure that collapses all problems on the inverse temperature of the independent ensemble."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from report.advice import Cell, Published, product

from .scores import BLUE, GREEN, ORANGE, opened
from .underfit import PURPLE

STYLES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "D"))
PHASES = {"overfit": (None, 1.0, "#dcefe6"), "middle": (1.0, 2.0, "#f6f1da"), "underfit": (2.0, None, "#f8e3da")}
TITLES = {"student": "a student gains left of 1, loses right of 2", "ensemble": "the ensemble gains left of 1 only"}
TICKS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4)


def collapse(published: Published, mu: float = 0.1) -> Figure:
    r"""What student (left) and ensemble (right) gain in held-out NLL against $\beta^*$, all problems on one axis.

    In units of ambiguity times $\alpha\lambda$, mean over seeds with two standard errors; hollow: order 2. The line is
    theorem G4 for two nearly equal students of one Gaussian mode that shrink by s = 1/2: $4s(2-\omega)$ and
    $4s(1-\omega)$.

    Raises:
        ValueError: if no cell was measured at this product of order and weight.
    """
    cells = [cell for cell in published["cells"] if product(cell) == mu]
    if not cells:
        raise ValueError(f"mu must be a product alpha * lam of the study, got {mu!r}")
    figure = Figure(figsize=(10.5, 3.9), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, (who, title) in zip(panels, TITLES.items(), strict=True):
        for (name, problem), style in zip(published["problems"].items(), STYLES, strict=False):
            _points(axes, [cell for cell in cells if cell["problem"] == name], who, mu, (*style, problem["title"]))
        _set_axes(axes, [cell["beta"] for cell in cells])
        edge = 2 if who == "student" else 1
        low, high = axes.get_xlim()
        beta = np.geomspace(low, high, 200)
        axes.plot(beta, 2 * (edge - beta), "--", color="0.35", linewidth=1.1, label="theory: one Gaussian mode (G4)")
        axes.set_title(title, fontsize="medium")
    panels[0].set_ylabel("fall of the NLL / (ambiguity × αλ)")
    marks = panels[0].get_legend_handles_labels()
    figure.legend(*marks, loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return opened(figure)


def _points(axes: Axes, cells: Sequence[Cell], who: str, mu: float, style: tuple[str, str, str]) -> None:
    colour, marker, label = style
    for order in sorted({cell["alpha"] for cell in cells}):
        own = [cell for cell in cells if cell["alpha"] == order]
        unit = np.array([cell["ambiguity"] * mu for cell in own])
        y, error = (np.array([cell[f"{who}_{what}"] for cell in own]) / unit for what in ("gain", "se"))
        axes.errorbar(
            [cell["beta"] for cell in own],
            y,
            2 * error,
            fmt=marker,
            color=colour,
            mfc=colour if order == 1 else "white",
            markersize=4.5,
            linewidth=0.8,
            label=label if order == 1 else None,
        )


def _set_axes(axes: Axes, betas: Sequence[float]) -> None:
    """Logarithmic in beta, linear in gains up to 2 and logarithmic beyond, so that no point is left out."""
    low, high = min(betas) / 1.3, max(*betas, 2.5) * 1.3
    axes.set(xscale="log", xlim=(low, high), xlabel="β* of the independent ensemble, held out")
    axes.set_yscale("symlog", linthresh=2)
    axes.set_xticks([tick for tick in TICKS if low <= tick <= high], minor=False)
    axes.set_xticklabels([f"{tick:g}" for tick in TICKS if low <= tick <= high])
    axes.tick_params(axis="x", which="minor", labelbottom=False)
    axes.yaxis.set_major_locator(FixedLocator((-100, -50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.axhline(0, color="0.3", linewidth=0.9)
    for name, (start, end, colour) in PHASES.items():
        left, right = start or low, end or high
        axes.axvspan(left, right, color=colour, zorder=0, linewidth=0)
        axes.annotate(
            name, ((left * right) ** 0.5, 0.02), xycoords=("data", "axes fraction"), ha="center", color="0.35"
        )
