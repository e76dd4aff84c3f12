r"""Study: constant-rate SGD with weight decay enters a ball, stays, and keeps moving (theorems S1 and S2)."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.engine import EXACT, Problem, Record, Schedule, Simulation, run, states_along
from sims.models.local_theory import DATA, optimum, schedule_for
from sims.models.students import Students
from sims.verdicts import (
    Axis,
    Cell,
    Fit,
    Measured,
    Panel,
    Study,
    at_least,
    at_most,
    over_replicas,
    within_standard_errors,
    within_tolerance,
)
from theory.dynamics.scope import (
    contraction_factor,
    contraction_modulus,
    field_lipschitz,
    pair_expansion,
    scope_bound,
    scope_radius,
    stationary_spread,
)

REACH = float(np.linalg.norm(DATA.inputs, axis=-1).max())  # of the logits' Jacobian, for linear students
WEIGHT, BATCH, MODULUS = 0.5, 5, 0.2 * REACH**2
ORDERS, SHARES, FAR = (0.25, 0.5, 1.0, 2.0, 4.0), (0.5, 0.25, 0.125), 3.0
STEPS, LOOKS, TOLERANCE, ROUNDING = 800, 200, 0.08, 1e-10
SCOPE, EXACT_SPREAD, MOST_SPREAD = "largest norm over the bound", "mini-batches", "bound"


@dataclass(frozen=True)
class Scope:
    """Two linear students of an order whose decay makes the modulus of S2 equal to `MODULUS`."""

    order: float

    @property
    def decay(self) -> float:
        return MODULUS + WEIGHT * REACH**2 * float(pair_expansion(self.order))

    @property
    def students(self) -> Students:
        return Students(DATA, 2, self.order, WEIGHT, decay=self.decay)

    @property
    def constants(self) -> tuple[float, float]:
        """Modulus m and Lipschitz constant L."""
        pair = (REACH, 0.0, self.order, WEIGHT, self.decay)
        return float(contraction_modulus(*pair)), float(field_lipschitz(*pair))

    def rate(self, share: float) -> float:
        """The rate that is this share of m/L^2, up to which the stationary spread is bounded; two digits."""
        modulus, lipschitz = self.constants
        return float(f"{share * modulus / lipschitz**2:.1e}")

    def simulation(self, theory: float, schedule: Schedule, side: float = 1.0) -> Simulation:
        """Both students on one mini-batch, started far outside the ball; another `side` is another start."""
        radius = FAR * float(scope_radius(REACH, WEIGHT, self.decay))

        def start(rng: np.random.Generator, replicas: int) -> NDArray[np.float64]:
            away = rng.standard_normal((replicas, 2, 9))
            away /= np.linalg.norm(away, axis=-1, keepdims=True)
            return side * radius * away.reshape(replicas, -1)

        problem = replace(self.students.problem(), start=start)
        return Simulation(problem, self.students.minibatches(BATCH, True), schedule, theory)


def traced(
    simulation: Simulation, replicas: int, seed: int, **where: Any
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """About `LOOKS` equally spaced steps (n,) and the states at them (n, R, d)."""
    every = max(1, simulation.schedule.steps // LOOKS)
    trace = run(simulation, replicas, seed, Record(every=every, trace=LOOKS, paths=replicas), **where).trace
    assert trace is not None
    return trace.steps, trace.states


def norms_along(
    simulation: Simulation, replicas: int, seed: int, **where: Any
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    r"""Steps (n,) and $\max_k\|\theta_k\|$ (n, R)."""
    steps, states = traced(simulation, replicas, seed, **where)
    students = states.reshape(*states.shape[:2], simulation.problem.students, -1)
    return steps, np.linalg.norm(students, axis=-1).max(axis=-1)


def _largest_share(decay: float) -> Any:
    def measure(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
        """The largest norm over the bound after the start, of each replica; the largest of all once one is above 1."""
        steps, norms = norms_along(simulation, replicas, seed, **where)
        bound = scope_bound(norms[0].max(), simulation.schedule.eta, steps, REACH, WEIGHT, decay)
        shares = (norms / bound[:, None])[1:].max(axis=0)
        return over_replicas(shares) if shares.max() <= 1 + ROUNDING else Measured(float(shares.max()), 0.0)

    return measure


def distances_along(
    scope: Scope, simulation: Simulation, replicas: int, seed: int, **where: Any
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps (n,) and distances (n, R) of two copies on the same batches with other starts: both draw as many
    numbers."""
    other = scope.simulation(0.0, simulation.schedule, side=-0.6)
    (steps, one), (_, two) = (traced(each, replicas, seed, **where) for each in (simulation, other))
    return steps, np.linalg.norm(one - two, axis=-1)


