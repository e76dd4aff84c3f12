"""The figure of each study; the only file of sims that needs matplotlib."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sims.engine import Schedule
from sims.studies.gains.collapse_at_low_order import SHOWN_RATES, accuracies
from sims.studies.noise.bounded_scope import REACH, STEPS, WEIGHT, Scope, distances_along, norms_along
from sims.studies.rotation.limit_cycle import portrait
from sims.studies.rotation.potential import descents
from sims.verdicts.fits import between
from sims.verdicts.results import RATE, Panel, Row, StudyResult
from theory.dynamics.scope import contraction_factor, scope_bound, scope_radius

# Okabe and Ito: safe for colour-blind readers
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = "osD^vP"


def draw(result: StudyResult) -> Figure:
    """The figure of a study's result; its caption is `result.caption`."""
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    if result.study not in DRAWINGS:
        return _standard(figure, result)
    figure.set_layout_engine("constrained", w_pad=0.08)  # names may be wider than they are laid out
    axes = figure.subplots()
    DRAWINGS[result.study](axes, [row for row in result.rows if row.panel == 0])
    axes.spines[["top", "right"]].set_visible(False)
    if result.study == "bias_free_rules":  # long labels
        axes.legend(frameon=False, loc="upper right")
    else:
        axes.legend(frameon=False, loc="upper left", ncols=2 if len(axes.get_lines()) > 5 else 1)
    return figure


