"""Search for a counterexample: the point of a claim's domain where its two sides come closest to contradicting it.

Edge cases first, then random restarts, then scipy's optimisers from the worst points, in the coordinates of the domains
(logits, log-orders, ...). The sequence of points depends on the seed alone and the budget is a number of points, so
two searches agree bit for bit; `seconds` is a cap, and a search that it cut short says so and can be repeated with the
number of points that it reports.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from scipy.optimize import differential_evolution, minimize

from theory.divergence.arguments import Array

from .claim import Claim
from .domains import Point
from .sampling import corners, depends_on_classes, draw
from .sides import Sides, takes_batches

BATCH = 500
BLOCK = 2000
"""Rows evaluated between two looks at the clock; divided by `claim.cost`."""
MOST_EDGES = 200_000
"""A larger budget searches no more edge cases: all of them are held at once."""
SHARE_OF_RANDOM_POINTS = 0.5
OPTIMISED_CLASSES = 5
BOX = 40.0


@dataclass(frozen=True)
class Worst:
    """The worst point of a search.

    Attributes:
        point: the values of the variables.
        lhs, rhs: the two sides there.
        excess: the violation there, see `Claim.excess`; `margin` is its negative.
        refuted: whether the violation is beyond the claim's tolerance.
        points: how many points were evaluated; with the seed it determines the search.
        reach: the share of them that the hypothesis reached with finite sides.
        stage: which part of the search found the point.
        finished: whether the search ended before the time ran out.
    """

    point: Point
    lhs: Array
    rhs: Array
    excess: float
    refuted: bool
    points: int
    reach: float
    stage: str
    finished: bool

    @property
    def margin(self) -> float:
        """Relative room left between the sides at the worst point: 1 - lhs/rhs, negative where violated."""
        return -self.excess


def search(claim: Claim, seconds: float = 10.0, seed: int = 0, points: int = 20_000) -> Worst:
    """Maximise lhs/rhs (or |lhs - rhs| for an equality) over the domain; stop at the first violation.

    Args:
        claim: a theorem or a conjecture.
        seconds: a cap on the time, outlasted by one call of the function (or one block of rows) at most.
        seed: determines every random choice.
        points: the number of points to evaluate, about; divided by `claim.cost`.

    Raises:
        ValueError: a budget that is not positive.
    """
    if not (seconds > 0 and points > 0):
        raise ValueError(f"seconds and points must be positive, got seconds={seconds} and points={points}")
    deadline = perf_counter() + seconds
    run = _Search(_with_batching_known(claim, deadline), deadline, max(60, points // claim.cost))
    with suppress(_OutOfTime):
        for stage in (_edges, _random, _optimised):
            stage(run, default_rng([seed, len(stage.__name__)]))
    return run.result()


def _with_batching_known(claim: Claim, deadline: float) -> Claim:
    """The claim with `batched` filled in: whether its function takes batches is tried once, on a few random points."""
    if claim.batched is not None:
        return claim

    def timed(**point: Any) -> tuple[Any, Any]:
        if perf_counter() > deadline:
            raise _OutOfTime
        return claim.function(**point)

    together = False
    with suppress(_OutOfTime):
        together = takes_batches(timed, draw(claim.given, default_rng(0), 3, claim.classes[0]))
    return replace(claim, batched=together)


class _OutOfTime(Exception):
    """Raised before the next call of the claim's function, whichever stage or optimiser makes it."""


class _Search:
    """The running record of one search: the worst points so far, best first, one for each number of classes."""

    def __init__(self, claim: Claim, deadline: float, budget: int) -> None:
        self.claim, self.deadline, self.budget = claim, deadline, budget
        self.points = self.reached = 0
        self.finished = True
        self.best: dict[int, tuple[float, float, Point, str, Array, Array]] = {}
        counts = claim.classes if depends_on_classes(claim.given) else claim.classes[:1]
        self.classes = counts

    def going(self, budget: float = np.inf) -> bool:
        """Whether to go on: nothing refuted yet, points and time left."""
        if perf_counter() > self.deadline:
            self.finished = False
            return False
        return self.points < min(budget, self.budget) and not self.refuted

    @property
    def refuted(self) -> bool:
        return any(excess > self.claim.tolerance for _, excess, *_ in self.best.values())

    def try_batch(self, point: Point, classes: int, stage: str) -> Array:
        """Evaluate a batch, remember its worst row and return the scores (larger is worse).

        Raises:
            _OutOfTime: if the time ran out before all rows were evaluated; those that were are remembered.
        """
        sides = self._sides(point)
        excess = self.claim.excess_of(sides)
        self.points += len(excess)
        self.reached += int(sides.finite.sum())
        scores = _score(sides.lhs, sides.rhs, excess)
        worst = int(np.lexsort((scores, excess > self.claim.tolerance))[-1])
        there = {name: value[worst] for name, value in point.items()}
        record = (float(scores[worst]), float(excess[worst]), there, stage, sides.lhs[worst], sides.rhs[worst])
        if classes not in self.best or record[:1] > self.best[classes][:1] or record[1] > self.claim.tolerance:
            self.best[classes] = record
        if len(scores) < len(next(iter(point.values()))):
            raise _OutOfTime
        return scores

    def _sides(self, point: Point) -> Sides:
        """The sides of as many rows as there is time for: blocks of rows, or row by row where a call takes one."""
        size = max(1, BLOCK // self.claim.cost) if self.claim.batched else 1
        parts: list[Sides] = []
        for first in range(0, len(next(iter(point.values()))), size):
            if (parts or self.points) and perf_counter() > self.deadline:
                self.finished = False
                break
            parts.append(self.claim.sides({name: value[first : first + size] for name, value in point.items()}))
        if not parts:
            raise _OutOfTime
        return Sides(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("lhs", "rhs", "reached")))

    def result(self) -> Worst:
        """The worst of the recorded points."""
        record = max(self.best.values(), key=lambda r: (r[1] > self.claim.tolerance, r[0]))
        _, excess, point, stage, lhs, rhs = record
        share = self.reached / self.points
        refuted = excess > self.claim.tolerance
        return Worst(
            point,
            lhs.squeeze(),
            rhs.squeeze(),
            excess,
            refuted,
            self.points,
            share,
            stage,
            self.finished,
        )


