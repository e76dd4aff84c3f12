"""Study: the plateau of constant-rate SGD on a quadratic against its exact formula."""

import math
from collections.abc import Sequence

from theory.convergence import noise_floor

from .simulation import Problem, Schedule, Simulation, gaussian
from .study import Cell, Study, within_standard_errors

DIMENSION, BETA, SIGMA = 10, 1.0, 1.0
RATES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5)

QUADRATIC = Problem(
    gradient=lambda state: BETA * state,
    start=lambda rng, replicas: rng.standard_normal((replicas, DIMENSION)) * (SIGMA / math.sqrt(DIMENSION)),
    value=lambda state: BETA / 2 * (state**2).sum(-1),
    beta=BETA,
)


def cells(eta: Sequence[float] = RATES) -> list[Cell]:
    """One simulation a learning rate, burnt in until the start has decayed by 1e-8."""
    return [Cell(rf"$\eta\beta = {rate * BETA:g}$", _simulation(rate)) for rate in eta]


def _simulation(eta: float) -> Simulation:
    contraction = abs(1 - eta * BETA)
    burn_in = math.ceil(math.log(1e-8) / math.log(contraction)) if contraction else 1
    floor = float(noise_floor(eta, BETA, SIGMA**2))
    return Simulation(QUADRATIC, gaussian(SIGMA), Schedule(eta, 3000, burn_in), floor)


STUDY = Study(
    name="noise_floor",
    title="The noise floor of constant-rate SGD",
    lesson=(
        r"On a quadratic with curvature $\beta$ and gradient noise of variance $\sigma^2$ constant-rate SGD"
        " does not converge: the mean squared gradient $X$ settles at exactly "
        r"$\eta\beta\sigma^2/(2-\eta\beta)$, proportional to the learning rate $\eta$ as long as that is "
        r"small. This part of the error goes away with $\eta$; the bias of the next study does not."
    ),
    caption=(
        "Mean squared gradient $X$ (unit: squared loss per squared parameter) at the plateau against the "
        "learning rate, with the exact formula. The points lie on it; error bars (one standard error) are"
        " smaller than the markers."
    ),
    cells=cells,
    rule=within_standard_errors(0.01),
    rule_in_words=(
        "Rule: no two-sided t-test against the exact value rejects at 1 %, Bonferroni-corrected "
        "over the rows; standard errors from independent replicas."
    ),
    replicas=128,
    full_replicas=8192,
)