def _standard(figure: Figure, result: StudyResult) -> Figure:
    """Measurements with error bars; theory as a line through its values, dashed where it is a bound."""
    series = list(dict.fromkeys(row.series for row in result.rows if row.panel is not None))
    down = 1 if len(result.panels) < 4 else 2
    figure.set_size_inches(max(5.4, 3.6 * len(result.panels) / down), 4.4 * (1 + down) / 2)
    for k, (axes, panel) in enumerate(
        zip(np.ravel(figure.subplots(down, -(-len(result.panels) // down))), result.panels, strict=True)
    ):
        for name in series:
            rows = sorted((row for row in result.rows if (row.series, row.panel) == (name, k)), key=lambda row: row.x)
            if rows:
                _curve(axes, rows, series.index(name), _with_fits(name, result.rows))
        _set_axes(axes, panel, sorted({row.x for row in result.rows if row.panel == k}))
        if picture := PICTURES.get(result.study, {}).get(k):
            picture(axes)
    named = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in figure.axes]
    handles = {label: handle for pairs in named for handle, label in pairs}
    if any(handles):
        fits = any(row.interval for row in result.rows)
        columns = 2 if fits else min(3, 1 + len(result.panels))
        figure.legend(handles.values(), handles, frameon=False, loc="outside lower center", ncols=columns)
    return figure


def _set_axes(axes: Axes, panel: Panel, places: list[float]) -> None:
    axes.set(xlabel=panel.x.label, ylabel=panel.y.label, title=panel.title)
    for axis, scale in ((panel.x, axes.set_xscale), (panel.y, axes.set_yscale)):
        scale(axis.scale, **({"linthresh": axis.width} if axis.scale == "symlog" else {}))
    for axis, line in ((panel.x, axes.axvline), (panel.y, axes.axhline)):
        for value in axis.marks:
            line(value, color="0.5", linestyle=":", linewidth=1, zorder=0)
    if panel.y.scale == "symlog":
        axes.set_ylim(-panel.y.width / 2, 3 * axes.get_ylim()[1])
    named = [f"{x:g}" for x in places]
    if 0 < len(places) <= 7 and max(map(len, named)) < 7:
        axes.set_xticks(places, named)
        axes.xaxis.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)


def _with_fits(series: str, rows: Iterable[Row]) -> str:
    fits = [row for row in rows if row.interval and row.series == series]
    return "\n".join([series, *(f"{row.name.removeprefix(f'{series}: ')} {between(row)}" for row in fits)])


def _curve(axes: Axes, rows: list[Row], place: int, label: str) -> None:
    x, theory = np.array([(row.x, row.theory) for row in rows]).T
    _, measured, error = _columns(rows)
    look: dict[str, Any] = {"color": COLOURS[place % len(COLOURS)]}
    axes.plot(x, theory, "-" if rows[0].relation == "=" else "--", marker="_", linewidth=1, **look)
    axes.errorbar(x, measured, error, fmt=MARKERS[place % len(MARKERS)], markersize=5, label=label, **look)


def _rotating_pair(axes: Axes, rows: Iterable[Row]) -> None:
    rows = list(rows)
    series = dict.fromkeys(row.series for row in rows)
    drawn = set[float]()
    for name, colour, marker in zip(series, cycle(COLOURS), cycle(MARKERS), strict=False):
        chosen = [row for row in rows if row.series == name]
        eta, measured, error = _columns(chosen)
        theory = chosen[0].theory
        look: dict[str, Any] = {"markersize": 6} | ({"markersize": 11, "mfc": "none"} if theory in drawn else {})
        axes.axhline(theory, color=colour, linewidth=1, linestyle="--" if theory in drawn else "-")
        shown = f"{max(measured):.0e}" if theory == 0 else f"{theory:.5g}"
        label = rf"{name}: $X$ {'≤' if theory == 0 else '='} {shown}"
        axes.errorbar(eta, measured, error, fmt=marker, color=colour, label=label, **look)
        drawn.add(theory)  # the next at the same place leaves this one to be seen
    axes.set_xscale("log")
    rates = sorted({row.eta for row in rows})
    axes.set_xticks(rates, [f"{eta:g}" for eta in rates])
    axes.minorticks_off()
    axes.set(xlabel=RATE.label, ylabel=r"mean squared gradient $X$ (loss² per parameter²)", ylim=(-0.0008, 0.024))


def _bias_free_rules(axes: Axes, rows: Iterable[Row]) -> None:
    rows = list(rows)
    rules = list(dict.fromkeys(row.series for row in rows))
    for k in range(2):
        chosen = [row for rule in rules for row in [row for row in rows if row.series == rule][k : k + 1]]
        points = [(row.measured, rules.index(row.series)) for row in chosen]
        look: dict[str, Any] = {"color": COLOURS[k], "markerfacecolor": "none", "markersize": 6 + 4 * k}
        axes.plot(*np.transpose(points), MARKERS[k], label=_rates(chosen), **look)
    for row in rows:
        if row.theory:
            axes.plot([row.theory] * 2, rules.index(row.series) + np.array([-0.4, 0.4]), color="0.4", linewidth=1)
    axes.set_yticks(range(len(rules)), rules)
    axes.set(xscale="log", xlabel=r"mean squared gradient $X$ (loss² per parameter²)", ylabel="rule", xlim=(1e-35, 10))
    axes.invert_yaxis()


def _rates(rows: Sequence[Row]) -> str:
    usual = Counter(row.eta for row in rows).most_common(1)[0][0]
    others = "".join(f" ({row.series}: {row.eta:g})" for row in rows if row.eta != usual)
    return rf"$\eta = {usual:g}${others}"


def _three_terms(axes: Axes, rows: Iterable[Row]) -> None:
    rows = list(rows)
    problems = list(dict.fromkeys(row.name.split("; ")[0] for row in rows))
    for k, series in enumerate(dict.fromkeys(row.series for row in rows)):
        for rate, face in ((1.0, COLOURS[k]), (0.1, "none")):
            chosen = [row for row in rows if row.series == series and row.x == rate]
            place = [problems.index(row.name.split("; ")[0]) + (k - 2.5) * 0.13 for row in chosen]
            height = [row.measured / row.theory for row in chosen]
            look: dict[str, Any] = {"color": COLOURS[k], "markerfacecolor": face, "markersize": 5}
            axes.plot(place, height, MARKERS[k], label=series if rate == 1 else None, **look)
    axes.axhline(1, color="0.4", linestyle="--", linewidth=1)
    names = [name.replace(" quadratic", "\nquadratic").replace(", ", ",\n") for name in problems]
    axes.set_xticks(range(len(problems)), names, fontsize=8)
    axes.set(ylabel="$X$ / bound (dimensionless)", xlabel="problem", ylim=(0, 1.5))
    axes.tick_params("x", length=0)


def _portrait(axes: Axes) -> None:
    for order, style, colour in ((1.0, "-", COLOURS[0]), (0.5, ":", COLOURS[1])):
        paths = portrait(order)
        axes.plot(paths[..., 0], paths[..., 1], style, color=colour, linewidth=1, alpha=0.8)
        if order == 0.5:
            axes.plot(*paths[-1].T, "x", color=colour)


def _descents(axes: Axes) -> None:
    for k, order in enumerate((0.5, 1.0)):
        axes.plot(*descents(order), color=COLOURS[k + 1], label=rf"$\Phi$ at $\alpha = {order:g}$")


def _into_the_ball(axes: Axes) -> None:
    scope = Scope(1.0)
    simulation = scope.simulation(1.0, Schedule(scope.rate(0.5), STEPS))
    steps, norms = norms_along(simulation, 8, 0)
    bound = scope_bound(norms[0].max(), simulation.schedule.eta, steps, REACH, WEIGHT, scope.decay)
    axes.plot(steps, norms, color=COLOURS[0], linewidth=0.8)
    axes.plot(steps, bound, "--", color=COLOURS[1])
    axes.axhline(float(scope_radius(REACH, WEIGHT, scope.decay)), color="0.4", linestyle=":")


def _copies(axes: Axes) -> None:
    for order, colour in ((0.5, COLOURS[2]), (1.0, COLOURS[0])):
        scope = Scope(order)
        simulation = scope.simulation(1.0, Schedule(scope.rate(0.5), STEPS))
        steps, distances = distances_along(scope, simulation, 2, 0)
        far = distances.mean(axis=-1)
        factor = float(contraction_factor(simulation.schedule.eta, *scope.constants))
        axes.plot(steps, far, color=colour, label=rf"two copies, $\alpha = {order:g}$")
        axes.plot(steps, far[0] * factor**steps, "--", color=colour)


def _equality(axes: Axes) -> None:
    axes.plot([0.25, 1.05], [0.25, 1.05], "--", color="0.4", linewidth=1)
    axes.set_xticks([0.25, 0.5, 0.75, 1], ["0.25", "0.5", "0.75", "1"])


def _collapse(axes: Axes) -> None:
    for k, (order, right) in enumerate(zip((0.5, 1.0), accuracies(), strict=True)):
        mean = right.mean(axis=-1)
        span = np.stack([mean - right.min(axis=-1), right.max(axis=-1) - mean])
        look: dict[str, Any] = {"color": COLOURS[3 + k], "label": rf"accuracy, $\alpha = {order:g}$"}
        axes.errorbar(SHOWN_RATES, mean, span, fmt=f"-{MARKERS[3 + k]}", markersize=5, linewidth=1, **look)
    axes.set_xticks(SHOWN_RATES, [f"{eta:g}" for eta in SHOWN_RATES])
    axes.minorticks_off()


def _columns(rows: Iterable[Row]) -> np.ndarray:
    return np.array([(row.eta, row.measured, row.standard_error) for row in rows]).T


DRAWINGS: dict[str, Callable[[Axes, Iterable[Row]], None]] = {
    "bias_free_rules": _bias_free_rules,
    "rotating_pair": _rotating_pair,
    "three_terms": _three_terms,
}
PICTURES: dict[str, dict[int, Callable[[Axes], None]]] = {
    "limit_cycle": {2: _portrait},
    "potential": {1: _descents},
    "bounded_scope": {2: _into_the_ball, 3: _copies},
    "collapse_at_low_order": {0: _equality, 1: _collapse},
}
"""What panels of a standard figure show beside the rows."""
