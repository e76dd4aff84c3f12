"""Runs the study: `python -m training.study STAGE`; finished runs are kept and not trained again (but in `theory`).

The stages in their order: `independent` trains the independent students, `predict` writes what is expected of the
others, `mutual` trains these, `publish` writes the numbers of all paths, `worth` tunes and compares with what a sceptic
would use, `theory` tests theorems on the same runs.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import torch
import tyro

from theory.refusal import end
from training.data.images import Source
from training.experiment.parallel import check_jobs, run_all
from training.experiment.published import PublishedPredictions, command, read_published
from training.run.files.environment import environment
from training.run.files.run_folder import probe_folder, write_atomically, write_json

from . import predictions
from .law import follow
from .paths import train_all
from .problems import INDEPENDENT, PROBLEMS, Coupling, Problem
from .record import rounded
from .scope import Walk
from .worth import Contest

MODULE = "training.study"
Stage = Literal["independent", "predict", "mutual", "publish", "worth", "theory"]
CONTESTS = (("digits-mlp", 0.0), ("digits-mlp", 0.2), ("digits-mlp", 0.4), ("digits-cnn", 0.4))
SMOOTH, FOLLOWED = "digits-tanh", "digits-mlp"
"""The law needs smooth students; the distances are those of the usual ones."""
WALKED = ((1.0, 0.0), (0.5, 1.0), (1.0, 1.0), (2.0, 1.0))
SCOPE_SEEDS = 5


def main(
    stage: Annotated[Stage, tyro.conf.Positional],
    data_root: str | None = None,
    work: Path = Path("runs/study"),
    out: Path = Path("results/study"),
    only: tuple[str, ...] = tuple(PROBLEMS),
    jobs: int = -1,
) -> int:
    """Run one stage of the study.

    Args:
        stage: what to do.
        data_root: folder that holds CIFAR-100; otherwise it is downloaded.
        work: where every run is kept.
        out: where the tables go.
        only: problems.
        jobs: processes at the same time; -1: one a core.
    """
    if unknown := [name for name in only if name not in PROBLEMS]:
        raise ValueError(f"there is no problem {unknown[0]!r}; the problems are {', '.join(PROBLEMS)}")
    check_jobs(jobs)
    for folder in (work, out):
        probe_folder(folder)
    problems = {name: _on(PROBLEMS[name], data_root) for name in only}
    torch.set_num_threads(1)
    STAGES[stage](Study(problems, work, out, jobs))
    return 0


class Study:
    """The problems of a call and where its files are."""

    def __init__(self, problems: dict[str, Problem], work: Path, out: Path, jobs: int) -> None:
        self.problems, self.work, self.out, self.jobs = problems, work, out, jobs

    def train(self, name: str, mutual: bool) -> dict[Any, dict[str, Any]]:
        """The records of a problem's independent or mutual runs by (noise, coupling, seed)."""
        problem = self.problems[name]
        if mutual:
            self.check_predicted(name)
        cells = list(problem.cells(mutual))
        runs = [(problem.recipe(noise, coupling), seed) for noise, coupling, seed in cells]
        found = train_all(runs, self.work / name, problem.epochs, self.source(name), self.jobs)
        print(f"{name}: {len(cells)} runs", flush=True)
        return dict(zip(cells, found, strict=True))

    def check_predicted(self, name: str) -> None:
        """Raise ValueError if it is not written down what is expected of the mutual runs."""
        file = self.out / "predictions.json"
        if not file.exists() or name not in read_published(file, PublishedPredictions)["rows"]:
            raise ValueError(f"the predictions of {name} come first: python -m training.study predict")

    def source(self, name: str) -> Source:
        """The images of a problem."""
        return self.problems[name].source(self.problems[name].base)

    def independent(self) -> None:
        """Train the independent students."""
        for name in self.problems:
            self.train(name, mutual=False)

    def predict(self) -> None:
        """Write what is expected."""
        rows = {name: predictions.predict(one, self.train(name, False)) for name, one in self.problems.items()}
        predictions.write(self.out / "predictions.json", rows, command(MODULE), made())

    def mutual(self) -> None:
        """Train the mutual students, once what is expected of them is written down."""
        for name in self.problems:
            self.train(name, mutual=True)

    def publish(self) -> None:
        """Write the numbers of all runs."""
        for name, problem in self.problems.items():
            records = self.train(name, mutual=False) | self.train(name, mutual=True)
            couplings = {noise: (INDEPENDENT, *problem.couplings(noise)) for noise in problem.noises}
            cells = [cell(problem, noise, one, records) for noise, some in couplings.items() for one in some]
            about = {"title": problem.title, "epochs": problem.epochs, "seeds": problem.seeds,
                     "recipe": replace(problem.base, data_root=None).to_json()}  # fmt: skip
            seconds = sum(one["made"]["seconds"] for one in records.values())
            content = {"command": command(MODULE), "made": made_of(records), "seconds": seconds, "problem": about}
            packed = msgspec.json.encode(rounded(content | {"cells": cells}))  # indented, it would be twice as large
            write_atomically(self.out / f"phases-{name}.json", packed + b"\n")

    def worth(self) -> None:
        """Tune mutual learning and its rivals."""
        found = {}
        for name, noise in CONTESTS:
            if name in self.problems:
                self.check_predicted(name)
                contest = Contest(self.problems[name], noise, self.work / f"worth-{name}", self.source(name), self.jobs)
                found[f"{name}-{noise:g}"] = contest.run()
                print(f"{name}, label noise {noise:g}: tuned and tested", flush=True)
        write_json(self.out / "worth.json", rounded({"command": command(MODULE), "made": made(), "contests": found}))

    def theory(self) -> None:
        """Follow the first-order law and the distances from start and end."""
        if missing := {SMOOTH, FOLLOWED} - set(self.problems):
            raise ValueError(f"this stage needs {' and '.join(sorted(missing))}: leave out --only")
        self.check_predicted(FOLLOWED)
        smooth, problem = self.problems[SMOOTH], self.problems[FOLLOWED]
        source, law = self.source(SMOOTH), {}
        for noise in smooth.noises:
            recipe = smooth.recipe(noise, INDEPENDENT)
            law[f"{noise:g}"] = list(follow(recipe, range(smooth.seeds), source, smooth.epochs))
            print(f"the law at label noise {noise:g} is followed", flush=True)
        walks = [
            Walk(replace(problem.recipe(0.4, one), momentum=0.0, lr=0.2, weight_decay=decay), seed, problem.epochs)
            for one in WALKED
            for decay in (0.0, 1e-3)
            for seed in range(SCOPE_SEEDS)
        ]
        scope = list(run_all(walks, True, self.jobs, source))
        write_json(
            self.out / "theory.json", rounded({"command": command(MODULE), "made": made(), "law": law, "scope": scope})
        )


