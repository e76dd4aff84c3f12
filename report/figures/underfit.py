"""Figures of the committed study."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from report.study import underfit as tables
from report.study.underfit import Estimate, Published, Run, Study

from .scores import BLACK, BLUE, GREEN, ORANGE, opened

STUDENTS = (2, 4, 8, 16)
PURPLE, SKY, AMBER = "#CC79A7", "#56B4E9", "#E69F00"
COLOURS = (BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, AMBER)
WHO = {"student 1": (BLUE, "o"), "student 2": (ORANGE, "s"), "ensemble": (BLACK, "D")}
COHORT = {"cohort": (GREEN, "v")}
METRICS = {
    "nll": ("test NLL (nats per image)", 1.0),
    "calibration_error": ("calibration error (%)", 100.0),
    "gap_accuracy": ("training minus test accuracy (points)", 100.0),
    "agreement": ("agreement of two students (%)", 100.0),
}


def accuracy(study: Study) -> Figure:
    """Test accuracy against the order, one panel a cohort: mean over seeds with its 95 % t-interval."""
    figure = Figure(figsize=(4.2 * len(study.accuracy), 3.9), layout="constrained")
    for axes, published in zip(np.ravel(figure.subplots(1, len(study.accuracy))), study.accuracy.values(), strict=True):
        for shift, (who, (colour, marker)) in zip((-0.2, 0.0, 0.2), WHO.items(), strict=True):
            _against_order(axes, published, (who, "accuracy", 100.0), (colour, marker), shift)
        axes.set_ylabel("test accuracy (%)")
        axes.set_title(f"{_cohort(published)}, {len(published['seeds'])} seeds", fontsize="medium")
    figure.axes[0].legend(frameon=False, fontsize="small")
    return opened(figure)


def other_scores(published: Published) -> Figure:
    """Likelihood, calibration, agreement and generalisation gap against the order, with 95 % t-intervals."""
    figure = Figure(figsize=(13, 3.9), layout="constrained")
    for axes, (metric, (label, unit)) in zip(figure.subplots(1, 4), METRICS.items(), strict=True):
        people = COHORT if metric == "agreement" else {who: WHO[who] for who in ("student 1", "ensemble")}
        for shift, (who, style) in zip((-0.1, 0.1) if len(people) > 1 else (0.0,), people.items(), strict=True):
            _against_order(axes, published, (who, metric, unit), style, shift)
        axes.set_ylabel(label)
    figure.axes[0].legend(frameon=False, fontsize="small")
    return opened(figure)


def _against_order(
    axes: Axes, published: Published, what: tuple[str, str, float], style: tuple[str, str], shift: float
) -> None:
    who, metric, unit = what
    rows = [row for row in published["rows"] if (row["who"], row["metric"]) == (who, metric)]
    reach = [unit * row["se"] * stats.t.ppf(0.975, row["n"] - 1) for row in rows]
    colour, marker = style
    centre = [unit * row["mean"] for row in rows]
    places = np.arange(len(rows)) + shift
    axes.errorbar(places, centre, reach, fmt=marker, color=colour, markersize=4.5, capsize=2.5, label=who)
    axes.set_xticks(range(len(rows)), [_tick(row["variant"]) for row in rows], fontsize="small")
    axes.set_xlabel("order (–: independent)")


def _tick(variant: str) -> str:
    short = variant.removeprefix("RDML ").replace("DML (order 1)", "1").replace("independent", "–")
    return short.replace("linear:", "").replace(":", "\nto ")


def _cohort(published: Published) -> str:
    names = published["variants"][published["reference"]]["students"]
    return " + ".join(names) if len(set(names)) > 1 else f"{len(names)} {names[0]}"


def drift_against_bound(study: Study) -> Figure:
    r"""Along training: the drift and its bounds, the squared gradient and what detaching drops, the rotating share."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    orders = {order: runs for order, runs in study.runs("orders").items() if order}
    left, middle, right = figure.subplots(1, 3)
    for colour, (order, runs) in zip(COLOURS, orders.items(), strict=False):
        time = [run_time(row, runs[0]) for row in runs[0]["rows"]]
        label = f"α = {order:g}"
        left.plot(time, _mean(runs, "drift_bound"), "--", color=colour)
        left.plot(time, _mean(runs, "drift", np.abs), "o-", color=colour, markersize=3, label=label)
        middle.plot(time, _mean(runs, "squared_gradient"), "o-", color=colour, markersize=3, label=label)
        middle.plot(time, _mean(runs, "dropped"), ":", color=colour)
        right.plot(time, _mean(runs, "rotation"), "o-", color=colour, markersize=3, label=label)
    left.set_ylabel("drift per learning rate (dashed: bound E2)")
    middle.set_ylabel("squared gradient (dotted: λ²γ² of E3)")
    right.set_ylabel("rotating share ‖g−∇P‖²/‖g‖² of the update")
    for axes in figure.axes:
        axes.set_yscale("log")
        axes.set_xlabel("time ηt (learning rate × steps)")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(orders), frameon=False)
    return opened(figure)


