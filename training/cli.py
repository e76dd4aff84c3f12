"""The command `rdml train`."""

import dataclasses
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from .files import write_json
from .recipe import Recipe
from .recipes import RECIPES
from .record import open_run
from .runs import Task, run_all
from .tables import run_table
from .train import choose_device

if TYPE_CHECKING:
    Flags = Recipe
    RecipeName = str
else:  # one flag a field of the recipe; an absent flag leaves the field to the named recipe
    Flags = dataclasses.make_dataclass(
        "Flags",
        [
            (item.name, Annotated[item.type | None, tyro.conf.arg(help=item.metadata["help"])], None)
            for item in dataclasses.fields(Recipe)
        ],
    )
    RecipeName = Literal[tuple(RECIPES)]


def train(
    flags: Annotated[Flags, tyro.conf.arg(name="")],
    recipe: RecipeName = "digits",
    seeds: int = 1,
    first_seed: int = 0,
    folder: Path | None = None,
    resume: bool = False,
    jobs: int = -1,
) -> int:
    """Train students together on images and score them on the test set.

    Args:
        flags: fields of the recipe that differ from the named one.
        recipe: the named recipe to start from.
        seeds: how many runs, each from a seed of its own.
        first_seed: the first of these seeds.
        folder: the run folder; by default runs/RECIPE-TIME.
        resume: continue the interrupted run in the folder.
        jobs: processes at the same time; -1: one a core, divided by the threads of a run.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    chosen = override(RECIPES[recipe], flags)
    place = folder or Path("runs") / f"{recipe}-{datetime.now():%Y%m%d-%H%M%S}"
    open_run(place, chosen, choose_device(chosen.device), resume)
    numbers = range(first_seed, first_seed + seeds)
    tasks = [Task("run", chosen, seed, place / f"seed-{seed}") for seed in numbers]
    try:
        found = run_all(tasks, progress=True, jobs=jobs)
    except KeyboardInterrupt:
        print(
            f"\nstopped; `rdml train --resume --folder {place}` with the same flags continues",
            file=sys.stderr,
        )
        return 130
    results = [found["run", seed] for seed in numbers]
    write_json(place / "results.json", [result.to_json() for result in results])
    print(
        f"\n{len(results)} seed(s), {results[0].images['test']} test images; mean ± standard error over seeds\n"
    )
    print(run_table(results))
    print(place)
    return 0


def override(base: Recipe, flags: Recipe) -> Recipe:
    """The base recipe with every field that `flags` sets."""
    given = {item.name: getattr(flags, item.name) for item in dataclasses.fields(Recipe)}
    return dataclasses.replace(base, **{name: value for name, value in given.items() if value is not None})
