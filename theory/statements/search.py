"""Search for a counterexample: the point of a claim's domain where its two sides come closest to contradicting it.

Edge cases first, then random restarts, then scipy's optimisers from the worst points, in the coordinates of the domains
(logits, log-orders, ...). The sequence of points depends on the seed alone and the budget is a number of points, so
two searches agree bit for bit; `seconds` is a cap, and a search that it cut short says so and can be repeated with the
number of points that it reports.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from numpy.random import Generator, default_rng

from theory.typed import check_arguments, shown

from .claim import Claim
from .climb import optimised
from .record import Deadline, OutOfTime, Record, Worst
from .sampling import corners, draw
from .sides import takes_batches

BATCH = 500
MOST_EDGES = 200_000
"""A larger budget searches no more edge cases: all of them are held at once."""
SHARE_OF_RANDOM_POINTS = 0.5


def search(claim: Claim, seconds: float = 10.0, seed: int = 0, points: int = 20_000) -> Worst:
    """Maximise lhs/rhs (or |lhs - rhs| for an equality) over the domain; stop at the first violation.

    Args:
        claim: a theorem or a conjecture.
        seconds: a cap on the time, outlasted by one call of the function (or one block of rows) at most.
        seed: determines every random choice.
        points: the number of points to evaluate, about; divided by `claim.cost`.

    Raises:
        ValueError: a budget that is not positive, a negative seed, or a function that does not return two real sides.
    """
    check_arguments(search, locals())
    if not (seconds > 0 and 0 < points < 2**63):
        raise ValueError(f"seconds and points must be positive, got seconds={seconds} and points={shown(points)}")
    if seed < 0:
        raise ValueError(f"seed must be a whole number that is not negative, got {seed}")
    deadline = Deadline(seconds)
    run = Record(_with_batching_known(claim, deadline), deadline, max(60, points // claim.cost))
    with suppress(OutOfTime):
        for number, stage in STAGES:
            stage(run, default_rng([seed, number]))
    return run.result()


def _with_batching_known(claim: Claim, deadline: Deadline) -> Claim:
    """The claim with `batched` filled in: whether its function takes batches is tried once, on a few random points."""
    if claim.batched is not None:
        return claim

    def timed(**point: Any) -> tuple[Any, Any]:
        if deadline.passed:
            raise OutOfTime
        return claim.function(**point)

    together = False
    with suppress(OutOfTime):
        together = takes_batches(timed, draw(claim.given, default_rng(0), 3, claim.classes[0]))
    return replace(claim, batched=together)


def _edges(run: Record, rng: Generator) -> None:
    for classes in run.classes:
        if run.points == 0 or run.going(run.budget / 4):
            most = min(run.budget, MOST_EDGES) // (8 if classes <= 10 else 80) + 1
            run.try_batch(corners(run.claim.given, rng, classes, most), classes, "edge cases")


def _random(run: Record, rng: Generator) -> None:
    while run.going(SHARE_OF_RANDOM_POINTS * run.budget):
        for classes in run.classes:
            share = BATCH if classes <= 10 else BATCH // 10  # wide rows cost more and rarely decide
            rows = min(share, run.budget // 8 + 1)
            run.try_batch(draw(run.claim.given, rng, rows, classes), classes, "random points")


STAGES = ((6, _edges), (7, _random), (10, optimised))
"""In their order; the numbers seed what they draw, as in the published tables."""