def run_time(row: Mapping[str, Any], run: Run) -> float:
    """Learning rate times steps: the time of the gradient flow."""
    return run["recipe"]["lr"] * row["step"]


def _mean(runs: Sequence[Run], name: str, shape: Callable[[Any], Any] = np.asarray) -> list[float]:
    """The mean of a quantity over seeds and students, record by record."""
    return [float(np.mean([shape(row[name]) for row in rows])) for rows in zip(*(r["rows"] for r in runs), strict=True)]


def plateau_and_disagreement(study: Study) -> Figure:
    """Where the squared gradient ends against the learning rate, and how far the students end apart at each order."""
    figure = Figure(figsize=(9.5, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    for (colour, marker), (order, runs) in zip(((BLUE, "o"), (ORANGE, "s")), study.runs("rates").items(), strict=False):
        found = tables.plateau(runs)
        label = f"α = {order:g}: slope {tables.slope(runs)}"
        _points(left, list(found), list(found.values()), (colour, marker), label)
        line = next(iter(found.values())).mean / next(iter(found)) * np.array(list(found))
        left.plot(list(found), line, "--", color=colour, linewidth=1)
    left.set(xscale="log", yscale="log", xlabel="learning rate η", ylabel="squared gradient X, later half of the run")
    rates = sorted({run["recipe"]["lr"] for runs in study.runs("rates").values() for run in runs})
    left.set_xticks(rates, [f"{rate:g}" for rate in rates], minor=False)
    left.tick_params(axis="x", which="minor", labelbottom=False)
    left.legend(frameon=False, fontsize="small", title="dashed: proportional to η", title_fontsize="small")
    ends = tables.by_order(study, "disagreement")
    _points(right, range(len(ends)), list(ends.values()), (BLACK, "D"), None)
    right.set_xticks(range(len(ends)), [f"{order:g}" for order in ends])
    right.set(xlabel="order α (0: independent)", ylabel="variance of the students' logits")
    right.set_ylim(bottom=0)
    return opened(figure)


def _points(
    axes: Axes, x: Sequence[float] | range, found: Sequence[Estimate], style: tuple[str, str], label: str | None
) -> None:
    centre = np.array([value.mean for value in found])
    reach = [centre - [value.low for value in found], [value.high for value in found] - centre]
    colour, marker = style
    axes.errorbar(list(x), centre, reach, fmt=marker, color=colour, capsize=3, markersize=5, label=label)


def throughput(study: Study) -> Figure:
    """Images a second through a whole step against the number of students, coupled and independent."""
    figure = Figure(figsize=(5.2, 3.9), layout="constrained")
    axes = figure.subplots()
    rows = next(rows for title, rows in study.benchmarks["results"].items() if title.startswith("A training step"))
    chosen = [row for row in rows if row["question"].startswith("RDML / indep") and row["classes"] == 100]
    for colour, marker, net in ((BLUE, "o", "mlp"), (ORANGE, "s", "resnet20")):
        own = {int(row["students"].split()[0]): row for row in chosen if row["students"].split()[1] == net}
        rates = [row["batch_size"] / row["seconds"] for row in own.values()]
        axes.plot(list(own), rates, marker=marker, color=colour, label=f"{net}: coupled")
        alone = [row["batch_size"] / row["independent_seconds"] for row in own.values()]
        hollow = {"marker": marker, "mfc": "none", "markersize": 10}  # seen around a point that lies on it
        axes.plot(list(own), alone, "--", color=colour, label=f"{net}: independent", **hollow)
    axes.set(xscale="log", yscale="log", xlabel="students K", ylabel="images a second, each seen by all K students")
    axes.set_xticks(STUDENTS, [str(number) for number in STUDENTS])
    axes.tick_params(axis="x", which="minor", labelbottom=False)
    axes.legend(frameon=False, fontsize="small")
    return opened(figure)


DRAWINGS: dict[str, Callable[[Study], Figure]] = {
    "accuracy": accuracy,
    "scores": lambda study: other_scores(next(iter(study.accuracy.values()))),
    "drift": drift_against_bound,
    "plateau": plateau_and_disagreement,
    "throughput": throughput,
}


def save(study: Study, out: Path) -> None:
    """Write every figure as SVG, the same bytes for the same numbers."""
    out.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.hashsalt": "rdml"}):
        for name, draw in DRAWINGS.items():
            draw(study).savefig(out / f"{name}.svg", metadata={"Date": None})
