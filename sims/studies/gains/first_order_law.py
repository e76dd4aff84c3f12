"""Study: independent students and a noisy held-out set tell the sign of what mutual learning does (G3)."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import expit

from sims.engine import Simulation, solved
from sims.models.logistic import Logistic, random_feature_students
from sims.models.random_features import cohorts, risks
from sims.verdicts import Axis, Cell, Measured, Panel, Study, at_least, over_replicas, within_standard_errors
from theory.cohorts.coregularisation import first_order_effect

SMALL, ALLOWED, OFTEN, CLEAR = 2e-3, 0.02, 0.95, 2.0
NOISES, RIDGES = (0.0, 0.5, 1.0, 2.0), (0.01, 10.0)
FLIPS, DECAYS = (0.0, 0.1, 0.25, 0.4), (1e-4, 3e-2)
ASIDE = 0.03  # shift of the ensembles beside the students in the figure, as a share of the panel's width
WHO = ("student", "ensemble")
Changes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Rates of change of the risk of student and ensemble: predicted, its standard error over held-out inputs, measured,
each (R, 2)."""


def cells() -> list[Cell]:
    """Ridge and logistic students at every noise: how often the sign is right, and the size."""
    kinds = [(ridge_changes, NOISES, "noise"), (logistic_changes, FLIPS, "flips")]
    return [
        _cell(kind, changes, level, f"{words} {level:g}", who, sign)
        for kind, (changes, levels, words) in enumerate(kinds)
        for sign in (True, False)
        for who in WHO
        for level in levels
    ]


def _cell(kind: int, changes: Callable[..., Changes], level: float, words: str, who: str, sign: bool) -> Cell:
    place = WHO.index(who)

    def measure(_simulation: Simulation, replicas: int, seed: int) -> Measured:
        """The share of clear predictions with the right sign; or the slope of predicted against measured changes."""
        found = changes(np.random.default_rng(seed), replicas, level)
        predicted, error, measured = (part[:, place] for part in found)
        return right_signs(predicted, error, measured) if sign else slope(predicted, measured)

    name = f"{'ridge' if kind == 0 else 'logistic'} students, {words}, {who}: {'signs' if sign else 'size'}"
    theory, panel = (OFTEN, kind) if sign else (1.0, 2 + kind)
    rule, relation = (at_least(0.01), "≥") if sign else (None, "=")
    beside = level + place * ASIDE * (NOISES, FLIPS)[kind][-1]
    return Cell(name, solved(theory), None, who, beside, measure, rule, relation, panel)


def right_signs(predicted: NDArray[np.float64], error: NDArray[np.float64], measured: NDArray[np.float64]) -> Measured:
    """The share of data sets with the predicted sign, among those whose prediction is clear.

    Raises:
        ValueError: fewer than two data sets have a clear prediction.
    """
    clear, right = np.abs(predicted) > CLEAR * error, np.asarray(predicted * measured > 0, np.float64)
    if clear.sum() < 2:
        raise ValueError(f"at least 2 clear predictions are needed, got {clear.sum()} of {len(clear)}; add replicas")
    return over_replicas(right[clear])


