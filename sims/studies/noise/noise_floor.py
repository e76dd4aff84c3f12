"""Study: the plateau of constant-rate SGD on a quadratic against its exact formula."""

import math
from collections.abc import Sequence

import numpy as np

from sims.engine import Oracle, Problem, Schedule, Simulation, constant_bias, gaussian
from sims.engine.backend import Array, Random, like
from sims.verdicts import MEAN_SQUARE, Axis, Cell, Fit, Panel, Study, within_standard_errors
from sims.verdicts.fits import level
from theory.dynamics.stationary import noise_floor

DIMENSION, BETA, SIGMA, ZETA = 10, 1.0, 1.0, 0.3
RATES, SMALL = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5), 0.1
STEPS, EXAMPLES, BATCHES, BATCH_RATE = 3000, 100, (1, 4, 16, 64), 0.5
FREE, BIASED, BATCHED = "Gaussian noise", rf"and a constant bias, $\zeta = {ZETA:g}$", "mini-batches"

QUADRATIC = Problem(
    gradient=lambda state: BETA * state,
    start=lambda rng, replicas: rng.standard_normal((replicas, DIMENSION)) * (SIGMA / math.sqrt(DIMENSION)),
    value=lambda state: BETA / 2 * (state**2).sum(-1),
    beta=BETA,
)


def cells(eta: Sequence[float] = ()) -> list[Cell]:
    """The plateau at every rate; of the study's own rates also with a bias, and against the batch."""
    rates = [_cell(rf"$\eta\beta = {rate * BETA:g}$", rate, gaussian(SIGMA), FREE) for rate in eta or RATES]
    return rates if eta else rates + [_biased(rate) for rate in RATES if rate <= SMALL] + [_batch(b) for b in BATCHES]


def _cell(
    name: str,
    eta: float,
    oracle: Oracle,
    series: str,
    variance: float = SIGMA**2,
    bias: float = 0.0,
    steps: int = STEPS,
) -> Cell:
    """Burnt in until the start has decayed by 1e-8. On a quadratic bias and noise do not mix: X is their sum."""
    contraction = abs(1 - eta * BETA)
    floor = float(noise_floor(eta, BETA, variance)) + bias**2  # refuses a rate at which the start never decays
    burn_in = math.ceil(math.log(1e-8) / math.log(contraction)) if contraction else 1
    return Cell(name, Simulation(QUADRATIC, oracle, Schedule(eta, steps, burn_in), floor), series=series)


def _biased(eta: float) -> Cell:
    oracle = constant_bias(ZETA, gaussian(SIGMA))
    return _cell(rf"$\eta\beta = {eta * BETA:g}$, $\zeta = {ZETA:g}$", eta, oracle, BIASED, bias=ZETA, steps=3 * STEPS)


def _batch(size: int) -> Cell:
    cell = _cell(f"mini-batches of {size}", BATCH_RATE, minibatches(size), BATCHED, SIGMA**2 / size)
    return Cell(cell.name, cell.simulation, series=BATCHED, x=size, panel=1)


def minibatches(size: int) -> Oracle:
    r"""Mini-batches drawn with replacement.

    Up to a constant the quadratic is the mean of $\frac\beta2\|x-a_i\|^2$ with $\sum_i a_i=0$ and $\beta^2\|a_i\|^2$
    equal to $\sigma^2$ in the mean.
    """
    points = np.random.default_rng(0).standard_normal((EXAMPLES, DIMENSION))
    points -= points.mean(axis=0)
    points *= SIGMA / BETA / math.sqrt((points**2).sum(-1).mean())

    def sample(rng: Random, state: Array) -> Array:
        chosen = like(points, state)[rng.integers(0, EXAMPLES, (len(state), size))]
        return BETA * (state - chosen.sum(1) / size)

    return Oracle(f"mini-batches of {size}", sample=sample)


STUDY = Study(
    name="noise_floor",
    title="The noise floor of constant-rate SGD",
    lesson=(
        r"On a quadratic with curvature $\beta$ and gradient noise of variance $\sigma^2$ constant-rate SGD"
        " does not converge: the mean squared gradient $X$ settles at exactly "
        r"$\eta\beta\sigma^2/(2-\eta\beta)$, proportional to the learning rate $\eta$ as long as that is "
        r"small, and to 1/batch. This part of the error goes away with $\eta$; a bias of norm $\zeta$ does not, and "
        r"leaves $\zeta^2$."
    ),
    caption=(
        "Mean squared gradient $X$ at the plateau against the learning rate (left) and the mini-batch (right, "
        rf"$\eta\beta={BATCH_RATE * BETA:g}$); curvature $\beta=1$, noise $\sigma=1$, {DIMENSION} dimensions. Lines: "
        "exact formulas. Error bars (one standard error) are smaller than the markers."
    ),
    cells=cells,
    rule=within_standard_errors(0.01),
    rule_in_words=(
        "Rule: no two-sided t-test against the exact value rejects at 1 %, Bonferroni-corrected "
        "over the rows; standard errors from independent replicas. Fits: the whole of the 95 % interval within 0.05 "
        rf"of the power, and within 2 % of $\zeta^2$; rates up to {SMALL:g}."
    ),
    replicas=128,
    full_replicas=8192,
    panels=(Panel(Axis(r"$\eta\beta$ (dimensionless)")), Panel(Axis("mini-batch (examples)"), MEAN_SQUARE)),
    fits=lambda: [
        Fit(r"power of $\eta$", FREE, 1.0, 0.05, most=SMALL),
        Fit(r"$X$ as $\eta\to0$", BIASED, ZETA**2, 0.02 * ZETA**2, level),
        Fit("power of the batch", BATCHED, -1.0, 0.05, panel=1),
    ],
)