def _score(lhs: Array, rhs: Array, excess: Array) -> Array:
    """log(lhs/rhs) where both are positive numbers: it has a slope where the relative excess is flat at -1."""
    if lhs.shape[-1] != 1:
        return excess
    left, right = lhs[:, 0], rhs[:, 0]
    usable = (left > 0) & (right > 0) & np.isfinite(left) & np.isfinite(right) & (excess != -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usable, np.log(np.where(usable, left, 1.0)) - np.log(np.where(usable, right, 1.0)), -800.0)
    empty = (excess == -1) | ((left == 0) & (right == 0))  # 0 <= 0 is no closer to a violation than anything else
    return np.where(usable & (excess < 0), ratio, np.where(empty, -800.0, excess))


def _edges(run: _Search, rng: Generator) -> None:
    for classes in run.classes:
        if run.points == 0 or run.going(run.budget / 4):
            most = min(run.budget, MOST_EDGES) // (8 if classes <= 10 else 80) + 1
            run.try_batch(corners(run.claim.given, rng, classes, most), classes, "edge cases")


def _random(run: _Search, rng: Generator) -> None:
    while run.going(SHARE_OF_RANDOM_POINTS * run.budget):
        for classes in run.classes:
            share = BATCH if classes <= 10 else BATCH // 10  # wide rows cost more and rarely decide
            rows = min(share, run.budget // 8 + 1)
            run.try_batch(draw(run.claim.given, rng, rows, classes), classes, "random points")


def _optimised(run: _Search, rng: Generator) -> None:
    few = [classes for classes in run.classes if classes <= OPTIMISED_CLASSES]
    for k, classes in enumerate(few):
        share = (run.budget - run.points) / (len(few) - k)
        if run.going():
            _evolve(run, rng, classes, 0.7 * share)
        if run.going() and run.claim.relation == "<=":  # an equality's error is rounding: nothing to climb
            _polish(run, classes, 0.15 * share)


def _evolve(run: _Search, rng: Generator, classes: int, points: float) -> None:
    """Differential evolution, a whole population at once, from random points and the worst one so far."""
    given = run.claim.given
    start = draw(given, rng, 64, classes)
    worst = run.best[classes][2]
    population = np.concatenate([_encode(run, start), _encode(run, {name: v[None] for name, v in worst.items()})])
    population = np.clip(population, -BOX, BOX)

    def loss(coordinates: Array) -> Array:
        return -run.try_batch(_decode(run, coordinates.T, classes), classes, "differential evolution")

    scipy: Any = differential_evolution  # its annotations forget that `init` may be an array
    scipy(
        loss,
        [(-BOX, BOX)] * population.shape[1],
        init=population,
        maxiter=max(1, int(points / len(population)) - 1),
        vectorized=True,
        updating="deferred",
        polish=False,
        tol=0,
        rng=rng,
        callback=lambda *_: not run.going(),
    )


def _polish(run: _Search, classes: int, points: float) -> None:
    """Nelder-Mead from the worst point so far: the margin often ends in a kink or at infinity."""
    worst = {name: value[None] for name, value in run.best[classes][2].items()}

    def loss(coordinates: Array) -> float:
        return -float(run.try_batch(_decode(run, coordinates[None], classes), classes, "Nelder-Mead")[0])

    def stop(*_: object) -> None:
        if not run.going():
            raise StopIteration

    options = {"maxfev": max(10, int(points)), "xatol": 1e-10, "fatol": 1e-15, "adaptive": True}
    with np.errstate(invalid="ignore"):
        minimize(loss, _encode(run, worst)[0], method="Nelder-Mead", options=options, callback=stop)


def _encode(run: _Search, point: Point) -> Array:
    return np.concatenate([domain.encode(point[name]) for name, domain in run.claim.given.items()], axis=1)


def _decode(run: _Search, coordinates: Array, classes: int) -> Point:
    given = run.claim.given
    sizes = [domain.encode(domain.edges(classes)[:1]).shape[1] for domain in given.values()]
    parts = np.split(coordinates, np.cumsum(sizes)[:-1], axis=1)
    return {name: domain.decode(part, classes) for (name, domain), part in zip(given.items(), parts, strict=True)}
