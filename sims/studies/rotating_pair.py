r"""Study: two students that attain the O(1) bias (theorem E6).

Inputs u lie on a circle, labels are fair coins, student 1 has the logits (f(u - x), 0) and student 2 (g(u - y), 0), one
scalar parameter each. Both losses depend on x - y only. The difference settles at the minimiser of the sum of the two
divergences, where the two gradients are opposite and not zero: the pair rotates for ever.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from array_api_compat import array_namespace, device
from numpy.random import Generator

from sims.engine import EXACT, Problem, Schedule, Simulation
from sims.engine.backend import Array
from sims.models.scalar_pair import expit
from sims.verdicts import Cell, Study, within_tolerance
from theory.theorems.dynamics.rotation import lasting_gradient

ORDERS = (0.5, 0.75, 1.0, 2.0)
RATES = (0.2, 0.1, 0.05, 0.025)
INPUTS, LARGEST = 192, 2.5  # on so many inputs exact values have ten digits up to this order: their waves are smooth
COUNTED_STEPS = 200
NEAREST, LOCKED = 1e-6, 1e-11  # of a start to the unstable phase (one in three million is nearer); to the locked phase


@dataclass(frozen=True)
class Wave:
    """The logit $a_1\\cos u + a_2\\cos(2u + \\phi)$ of the first class against the second."""

    first: float
    second: float = 0.0
    phase: float = 0.0

    def __call__(self, u: Array) -> Array:
        xp = array_namespace(u)
        return self.first * xp.cos(u) + self.second * xp.cos(2 * u + self.phase)

    def slope(self, u: Array) -> Array:
        """The derivative."""
        xp = array_namespace(u)
        return -self.first * xp.sin(u) - 2 * self.second * xp.sin(2 * u + self.phase)


F, G = Wave(5.208), Wave(5.549, 4.028, 2.531)


def circle(inputs: int) -> Array:
    """Equidistant inputs: a periodic function's mean over them is its integral, up to an exponentially small error."""
    return 2 * np.pi * np.arange(inputs) / inputs


def pair_gradient(state: Array, order: float, weight: float = 1.0, inputs: int = INPUTS) -> Array:
    """Gradients of L_1 in x and of L_2 in y at the states (x, y), shape (R, 2); the peer is detached.

    For two classes q - w has a closed form: the mixture's logit is the weighted mean of the two logits.
    """
    xp = array_namespace(state)
    u = xp.asarray(circle(inputs), dtype=state.dtype, device=device(state))
    at_f, at_g = u - state[:, :1], u - state[:, 1:]
    f, g = F(at_f), G(at_g)
    pulls = [_pull(f, g, order, weight) * -F.slope(at_f), _pull(g, f, order, weight) * -G.slope(at_g)]
    return xp.stack([xp.mean(pull, axis=-1) for pull in pulls], axis=-1)


def _pull(own: Array, peer: Array, order: float, weight: float) -> Array:
    """Derivative of CE (labels are fair coins) + weight * D_order(peer || own) in the own logit."""
    q = expit(own)
    return (q - 0.5) + weight * (q - expit(order * peer + (1 - order) * own))


def _start(rng: Generator, replicas: int) -> Array:
    return rng.uniform(-np.pi, np.pi, (replicas, 2))


def cells(eta: Sequence[float] = RATES, order: Sequence[float] = ORDERS) -> list[Cell]:
    """Every order at every learning rate, counted once the pair is locked."""
    return [_cell(alpha, rate) for alpha in order for rate in eta]


def locking_steps(order: float, eta: float, weight: float = 1.0) -> int:
    r"""Steps until $\varphi = x-y$ is locked, by the rates of $\dot\varphi=-T(\varphi)$ at its two fixed points.

    A step multiplies a small distance to the unstable phase by $1+\eta|T'|$, to the locked phase by $|1-\eta T'|$.

    Raises:
        ValueError: the rate is too large for the locked phase to attract.
    """
    if order == 0:
        return 0  # the divergence of order 0 vanishes, and nothing moves
    away, towards = _rates(order, weight)
    if not eta * towards < 2:
        raise ValueError(f"eta must be below {2 / towards:.4g}, where the pair of order {order:g} locks, got {eta}")
    contraction = max(abs(1 - eta * towards), 0.5)  # farther off than where the linear rate holds it may be slower
    return math.ceil(
        math.log(math.pi / NEAREST) / math.log1p(eta * away) - math.log(math.pi / LOCKED) / math.log(contraction)
    )


@cache
def _rates(order: float, weight: float) -> tuple[float, float]:
    """|T'| at the unstable phase and T' at the locked one; T crosses 0 at no other phase."""
    phase = circle(INPUTS)
    gradient = pair_gradient(np.stack([phase, 0 * phase], axis=-1), order, weight)
    torque = gradient[:, 0] - gradient[:, 1]
    rise = (np.roll(torque, -1) - torque) / phase[1]
    crosses = torque * np.roll(torque, -1) <= 0
    return -float(rise[crosses].min()), float(rise[crosses].max())


def _cell(order: float, eta: float) -> Cell:
    if not 0 <= order <= LARGEST:
        raise ValueError(f"alpha must be in [0, {LARGEST}], where exact values are known to ten digits, got {order}")
    theory = 0.0 if order == 0.5 else float(lasting_gradient(order))
    problem = Problem(lambda state: pair_gradient(state, order), _start, students=2)
    schedule = Schedule(eta, COUNTED_STEPS, locking_steps(order, eta))
    name = rf"$\alpha = {order:g}$, $\eta = {eta:g}$"
    return Cell(name, Simulation(problem, EXACT, schedule, theory), order)


STUDY = Study(
    name="rotating_pair",
    title="The O(1) bias, attained: a rotating pair of students",
    lesson=(
        "Two students, one parameter each, no gradient noise, started anywhere. At every positive order except "
        r"$\alpha=\frac12$ they lock at a distance where each still pulls on the other, and rotate for "
        r"ever: the mean squared gradient $X$ does not depend on the learning rate, so it survives $\eta "
        r"\to 0$. At order $\frac12$ the divergence is symmetric, the updates descend a potential, and $X$ "
        "is zero to machine precision (theorems E4 and E6)."
    ),
    caption=(
        "Mean squared gradient $X$ (unit: squared loss per squared parameter) of the locked pair against the "
        "learning rate. Lines: exact values by quadrature. The lines are level: no learning rate is small "
        "enough. At order ½ what is left is rounding error (its size stands in the legend)."
    ),
    cells=cells,
    rule=within_tolerance(1e-9, 1e-20),
    rule_in_words=(
        "Rule: within 1e-9 of the exact value (1e-20 where that is 0); nothing is random but the start. Burn-in: until "
        "the phase is locked to 1e-11, by the linear rates of its dynamics."
    ),
    replicas=8,
    double=True,
)
