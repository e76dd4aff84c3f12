"""Study: the plateau of generic students with mini-batches, which has no O(1) part."""

from dataclasses import replace
from typing import Any

import numpy as np

from sims.engine import Schedule, Simulation
from sims.models.local_theory import DATA, optimum, schedule_for, steps_for
from sims.models.students import Students
from sims.verdicts import Axis, Cell, Fit, Measured, Panel, Study, mean_square_every, within_standard_errors

RATE, BATCH = 0.08, 10
BURN_IN, COUNTED, APART = 20.0, 30.0, 2.0  # eta times steps: from the optimum to the plateau up to 0.2 %; between looks
RATES, ORDERS, BATCHES = (0.01, 0.03, 0.08), (0.25, 1.0, 4.0), (5, 10, 20, 40)
KINDS = {"linear": 0, "tanh": 3}
BOTH = [(kind, shared) for kind in KINDS for shared in (False, True)]


def plateau(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
    """X, measured where states have had time to change, since all examples take as long as many steps."""
    return mean_square_every(steps_for(APART, simulation.schedule.eta))(simulation, replicas, seed, **where)


def remaining_share(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
    """The share of X that would be left as eta -> 0, by Richardson: (2 X(eta/2) - X(eta)) / X(eta)."""
    schedule = simulation.schedule
    half = Schedule(schedule.eta / 2, 2 * schedule.steps, 2 * schedule.burn_in)
    whole = plateau(simulation, replicas, seed, **where)
    less = plateau(replace(simulation, schedule=half), replicas, seed + 1, **where)
    ratio = 2 * less.mean / whole.mean
    error = np.hypot(less.standard_error / less.mean, whole.standard_error / whole.mean)
    return Measured(ratio - 1, float(ratio * error))


def cells() -> list[Cell]:
    """X against the rate; against the order, K and the batch at one rate; then what is left as eta -> 0."""
    rates = [_cell(kind, shared, eta=eta, x=eta) for kind, shared in BOTH for eta in RATES]
    orders = [_cell("linear", shared, order=order, x=order, panel=1) for shared in (False, True) for order in ORDERS]
    numbers = [_cell("linear", shared, count=k, x=k, panel=2) for shared in (False, True) for k in (2, 3, 4)]
    batches = [_cell("linear", False, batch=batch, x=batch, panel=3) for batch in BATCHES]
    limits = [_limit(_cell(kind, False, eta=RATES[-1], panel=None)) for kind in KINDS]
    return rates + orders + numbers + batches + limits


def _series(kind: str, shared: bool) -> str:
    return f"{kind}, {'shared' if shared else 'own'} mini-batches"


def _cell(
    kind: str,
    shared: bool,
    eta: float = RATE,
    order: float = 1.0,
    count: int = 2,
    batch: int = BATCH,
    x: float | None = None,
    panel: int | None = 0,
) -> Cell:
    students = Students(DATA, count, float(order), hidden=KINDS[kind])
    point, oracle = optimum(students), students.minibatches(batch, shared)
    schedule = schedule_for(eta, COUNTED, BURN_IN)
    value = point.plateau(count, batch, shared, eta)
    name = rf"{kind}, K = {count}, {oracle.name}, $\alpha = {order:g}$, $\eta = {eta:g}$"
    simulation = Simulation(students.problem(point.parameters), oracle, schedule, value)
    return Cell(name, simulation, float(order), _series(kind, shared), x, plateau, panel=panel)


def _limit(cell: Cell) -> Cell:
    nothing = replace(cell.simulation, theory=0.0)
    rule = within_standard_errors(0.01, absolute=TOLERANCE)
    name = rf"left as $\eta\to0$: {cell.name}"
    return replace(cell, name=name, simulation=nothing, measure=remaining_share, rule=rule)


TOLERANCE = 0.08
STUDY = Study(
    name="students_generic",
    title="Generic students: the plateau goes away with the learning rate",
    lesson=(
        "Softmax students on 200 points of three overlapping classes, weight 1, weight decay 0.02, with mini-batches. "
        r"The plateau of the full-batch $X$ is what noise near a common optimum gives, $\mathrm{tr}(ASA)/K$ with the "
        r"stationary covariance $S$ (theorem E7): proportional to $\eta$ and to 1/batch, with nothing left as "
        r"$\eta\to0$. The worst case's O(1) bias is absent. On a shared mini-batch the students merge into one, and "
        "the plateau depends neither on the order nor on K; with own mini-batches it rises with the order."
    ),
    caption=(
        "Plateau of the mean squared gradient $X$ against the learning rate, the order, the number of students and "
        rf"the mini-batch (the latter three at $\eta={RATE:g}$; two students of order 1 and mini-batches of {BATCH} "
        "where nothing else is said). Lines: theory without a free parameter. Error bars (one standard error) are "
        "smaller than the markers."
    ),
    cells=cells,
    rule=within_standard_errors(0.01, relative=TOLERANCE),
    rule_in_words=(
        "Rule: no two-sided t-test rejects theory at 1 %, Bonferroni-corrected over the rows, when theory, which is of "
        "first order in the rate, is allowed 8 %; of X, where theory is 0. Burn-in: 20 in eta times steps. Powers: the "
        "whole of the 95 % interval within 0.05 of theory."
    ),
    replicas=480,
    full_replicas=4800,
    panels=(
        Panel(),
        Panel(Axis(r"order $\alpha$ (dimensionless)")),
        Panel(Axis("number of students K", "linear"), Axis(Panel().y.label, "linear")),
        Panel(Axis("mini-batch (examples)")),
    ),
    fits=lambda: [
        *(Fit(r"power of $\eta$", _series(*both), 1.0, 0.05) for both in BOTH),
        Fit("power of the batch", _series("linear", False), -1.0, 0.05, panel=3),
    ],
)
