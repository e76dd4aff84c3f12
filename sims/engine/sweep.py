"""Sweeps over learning rate, order, number of students, weight: on all cores or a cluster; a killed sweep continues.

Cells run through joblib: `with joblib.parallel_config(backend="dask"): sweep(...)` takes them to a Dask cluster.
"""

import hashlib
import json
import os
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import numpy as np
from joblib import Parallel, delayed

from theory.typed import check_arguments, check_call, plain, shown

from .loop import check_sizes, check_where, run
from .simulation import Simulation

Numbers = dict[str, Any]
Arriving = Generator[tuple[int, Numbers], None, None]
OWN = {"replicas", "seed", "measured", "standard_error", "theory"}


@dataclass(frozen=True)
class Task:
    """Work that returns numbers; name and settings, plain data, say all that the numbers depend on."""

    name: str
    work: Callable[[], Numbers]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """A name that other settings don't share, so that their numbers are not mistaken for these."""
        return hashlib.sha256(_text([self.name, dict(self.settings)]).encode()).hexdigest()[:24] + ".json"


def sweep(
    make: Callable[..., Simulation],
    grid: Mapping[str, Sequence[float]],
    replicas: int,
    seed: int = 0,
    folder: Path | None = None,
    jobs: int | None = None,
    progress: bool = False,
    **where: Any,
) -> list[Numbers]:
    """Run `make(**point)` at every point of the grid; rows of point, measured X, standard error, theory and sizes.

    A point's random numbers depend on the seed and the point only: not on the grid, the jobs or interruptions.

    Args:
        make: keywords of the grid to a simulation, for instance eta, order, students, lam.
        grid: values of each keyword; every combination is a cell.
        folder: where finished cells are kept and the same sweep continues; one folder for one `make`, whose code
            nothing compares. None keeps nothing.
        jobs: processes; None leaves it to `joblib.parallel_config`.
        where: backend, device and dtype of `run`.

    Raises:
        ValueError: a keyword without values or that `make` does not take, or what `make` and `run` refuse.

    >>> from sims import EXACT, Problem, Schedule, Simulation
    >>> bowl = Problem(lambda x: x, lambda rng, replicas: rng.standard_normal((replicas, 1)))
    >>> rows = sweep(lambda eta: Simulation(bowl, EXACT, Schedule(eta, 10), 0.0), {"eta": [0.1, 0.5]}, replicas=4)
    >>> [(row["eta"], row["replicas"]) for row in rows]
    [(0.1, 4), (0.5, 4)]
    """
    check_arguments(sweep, locals())
    check_where(where)
    check_sizes(replicas, seed)
    check_call("make", make, **grid)
    if taken := sorted(grid.keys() & OWN):
        raise ValueError(
            f"grid must not have the names of a row's own columns, {', '.join(sorted(OWN))}, got {taken[0]}"
        )
    if empty := [name for name, values in grid.items() if not len(values)]:
        raise ValueError(f"every keyword of the grid needs a value, got none for {', '.join(empty)}")
    axes = [np.asarray(values).tolist() for values in grid.values()]  # Python's numbers, which JSON can write
    points = [dict(zip(grid, values, strict=True)) for values in product(*axes)]
    made = [make(**point) for point in points]
    if wrong := [one for one in made if not isinstance(one, Simulation)]:
        raise ValueError(f"make must return a Simulation, got {wrong[0]!r}")
    tasks = [_task(one, point, replicas, seed, where) for one, point in zip(made, points, strict=True)]
    return collect(tasks, folder, jobs, progress)


def _task(simulation: Simulation, point: Numbers, replicas: int, seed: int, where: Mapping[str, Any]) -> Task:
    schedule = simulation.schedule
    sizes = {"replicas": replicas, "steps": schedule.steps, "burn_in": schedule.burn_in, "seed": seed}
    facts = sizes | {"oracle": simulation.oracle.name, "theory": simulation.theory}
    own = int.from_bytes(hashlib.sha256(_text([seed, point]).encode()).digest()[:6], "big")
    return Task(_text(point), partial(_measure, simulation, point | sizes, own, where), facts | dict(where))


