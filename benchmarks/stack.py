"""Many small runs at once: runs per minute of a stack against runs one by one, on two processes each.

python -m benchmarks.stack [--quick]
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import torch
import tyro

from training import Recipe, standard_variants, train
from training.data.sources import open_source
from training.stack import Planned, train_stacked
from training.stack.rule import usual_size

from .timing import CLOCKS, Clock, peak_memory, printing, ratio, table, verdict

TITLE = "Stacked runs on the digits, files and scores included, two processes (medians over turns with quartiles)"
JOBS = 2
AIMS = {"mlp": 8.0, "cnn": 3.0, "resnet8": 1.0}
"""Runs per minute in units of single runs'."""
EPOCHS = {"mlp": 30, "cnn": 10, "resnet8": 2}
"""As many as fit into a few minutes; a quick measurement takes five at most."""
FORCED = {"resnet8": 8}
"""Stacks that the rule does not take, measured to show why."""
COLUMNS = [
    "students",
    "epochs",
    "runs of a stack",
    "in units of single runs",
    "aim",
    "runs/min",
    "peak MiB",
    "of a single run",
]

Work = Callable[[], None]
_NAMES = count()


def planned(recipe: Recipe, runs: int, folder: Path) -> list[Planned]:
    """The first runs of a comparison: five variants of each seed."""
    variants = list(standard_variants(recipe).values())
    return [Planned(variants[k % 5], k // 5, folder / f"{next(_NAMES)}") for k in range(runs)]


def alone(recipe: Recipe) -> None:
    """One run."""
    with tempfile.TemporaryDirectory() as folder:
        train(*planned(replace(recipe, alpha=1.5), 2, Path(folder))[1])


def together(recipe: Recipe, runs: int) -> None:
    """A stack of runs."""
    with tempfile.TemporaryDirectory() as folder:
        train_stacked(planned(recipe, runs, Path(folder)))


def seconds(work: Work, clock: Clock) -> float:
    """How long the work takes."""
    began = CLOCKS[clock]()
    work()
    return CLOCKS[clock]() - began


def timed(pool: ProcessPoolExecutor, work: Work, clock: Clock) -> float:
    """Seconds until every process has done the work, or of processor time in their mean."""
    began = time.perf_counter()
    each = list(pool.map(seconds, [work] * JOBS, [clock] * JOBS))
    return time.perf_counter() - began if clock == "wall" else sum(each) / JOBS


def measure(name: str, size: int, quick: bool, clock: Clock, pool: ProcessPoolExecutor) -> dict[str, Any]:
    """One line: both ways take turns."""
    epochs, turns = (min(EPOCHS[name], 5), 3) if quick else (EPOCHS[name], 7)
    recipe = Recipe(students=(name, name), epochs=epochs)
    works: dict[str, Callable[[Recipe], None]] = {"single": alone}
    works["stack"] = partial(together, runs=size) if size > 1 else alone
    for work in works.values():  # the first run of a process imports and allocates
        timed(pool, partial(work, replace(recipe, epochs=1)), clock)
    times: dict[str, list[float]] = {way: [] for way in works}
    for turn in range(turns):
        for way in sorted(works, reverse=turn % 2 == 1):
            runs = JOBS * (size if way == "stack" else 1)
            times[way].append(timed(pool, partial(works[way], recipe), clock) / runs)
    short = replace(recipe, epochs=1)
    memory = peak_memory(partial(alone, short), torch.device("cpu"))
    stacked = peak_memory(partial(together, short, runs=size), torch.device("cpu")) if size > 1 else memory
    return {
        "students": f"2 {name}",
        "epochs": recipe.epochs,
        "size": size,
        "ratio": str(ratio(times, "single", "stack")),
        "aim": verdict(ratio(times, "single", "stack").median, AIMS[name], least=True),
        "runs_a_minute": 60 / median(times["stack"]),
        "memory": stacked,
        "single_memory": memory,
    }


def run(quick: bool = False, device: str = "auto", clock: Clock = "wall") -> Iterator[dict[str, Any]]:
    """The lines of the table, one by one; on the CPU, whatever the device."""
    with ProcessPoolExecutor(JOBS, get_context("spawn")) as pool:
        for name in AIMS:
            recipe = Recipe(students=(name, name))
            usual = usual_size(recipe, open_source(recipe).train())
            for size in sorted({usual, FORCED.get(name, usual)}):
                yield measure(name, size, quick, clock, pool)


def steps(quick: bool = False) -> int:
    """How many lines `run` yields."""
    return len(AIMS) + len(FORCED)


def render(rows: list[dict[str, Any]]) -> str:
    """The Markdown table."""
    return table(COLUMNS, [_cells(row) for row in rows])


def _cells(row: dict[str, Any]) -> list[object]:
    memory = [f"{row[key] / 2**20:.1f}" for key in ("memory", "single_memory")]
    return [
        row["students"],
        row["epochs"],
        row["size"],
        row["ratio"],
        row["aim"],
        f"{row['runs_a_minute']:.0f}",
        *memory,
    ]


if __name__ == "__main__":
    tyro.cli(printing(TITLE, run, render))
