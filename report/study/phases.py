"""Who gained where on the paths from under- to overfitting, and what was predicted.

Every interval is a paired t-interval over seeds that holds for all comparisons of its table together (Bonferroni).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from training.study.paired import Difference, paired
from training.study.record import WHO

from .files import FULL, WEAK, Paths, Phases, Prediction, compared, nats
from .files import points as in_points

Key = tuple[str, float, int, tuple[float, float], str]
"""Problem, share of noise, number of the epoch, coupling, who."""


class Point(NamedTuple):
    """The prediction and the measured gain of the student or the ensemble at one epoch of one problem.

    Attributes:
        problem, noise, epoch, coupling, who: which.
        beta: of the independent ensemble, nan where there is none.
        said: what was predicted.
        nll: the gain in held-out NLL (positive: better).
        accuracy: the gain in held-out accuracy.
    """

    problem: str
    noise: float
    epoch: int
    coupling: tuple[float, float]
    who: str
    beta: float
    said: str
    nll: Difference
    accuracy: Difference

    @property
    def truth(self) -> str:
        """ "gains" or "loses" in NLL where the interval excludes 0, else nothing."""
        return {1: "gains", -1: "loses", 0: ""}[self.nll.sign]


def points(found: Phases) -> list[Point]:
    """Gains of both strengths at all epochs of all problems."""
    number = comparisons(found)
    return [_point(found, *key, number) for key in _keys(found)]


def comparisons(found: Phases) -> int:
    """How many intervals hold together: one for NLL and one for accuracy a cell."""
    return 2 * len(list(_keys(found)))


def _keys(found: Phases) -> Iterator[Key]:
    for name, paths, noise in found.cells:
        for k in range(len(paths.problem.epochs)):
            yield from ((name, noise, k, coupling, who) for coupling in (WEAK, FULL) for who in WHO)


def _point(
    found: Phases, name: str, noise: float, k: int, coupling: tuple[float, float], who: str, comparisons: int
) -> Point:
    paths = found.problems[name]
    alone, mutual = paths.alone(noise), paths.coupled(noise, coupling)
    expected = _expected(found.predictions.rows[name], noise, paths.problem.epochs[k])
    loss, right = f"{who}_nll", f"{who}_accuracy"
    nll = compared(alone, mutual, lambda one: one.at(loss, k), comparisons)  # a fall is a gain
    accuracy = compared(mutual, alone, lambda one: one.at(right, k), comparisons)
    beta = np.nan if expected.beta is None else expected.beta
    said = getattr(expected, who)
    return Point(name, noise, expected.epoch, coupling, who, beta, said, nll, accuracy)


def _expected(rows: list[Prediction], noise: float, epoch: int) -> Prediction:
    return next(one for one in rows if (one.noise, one.epoch) == (noise, epoch))


def tally_rows(found: Phases) -> list[list[str]]:
    """How often the predictions were right, by problem, strength and who; its head first."""
    head = ["problem", "αλ", "who", "cells", "clear", "of these predicted", "of these right", "β* alone: right",
            "largest mean gain"]  # fmt: skip
    body, every = [], points(found)
    for coupling in (WEAK, FULL):
        for who in WHO:
            chosen = [one for one in every if (one.coupling, one.who) == (coupling, who)]
            for name, paths in found.problems.items():
                own = [one for one in chosen if one.problem == name]
                body.append([paths.problem.title, f"{coupling[1]:g}", who, *_tally(own)])
            body.append(["all", f"{coupling[1]:g}", who, *_tally(chosen)])
    return [head, *body]


def total_rows(found: Phases) -> list[list[str]]:
    """The lines of that table over all problems, its head first."""
    head, *body = tally_rows(found)
    return [head[1:-1], *(row[1:-1] for row in body if row[0] == "all")]


def _tally(points: list[Point]) -> list[str]:
    clear = [one for one in points if one.truth]
    told = [one for one in clear if one.said in ("gains", "loses")]
    right = [one for one in told if one.said == one.truth]
    bare = [one for one in clear if np.isfinite(one.beta) and (one.who == "ensemble" or not 1 <= one.beta <= 2)]
    hits = [one for one in bare if (one.beta < 1) == (one.truth == "gains")]
    most = max(points, key=lambda one: one.nll.mean)
    return [str(len(points)), str(len(clear)), str(len(told)), str(len(right)),
            f"{len(hits)} of {len(bare)}", f"{most.nll.mean:.2f} ± {most.nll.reach:.2f}"]  # fmt: skip


def misses(found: Phases) -> list[str]:
    """Every clear cell in which the prediction named the wrong sign."""
    return [
        f"{found.problems[one.problem].problem.title}, label noise {one.noise:g}, epoch {one.epoch}, αλ = "
        f"{one.coupling[1]:g}: β* = {one.beta:.2f}, predicted: the {one.who} {one.said}; its gain in NLL: {one.nll}"
        for one in points(found)
        if one.truth and one.said in ("gains", "loses") and one.said != one.truth
    ]


def end_rows(found: Phases) -> list[list[str]]:
    """What order 1 at lam = 1 gains on the test set after the last epoch, its head first."""
    head = ["problem", "label noise", "train accuracy, %", "independent student, %",
            *(f"{who}: {score}" for who in WHO for score in ("accuracy, points", "NLL lower by"))]  # fmt: skip
    number = 2 * len(WHO) * len(list(found.cells))
    return [head, *(_end(paths, noise, number) for _, paths, noise in found.cells)]


def _end(paths: Paths, noise: float, number: int) -> list[str]:
    alone, mutual = paths.alone(noise), paths.coupled(noise, FULL)
    cells = [f"{100 * np.mean(one):.1f}" for one in (alone.train_accuracy, alone.test["student_accuracy"])]
    for right, loss in ((f"{who}_accuracy", f"{who}_nll") for who in WHO):
        cells.append(in_points(compared(mutual, alone, lambda one, score=right: one.final(score), number)))
        cells.append(nats(compared(alone, mutual, lambda one, score=loss: one.final(score), number)))
    return [paths.problem.title, f"{noise:g}", *cells]


def beaten_rows(found: Phases) -> list[list[str]]:
    """Mutual students against the independent *ensemble* on the test set after the last epoch, its head first.

    The mutual students are those of the coupling with the least held-out NLL; the best student is chosen among them by
    held-out NLL, too.
    """
    head = ["problem", "label noise", "αλ (order)", "best student − ensemble: accuracy, points", "NLL, nats"]
    lines = beaten(found)
    return [
        head,
        *([one.title, f"{one.noise:g}", one.coupling, in_points(one.accuracy), nats(one.nll)] for one in lines),
    ]


class Beaten(NamedTuple):
    """The best mutual student minus the independent ensemble, on the test set."""

    title: str
    noise: float
    coupling: str
    accuracy: Difference
    nll: Difference


def beaten(found: Phases) -> list[Beaten]:
    """One for each problem and share of noise."""
    number = 2 * len(list(found.cells))
    return [_beaten(paths, noise, number) for _, paths, noise in found.cells]


def _beaten(paths: Paths, noise: float, comparisons: int) -> Beaten:
    last, alone = len(paths.problem.epochs) - 1, paths.alone(noise)
    mutual = [one for one in paths.cells if one.noise == noise and one.lam and one.seeds == alone.seeds]
    best = min(mutual, key=lambda one: one.at("student_tuned", last).mean())
    accuracy, nll = (
        paired(best.test[f"best_{score}"], alone.test[f"ensemble_{score}"], comparisons)
        for score in ("accuracy", "nll")
    )
    coupling = f"{best.alpha * best.lam:g} ({best.alpha:g})"
    return Beaten(paths.problem.title, noise, coupling, accuracy, nll)


def accounting(found: Phases) -> float:
    """The largest |student's NLL - ensemble's NLL - ambiguity| over all runs and epochs, in nats (P1)."""
    return max(float(np.abs(one.path["residual"]).max()) for paths in found.problems.values() for one in paths.cells)
