r"""Study: two students that attain the O(1) bias (theorem E6).

Inputs u lie on a circle, labels are fair coins, student 1 has the logits (f(u - x), 0) and student 2 (g(u - y), 0), one
scalar parameter each. Both losses depend on x - y only. The difference settles at the minimiser of the sum of the two
divergences, where the two gradients are opposite and not zero: the pair rotates for ever.
"""

from collections.abc import Sequence

from sims.engine import EXACT, Schedule, Simulation
from sims.engine.backend import Array
from sims.models.pairs import circle
from sims.models.pairs.circle import INPUTS, Rule, circle_gradient, circle_problem
from sims.models.pairs.rules import renyi
from sims.verdicts import Cell, Study, within_tolerance
from theory.theorems.dynamics.rotation import lasting_gradient

ORDERS = (0.5, 0.75, 1.0, 2.0)
RATES = (0.2, 0.1, 0.05, 0.025)
LARGEST = 2.5  # exact values have ten digits up to this order
COUNTED_STEPS = 200
COMPLEMENTARY = renyi(0.75, 0.5), renyi(0.25, 1.5)  # orders alpha and 1 - alpha, weights as 1 - alpha to alpha (N3)


def pair_gradient(state: Array, order: float, weight: float = 1.0, inputs: int = INPUTS) -> Array:
    """Gradients of L_1 in x and of L_2 in y at the states (x, y), shape (R, 2); the peer is detached."""
    return circle_gradient(state, _both(renyi(order, weight)), inputs)


def cells(eta: Sequence[float] = RATES, order: Sequence[float] = ()) -> list[Cell]:
    """Every order at every learning rate, counted once the pair is locked; of the study's own also complementary
    ones."""
    complementary = [] if order else [_complementary(rate) for rate in eta]
    return complementary + [_cell(alpha, rate) for alpha in order or ORDERS for rate in eta]


def locking_steps(order: float, eta: float, weight: float = 1.0) -> int:
    """Steps until the pair of an order is locked; none at order 0, where the divergence vanishes and nothing moves.

    Raises:
        ValueError: the rate is too large for the locked phase to attract.
    """
    return circle.locking_steps(_both(renyi(order, weight)), eta) if order else 0


def _both(rule: Rule) -> tuple[Rule, Rule]:
    return rule, rule


def _cell(order: float, eta: float) -> Cell:
    if not 0 <= order <= LARGEST:
        raise ValueError(f"alpha must be in [0, {LARGEST}], where exact values are known to ten digits, got {order}")
    theory = 0.0 if order == 0.5 else float(lasting_gradient(order))
    return locked(rf"$\alpha = {order:g}$", _both(renyi(order)), eta, theory, order)


def _complementary(eta: float) -> Cell:
    return locked("orders ¾ and ¼, weights ½ and 1½", COMPLEMENTARY, eta, 0.0)


def locked(series: str, rules: tuple[Rule, Rule], eta: float, theory: float, order: float | None = None) -> Cell:
    """A pair with these rules at a learning rate, counted once it is locked."""
    steps = 0 if order == 0 else circle.locking_steps(rules, eta)
    simulation = Simulation(circle_problem(rules), EXACT, Schedule(eta, COUNTED_STEPS, steps), theory)
    return Cell(rf"{series}, $\eta = {eta:g}$", simulation, order, series)


RULE = within_tolerance(1e-9, 1e-20)
RULE_IN_WORDS = (
    "Rule: within 1e-9 of the exact value (1e-20 where that is 0); nothing is random but the start. Burn-in: until "
    "the phase is locked to 1e-11, by the linear rates of its dynamics."
)


STUDY = Study(
    name="rotating_pair",
    title="The O(1) bias, attained: a rotating pair of students",
    lesson=(
        "Two students, one parameter each, no gradient noise, started anywhere. At every positive order tried except "
        r"$\alpha=\frac12$ they lock at a distance where each still pulls on the other, and rotate for "
        r"ever: the mean squared gradient $X$ does not depend on the learning rate, so it survives $\eta "
        r"\to 0$. At order $\frac12$ the divergence is symmetric, the updates descend a potential, and $X$ "
        r"is zero to machine precision (theorems E4 and E6). So it is at complementary orders $\alpha$ and $1-\alpha$, "
        "each student's divergence being the other's read backwards (theorem N3)."
    ),
    caption=(
        "Mean squared gradient $X$ (unit: squared loss per squared parameter) of the locked pair against the "
        "learning rate. Lines: exact values by quadrature. The lines are level: no learning rate is small "
        "enough. At order ½ and at complementary orders what is left is rounding error (its size stands in the legend)."
    ),
    cells=cells,
    rule=RULE,
    rule_in_words=RULE_IN_WORDS,
    replicas=8,
    double=True,
)
