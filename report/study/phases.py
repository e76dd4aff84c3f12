"""The paths from under- to overfitting: who gained where, what was predicted, and what the order did.

Every interval is a paired t-interval over seeds that holds for all comparisons of its table together (Bonferroni).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from report import RESULTS
from training.experiment.published import read_published
from training.study.paired import Difference, paired

WHO = ("student", "ensemble")
WEAK, WHOLE = (1.0, 0.1), (1.0, 1.0)
Scores = dict[str, list[Any]]


class Cell(msgspec.Struct):
    """A share of label noise and a coupling; see `training.study.__main__.cell`."""

    noise: float
    alpha: float
    lam: float
    seeds: list[int]
    path: Scores
    test: Scores
    train_accuracy: list[float]

    @property
    def coupling(self) -> tuple[float, float]:
        """(alpha, lam)."""
        return self.alpha, self.lam

    def at(self, score: str, epoch: int) -> np.ndarray:
        """A held-out score of every seed at the number `epoch` of the recorded epochs."""
        return np.array(self.path[score])[:, epoch]


class About(msgspec.Struct):
    """A problem of the study; see `training.study.problems.Problem`."""

    title: str
    epochs: list[int]
    seeds: int
    recipe: dict[str, Any]


class Prediction(msgspec.Struct):
    """What was expected of a cell of a path; see `training.study.predictions`."""

    noise: float
    epoch: int
    seeds: int
    beta: float | None
    low: float | None
    high: float | None
    student: str
    ensemble: str


class Predictions(msgspec.Struct):
    """The file of predictions."""

    command: str
    made: dict[str, Any]
    orders: str
    rows: dict[str, list[Prediction]]


class Paths(msgspec.Struct):
    """A file of paths."""

    command: str
    made: list[dict[str, Any]]
    seconds: float
    problem: About
    cells: list[Cell]

    def cell(self, noise: float, coupling: tuple[float, float]) -> Cell | None:
        """The cell of that noise and coupling, if it was trained."""
        return next((one for one in self.cells if one.noise == noise and one.coupling == coupling), None)

    def alone(self, noise: float) -> Cell:
        """The independent students."""
        found = next(one for one in self.cells if one.noise == noise and one.lam == 0)
        return found

    @property
    def noises(self) -> list[float]:
        """The shares of label noise."""
        return sorted({one.noise for one in self.cells})


class Point(NamedTuple):
    """What was predicted of, and what happened to, one who at one epoch of one problem.

    Attributes:
        problem, noise, epoch, coupling, who: which.
        beta: of the independent ensemble, nan where there is none.
        said: what was predicted.
        nll: the gain in held-out NLL (positive: better).
        accuracy: the gain in held-out accuracy.
        unit: the ambiguity of the independent students times alpha * lam, in nats.
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
    unit: float

    @property
    def truth(self) -> str:
        """ "gains" or "loses" in NLL where the interval excludes 0, else nothing."""
        return {1: "gains", -1: "loses", 0: ""}[self.nll.sign]


@dataclass(frozen=True)
class Phases:
    """All problems' paths and predictions."""

    problems: dict[str, Paths]
    predictions: Predictions

    @cached_property
    def points(self) -> list[Point]:
        """Gains of both strengths at all epochs of all problems."""
        cells = [key for key in self._keys()]
        comparisons = 2 * len(cells)  # NLL and accuracy
        return [self._point(*key, comparisons) for key in cells]

    def _keys(self) -> Iterator[tuple[str, float, int, tuple[float, float], str]]:
        for name, paths in self.problems.items():
            for noise in paths.noises:
                for k in range(len(paths.problem.epochs)):
                    yield from ((name, noise, k, coupling, who) for coupling in (WEAK, WHOLE) for who in WHO)

    def _point(
        self, name: str, noise: float, k: int, coupling: tuple[float, float], who: str, comparisons: int
    ) -> Point:
        paths = self.problems[name]
        alone, mutual = paths.alone(noise), paths.cell(noise, coupling)
        assert mutual is not None
        epoch = paths.problem.epochs[k]
        expected = next(one for one in self.predictions.rows[name] if (one.noise, one.epoch) == (noise, epoch))
        old, new = alone_and(alone, mutual, f"{who}_nll", k)
        before, after = alone_and(alone, mutual, f"{who}_accuracy", k)
        unit = float(alone.at("ambiguity", k).mean()) * coupling[0] * coupling[1]
        beta = np.nan if expected.beta is None else expected.beta
        gains = paired(old, new, comparisons), paired(after, before, comparisons)
        return Point(name, noise, epoch, coupling, who, beta, getattr(expected, who), *gains, unit)