def _approach(scope: Scope) -> Any:
    def measure(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
        """The rate of approach until half of the looks, or the least until any look if that is below theory."""
        steps, far = distances_along(scope, simulation, replicas, seed, **where)
        seen = (far > ROUNDING * far[0]).all(axis=-1) & (steps > steps[0])
        time = simulation.schedule.eta * (steps[seen] - steps[0])
        rates = np.log(far[0] / far[seen]) / time[:, None]
        if rates.min() < simulation.theory:
            return Measured(float(rates.min()), 0.0)
        return over_replicas(rates[len(rates) // 2])

    return measure


def _spread(scope: Scope) -> Any:
    def measure(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
        r"""$E\|\theta-\theta^*\|^2$ of each replica."""
        states = states_along(simulation, replicas, seed, 100, **where)
        away = states - optimum(scope.students).parameters
        return over_replicas((away**2).sum(axis=-1).mean(axis=0))

    return measure


def cells() -> list[Cell]:
    """The norm against S1, attained by a constant pull; the approach of two copies; the stationary spread."""
    spreads = [cell for share in SHARES for cell in _spreads(Scope(1.0), share)]
    return [_attained(), *map(_norm, ORDERS), *map(_copies, ORDERS), *spreads]


def _norm(order: float) -> Cell:
    scope = Scope(order)
    simulation = scope.simulation(1.0, Schedule(scope.rate(0.5), STEPS))
    name = rf"{SCOPE}, $\alpha = {order:g}$"
    return Cell(name, simulation, order, SCOPE, order, _largest_share(scope.decay), at_most(0.01), "≤", panel=None)


def _attained() -> Cell:
    """The largest gradient in one direction attains the bound, which uses nothing else."""
    decay, eta = Scope(1.0).decay, Scope(1.0).rate(0.5)
    radius = float(scope_radius(REACH, WEIGHT, decay))
    axis = np.eye(9)[:1]
    problem = Problem(
        lambda state: decay * state + decay * radius * (0 * state + _first_axis(state)),
        lambda _rng, replicas: np.repeat(-FAR * radius * axis, replicas, axis=0),
    )
    simulation = Simulation(problem, EXACT, Schedule(eta, STEPS), 1.0)
    name, rule = f"{SCOPE}, a constant pull of the largest size", within_tolerance(1e-9, 0.0)
    return Cell(name, simulation, None, SCOPE, 0.0, _largest_share(decay), rule, panel=None)


def _first_axis(state: Any) -> Any:
    one = 0 * state
    one[:, 0] = 1
    return one


def _copies(order: float) -> Cell:
    scope = Scope(order)
    eta = scope.rate(0.5)
    bound = -np.log(float(contraction_factor(eta, *scope.constants))) / eta
    simulation = scope.simulation(bound, Schedule(eta, STEPS))
    name = rf"approach of two copies, $\alpha = {order:g}$"
    return Cell(name, simulation, order, "two copies", order, _approach(scope), at_least(0.01), "≥", panel=1)


def _spreads(scope: Scope, share: float) -> list[Cell]:
    eta, point = scope.rate(share), optimum(scope.students)
    noise = 2 * float(np.trace(point.noise)) / BATCH
    settled = schedule_for(eta, 12 / MODULUS, 8 / MODULUS)
    most = float(stationary_spread(eta, *scope.constants, noise))
    exact = float(np.trace(point.covariance(2, BATCH, True, eta)))
    name = rf"spread around the optimum, $\alpha = {scope.order:g}$, $\eta = {eta:.2g}$"
    rule, measure = within_standard_errors(0.01, relative=TOLERANCE), _spread(scope)
    return [
        Cell(name, scope.simulation(exact, settled), scope.order, EXACT_SPREAD, eta, measure, rule),
        Cell(name, scope.simulation(most, settled), scope.order, MOST_SPREAD, eta, measure, at_most(0.01), "≤"),
    ]


STUDY = Study(
    name="bounded_scope",
    title="Constant-rate SGD enters a ball, stays, and keeps moving",
    lesson=(
        "Two linear softmax students with weight decay on shared mini-batches, started three radii away. Whatever the "
        r"order, no student is ever outside $r+(1-\eta\rho)^t(\|\theta^0\|-r)$, $r=\sqrt2(1+\lambda)R/\rho$ (theorem "
        "S1; a constant pull of the largest size attains it). Two copies on the same batches approach each other at "
        "every look at least as fast as theorem S2 says: where training ends does not depend on where it begins. And "
        r"it does not end: the mean squared distance from the optimum settles at a level proportional to $\eta$, "
        "which theorem E7 gives exactly and S2 bounds. The decay that S2 asks for is far larger than what practice "
        "uses, and both bounds are loose: students move in a small part of the ball."
    ),
    caption=(
        "Top left: mean squared distance from the optimum against the learning rate at order 1; line: exact to first "
        "order (E7); dashed: bound (S2). Top right: rate at which two copies on the same batches approach each other; "
        "dashed: what S2 promises (at order 1 it asks for less decay, which pulls less). Bottom left: largest norm of "
        "eight runs at order 1 and the bound of S1 (dashed), which ends at the ball's radius (dotted). Bottom right: "
        "distance of two copies, and its bound (dashed)."
    ),
    cells=cells,
    rule=at_most(0.01),
    rule_in_words=(
        "Rule: no replica ever outside S1's bound, two copies never slower than S2's at any look (one that is makes "
        "the row); a constant pull within 1e-9 of S1. The spread: no two-sided t-test rejects E7, which is allowed 8 % "
        "as it is of first order in the rate, and no one-sided one says above S2; 1 %, Bonferroni-corrected. Power: "
        "the whole of the 95 % interval within 0.1 of 1."
    ),
    replicas=32,
    full_replicas=480,
    fits=lambda: [Fit(r"power of $\eta$", EXACT_SPREAD, 1.0, 0.1)],
    panels=(
        Panel(y=Axis(r"$E\|\theta-\theta^*\|^2$ (parameter²)")),
        Panel(Axis(r"order $\alpha$ (dimensionless)"), Axis("approach (loss per parameter²)", "linear")),
        Panel(Axis("steps", "linear"), Axis(r"$\|\theta_k\|$ (parameter)")),
        Panel(Axis("steps", "linear"), Axis("distance of two copies (parameter)")),
    ),
)
