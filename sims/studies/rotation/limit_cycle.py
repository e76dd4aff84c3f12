"""Study: two students of plain deep mutual learning that run round a limit cycle for ever, without any noise."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sims.engine import EXACT, Oracle, Simulation, gaussian, run, states_along
from sims.models.local_theory import schedule_for
from sims.models.pairs.modified_equation import Cycle, cycle, follow, modified, settled
from sims.models.pairs.scalar import Curves, ScalarPair
from sims.verdicts import (
    Axis,
    Cell,
    Fit,
    Measured,
    Panel,
    Study,
    at_least,
    mean_square,
    mean_square_every,
    over_replicas,
    within_standard_errors,
    within_tolerance,
)
from sims.verdicts.fits import limit

LABELS = np.array([0.86, 0.63, 0.52, 0.57, 0.20, 0.64])
STUDENTS = Curves(
    amplitude=np.array([[2.0, 6.0, 4.0, 2.0, 6.0, 4.0], [4.0, 1.0, 1.0, 2.0, 2.0, 1.0]]),
    frequency=np.array([[-3.84, -3.21, -0.85, -2.55, -2.49, -2.21], [-1.75, -0.18, 7.01, -2.23, 2.63, -1.53]]),
    shift=np.array([[3.35, 3.63, 0.88, 1.86, 1.70, 2.04], [2.46, -1.91, -10.3, 0.61, -2.50, 2.24]]),
)
WEIGHT, START = 10.0, (1.04, 0.93)  # found by a random search, see `search_for_cycles`
SETTLING, PERIOD = 6.0, 0.7  # eta times steps; no cycle here takes longer
PERIODS = np.arange(20, 40)  # counted: as many of them as make nearly a whole number of steps
RATES = (8e-3, 4e-3, 2e-3)
ORDERS = (0.25, 0.5, 0.75, 0.9, 1.0, 1.05, 1.1, 1.25)
SIGMA, ON_CYCLE = 1.0, 0.05  # of the noise; X above which a start counts as having reached the cycle
AT_REST, SPREAD, GRID = 1e-12, 0.5, 24  # X of students that rest; of the starts; their number, squared
QUIET, NOISY = "no noise", "with noise"


def pair(order: float) -> ScalarPair:
    """The two students at an order."""
    return ScalarPair(STUDENTS, LABELS, order, WEIGHT)


@cache
def exact(order: float, eta: float, powers: int = 2) -> Cycle:
    """The cycle at a learning rate, by the modified equation; at rate 0 that of the ODE."""
    return cycle(pair(order).gradient, eta, powers if eta else 0, _settled(order), PERIOD)


@cache
def _settled(order: float) -> NDArray[np.float64]:
    return settled(pair(order).gradient, START, SETTLING)


def basin_fraction(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
    """The fraction of starts that reach the cycle, 16 a replica."""
    moments = run(simulation, 16 * replicas, seed, **where)
    return over_replicas((moments.squared_gradient > ON_CYCLE).reshape(replicas, 16).mean(axis=1))


@cache
def basin_by_equation(eta: float) -> float:
    """The same fraction by the modified equation, from a random start in each of equally likely cells of a grid."""
    place = np.stack(np.meshgrid(*2 * [np.arange(GRID)]), axis=-1).reshape(-1, 2)
    start = 1 + SPREAD * stats.norm.ppf((place + np.random.default_rng(0).random(place.shape)) / GRID)
    gradient = pair(1.0).gradient
    states, square = follow(modified(gradient, eta, 1), start, SETTLING, 4 * eta), np.zeros(len(start))
    for _ in range(8):
        square += (gradient(states) ** 2).mean(axis=-1) / 8
        states = follow(modified(gradient, eta, 1), states, 1.0 / 8, 1.0 / 64)
    return float((square > ON_CYCLE).mean())


def portrait(order: float, seed: int = 0, paths: int = 8) -> NDArray[np.float64]:
    """Trajectories (time, paths, 2) without noise for the figure's phase portrait."""
    simulation = _simulation(order, 4e-3, EXACT, 0.35, 6.0, 0.0)
    return states_along(simulation, paths, seed, 1500)


def cells() -> list[Cell]:
    """X against the rate, without and with noise; against the order; the basin of the cycle."""
    rates = [_cell(eta, 1.0, QUIET, eta, 0) for eta in RATES]
    orders = [_cell(RATES[1], order, QUIET, order, 1) for order in ORDERS]
    return [*rates, *(_noisy(eta) for eta in RATES), *orders, _basin()]