def _measure(simulation: Simulation, row: Numbers, seed: int, where: Mapping[str, Any]) -> Numbers:
    kept = run(simulation, row["replicas"], seed, **where)
    return row | {"measured": kept.mean, "standard_error": kept.standard_error, "theory": simulation.theory}


def collect(
    tasks: Sequence[Task], folder: Path | None = None, jobs: int | None = None, progress: bool = False, label: str = ""
) -> list[Numbers]:
    """The numbers of every task, in order; tasks whose file is in the folder already are not run again.

    Only this process writes, each finished task at once and atomically: workers need no common disk, and a kill loses
    the unfinished tasks only.
    """
    from tqdm import tqdm  # needed only where a bar is shown

    _make(folder)
    found = {task.file: numbers for task in tasks if (numbers := _load(task, folder)) is not None}
    missing = [task for task in tasks if task.file not in found]
    bar = tqdm(arriving(missing, jobs), label, len(tasks), initial=len(found), unit="cell", disable=not progress)
    for k, numbers in bar:
        _save(missing[k], numbers, folder)
        found[missing[k].file] = numbers
    return [found[task.file] for task in tasks]


def arriving(tasks: Iterable[Task], jobs: int | None = None) -> Arriving:
    """The place and the numbers of each task, once it is done; tasks are taken when a process is free for them."""
    if jobs is not None and not 0 < abs(jobs) < 2**15:
        raise ValueError(f"jobs must be a positive number, or -1 for one a core, got {shown(jobs)}")
    watched: Any = {"initializer": _end_with, "initargs": (os.getpid(),)}
    workers = Parallel(n_jobs=jobs, return_as="generator_unordered", **watched)
    found: Any = workers(delayed(_numbered)(k, task.work) for k, task in enumerate(tasks))
    return _left_in_silence(found)


def _left_in_silence(found: Arriving) -> Arriving:
    """The same; joblib would warn of finished tasks that nobody takes, which is no news after an interrupt."""
    try:
        for one in found:  # noqa: UP028 (`yield from` would close it too early, outside the block below)
            yield one
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*tasks have been successfully executed", UserWarning)
            found.close()


def _end_with(parent: int) -> None:
    """End this process soon after the one that it works for, which may be killed; joblib's would wait for minutes."""

    def end_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    Thread(target=end_with_parent, daemon=True).start()


def _make(folder: Path | None) -> None:
    """Make the folder before the work, which would be lost if there were none at its end."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        told = getattr(error, "strerror", error)
        raise OSError(f"cannot write into {str(folder)!r} ({told}); choose another folder") from error


def _numbered(k: int, work: Callable[[], Numbers]) -> tuple[int, Numbers]:
    return k, work()


def _load(task: Task, folder: Path | None) -> Numbers | None:
    if folder is None or not (folder / task.file).exists():
        return None
    file = folder / task.file
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Kept).numbers
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{file} is no finished cell ({error}); delete it to run the cell again") from error


class _Kept(msgspec.Struct):
    """What the file of a finished cell holds, besides the settings that gave it its name."""

    name: str
    numbers: dict[str, float | int | str | None]


def _save(task: Task, numbers: Numbers, folder: Path | None) -> None:
    if folder is None:
        return
    content = {"name": task.name, "settings": dict(task.settings), "numbers": numbers}
    write_atomically(folder / task.file, _text(content))


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that every reader finds the old content or the new, never a part of either.

    `training.run.files.run_folder` has a function of this name as well: these rooms may not import each other, and what
    training writes must also survive a power failure, with one sentence for a full disk.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _text(data: Any) -> str:
    return json.dumps(data, sort_keys=True, default=plain)