def slope(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> Measured:
    """Slope of the line through 0, predicted against measured: 1 if only the held-out labels' noise makes it err.

    The standard error is that of the linearised ratio of means.
    """
    scale = float((measured**2).mean())
    value = float((predicted * measured).mean()) / scale
    return Measured(value, over_replicas((predicted - value * measured) * measured / scale).standard_error)


def ridge_changes(rng: Generator, replicas: int, noise: float) -> Changes:
    """Data sets with label noise, each with a ridge of its own, log-uniform from over- to underfit."""
    drawn = cohorts(rng, replicas, noise, between(rng, RIDGES, replicas))
    alone, response = drawn.trained(0.0), drawn.response()
    wrong = alone - drawn.held_out[:, None]
    student = 2 * (wrong * response).mean(axis=1)
    predicted = over_inputs(np.stack([student, 2 * wrong.mean(axis=1) * response.mean(axis=1)], axis=1))
    before, after = (np.stack(risks(outputs, drawn.truth), -1) for outputs in (alone, drawn.trained(SMALL)))
    return *predicted, (after - before) / SMALL


def between(rng: Generator, ends: tuple[float, float], count: int) -> NDArray[np.float64]:
    """Log-uniform numbers."""
    return np.exp(rng.uniform(np.log(ends[0]), np.log(ends[1]), count))


def over_inputs(changes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean over held-out inputs, the last axis, and its standard error."""
    return changes.mean(axis=-1), changes.std(axis=-1, ddof=1) / np.sqrt(changes.shape[-1])


def logistic_changes(rng: Generator, replicas: int, flips: float) -> Changes:
    """Data sets with flipped labels, each with a decay of its own, log-uniform from over- to underfit; order 1."""
    decays = between(rng, DECAYS, replicas)
    each = [_logistic(random_feature_students(rng, flips, decay)) for decay in decays]
    predicted, error, measured = (np.array(part) for part in zip(*each, strict=True))
    return predicted, error, measured


def _logistic(students: Logistic) -> tuple[NDArray[np.float64], ...]:
    alone = students.fixed_point()
    together = students.fixed_point(1.0, SMALL, alone)
    before, after = (nll(students.predict(theta), students.chances) for theta in (alone, together))
    return *over_inputs(effects(students, alone)), (after - before) / SMALL


def effects(students: Logistic, alone: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""$-\nabla\mathrm{Risk}^\top H_k^{-1}\nabla\bar D$, every held-out input with its noisy label as a risk of its
    own: mean student's and ensemble's (the mean of the logits), (2, m)."""
    z, hessians, pulls = students.predict(alone), students.hessians(alone), students.mutual_gradient(alone, 1.0)
    each = [expit(z), np.broadcast_to(expit(z.mean(axis=0)), z.shape)]
    slopes = (np.moveaxis(students.unseen * (q - students.held_out)[..., None], 1, 0) for q in each)  # (m, K, p)
    return np.stack([first_order_effect(slope, hessians, pulls).mean(axis=-1) for slope in slopes])


def nll(logits: NDArray[np.float64], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """NLL, expected over labels: of the mean student and of the mean of the logits (2,)."""
    together = np.stack([logits.mean(axis=0)])
    return np.array([(np.logaddexp(0, z) - chances * z).mean() for z in (logits, together)])


SIGNS = Axis("share of right signs (dimensionless)", "linear")
SIZES = Axis("predicted / measured (dimensionless)", "linear")
NOISE = Axis(r"label noise $\sigma$ (units of the label)", "linear")
FLIPPED = Axis("share of flipped labels (dimensionless)", "linear")
STUDY = Study(
    name="first_order_law",
    title="The sign of what mutual learning does, known before any of it",
    lesson=(
        r"Mutual learning with a small weight moves a student by its own smoother, applied to its disagreement with "
        r"the peers on the training set: $d\theta_k/d\lambda=-H_k^{-1}\nabla\bar D$ (theorem G3). So the independent "
        r"students and a held-out set whose labels are as noisy as the training labels already determine whether "
        r"student and ensemble will gain or lose. Out of sample, from overfit to underfit, the predicted sign is "
        r"right in at least 95 % of the data sets where it is clear, and the predicted size has no bias."
    ),
    caption=(
        rf"Top: share of the data sets whose change at a coupling of {SMALL:g} has the predicted sign, among those "
        rf"with a clear prediction (beyond {CLEAR:g} standard errors over held-out inputs); dashed: the claim, "
        rf"{OFTEN:g}. Bottom: slope of the predicted against the measured changes, theory 1. Left: three "
        "random-feature ridge students; right: two logistic ones. Every data set has a ridge or decay of its own. "
        "Error bars: one standard error over data sets; ensembles are drawn a little to the right."
    ),
    cells=cells,
    rule=within_standard_errors(0.01, relative=ALLOWED),
    rule_in_words=(
        f"Rule: no one-sided t-test says that fewer than {OFTEN:.0%} of the clear predictions have the right sign, "
        f"and no two-sided one that the slope is not 1, where the finite coupling is allowed {ALLOWED:.0%}. Level 1 %, "
        "Bonferroni-corrected."
    ),
    replicas=48,
    full_replicas=960,
    panels=(
        Panel(NOISE, SIGNS, "ridge students"),
        Panel(FLIPPED, SIGNS, "logistic students"),
        Panel(NOISE, SIZES),
        Panel(FLIPPED, SIZES),
    ),
)
