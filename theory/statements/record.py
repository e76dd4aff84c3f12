"""The record of a search: it evaluates points while there is time, and keeps the worst of them."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from theory.divergence.arguments import Array

from .claim import Claim
from .domains import Point
from .sampling import depends_on_classes
from .sides import Sides

BLOCK = 2000
"""Rows evaluated between two looks at the clock; divided by `claim.cost`."""


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


class OutOfTime(Exception):
    """Raised before the next call of the claim's function, whichever stage or optimiser makes it."""


class Deadline:
    """The end of the time that a search has."""

    def __init__(self, seconds: float) -> None:
        self.end = perf_counter() + seconds

    @property
    def passed(self) -> bool:
        """Whether it lies behind."""
        return perf_counter() > self.end


class Record:
    """The running record of one search: the worst points so far, best first, one for each number of classes."""

    def __init__(self, claim: Claim, deadline: Deadline, budget: int) -> None:
        self.claim, self.deadline, self.budget = claim, deadline, budget
        self.points = self.reached = 0
        self.finished = True
        self.best: dict[int, tuple[float, float, Point, str, Array, Array]] = {}
        counts = claim.classes if depends_on_classes(claim.given) else claim.classes[:1]
        self.classes = counts

    def going(self, budget: float = np.inf) -> bool:
        """Whether to go on: nothing refuted yet, points and time left."""
        if self.deadline.passed:
            self.finished = False
            return False
        return self.points < min(budget, self.budget) and not self.refuted

    @property
    def refuted(self) -> bool:
        return any(excess > self.claim.tolerance for _, excess, *_ in self.best.values())

    def try_batch(self, point: Point, classes: int, stage: str) -> Array:
        """Evaluate a batch, remember its worst row and return the scores (larger is worse).

        Raises:
            OutOfTime: if the time ran out before all rows were evaluated; those that were are remembered.
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
            raise OutOfTime
        return scores

    def _sides(self, point: Point) -> Sides:
        """The sides of as many rows as there is time for: blocks of rows, or row by row where a call takes one."""
        size = max(1, BLOCK // self.claim.cost) if self.claim.batched else 1
        parts: list[Sides] = []
        for first in range(0, len(next(iter(point.values()))), size):
            if (parts or self.points) and self.deadline.passed:
                self.finished = False
                break
            parts.append(self.claim.sides({name: value[first : first + size] for name, value in point.items()}))
        if not parts:
            raise OutOfTime
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