STAGES: dict[str, Callable[[Study], None]] = {
    "independent": Study.independent,
    "predict": Study.predict,
    "mutual": Study.mutual,
    "publish": Study.publish,
    "worth": Study.worth,
    "theory": Study.theory,
}


def cell(problem: Problem, noise: float, coupling: Coupling, records: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """The numbers of a share of noise and a coupling: of each score a list of epochs a seed."""
    found = {seed: records[noise, coupling, seed] for seed in range(problem.seeds)}
    alive = {seed: one for seed, one in found.items() if not one.get("diverged")}
    if not alive:
        raise ValueError(f"every run of {problem.title} at label noise {noise:g} and {coupling} failed")
    first = next(iter(alive.values()))
    names = first["path"][str(problem.epochs[0])]
    path = {key: [[one["path"][str(e)][key] for e in problem.epochs] for one in alive.values()] for key in names}
    return {
        "noise": noise,
        "alpha": coupling[0],
        "lam": coupling[1],
        "seeds": list(alive),
        "path": path,
        "test": {key: [one["test"][key] for one in alive.values()] for key in first["test"]},
        "train_accuracy": [one["train_accuracy"] for one in alive.values()],
    }


def made() -> dict[str, Any]:
    """What a table is made with."""
    return environment(torch.device("cpu"))


def made_of(records: dict[Any, dict[str, Any]]) -> list[dict[str, Any]]:
    """The different environments in which runs were trained."""
    every = [{key: value for key, value in one["made"].items() if key != "seconds"} for one in records.values()]
    return [one for k, one in enumerate(every) if one not in every[:k]]


def _on(problem: Problem, data_root: str | None) -> Problem:
    return (
        replace(problem, base=replace(problem.base, data_root=data_root)) if problem.base.data != "digits" else problem
    )


if __name__ == "__main__":
    NAME = f"python -m {MODULE}"
    end(NAME, lambda: tyro.cli(main, prog=NAME))