def alone_and(alone: Cell, mutual: Cell, score: str, k: int) -> tuple[np.ndarray, np.ndarray]:
    """A score of independent and mutual students over the seeds that both have."""
    both = [seed for seed in alone.seeds if seed in mutual.seeds]
    one, other = ([cell.seeds.index(seed) for seed in both] for cell in (alone, mutual))
    return alone.at(score, k)[one], mutual.at(score, k)[other]


def load(results: Path = RESULTS) -> Phases:
    """Read the committed paths and predictions.

    Raises:
        FileNotFoundError: if they are not there: they belong to the repository, not to the installed package.
        ValueError: if a file does not fit, in one sentence that names it and the place.
    """
    folder = results / "study"
    files = sorted(folder.glob("phases-*.json"))
    if not files:
        raise FileNotFoundError(
            f"{folder / 'phases-*.json'} is not there; the study belongs to the repository, and "
            "`python -m training.study` makes it anew"
        )
    found = {file.stem.removeprefix("phases-"): _read(file, Paths) for file in files}
    return Phases(dict(sorted(found.items(), key=_place)), _read(folder / "predictions.json", Predictions))


def _read(file: Path, kind: Any) -> Any:
    return msgspec.convert(read_published(file, kind), kind)


def _place(item: tuple[str, Paths]) -> tuple[bool, int]:
    """Digits first, ResNets last."""
    _, paths = item
    return paths.problem.recipe["data"] != "digits", len(paths.problem.recipe["students"])


def tally_rows(found: Phases) -> list[list[str]]:
    """How often the predictions were right, by problem, strength and who; its head first."""
    head = ["problem", "αλ", "who", "cells", "clear", "said", "right of these", "β* alone: right", "gains up to"]
    body = []
    for coupling in (WEAK, WHOLE):
        for who in WHO:
            chosen = [one for one in found.points if (one.coupling, one.who) == (coupling, who)]
            for name, paths in found.problems.items():
                own = [one for one in chosen if one.problem == name]
                body.append([paths.problem.title, f"{coupling[1]:g}", who, *_tally(own)])
            body.append(["all", f"{coupling[1]:g}", who, *_tally(chosen)])
    return [head, *body]


def _tally(points: list[Point]) -> list[str]:
    clear = [one for one in points if one.truth]
    told = [one for one in clear if one.said in ("gains", "loses")]
    right = [one for one in told if one.said == one.truth]
    bare = [one for one in clear if np.isfinite(one.beta) and (one.who == "ensemble" or not 1 <= one.beta <= 2)]
    hits = [one for one in bare if (one.beta < 1) == (one.truth == "gains")]
    most = max(points, key=lambda one: one.nll.mean)
    return [str(len(points)), str(len(clear)), str(len(told)), str(len(right)),
            f"{len(hits)} of {len(bare)}", f"{most.nll.mean:.3f} nats (β* = {most.beta:.2f})"]  # fmt: skip


def misses(found: Phases) -> list[str]:
    """Every clear cell in which the prediction named the wrong sign."""
    return [
        f"{found.problems[one.problem].problem.title}, label noise {one.noise:g}, epoch {one.epoch}, αλ = "
        f"{one.coupling[1]:g}: β* = {one.beta:.2f}, the {one.who} {one.said}, it was said; its NLL gained {one.nll}"
        for one in found.points
        if one.truth and one.said in ("gains", "loses") and one.said != one.truth
    ]


FIXED_WEIGHT = ((0.25, 1.0), (0.5, 1.0), (2.0, 1.0), (4.0, 1.0))
FIXED_PRODUCT = ((0.25, 4.0), (0.5, 2.0), (2.0, 0.5), (4.0, 0.25))
ORDERED = {
    "student_accuracy": ("student's accuracy, points", 100.0),
    "student_nll": ("student's NLL, nats", 1.0),
    "overconfidence": ("confidence − accuracy, points", 100.0),
    "agreement": ("agreement, points", 100.0),
}
"""The scores that an order is judged by, with names and factors."""


class Ordered(NamedTuple):
    """What an order changed against order 1, on the test set after the last epoch."""

    problem: str
    noise: float
    coupling: tuple[float, float]
    family: str
    changes: dict[str, Difference]


