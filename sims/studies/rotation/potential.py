r"""Study: at order 1/2 all students together descend one potential; at other orders their field turns."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.engine import EXACT, Problem, Schedule, Simulation, states_along
from sims.engine.backend import Backend, as_numpy
from sims.models.local_theory import DATA
from sims.models.pairs.scalar import ScalarPair
from sims.models.students import Students
from sims.verdicts import Axis, Cell, Measured, Panel, Study, over_replicas, within_tolerance

from .limit_cycle import START, pair

ORDERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
STATES, SPREAD, STEP = 64, 0.5, 1e-4
STEPS, RATE, PAIR_RATE = 300, 0.2, 4e-3
ROUNDING = 1e-12


def potential(students: Students | ScalarPair, states: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""$\Phi = \sum_k\mathrm{CE}_k + \frac{\lambda}{K-1}\sum_{j<k}D_\alpha(p_j\|p_k)$, symmetrised in j and k (R,).

    Each pair stands in two losses, so Phi is the sum of the losses at half the weight.
    """
    return replace(students, weight=students.weight / 2).losses(states).sum(axis=-1)


def _largest_rise(students: Students | ScalarPair) -> Any:
    def measure(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
        """The largest change of the potential in a step, of each replica."""
        states = states_along(simulation, replicas, seed, simulation.schedule.steps, **where)
        values = potential(students, states.reshape(-1, states.shape[-1])).reshape(-1, replicas)
        return over_replicas(np.diff(values, axis=0).max(axis=0))

    return measure


def _turning(simulation: Simulation, _replicas: int, _seed: int, **where: Any) -> Measured:
    """Root mean square over states of the difference of the two cross derivatives, by central differences."""
    starts, cross = simulation.problem.start(np.random.default_rng(0), STATES), []
    for k in (0, 1):
        moves = [starts + sign * STEP * np.eye(2)[1 - k] for sign in (1, -1)]
        ahead, behind = (as_numpy(simulation.problem.gradient(Backend(**where).asarray(move))) for move in moves)
        cross.append((ahead - behind)[:, k] / (2 * STEP))
    return Measured(float(np.sqrt(np.mean((cross[0] - cross[1]) ** 2))), 0.0)


def cells() -> list[Cell]:
    """The field's turning against the order; the largest rise of the potential at order 1/2."""
    linear, tanh, three = Students(DATA, 2, 0.5), Students(DATA, 2, 0.5, hidden=3), Students(DATA, 3, 0.5)
    named = {"linear students": linear, "tanh students": tanh, "three linear students": three}
    falls = [_fall(name, students, students.problem(), RATE) for name, students in named.items()]
    falls.append(_fall("students of the limit cycle", pair(0.5), pair(0.5).problem((1.0, 1.0), SPREAD), PAIR_RATE))
    return [_turn(order) for order in ORDERS] + falls


def _turn(order: float) -> Cell:
    problem = pair(order).problem((1.0, 1.0), SPREAD)
    expected = float(np.sqrt(np.mean(pair(order).curl(problem.start(np.random.default_rng(0), STATES)) ** 2)))
    simulation = Simulation(problem, EXACT, Schedule(PAIR_RATE, 1), expected)
    return Cell(rf"turning of the field, $\alpha = {order:g}$", simulation, order, "cross derivatives", order, _turning)


def _fall(name: str, students: Students | ScalarPair, problem: Problem, eta: float) -> Cell:
    simulation = Simulation(problem, EXACT, Schedule(eta, STEPS), 0.0)
    label, measure = rf"largest rise of the potential in a step, {name}, $\alpha = 0.5$", _largest_rise(students)
    return Cell(label, simulation, 0.5, "", 0.5, measure, _never_above_rounding, "≤", panel=None)


def _never_above_rounding(_cells: int, _replicas: int) -> Any:
    return lambda measured, _error, theory: measured <= theory + ROUNDING


def descents(order: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Time and the potential along the limit cycle's students, for the figure."""
    problem = pair(order).problem(START, 0.0)
    states = states_along(Simulation(problem, EXACT, Schedule(PAIR_RATE, 750), 0.0), 2, 0, 750)
    times: NDArray[np.float64] = np.arange(len(states), dtype=np.float64)
    return PAIR_RATE * times, potential(pair(order), states[:, 0])


STUDY = Study(
    name="potential",
    title="Order one half: all students descend one potential",
    lesson=(
        r"At order ½ the divergence is symmetric, and the detached updates are the gradient of one potential $\Phi$ "
        "(theorem E4): it falls at every step, from every start, for linear, tanh and scalar students alike. A "
        "field has a potential only if its cross derivatives agree; their difference is 0 at orders 0 and ½ and "
        "nowhere else. At order 1 the same students run round their limit cycle, and the sum rises and falls for "
        "ever."
    ),
    caption=(
        r"Left: root mean square of $\partial_2\nabla_1L_1-\partial_1\nabla_2L_2$ over 64 states of the limit "
        r"cycle's students; line: theory. Right: $\Phi$ against time ($\eta$ times steps) from the same start."
    ),
    cells=cells,
    rule=within_tolerance(1e-5, 1e-5),
    rule_in_words=(
        "Rule: cross derivatives by central differences within 1e-5 of theory (relative or absolute); the "
        "potential never rises by more than 1e-12 in a step."
    ),
    replicas=8,
    double=True,
    panels=(
        Panel(Axis(r"order $\alpha$ (dimensionless)", "linear"), Axis("turning (loss per parameter²)", "linear")),
        Panel(Axis(r"time $\eta t$ (parameter² per loss)", "linear"), Axis(r"potential $\Phi$ (nats)", "linear")),
    ),
)
