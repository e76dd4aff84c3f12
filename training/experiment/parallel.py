"""Several runs at a time, each in a process; the results do not depend on the number of processes."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import joblib
from tqdm import tqdm

from theory.typed import shown
from training.data.images import Source
from training.measure.scores import Result
from training.networks import Local, check_importable
from training.recipe.recipe import Recipe
from training.run.device import choose_device
from training.run.train import train

from .orphans import follow
from .sharing import shared

Found = TypeVar("Found", covariant=True)


class Work(Protocol[Found]):
    """Something that trains by a recipe and finds a result."""

    @property
    def recipe(self) -> Recipe: ...

    def run(self, progress: bool = False, source: Source | None = None) -> Found: ...


class Task(NamedTuple):
    """One run: a recipe and a seed, filed under a name, recorded in a folder (None: nowhere)."""

    name: str
    recipe: Recipe
    seed: int
    folder: Path | None

    def run(self, progress: bool = False, source: Source | None = None) -> tuple[str, int, Result]:
        """Train it, or continue it where its folder says that it stopped."""
        result = train(self.recipe, self.seed, self.folder, source, self.folder is not None, progress)
        return self.name, self.seed, result


def check_jobs(jobs: int) -> None:
    """Raise ValueError unless jobs is positive or -1; to be called before anything is written."""
    if jobs != -1 and not 1 <= jobs < 2**15:
        raise ValueError(f"jobs must be a positive number or -1 for one a core, got {shown(jobs)}")


def check_seeds(seeds: int) -> None:
    """Raise ValueError unless it is a number of seeds."""
    if not 1 <= seeds <= 10**6:
        raise ValueError(f"seeds must be at {'least 1' if seeds < 1 else 'most 1000000'}, got {shown(seeds)}")


def run_all(tasks: Sequence[Work[Found]], progress: bool, jobs: int, source: Source | None = None) -> Iterator[Found]:
    """What every task finds, in the order in which they are done; progress goes to the standard error stream.

    Args:
        tasks: the runs.
        progress: show a bar over the runs, or over the epochs of each run if jobs is 1.
        jobs: processes at the same time; -1: one a core, divided by the threads of a run; on a GPU one.
        source: the images; by default those that each recipe names.

    Raises:
        ValueError: if there are several processes, and a student or the source cannot be handed to them.
    """
    recipes = [task.recipe for task in tasks]
    jobs = processes(recipes, jobs)
    if min(jobs, len(tasks)) == 1:
        return (task.run(progress, source) for task in tasks)
    for recipe in recipes:
        check_importable(recipe.students)
    return _on_processes(tasks, progress, jobs, source)


def processes(recipes: Sequence[Recipe], jobs: int) -> int:
    """How many processes `jobs` stands for."""
    if any(recipe.placement != "single" for recipe in recipes):
        return 1  # torchrun has started the processes already
    return _default_jobs(recipes) if jobs == -1 else jobs


def _default_jobs(recipes: Sequence[Recipe]) -> int:
    """How many run at the same time: one on a GPU, since they would share its memory; on a CPU cores / threads.

    One, too, if a student is a function that no other process can import.
    """
    if any(choose_device(recipe.device).type != "cpu" for recipe in recipes):
        return 1
    if any(isinstance(name, Local) for recipe in recipes for name in recipe.students):
        return 1
    return max(1, joblib.cpu_count() // max(recipe.threads for recipe in recipes))


def train_all(
    tasks: Sequence[Task], progress: bool, jobs: int, source: Source | None = None
) -> dict[tuple[str, int], Result]:
    """The result of every task by (name, seed)."""
    return {(name, seed): result for name, seed, result in run_all(tasks, progress, jobs, source)}


def _on_processes(tasks: Sequence[Work[Found]], progress: bool, jobs: int, source: Source | None) -> Iterator[Found]:
    # The initialiser also makes joblib start new processes for training. It would reuse one that did lighter work; when
    # that one then imports torch, joblib takes its growth for a memory leak and ends it.
    watched: Any = {"initializer": follow, "initargs": (os.getpid(),)}
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", **watched)
    with shared(source) as images:
        finished: Any = pool(joblib.delayed(_run)(task, os.getpid(), images) for task in tasks)
        yield from tqdm(finished, total=len(tasks), unit="run", disable=not progress, leave=False)


def _run(task: Work[Found], parent: int, source: Source | None) -> Found:
    if os.getppid() != parent:  # the command was killed: nothing waits for the tasks that it left in the queue
        os._exit(1)
    return task.run(source=source)
