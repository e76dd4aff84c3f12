r"""Study: at a fixed product $\alpha\lambda$ training collapses at a smaller learning rate below order 1."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sims.engine import EXACT, Problem, Schedule, Simulation
from sims.engine.backend import Backend
from sims.models.digit_students import Rules, accuracy_after, survived_rate
from sims.verdicts import Axis, Cell, Measured, Panel, Study, at_least, over_replicas
from sims.verdicts.rules import Rule, RuleOf
from theory.dynamics.descent import max_learning_rate

STEPS, HALVINGS, BRACKET, LEAST = 200, 5, (0.02, 1.3), 0.8
PLACES = ((0.25, 3.0), (0.5, 3.0), (2.0, 3.0), (0.5, 1.0), (0.5, 6.0))  # order and product
SHOWN_RATES = (0.05, 0.08, 0.11, 0.15, 0.2, 0.3)
OWN_LOOP = Problem(lambda state: 0 * state, lambda _rng, replicas: np.zeros((replicas, 1)))  # momentum needs one


def predicted(order: float, product: float) -> float:
    r"""The largest safe rate against that of order 1: $\frac{1+\mu}{1+\lambda\max(1,\alpha)}$, $\lambda=\mu/\alpha$."""
    orders = np.array([order, 1.0])
    low, one = max_learning_rate(1.0, 0.0, orders, product / orders)
    return float(low / one)


def _ratio(order: float, product: float) -> Any:
    def measure(simulation: Simulation, replicas: int, seed: int, **where: Any) -> Measured:
        """Ratio of the largest survived rates at the order and at order 1, from the same starts on the same batches."""
        orders = np.repeat([order, 1.0], replicas)
        search = (BRACKET, HALVINGS, simulation.schedule.steps, seed, Backend(**where), LEAST)
        low, one = survived_rate(Rules(orders, product / orders), *search).reshape(2, replicas)
        return over_replicas(low / one)

    return measure


def _falls(order: float) -> RuleOf:
    """Not below theory; and below order 1 below the rate of order 1, by a one-sided t-test that must reject."""

    def rule(cells: int, replicas: int) -> Rule:
        bound, critical = at_least(0.01)(cells, replicas), float(stats.t.ppf(1 - 0.01 / cells, replicas - 1))
        return lambda measured, error, theory: (
            bound(measured, error, theory) and (order >= 1 or measured + critical * error < 1)
        )

    return rule


def cells() -> list[Cell]:
    """The ratio of the rates at every order and product."""
    return [_cell(*place) for place in PLACES]


def _cell(order: float, product: float) -> Cell:
    simulation = Simulation(OWN_LOOP, EXACT, Schedule(1.0, STEPS), predicted(order, product))
    name = rf"largest survived rate over that of order 1, $\alpha = {order:g}$, $\alpha\lambda = {product:g}$"
    return Cell(
        name, simulation, order, rf"$\alpha = {order:g}$", simulation.theory, _ratio(order, product), _falls(order), "≥"
    )


def accuracies(replicas: int = 4) -> NDArray[np.float64]:
    """At orders 1/2 and 1 and the product 3, at `SHOWN_RATES`, (order, rate, replica), for the figure."""
    orders = np.repeat([0.5, 1.0], replicas)
    rules, sizes = Rules(orders, 3 / orders), np.ones(2 * replicas)
    each = [accuracy_after(rate * sizes, rules, STEPS, 0, Backend()) for rate in SHOWN_RATES]
    return np.stack(each).reshape(len(SHOWN_RATES), 2, replicas).swapaxes(0, 1)


STUDY = Study(
    name="collapse_at_low_order",
    title="At a fixed product the weight sets the learning rate",
    lesson=(
        r"Two students with 32 rectified units learn handwritten digits, SGD with momentum 0.9, shared mini-batches of "
        r"50. At a fixed product $\mu=\alpha\lambda$ an order below 1 has the weight $\lambda=\mu/\alpha$, and an "
        r"unsure student beside a sure peer feels all of it: the smoothness of its loss is bounded by $\beta\propto"
        r"1+\lambda\max(1,\alpha)$ (D4), so the rate that is safe falls by $\frac{1+\mu}{1+\mu/\alpha}$ against order "
        "1, although near agreement all orders are the same. And so it is: below order 1 training collapses at a rate "
        "that order 1 survives; most units fall silent, and the students agree more often than they are right. The "
        "bound says how far the rate may have to fall: the measured fall has its direction and about four to seven "
        "tenths of its size (in logarithms), since the worst case is not met all the time. Above order 1 the bound "
        "promises no change."
    ),
    caption=(
        r"Left: the largest learning rate that training survives (at least 80 % of held-out images right after 200 "
        r"steps), in units of that of order 1 at the same product $\alpha\lambda$, against the same ratio of "
        r"`max_learning_rate`; at order ½ for the products 6, 3 and 1 from left to right, else 3. Dashed: equality, "
        r"below which no point should lie. Error bars: one standard error. Right: accuracy at the product 3 against "
        r"the learning rate, mean and range of four runs."
    ),
    cells=cells,
    rule=at_least(0.01),
    rule_in_words=(
        "Rule: no one-sided t-test says that the ratio falls below that of `max_learning_rate`, and below order 1 a "
        "one-sided t-test says that it is below 1; 1 %, Bonferroni-corrected. Rates by five bisections of the "
        "logarithm between 0.02 and 1.3, for each replica; both orders from the same start on the same batches."
    ),
    replicas=8,
    full_replicas=80,
    panels=(
        Panel(
            Axis("predicted ratio of rates (dimensionless)", "linear"), Axis("survived ratio (dimensionless)", "linear")
        ),
        Panel(Axis(r"learning rate $\eta$ (parameter per gradient)"), Axis("accuracy (share of images)", "linear")),
    ),
)