def ordered(found: Phases) -> list[Ordered]:
    """Orders at one lam and at one alpha * lam against order 1, lam 1, in all problems that have them."""
    families = (("λ = 1", FIXED_WEIGHT), ("αλ = 1", FIXED_PRODUCT))
    keys = [
        (name, noise, coupling, family)
        for name, paths in found.problems.items()
        for noise in paths.noises
        for family, couplings in families
        for coupling in couplings
        if paths.cell(noise, coupling)
    ]
    return [Ordered(*key, _changes(found.problems[key[0]], key[1], key[2], len(ORDERED) * len(keys))) for key in keys]


def _changes(paths: Paths, noise: float, coupling: tuple[float, float], comparisons: int) -> dict[str, Difference]:
    first, other = paths.cell(noise, WHOLE), paths.cell(noise, coupling)
    assert first is not None and other is not None
    return {score: paired(other.test[score], first.test[score], comparisons) for score in ORDERED}


def order_rows(found: Phases) -> list[list[str]]:
    """The table of the orders, its head first; bold: the interval excludes 0."""
    head = ["problem", "label noise", "held fixed", "order", *(name for name, _ in ORDERED.values())]
    body = [
        [found.problems[one.problem].problem.title, f"{one.noise:g}", one.family, f"{one.coupling[0]:g}",
         *(bold(change, factor) for change, (_, factor) in zip(one.changes.values(), ORDERED.values(), strict=True))]
        for one in ordered(found)
    ]  # fmt: skip
    return [head, *body]


def bold(change: Difference, factor: float = 1.0, digits: int = 2) -> str:
    """The change with its interval, bold where that excludes 0."""
    text = change.shown(f"+.{digits if factor > 1 else digits + 1}f", factor)
    return f"**{text}**" if change.sign else text


def tempering(found: Phases) -> tuple[int, int]:
    """(how many clear changes of confidence at one alpha * lam have the sign that O2 predicts, how many are clear)."""
    clear = [one for one in ordered(found) if one.family == "αλ = 1" and one.changes["overconfidence"].sign]
    right = [one for one in clear if (one.coupling[0] > 1) == (one.changes["overconfidence"].sign < 0)]
    return len(right), len(clear)


def beaten_rows(found: Phases) -> list[list[str]]:
    """Mutual students against the independent *ensemble* on the test set after the last epoch, its head first.

    The mutual students are those of the coupling with the least held-out NLL; the best student is chosen among them by
    held-out NLL, too.
    """
    cells = [(name, noise) for name, paths in found.problems.items() for noise in paths.noises]
    head = ["problem", "label noise", "αλ (order)", "best student − ensemble: accuracy, points", "NLL, nats"]
    return [head, *(_beaten(found.problems[name], noise, 2 * len(cells)) for name, noise in cells)]


def _beaten(paths: Paths, noise: float, comparisons: int) -> list[str]:
    last, alone = len(paths.problem.epochs) - 1, paths.alone(noise)
    mutual = [one for one in paths.cells if one.noise == noise and one.lam and one.seeds == alone.seeds]
    best = min(mutual, key=lambda one: one.at("student_tuned", last).mean())
    accuracy, nll = (
        paired(best.test[f"best_{score}"], alone.test[f"ensemble_{score}"], comparisons)
        for score in ("accuracy", "nll")
    )
    coupling = f"{best.alpha * best.lam:g} ({best.alpha:g})"
    return [paths.problem.title, f"{noise:g}", coupling, bold(accuracy, 100.0), bold(nll)]


def accounting(found: Phases) -> float:
    """The largest |student's NLL - ensemble's NLL - ambiguity| over all runs and epochs, in nats (P1)."""
    return max(float(np.abs(one.path["residual"]).max()) for paths in found.problems.values() for one in paths.cells)


def sources(found: Phases) -> list[str]:
    """One line a file: command, seeds, commit, hardware and processor time."""
    lines = [_source(found.predictions.command, [found.predictions.made], "predictions")]
    for paths in found.problems.values():
        about = f"{paths.problem.seeds} seeds, {paths.seconds / 60:.0f} min of processor time"
        lines.append(_source(paths.command, paths.made, f"{paths.problem.title}: {about}"))
    return lines


def _source(command: str, made: list[dict[str, Any]], about: str) -> str:
    commits = ", ".join(sorted({one["commit"][:7] + one["commit"][40:] for one in made if one["commit"]}))
    return f"{command}: {about}, {made[0]['device']}, torch {made[0]['versions']['torch']}, commit {commits}"