def _simulation(
    order: float, eta: float, oracle: Oracle, spread: float = 0.0, counted: float = 1.0, settling: float = SETTLING
) -> Simulation:
    mean = (1.0, 1.0) if spread else START
    schedule = schedule_for(eta, counted, settling)
    return Simulation(pair(order).problem(mean, spread), oracle, schedule, exact(order, eta).square)


def _whole_periods(order: float, eta: float) -> float:
    """A time of some whole periods that is a whole number of steps as nearly as can be."""
    period = exact(order, eta).period
    steps = PERIODS * (period if np.isfinite(period) else PERIOD) / eta
    return eta * float(np.round(steps[np.argmin(np.abs(steps - np.round(steps)))]) - 0.5)


def _cell(eta: float, order: float, series: str, x: float, panel: int) -> Cell:
    simulation = _simulation(order, eta, EXACT, counted=_whole_periods(order, eta))
    left_out = abs(simulation.theory - exact(order, eta, 1).square)
    name = rf"$\alpha = {order:g}$, $\eta = {eta:g}$, {EXACT.name}"
    return Cell(name, simulation, order, series, x, mean_square, within_tolerance(0, left_out + AT_REST), panel=panel)


def _noisy(eta: float) -> Cell:
    simulation = _simulation(1.0, eta, gaussian(SIGMA), counted=20 * PERIOD)
    bound = replace(simulation, theory=exact(1.0, 0.0).square / 2)
    name = rf"$\alpha = 1$, $\eta = {eta:g}$, {simulation.oracle.name}"
    return Cell(name, bound, 1.0, NOISY, eta, mean_square_every(2), at_least(0.01), "≥")


def _basin() -> Cell:
    share = basin_by_equation(RATES[1])
    simulation = replace(_simulation(1.0, RATES[1], EXACT, SPREAD), theory=share)
    rule = within_standard_errors(0.01, absolute=3 * np.sqrt(share * (1 - share)) / GRID)
    return Cell("fraction of starts that reach the cycle", simulation, 1.0, "", 0, basin_fraction, rule, panel=None)


STUDY = Study(
    name="limit_cycle",
    title="Plain deep mutual learning that runs round for ever",
    lesson=(
        "Two students of one tanh parameter each on six points with soft labels, order 1 (deep mutual learning), "
        r"weight 10, full batch, no noise. They never come to rest: $X$ tends to the average of the ODE "
        r"$\dot\theta=-\nabla L$ round its limit cycle as $\eta\to0$, and is bounded away from 0; at every "
        "rate it is the average of the modified equation, which gradient descent follows. Gradient noise "
        r"does not destroy the cycle, and about 70 % of the starts around (1, 1) reach it. It lives in a window of "
        r"orders around 1: at order 0.9 and below, order ½ among them, the same students come to rest, and so they "
        r"do at 1.25."
    ),
    caption=(
        r"Left: $X$ against the learning rate; line: the average of the modified equation over a period; dashed: half "
        r"of the ODE's, which noise leaves. Middle: $X$ against the "
        r"order at $\eta=0.004$; at the points on 0 the students rest. Right: paths of eight starts at order 1 "
        r"(solid, to the cycle or to rest) and at order ½ (dotted, all to rest, at the crosses). Error bars: one "
        "standard error."
    ),
    cells=cells,
    rule=within_standard_errors(0.01),
    rule_in_words=(
        "Rule: without noise within the last term kept of the modified equation, which is exact to the third power of "
        "the rate (1e-12 at rest). With noise no one-sided t-test says that X falls below half of the ODE's value, and "
        "in the limit of small rates, by Richardson, the 95 % interval (widened by what its last power changed) holds "
        "that value. The basin's fraction: no two-sided t-test rejects the modified equation's, up to 3 standard "
        "errors of the latter. Level 1 %, Bonferroni-corrected."
    ),
    replicas=64,
    full_replicas=640,
    fits=lambda: [Fit(r"$X$ as $\eta\to0$", name, exact(1.0, 0.0).square, None, limit) for name in (QUIET, NOISY)],
    panels=(
        Panel(y=Axis("$X$ (loss² per parameter²)", "linear")),
        Panel(Axis(r"order $\alpha$ (dimensionless)", "linear"), Axis("$X$ (loss² per parameter²)", "linear")),
        Panel(Axis(r"parameter $\theta_1$", "linear"), Axis(r"parameter $\theta_2$", "linear")),
    ),
)
