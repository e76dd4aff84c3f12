"""Study: how much a student's loss moves because its peers move: drift, exactly near an optimum; its bound E2."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.engine import Schedule, Simulation, states_along
from sims.engine.backend import NumpyRandom
from sims.models.local_theory import DATA, Optimum, optimum, schedule_for
from sims.models.students import Students
from sims.verdicts import Axis, Cell, Measured, Panel, Study, at_most, over_replicas, within_standard_errors
from theory.dynamics.detaching import dropped_gradient_bound

ETA, BATCH, WEIGHT = 0.1, 10, 1.0
NO_DECAY = 1e-6  # all but none: the common logit of the classes, which has no gradient, needs a little
BURN_IN, COUNTED, POINTS = 40.0, 100.0, 50
ORDERS = (0.5, 1.0, 2.0, 4.0)
FAR_ORDERS = (0.25, 0.5, 2.0, 4.0)  # not 1, where nothing bounds tau a priori
TOLERANCE = 0.1


def stationary_drift(point: Optimum, students: Students, batch: int, shared: bool, eta: float) -> float:
    r"""$\frac1\eta\mathrm{drift} = -\frac{\lambda\alpha}{K-1}\sum_{j\ne k}\mathrm{tr}(F(SA)_{jk})$ at stationarity.

    Proof: near agreement $D_\alpha(p_j\|p_k) = \frac\alpha2(\theta_j-\theta_k)^\top F(\theta_j-\theta_k)$, and
    $E\theta_j\theta_k^{+\top} = (S(I-\eta A))_{jk}$. A shared mini-batch without decay: $-\lambda\alpha X$.
    """
    count, size = students.count, len(point.noise)
    product = point.covariance(count, batch, shared, eta) @ point.hessian
    first = product.reshape(count, size, count, size)[:, :, 0]
    pull = -point.hessian[size : 2 * size, :size]  # lam alpha F/(K-1), what a peer's parameters add to the gradient
    return -float(sum(np.trace(pull @ first[j]) for j in range(1, count)))


def _drift_measure(students: Students) -> Any:
    def measure(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
        """Drift / eta of one more step, at states along the run."""
        states = states_along(simulation, replicas, seed, POINTS, **where)
        states = states.reshape(-1, states.shape[-1])
        return over_replicas(_drift(students, simulation, states, seed).reshape(-1, replicas).mean(axis=0))

    return measure


def _first_drift_measure(students: Students) -> Any:
    def measure(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
        """|Drift| / eta of the first step, from states that disagree."""
        states = states_along(simulation, 40 * replicas, seed, 1, **where)[0]
        mean, error = over_replicas(_drift(students, simulation, states, seed).reshape(-1, replicas).mean(axis=0))
        return Measured(abs(mean), error)

    return measure


def _drift(students: Students, simulation: Simulation, states: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    eta, sample = simulation.schedule.eta, simulation.oracle.sample
    assert sample is not None
    after = states - eta * np.asarray(sample(NumpyRandom(np.random.default_rng([seed, 1])), states))
    return (students.losses_between(after, after) - students.losses_between(after, states)).mean(axis=-1) / eta


def worst_drift(students: Students) -> float:
    r"""$2\lambda(1+\lambda)R^2\tau$ (E2), for linear students: R is the largest norm of an input."""
    radius = float(np.linalg.norm(students.data.inputs, axis=-1).max())
    tau = float(dropped_gradient_bound(students.order))
    return 2 * students.weight * (1 + students.weight) * radius**2 * tau


def cells() -> list[Cell]:
    """Drift at stationarity, against the exact value; drift where students disagree, against E2."""
    kinds = [(2, True), (2, False)]
    near = [_near(count, shared, order) for count, shared in kinds for order in ORDERS]
    return near + [_near(3, True, 1.0), _near(3, False, 1.0)] + [_far(order) for order in FAR_ORDERS]


def _near(count: int, shared: bool, order: float) -> Cell:
    students = Students(DATA, count, order, WEIGHT, decay=NO_DECAY)
    point, oracle = optimum(students), students.minibatches(BATCH, shared)
    theory = stationary_drift(point, students, BATCH, shared, ETA)
    schedule = schedule_for(ETA, COUNTED, BURN_IN)
    simulation = Simulation(students.problem(point.parameters), oracle, schedule, theory)
    name = rf"stationary, K = {count}, {oracle.name}, $\alpha = {order:g}$"
    series = "shared mini-batches" if shared else "own mini-batches"
    return Cell(name, simulation, order, series, order, _drift_measure(students), panel=0 if count == 2 else None)


def _far(order: float) -> Cell:
    students = Students(DATA, 2, order, WEIGHT, decay=NO_DECAY)
    oracle = students.minibatches(BATCH, False)
    simulation = Simulation(students.problem(), oracle, Schedule(ETA, 1), worst_drift(students))
    name = rf"first step of students that disagree, $\alpha = {order:g}$"
    series = "first step (dashed: bound E2)"
    measure = _first_drift_measure(students)
    return Cell(name, simulation, order, series, order, measure, at_most(0.01), "≤", panel=1)


STUDY = Study(
    name="drift",
    title="Drift: what the peers' motion adds to a student's loss",
    lesson=(
        r"Constant-rate SGD can fail to converge because a student's loss moves when its peers move: drift$_t$ of "
        r"theorem E1. At stationarity the drift is negative and tiny for linear students on a shared mini-batch, "
        r"exactly $-\lambda\alpha X$ times $\eta$: the peers' motion lowers the loss. With own mini-batches it all "
        r"but cancels. While students still disagree, drift/$\eta$ is a sizeable number (negative here, too), and "
        r"the a-priori bound E2 is a few hundred times as large; at stationarity it is tens of thousands of times "
        r"as large."
    ),
    caption=(
        r"Drift per step, divided by $\eta$, against the order. Left: at stationarity, with theory (lines, no free "
        "parameter). Right: its size at the first step from independent N(0, 1) parameters, far below the bound E2 "
        "(dashed)."
    ),
    cells=cells,
    rule=within_standard_errors(0.01, relative=TOLERANCE),
    rule_in_words=(
        "Rule: at stationarity no two-sided t-test rejects theory, which is of first order in the rate and allowed "
        "10 %; at the first step no one-sided test says that E2 is exceeded. Level 1 %, Bonferroni-corrected."
    ),
    replicas=16,
    full_replicas=240,
    panels=(
        Panel(Axis(r"order $\alpha$ (dimensionless)"), Axis(r"drift / $\eta$ (loss² per parameter²)", "linear")),
        Panel(Axis(r"order $\alpha$ (dimensionless)"), Axis(r"|drift| / $\eta$ (loss² per parameter²)")),
    ),
)
