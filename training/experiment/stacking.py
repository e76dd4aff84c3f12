"""Which runs of a comparison train together in one process, as a stack, and the sentence that says so."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from training.data.images import Source
from training.data.sources import open_source
from training.measure.scores import Result
from training.recipe.recipe import Recipe
from training.stack.rule import alike, usual_size, why_not, why_not_these
from training.stack.train import Planned, train_stacked

from .parallel import Task


class Group(NamedTuple):
    """Runs for one process: a stack, or a single one."""

    tasks: tuple[Task, ...]

    @property
    def recipe(self) -> Recipe:
        """The recipe of the first; the others differ in what no scheduling depends on."""
        return self.tasks[0].recipe

    def run(self, progress: bool = False, source: Source | None = None) -> list[tuple[str, int, Result]]:
        """Train them, or continue them where their folders say that they stopped."""
        if len(self.tasks) == 1:
            return [self.tasks[0].run(progress, source)]
        resume = self.tasks[0].folder is not None
        planned = [Planned(task.recipe, task.seed, task.folder) for task in self.tasks]
        results = train_stacked(planned, source, resume, progress)
        return [(task.name, task.seed, result) for task, result in zip(self.tasks, results, strict=True)]


def check_stack(stack: int) -> None:
    """Raise ValueError unless stack is positive or -1."""
    if not isinstance(stack, int) or (stack < 1 and stack != -1):
        raise ValueError(f"stack must be a positive number, or -1 for as many as pay, got {stack!r}")


def stacked(tasks: Sequence[Task], size: int, jobs: int, source: Source | None = None) -> tuple[list[Group], str]:
    """The tasks in groups for `jobs` processes, and a sentence about it (empty where there is nothing to say).

    Args:
        tasks: the runs; finished ones stay single, since only their result is read.
        size: runs of a stack at most; 1: no stacks; -1: by what was measured (`training.stack.rule`).
        jobs: processes at the same time; each gets as many stacks as the others.
        source: the images; by default those that each recipe names.
    """
    singles = [task for task in tasks if size == 1 or _finished(task)]
    kinds: dict[Recipe, list[Task]] = {}
    for task in tasks if size != 1 else ():
        if not _finished(task):
            kinds.setdefault(alike(task.recipe), []).append(task)
    groups, said = [Group((task,)) for task in singles], list[str]()
    for kind, some in kinds.items():
        most, reason = _largest(kind, size, source) if len(some) > 1 else (1, "there is one of its kind")
        parts = list(_divided(some, most, jobs))
        groups += parts
        said.append(_sentence(len(some), max(len(part.tasks) for part in parts), len(parts), reason))
    return groups, "; ".join(said)


def _finished(task: Task) -> bool:
    return task.folder is not None and (task.folder / "result.json").exists()


def _largest(recipe: Recipe, size: int, source: Source | None) -> tuple[int, str]:
    """How many runs of the recipe to stack, and why not more than one."""
    reason = why_not(recipe)
    if reason:
        return 1, reason
    images = (source or open_source(recipe)).train()
    if reason := why_not_these(images):
        return 1, reason
    most = usual_size(recipe, images) if size == -1 else size
    return most, "their students are too large for it to be faster" if most == 1 else ""


def _divided(tasks: Sequence[Task], most: int, jobs: int) -> Iterator[Group]:
    """Groups of nearly equal size, at most `most`, whose number is a multiple of the processes'."""
    number = len(tasks) if most == 1 else min(len(tasks), jobs * math.ceil(len(tasks) / (most * jobs)))
    for part in np.array_split(np.arange(len(tasks)), number):
        yield Group(tuple(tasks[k] for k in part))


def _sentence(runs: int, largest: int, number: int, reason: str) -> str:
    if largest == 1:
        many = "runs train" if runs > 1 else "run trains"
        return f"{runs} {many} one by one, not stacked: {reason or 'there is a process for each'}"
    return f"{runs} runs train in {number} stacks of up to {largest} (--no-stack: one by one)"
