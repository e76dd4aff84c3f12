r"""Study: the sharper bound E3, X against $\lambda^2\gamma^2$, attained by the rotating pair and kept by the
limit cycle."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.engine import EXACT, Problem, Schedule, Simulation, states_along
from sims.models.local_theory import schedule_for
from sims.models.pairs.circle import INPUTS, F, G, circle
from sims.verdicts import Axis, Cell, Measured, Panel, Study, at_most, over_replicas, within_tolerance
from theory import peer_gradient

from .limit_cycle import START, pair
from .rotating_pair import locking_steps, pair_gradient

Dropped = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""States (R, 2) to the gradients that detaching drops (R, 2)."""

ORDERS = (0.75, 1.0, 2.0)
WEIGHTS = (0.5, 1.0, 4.0)
RATE, CYCLE_RATE, POINTS = 0.1, 4e-3, 100
CYCLE_ORDERS = (0.75, 1.0, 1.1, 1.25)


def ratio_measure(dropped: Dropped, weight: float) -> Any:
    r"""Measures $X/(\lambda^2\gamma^2)$ along the run."""

    def measure(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
        states = states_along(simulation, replicas, seed, POINTS, **where).reshape(-1, 2)
        x, gamma2 = (
            (np.asarray(g) ** 2).mean(axis=-1).reshape(-1, replicas).mean(axis=0)
            for g in (simulation.problem.gradient(states), dropped(states))
        )
        return over_replicas(x / (weight**2 * gamma2))

    return measure


def dropped_by_the_rotating_pair(order: float) -> Dropped:
    """Gradients of D(p_2||p_1) in y and of D(p_1||p_2) in x at states (x, y)."""

    def dropped(state: NDArray[np.float64]) -> NDArray[np.float64]:
        at = [circle(INPUTS) - state[:, k : k + 1] for k in (0, 1)]
        logits = [np.stack([wave(u), np.zeros_like(u)], axis=-1) for wave, u in zip((F, G), at, strict=True)]
        slopes = [-wave.slope(u) for wave, u in zip((F, G), at, strict=True)]
        pulls = [peer_gradient(logits[1 - k], logits[k], order)[..., 0] * slopes[1 - k] for k in (0, 1)]
        return np.stack([pull.mean(axis=-1) for pull in pulls], axis=-1)

    return dropped


def cells() -> list[Cell]:
    """The rotating pair at every weight and order; the limit cycle at orders around 1."""
    rotating = [_rotating(order, weight) for weight in WEIGHTS for order in ORDERS]
    return rotating + [_cycle(order) for order in CYCLE_ORDERS]


def _rotating(order: float, weight: float) -> Cell:
    problem = Problem(
        lambda state: pair_gradient(state, order, weight),
        lambda rng, replicas: rng.uniform(-np.pi, np.pi, (replicas, 2)),
        students=2,
    )
    eta = RATE / max(weight, 1)
    schedule = Schedule(eta, 200, locking_steps(order, eta, weight))
    measure = ratio_measure(dropped_by_the_rotating_pair(order), weight)
    name = rf"rotating pair, $\alpha = {order:g}$, $\lambda = {weight:g}$"
    series = rf"rotating pair, $\lambda$ from {WEIGHTS[0]:g} to {WEIGHTS[-1]:g}"
    return Cell(name, Simulation(problem, EXACT, schedule, 1.0), order, series, order, measure)


def _cycle(order: float) -> Cell:
    students = pair(order)
    schedule = schedule_for(CYCLE_RATE, 6.5, 6.0)
    simulation = Simulation(students.problem(START, 0.0), EXACT, schedule, 1.0)
    measure, name = (
        ratio_measure(students.dropped, students.weight),
        rf"limit cycle, $\alpha = {order:g}$, $\lambda = 10$",
    )
    return Cell(name, simulation, order, r"limit cycle, $\lambda = 10$", order, measure, at_most(0.01), "≤")


RATIO = Axis(r"$X/(\lambda^2\gamma^2)$ (dimensionless)", "symlog", 1e-3)
STUDY = Study(
    name="sharper_bound",
    title=r"The sharper bound: no more than what detaching drops",
    lesson=(
        r"As $T\to\infty$ and $\eta\to0$ the mean squared gradient is at most $\lambda^2\gamma^2$, where "
        r"$\gamma^2$ is the mean squared gradient that detaching the peer drops (theorem E3): the bias is of "
        r"second order in the weight and vanishes as the students agree. On the rotating pair the two are equal at "
        r"every weight and order, so the constant 1 cannot be improved. The limit cycle of plain deep mutual "
        r"learning uses about a hundredth of the bound, and where it comes to rest $X$ is 0 although the students "
        r"still disagree."
    ),
    caption=(
        r"Mean squared gradient $X$ in units of $\lambda^2\gamma^2$ against the order: the rotating pair at three "
        r"weights (on top of each other), and the students of the limit cycle. Lines: the bound."
    ),
    cells=cells,
    rule=within_tolerance(1e-7, 0.0),
    rule_in_words=(
        "Rule: within 1e-7 of 1 on the rotating pair; at most 1 on the limit cycle. Nothing is random but the start."
    ),
    replicas=4,
    double=True,
    panels=(Panel(Axis(r"order $\alpha$ (dimensionless)"), RATIO),),
)
