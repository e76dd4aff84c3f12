"""Figures of the study: gains against beta*, the orders, the contest, students against the independent ensemble."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.study import orders, phases, worth
from report.study.bounds import Theory
from report.study.files import FULL, WEAK, Phases, points
from report.study.orders import Ordered
from report.study.phases import Point
from report.study.worth import Contests, Line
from training.study.paired import Difference
from training.study.record import WHO

from .scores import BLACK, BLUE, GREEN, ORANGE, opened
from .underfit import AMBER, PURPLE, SKY

STYLES = ((BLUE, "o"), (AMBER, "P"), (SKY, "D"), (ORANGE, "s"), (GREEN, "^"), (PURPLE, "v"))
SHADES = {"overfit": (None, 1.0, "#dcefe6"), "middle": (1.0, 2.0, "#f6f1da"), "underfit": (2.0, None, "#f8e3da")}
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10)


def gains(found: Phases, coupling: tuple[float, float] = FULL) -> Figure:
    """What student and ensemble gain in held-out NLL (top) and accuracy (below) against beta*, all problems."""
    figure = Figure(figsize=(10.5, 7), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey="row")
    chosen = [one for one in phases.points(found) if one.coupling == coupling and np.isfinite(one.beta)]
    for column, who in enumerate(WHO):
        for (name, paths), style in zip(found.problems.items(), STYLES, strict=False):
            own = [one for one in chosen if (one.problem, one.who) == (name, who)]
            for axes, read, unit in zip(panels[:, column], (_nll, _accuracy), (1.0, 100.0), strict=True):
                _gains(axes, own, read, unit, (*style, paths.problem.title))
        panels[0, column].set_title(f"the {who}", fontsize="medium")
        panels[1, column].set_xlabel("β* of the independent ensemble, on held-out images")
    for axes in panels.flat:
        _beta_axis(axes, [one.beta for one in chosen])
    panels[0, 0].set_ylabel("fall of the held-out NLL (nats)")
    panels[0, 0].set_yscale("symlog", linthresh=0.01)
    panels[1, 0].set_ylabel("rise of the held-out accuracy (points)")
    panels[1, 0].set_yscale("symlog", linthresh=2)
    marks = panels[0, 0].get_legend_handles_labels()
    figure.legend(*marks, loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return opened(figure)


def _nll(point: Point) -> Difference:
    return point.nll


def _accuracy(point: Point) -> Difference:
    return point.accuracy


def _gains(
    axes: Axes, own: Sequence[Point], read: Callable[[Point], Difference], unit: float, style: tuple[str, str, str]
) -> None:
    colour, marker, label = style
    found = [read(one) for one in own]
    x, y = [one.beta for one in own], np.array([unit * one.mean for one in found])
    reach = [unit * one.reach for one in found]
    axes.errorbar(x, y, reach, fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.35)
    axes.plot(x, y, marker, color=colour, markersize=4, label=label)


def _beta_axis(axes: Axes, betas: Sequence[float]) -> None:
    low, high = min(betas) / 1.2, max(betas) * 1.2
    axes.set(xscale="log", xlim=(low, high))
    axes.set_xticks([tick for tick in TICKS if low <= tick <= high], minor=False)
    axes.set_xticklabels([f"{tick:g}" for tick in TICKS if low <= tick <= high])
    axes.tick_params(axis="x", which="minor", labelbottom=False)
    axes.axhline(0, color="0.3", linewidth=0.9)
    for name, (start, end, colour) in SHADES.items():
        left, right = start or low, end or high
        axes.axvspan(left, right, color=colour, zorder=0, linewidth=0)
        place = ((left * right) ** 0.5, 0.02)
        axes.annotate(name, place, xycoords=("data", "axes fraction"), ha="center", color="0.35", fontsize="small")


def order_changes(found: Phases) -> Figure:
    """What an order changes against order 1 on the test set: filled at one alpha * lam, hollow at one lam."""
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    every = orders.ordered(found)
    kinds = list(dict.fromkeys((one.problem, one.noise) for one in every))
    for axes, (score, (name, show)) in zip(figure.subplots(1, 4), orders.ORDERED.items(), strict=True):
        unit = 100.0 if show is points else 1.0
        for k, (kind, (colour, marker)) in enumerate(zip(kinds, STYLES, strict=False)):
            own = [one for one in every if (one.problem, one.noise) == kind]
            title = f"{found.problems[kind[0]].problem.title}, label noise {kind[1]:g}"
            _orders(axes, own, score, unit, (colour, marker, title), 0.05 * (k - (len(kinds) - 1) / 2))
        axes.axhline(0, color="0.3", linewidth=0.9)
        axes.set_xscale("log", base=2)
        axes.set_xticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
        axes.set(xlabel="order", ylabel="change of the " + name)
    marks = figure.axes[0].get_legend_handles_labels()
    figure.legend(*marks, loc="outside lower center", ncols=len(kinds), frameon=False, fontsize="small")
    return opened(figure)


def _orders(
    axes: Axes, own: Sequence[Ordered], score: str, unit: float, style: tuple[str, str, str], shift: float
) -> None:
    colour, marker, title = style
    for family, filled in (("αλ = 1", True), ("λ = 1", False)):
        some = [one for one in own if one.family == family]
        x = np.array([one.coupling[0] for one in some]) * 2 ** (shift + (0.0 if filled else 0.18))
        changes = [one.changes[score] for one in some]
        y, reach = ([unit * value for value in column] for column in _spreads(changes))
        axes.errorbar(x, y, reach, fmt=marker, color=colour, mfc=colour if filled else "white", markersize=4.5,
                      linewidth=0.8, label=title if filled else None)  # fmt: skip


def _spreads(changes: Sequence[Difference]) -> tuple[list[float], list[float]]:
    """Means, and half the widths of the intervals."""
    return [one.mean for one in changes], [one.reach for one in changes]


def contest(found: Contests) -> Figure:
    """How much better than a tuned mutual student the alternatives are, all stopped early: NLL and accuracy."""
    names = list(found.contests)
    figure = Figure(figsize=(10.5, 5), layout="constrained")
    for axes, unit, title in zip(
        figure.subplots(1, 2, sharey=True),
        (1.0, 100.0),
        ("NLL lower by (nats)", "more accurate by (points)"),
        strict=True,
    ):
        for k, (name, (colour, marker)) in enumerate(zip(names, STYLES, strict=False)):
            style = colour, marker, worth.title(name)
            _entries(axes, worth.lines(found, name, "stopped")[1:], unit, style, 0.16 * k - 0.24)
        axes.axvline(0, color="0.3", linewidth=0.9)
        axes.set_xlabel(title)
    shown = [entry.name for entry in worth.ENTRIES[1:]]
    figure.axes[0].set_yticks(range(len(shown)), shown)
    figure.axes[0].invert_yaxis()
    marks = figure.axes[0].get_legend_handles_labels()
    figure.legend(*marks, loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return opened(figure)


def _entries(axes: Axes, lines: Sequence[Line], unit: float, style: tuple[str, str, str], shift: float) -> None:
    colour, marker, name = style
    each = [line.lower_nll if unit == 1 else line.more_accurate for line in lines]
    found = [one for one in each if one is not None]
    x = [unit * one.mean for one in found]
    reach = [unit * one.reach for one in found]
    y = np.arange(len(lines)) + shift
    axes.errorbar(x, y, xerr=reach, fmt=marker, color=colour, markersize=4.5, linewidth=0.9, label=name)


def against_the_ensemble(found: Phases) -> Figure:
    """The best mutual student minus the independent ensemble on the test set, in accuracy and NLL."""
    every = phases.beaten(found)
    figure = Figure(figsize=(10.5, 3.9), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, unit, label in zip(panels, (100.0, 1.0), ("accuracy (points)", "NLL (nats)"), strict=True):
        changes = [one.accuracy if unit > 1 else one.nll for one in every]
        reach = [unit * one.reach for one in changes]
        x = [unit * one.mean for one in changes]
        axes.errorbar(x, range(len(every)), xerr=reach, fmt="o", color=BLACK, markersize=4.5)
        axes.axvline(0, color="0.3", linewidth=0.9)
        axes.set_xlabel(label)
    panels[0].set_yticks(range(len(every)), [f"{one.title}, noise {one.noise:g}" for one in every])
    panels[0].invert_yaxis()
    figure.suptitle("best mutual student minus independent ensemble, test set", fontsize="medium")
    return opened(figure)


def scope(theory: Theory) -> Figure:
    """Distances and held-out error along constant-rate training without weight decay, means over seeds."""
    figure = Figure(figsize=(13, 3.9), layout="constrained")
    walks = [one for one in theory.scope if not one.decay]
    kinds = dict.fromkeys((one.alpha, one.weight) for one in walks)
    for axes, (name, label, unit) in zip(figure.subplots(1, 3), WALKED, strict=True):
        for (alpha, weight), (colour, marker) in zip(kinds, STYLES, strict=False):
            own = [one for one in walks if (one.alpha, one.weight) == (alpha, weight)]
            values = unit * np.array([[getattr(row, name) for row in one.rows] for one in own]).mean(0)
            title = f"order {alpha:g}, λ = {weight:g}" if weight else "independent"
            axes.plot(
                [row.epoch for row in own[0].rows], values, marker, ls="-", color=colour, markersize=4, label=title
            )
        axes.set(xscale="log", xlabel="epochs", ylabel=label)
    marks = figure.axes[0].get_legend_handles_labels()
    figure.legend(*marks, loc="outside lower center", ncols=len(kinds), frameon=False, fontsize="small")
    return opened(figure)


WALKED = (
    ("from_start", "distance from the start", 1.0),
    ("from_end", "distance from the last epoch's mean", 1.0),
    ("held_out_error", "held-out error, wrong labels included (%)", 100.0),
)


def save(found: Phases, contests: Contests, theory: Theory, folder: Path) -> None:
    """Write every figure as SVG."""
    figures = {name: draw(found) for name, draw in DRAWINGS.items()}
    figures |= {"worth": contest(contests), "scope": scope(theory)}
    with rc_context({"svg.hashsalt": "study"}):
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


DRAWINGS: dict[str, Callable[[Phases], Figure]] = {
    "gains": gains,
    "gains_weak": lambda found: gains(found, WEAK),
    "orders": order_changes,
    "against_ensemble": against_the_ensemble,
}
