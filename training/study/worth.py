"""Is it worth it? Mutual learning against what a sceptic would use instead, with as many candidates each.

Mutual learning and each rival have nine candidates; independent students have none but the number of epochs. Each is
trained from four seeds that are used for nothing else. The candidate and the number of epochs are chosen by the mean
NLL of a student on the held-out images, whose labels are noisy. Then the choice is trained from the seeds 0, 1, ... and
the test set is read, once for the last epoch and once for the chosen one. The learning rate is tuned for the wide
network only.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np

from training.data.images import Source
from training.experiment.parallel import run_all
from training.recipe.recipe import Recipe
from training.run.train import train

from .distillation import GRID, Distilled, Heat
from .paths import read_record, train_all
from .problems import Problem

TUNED_ON = tuple(range(1000, 1004))
MUTUAL = tuple((alpha, product / alpha) for product in (0.3, 1.0, 3.0) for alpha in (0.5, 1.0, 2.0))
DECAYS = (1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 4e-2)
SMOOTHINGS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6)
RATES = (0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.05, 0.08, 0.12)
WIDE = {"mlp": "mlp-wide", "cnn": "cnn-wide"}
DISTILLED = "self-distillation"
Record = dict[str, Any]


class Choice(NamedTuple):
    """What tuning chose: a candidate, and after how many epochs it stops.

    Attributes:
        candidate: a recipe, or share and temperature of the distillation.
        epochs: of the run.
        score: its mean held-out NLL.
    """

    candidate: Recipe | Heat
    epochs: int
    score: float


@dataclass(frozen=True)
class Contest:
    """The methods on one problem at one share of label noise."""

    problem: Problem
    noise: float
    folder: Path
    source: Source
    jobs: int

    @property
    def base(self) -> Recipe:
        """Independent students, as the problem has them."""
        return self.problem.recipe(self.noise, (1.0, 0.0))

    def candidates(self) -> dict[str, list[Recipe]]:
        """The recipes of each method but distillation."""
        base, one = self.base, replace(self.base, students=self.base.students[:1])
        return {
            "independent": [base],
            "one student": [one],
            "mutual": [replace(base, alpha=alpha, weight=lam) for alpha, lam in MUTUAL],
            "weight decay": [replace(one, weight_decay=decay) for decay in DECAYS],
            "label smoothing": [replace(one, label_smoothing=share) for share in SMOOTHINGS],
            "twice the width": [replace(one, students=(WIDE[one.students[0]],), lr=rate) for rate in RATES],
        }

    def run(self) -> dict[str, Any]:
        """Tune, choose, train the choices and read the test set."""
        found = {name: self._tuned(name, recipes) for name, recipes in self.candidates().items()}
        taught = found["independent"]["ensemble"].epochs
        found[DISTILLED] = self._tuned_distillation(taught)
        seeds = range(self.problem.seeds)
        rows = {}
        for name, modes in found.items():
            for mode, choice in modes.items():
                records = self._final(choice, seeds, taught)
                rows[f"{name}, {mode}"] = _row(choice, records) | {"seconds": self._seconds(choice, taught)}
        return {"noise": self.noise, "taught_for": taught, "rows": rows}

    def _tuned(self, name: str, recipes: list[Recipe]) -> dict[str, Choice]:
        runs = [(recipe, seed) for recipe in recipes for seed in TUNED_ON]
        found = train_all(runs, self.folder, self.problem.epochs, self.source, self.jobs)
        n = len(TUNED_ON)
        each = {recipe: found[k * n : (k + 1) * n] for k, recipe in enumerate(recipes)}
        modes = choose(each, self.problem.epochs)
        if name == "independent":  # the ensemble has a best epoch of its own
            modes["ensemble"] = choose(each, self.problem.epochs, "ensemble")["stopped"]
        return modes

    def _tuned_distillation(self, taught: int) -> dict[str, Choice]:
        jobs = [self._distilled(seed, GRID, taught, max(self.problem.epochs)) for seed in TUNED_ON]
        _do(jobs, self.jobs, self.source)
        each = {heat: [read_record(job.file(heat)) for job in jobs] for heat in GRID}
        return choose(each, self.problem.epochs)

    def _final(self, choice: Choice, seeds: Sequence[int], taught: int) -> list[Record]:
        candidate = choice.candidate
        if isinstance(candidate, Recipe):
            runs = [(replace(candidate, epochs=choice.epochs), seed) for seed in seeds]
            return train_all(runs, self.folder, self.problem.epochs, self.source, self.jobs)
        jobs = [self._distilled(seed, (candidate,), taught, choice.epochs) for seed in seeds]
        _do(jobs, self.jobs, self.source)
        return [read_record(job.file(candidate)) for job in jobs]

    def _seconds(self, choice: Choice, taught: int) -> list[float]:
        """Processor time of the choice from one seed, trained alone (not stacked), three times."""
        return [self._timed(choice, taught) for _ in range(3)]

    def _timed(self, choice: Choice, taught: int) -> float:
        began, candidate = process_time(), choice.candidate
        if isinstance(candidate, Recipe):
            train(replace(candidate, epochs=choice.epochs), source=self.source)
        else:
            with tempfile.TemporaryDirectory() as folder:
                job = self._distilled(0, (candidate,), taught, choice.epochs)
                replace(job, folder=Path(folder)).run(source=self.source)
        return process_time() - began

    def _distilled(self, seed: int, grid: tuple[Heat, ...], taught: int, epochs: int) -> Distilled:
        teacher = replace(self.base, epochs=taught)
        return Distilled(teacher, epochs, seed, grid, self.folder, self.problem.epochs)


def choose(records: Mapping[Any, Sequence[Record]], epochs: Sequence[int], who: str = "student") -> dict[str, Choice]:
    """The candidates with the least mean held-out NLL over seeds: after the last epoch, and after the best one.

    Args:
        records: of each candidate, one a seed; a candidate that diverged is out.
        epochs: the recorded ones.
        who: "student" or "ensemble".
    """
    scores = {
        (candidate, epoch): float(np.mean([one["path"][str(epoch)][f"{who}_tuned"] for one in found]))
        for candidate, found in records.items()
        if not any(one.get("diverged") for one in found)
        for epoch in epochs
    }
    last = {key: score for key, score in scores.items() if key[1] == max(epochs)}
    best = {mode: min(some, key=some.__getitem__) for mode, some in (("last", last), ("stopped", scores))}
    return {mode: Choice(*key, scores[key]) for mode, key in best.items()}


def _row(choice: Choice, records: Sequence[Record]) -> dict[str, Any]:
    if failed := next((one["diverged"] for one in records if one.get("diverged")), None):
        raise ValueError(f"a run of {choice} failed, so that the methods cannot be compared seed by seed: {failed}")
    test = {key: [one["test"][key] for one in records] for key in records[0]["test"]}
    scaled = [one["test_scaled"]["student_nll"] for one in records]
    candidate = choice.candidate
    chosen = (
        {"share": candidate[0], "temperature": candidate[1]}
        if isinstance(candidate, tuple)
        else {name: getattr(candidate, name) for name in ("alpha", "weight", "weight_decay", "label_smoothing", "lr")}
    )
    return {
        "chosen": chosen | {"epochs": choice.epochs},
        "held_out_nll": choice.score,
        "train_accuracy": [one["train_accuracy"] for one in records],
        "test": test | {"student_nll_scaled": scaled},
    }


def _do(jobs: Sequence[Distilled], number: int, source: Source) -> None:
    for _ in run_all(jobs, True, number, source):
        pass
