"""The files of the study as the other files read them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from report import RESULTS
from training.experiment.published import read_published
from training.study.paired import Difference, paired
from training.study.problems import PHASES, PROBLEMS

WEAK, FULL = PHASES
"""(alpha, lam) of the two strengths that every problem has."""
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

    def final(self, score: str) -> np.ndarray:
        """A test score of every seed after the last epoch."""
        return np.array(self.test[score])

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

    def has(self, noise: float, coupling: tuple[float, float]) -> bool:
        """Whether students of that noise and coupling were trained."""
        return any((one.noise, one.coupling) == (noise, coupling) for one in self.cells)

    def coupled(self, noise: float, coupling: tuple[float, float]) -> Cell:
        """The cell of that noise and coupling."""
        return next(one for one in self.cells if (one.noise, one.coupling) == (noise, coupling))

    def alone(self, noise: float) -> Cell:
        """The independent students."""
        return next(one for one in self.cells if one.noise == noise and one.lam == 0)

    @property
    def noises(self) -> list[float]:
        """The shares of label noise."""
        return sorted({one.noise for one in self.cells})


@dataclass(frozen=True)
class Phases:
    """All problems' paths and predictions."""

    problems: dict[str, Paths]
    predictions: Predictions

    @property
    def cells(self) -> Iterator[tuple[str, Paths, float]]:
        """(name, paths, share of noise) of all problems."""
        for name, paths in self.problems.items():
            yield from ((name, paths, noise) for noise in paths.noises)


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


def _place(item: tuple[str, Paths]) -> int:
    """The order in which the study lists its problems; others come last."""
    names = [*PROBLEMS, item[0]]
    return names.index(item[0])


def compared(new: Cell, old: Cell, read: Callable[[Cell], np.ndarray], comparisons: int) -> Difference:
    """New minus old over the seeds that both have; `read` gives one number a seed."""
    both = [seed for seed in old.seeds if seed in new.seeds]
    values, reference = (read(one)[[one.seeds.index(seed) for seed in both]] for one in (new, old))
    return paired(values, reference, comparisons)


def nats(change: Difference) -> str:
    """A change of an NLL with its interval, bold where that excludes 0."""
    return _bold(change, change.shown("+.3f"))


def points(change: Difference) -> str:
    """A change of a share with its interval, in percentage points, bold where the interval excludes 0."""
    return _bold(change, change.shown("+.2f", 100.0))


def _bold(change: Difference, text: str) -> str:
    return f"**{text}**" if change.sign else text


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
