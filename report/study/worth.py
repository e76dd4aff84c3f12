"""Is it worth it: tuned mutual learning against what a sceptic would use instead, on the test set."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from report import RESULTS
from training.experiment.published import read_published
from training.study.paired import Difference, paired
from training.study.problems import PROBLEMS

from .files import nats, points

MODES = {"last": "after the last epoch", "stopped": "with early stopping"}


class Contender(msgspec.Struct):
    """A method's choice and its test scores; see `training.study.worth`."""

    chosen: dict[str, Any]
    held_out_nll: float
    seconds: list[float]
    train_accuracy: list[float]
    test: dict[str, list[float]]


class Contest(msgspec.Struct):
    """All methods on one problem at one share of label noise."""

    noise: float
    taught_for: int
    rows: dict[str, Contender]


class Contests(msgspec.Struct):
    """The file of the contests."""

    command: str
    made: dict[str, Any]
    contests: dict[str, Contest]


class Entry(NamedTuple):
    """A line of the table.

    Attributes:
        name: the method and whose scores these are.
        method: its key without the mode.
        accuracy, nll: names of its scores.
        alone: whether one student need be trained for it, although two were.
    """

    name: str
    method: str
    accuracy: str
    nll: str
    alone: bool = False


ENTRIES = (
    Entry("mutual learning, a student", "mutual", "student_accuracy", "student_nll"),
    Entry("mutual learning, the ensemble", "mutual", "ensemble_accuracy", "ensemble_nll"),
    Entry("nothing, a student", "independent", "student_accuracy", "student_nll", alone=True),
    Entry("temperature scaling, a student", "independent", "student_accuracy", "student_nll_scaled", alone=True),
    Entry("nothing, the ensemble of two", "independent", "ensemble_accuracy", "ensemble_nll"),
    Entry("weight decay, a student", "weight decay", "student_accuracy", "student_nll"),
    Entry("label smoothing, a student", "label smoothing", "student_accuracy", "student_nll"),
    Entry("twice the width, a student", "twice the width", "student_accuracy", "student_nll"),
    Entry("self-distillation, a student", "self-distillation", "student_accuracy", "student_nll"),
)


class Line(NamedTuple):
    """An entry in a contest: its means, and how much more accurate than a mutual student and lower in NLL it is.

    `cost` is the processor time of training the choice alone, in that of one student for all epochs.
    """

    entry: Entry
    accuracy: float
    nll: float
    more_accurate: Difference | None
    lower_nll: Difference | None
    cost: float
    chosen: str


def load(results: Path = RESULTS) -> Contests:
    """Read the committed contests.

    Raises:
        FileNotFoundError, ValueError: as `files.load`.
    """
    file = results / "study" / "worth.json"
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there; it belongs to the repository (python -m training.study worth)")
    return msgspec.convert(read_published(file, Contests), Contests)


def title(contest: str) -> str:
    """The contest's problem and label noise, for a reader."""
    name, _, noise = contest.rpartition("-")
    return f"{PROBLEMS[name].title}, label noise {noise}"


def comparisons(found: Contests) -> int:
    """How many all tables hold."""
    return 2 * len(MODES) * (len(ENTRIES) - 1) * len(found.contests)


def lines(found: Contests, contest: str, mode: str) -> list[Line]:
    """The lines of a contest in one mode, each compared with a mutual student on the same seeds."""
    rows, number = found.contests[contest].rows, comparisons(found)
    return [_line(rows, entry, mode, number) for entry in ENTRIES]


def _line(rows: dict[str, Contender], entry: Entry, mode: str, number: int) -> Line:
    own, mutual = rows[_key(entry, mode)], rows[f"mutual, {mode}"]
    accuracy, nll = own.test[entry.accuracy], own.test[entry.nll]
    right, loss = (sum(values) / len(values) for values in (accuracy, nll))
    timed = rows[f"one student, {mode}"] if entry.alone else own
    cost = float(np.median(timed.seconds) / np.median(rows["one student, last"].seconds))
    if entry == ENTRIES[0]:
        return Line(entry, right, loss, None, None, cost, _chosen(own, entry))
    better = paired(accuracy, mutual.test["student_accuracy"], number)
    return Line(entry, right, loss, better, paired(mutual.test["student_nll"], nll, number), cost, _chosen(own, entry))


def _key(entry: Entry, mode: str) -> str:
    """The independent ensemble has a best epoch of its own."""
    own = mode == "stopped" and entry.method == "independent" and entry.accuracy.startswith("ensemble")
    return f"{entry.method}, {'ensemble' if own else mode}"


def _chosen(own: Contender, entry: Entry) -> str:
    at = own.chosen
    said = {
        "mutual": lambda: f"order {at['alpha']:g}, λ {at['weight']:g}",
        "independent": lambda: "–",
        "weight decay": lambda: f"{at['weight_decay']:g}",
        "label smoothing": lambda: f"{at['label_smoothing']:g}",
        "twice the width": lambda: f"rate {at['lr']:g}",
        "self-distillation": lambda: f"share {at['share']:g}, T {at['temperature']:g}",
    }
    return f"{said[entry.method]()}, {at['epochs']} epochs"


def rows(found: Contests, contest: str, mode: str) -> list[list[str]]:
    """The table of a contest, its head first."""
    head = ["", "chosen", "accuracy, %", "NLL", "more accurate than a mutual student by", "NLL lower by", "time"]
    return [head, *(_cells(line) for line in lines(found, contest, mode))]


def _cells(line: Line) -> list[str]:
    gaps = [
        "" if line.more_accurate is None else points(line.more_accurate),
        "" if line.lower_nll is None else nats(line.lower_nll),
    ]
    return [
        line.entry.name,
        line.chosen,
        f"{100 * line.accuracy:.1f}",
        f"{line.nll:.3f}",
        *gaps,
        f"{line.cost:.1f}",
    ]
