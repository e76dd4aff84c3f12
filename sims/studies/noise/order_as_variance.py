"""Study: the order as the variance of a prior: what it controls for frozen peers but not for live ones."""

from dataclasses import replace
from typing import Any

import numpy as np

from sims.engine import Simulation, states_along
from sims.engine.backend import like
from sims.models.local_theory import DATA, Optimum, optimum, schedule_for
from sims.models.students import Students
from sims.verdicts import Axis, Cell, Measured, Panel, Study, over_replicas, within_standard_errors
from theory.dynamics.stationary import stationary_covariance

ORDERS = (0.25, 1.0, 4.0)
ETA, BATCH, BURN_IN, COUNTED, POINTS = 0.1, 20, 40.0, 80.0, 40
FROZEN, OWN, MEAN, SHARED = "frozen peer", "live peer, own mini-batches", "their mean student", "live peer, shared"
TOLERANCE = 0.1


def _variance(centre: np.ndarray, mean_student: bool) -> Any:
    def measure(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
        """Squared distance of the first student, or of the mean student, from the optimum."""
        states = states_along(simulation, replicas, seed, POINTS, **where)
        away = (states - centre).reshape(*states.shape[:2], 2, -1)
        chosen = away.mean(axis=2) if mean_student else away[:, :, 0]
        return over_replicas((chosen**2).sum(axis=-1).mean(axis=0))

    return measure


def expected(point: Optimum, kind: str) -> float:
    """The trace of the stationary covariance of the first student, or of the mean student."""
    size = len(point.noise)
    if kind == FROZEN:  # A = H + lam alpha F, the diagonal block of the joint Hessian
        own = point.hessian[:size, :size]
        return float(np.trace(stationary_covariance(own, point.noise / BATCH, ETA)))
    joint = point.covariance(2, BATCH, kind == SHARED, ETA).reshape(2, size, 2, size)
    weights = [1.0, 0.0] if kind != MEAN else [0.5, 0.5]
    return float(np.einsum("k,kiji,j->", weights, joint, weights))


def cells() -> list[Cell]:
    """Every kind of peer at every order."""
    return [_cell(kind, order) for kind in (FROZEN, OWN, MEAN, SHARED) for order in ORDERS]


def _cell(kind: str, order: float) -> Cell:
    students = Students(DATA, 2, order)
    point, oracle = optimum(students), students.minibatches(BATCH, kind == SHARED)
    sample, moves = oracle.sample, np.repeat([1.0, 0.0 if kind == FROZEN else 1.0], len(point.noise))
    assert sample is not None
    frozen = replace(oracle, sample=lambda rng, state: sample(rng, state) * like(moves, state))
    schedule = schedule_for(ETA, COUNTED, BURN_IN)
    simulation = Simulation(students.problem(point.parameters), frozen, schedule, expected(point, kind))
    measure = _variance(point.parameters, kind == MEAN)
    return Cell(rf"{kind}, $\alpha = {order:g}$", simulation, order, kind, order, measure)


STUDY = Study(
    name="order_as_variance",
    title="The order as the variance of a prior: what it does and does not control",
    lesson=(
        r"Near agreement the divergence is a Gaussian prior of precision proportional to $\alpha$ around the peer. "
        r"With a frozen peer the order does control a student's variance. With live peers it acts on what they "
        r"disagree about only: on own mini-batches a student's variance falls to the mean student's, which no order "
        "moves; on a shared mini-batch there is no disagreement, and the order controls nothing (theorem E7)."
    ),
    caption=(
        r"Total variance of a linear student's parameters around the optimum against the order, two students, "
        r"$\eta=0.1$, mini-batches of 20, weight 1. Lines: theory without a free parameter; error bars: one "
        r"standard error."
    ),
    cells=cells,
    rule=within_standard_errors(0.01, relative=TOLERANCE),
    rule_in_words=(
        "Rule: no two-sided t-test rejects theory at 1 %, Bonferroni-corrected over the rows, when theory, which "
        "is of first order in the rate, is allowed 10 %. Burn-in: 40 in eta times steps."
    ),
    replicas=32,
    full_replicas=320,
    panels=(Panel(Axis(r"order $\alpha$ (dimensionless)"), Axis("variance (parameter²)", "linear")),),
)
