"""Trains variants of a recipe from the same seeds and estimates their differences, paired by seed."""

import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from theory.typed import AnyPath, as_path, check_arguments, check_between, check_fields
from training.data.images import Source
from training.measure.scores import Result
from training.recipe.recipe import Recipe
from training.run.files.opening import opened
from training.run.files.run_folder import write_json

from .parallel import Task, check_jobs, check_seeds, processes, run_all
from .published import Environment, read_published
from .same_data import check_same_data
from .stacking import check_stack, stacked

Row = dict[str, str | int | float | None]
ORDERS = (0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Comparison:
    """The results of several variants over the same seeds.

    Attributes:
        variants: the recipe of each variant, by name.
        reference: the variant that the others are compared with.
        results: the results of each variant, in the order of the seeds.
        made: each different environment (versions, device, commit) in which runs were finished, and how many.
        seconds: of training, over all runs.

    >>> score = {"accuracy": 0.9, "nll": 0.3}
    >>> one = Result(0, test={"student 1": score}, validation={}, train={"student 1": score}, images={"test": 10})
    >>> found = Comparison({"independent": Recipe()}, "independent", {"independent": [one]})
    >>> found.title, found.rows[0]["metric"], found.rows[0]["mean"]
    ('mlp + mlp on digits', 'accuracy', 0.9)
    """

    variants: dict[str, Recipe]
    reference: str
    results: dict[str, list[Result]]
    made: tuple[dict[str, Any], ...] = ()
    seconds: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.reference not in self.variants or self.results.keys() != self.variants.keys():
            found = f"{self.reference!r} and {[*self.results]}"
            raise ValueError(f"reference and results must be of the variants {[*self.variants]}, got {found}")
        if not all(self.results.values()):
            raise ValueError("results must hold at least one seed of every variant, got none")
        seeds = {name: [result.seed for result in results] for name, results in self.results.items()}
        if strange := [name for name, own in seeds.items() if own != seeds[self.reference]]:
            found = f"{seeds[strange[0]]} of {strange[0]!r} and {seeds[self.reference]} of {self.reference!r}"
            raise ValueError(f"results must be of the same seeds in one order, got {found}")
        check_between("seconds", self.seconds, 0)

    @property
    def title(self) -> str:
        """The students and the data that the variants share."""
        recipe = self.variants[self.reference]
        return f"{' + '.join(recipe.students)} on {recipe.data}"

    @property
    def rows(self) -> list[Row]:
        """One row a variant, scored one ("student 1", ..., "ensemble", "cohort") and metric on the test set.

        Keys: variant, who, metric, n (seeds), mean, se (standard error of the mean), and, against the reference on
        the same seeds, difference, low, high (95 % t-interval). A number that n does not allow is None.
        Generalisation gaps are among the metrics (see `Result.test_with_gaps`).
        """
        return [row for name in self.variants for row in self._variant_rows(name)]

    def to_json(self) -> dict[str, Any]:
        """Recipes, seeds, rows, the value of every seed, and what they were made with, as JSON."""
        return {
            "title": self.title,
            "made": list(self.made),
            "seconds": self.seconds,
            "reference": self.reference,
            "variants": {name: recipe.to_json() for name, recipe in self.variants.items()},
            "seeds": [result.seed for result in self.results[self.reference]],
            "images": self.results[self.reference][0].images,
            "rows": self.rows,
            "values": [
                {"variant": name, "who": who, "metric": metric, "values": values.tolist()}
                for name, results in self.results.items()
                for (who, metric), values in _collect(results).items()
            ],
        }

    def _variant_rows(self, name: str) -> Iterator[Row]:
        measured, against = _collect(self.results[name]), _collect(self.results[self.reference])
        for (who, metric), values in measured.items():
            row: Row = {"variant": name, "who": who, "metric": metric, **_mean(values)}
            other = against.get((who, metric)) if name != self.reference else None
            yield row | _difference(values, other)


def standard_variants(base: Recipe, orders: tuple[float | str, ...] = ORDERS) -> dict[str, Recipe]:
    """Independent students, and the base recipe at each order or schedule; order 1 is Deep Mutual Learning (DML).

    Raises:
        ValueError: an order outside [0, inf], or no schedule, or one twice.

    >>> list(standard_variants(Recipe(), orders=(0.5, 1)))
    ['independent', 'RDML 0.5', 'DML (order 1)']
    """
    check_arguments(standard_variants, locals())
    named = {"independent": dataclasses.replace(base, weight=0.0)}
    for order in orders:
        written = order if isinstance(order, str) else f"{order:g}"
        named["DML (order 1)" if order == 1 else f"RDML {written}"] = dataclasses.replace(base, alpha=order)
    if len(named) != 1 + len(orders):
        raise ValueError(f"orders must differ, got {', '.join(map(str, orders))}")
    return named


def compare(
    base: Recipe,
    variants: dict[str, Recipe] | None = None,
    seeds: int = 5,
    progress: bool = False,
    folder: AnyPath | None = None,
    jobs: int = -1,
    source: Source | None = None,
    stack: int = -1,
) -> Comparison:
    """Train every variant from the seeds 0 .. seeds - 1 and compare them, paired by seed, with the first variant.

    The runs are divided among processes; the numbers do not depend on how many there are. With a folder, each run
    is recorded there, and calling again continues where the last call stopped.

    >>> from dataclasses import replace
    >>> short = replace(RECIPES["digits"], epochs=1, subset=96)
    >>> found = compare(short, {"independent": replace(short, weight=0.0), "DML": short}, seeds=2, jobs=1)
    >>> [row["variant"] for row in found.rows if (row["who"], row["metric"]) == ("ensemble", "nll")]
    ['independent', 'DML']

    Args:
        base: the recipe that the variants vary.
        variants: recipes by name, the reference first; by default `standard_variants(base)`.
        seeds: how many, at least 1; intervals need 2.
        progress: show a progress bar over the runs on the standard error stream.
        folder: where runs and `comparison.json` go; nothing is written without one.
        jobs: processes at the same time; -1: one a core, divided by the threads of a run; on a GPU, or with students
            that no other process can import, one.
        source: the images of all variants; by default those that each recipe names.
        stack: how many runs make their steps together (see `training.stack`); 1: each alone; -1: by what was measured.

    Raises:
        ValueError, OSError: as `train` does; if seeds, jobs or stack mean nothing, the folder holds other recipes, or
            students or source cannot be handed to several processes.
    """
    check_arguments(compare, locals())
    check_seeds(seeds)
    check_jobs(jobs)
    check_stack(stack)
    variants = standard_variants(base) if variants is None else variants
    if not variants:
        raise ValueError("variants must be recipes by name, at least one, got none")
    folder = as_path(folder)
    if folder is not None:
        _check_places(folder, variants)
    tasks = [
        Task(name, recipe, seed, _place(folder, name) / f"seed-{seed}" if folder else None)
        for seed in range(seeds)
        for name, recipe in variants.items()
    ]
    with contextlib.ExitStack() as folders:
        for name, recipe in variants.items() if folder else ():
            folders.enter_context(opened(_place(folder, name), recipe, resume=True))
        check_same_data(tasks, source)
        groups, said = stacked(tasks, stack, processes([task.recipe for task in tasks], jobs), source)
        if progress and said:
            print(said, file=sys.stderr)
        done = run_all(groups, progress, jobs, source)
        found = {(name, seed): result for some in done for name, seed, result in some}
    results = {name: [found[name, seed] for seed in range(seeds)] for name in variants}
    if folder is None:
        return Comparison(variants, next(iter(variants)), results)
    made, seconds = _provenance([task.folder for task in tasks if task.folder])
    comparison = Comparison(variants, next(iter(variants)), results, made, seconds)
    write_json(folder / "comparison.json", comparison.to_json())
    return comparison


def _provenance(folders: list[Path]) -> tuple[tuple[dict[str, Any], ...], float]:
    """The different environments of finished runs with their numbers of runs, and the seconds of all."""
    found = [read_published(folder / "environment.json", Environment) for folder in folders]
    seconds = sum(one.pop("seconds") for one in found)
    different = [one for k, one in enumerate(found) if one not in found[:k]]
    return tuple(one | {"runs": found.count(one)} for one in different), seconds


def _place(folder: Path | None, name: str) -> Path:
    plain = "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in name)
    return Path(folder or ".") / plain.strip("-")


def _check_places(folder: Path, variants: dict[str, Recipe]) -> None:
    """Raise ValueError unless every variant has a folder of its own."""
    places = [_place(folder, name) for name in variants]
    if len({*places, folder, folder / ".."}) < len(places) + 2:
        raise ValueError(
            f"variants must have names that differ in letters and digits, as their folders do, got {[*variants]}"
        )


def _collect(results: list[Result]) -> dict[tuple[str, str], np.ndarray]:
    """Arrays over seeds by (who, metric), the generalisation gaps among them; what a seed lacks is left out."""
    reports = [result.test_with_gaps() for result in results]
    keys = [(who, name) for who, found in reports[0].items() for name in found if all(name in r[who] for r in reports)]
    return {(who, metric): np.array([report[who][metric] for report in reports]) for who, metric in keys}


def _mean(values: np.ndarray) -> Row:
    n = len(values)
    return {"n": n, "mean": float(values.mean()), "se": float(values.std(ddof=1) / n**0.5) if n > 1 else None}


def _difference(values: np.ndarray, reference: np.ndarray | None) -> Row:
    if reference is None:
        return {"difference": None, "low": None, "high": None}
    gaps = values - reference
    centre, error = float(gaps.mean()), _mean(gaps)["se"]
    if not isinstance(error, float):
        return {"difference": centre, "low": None, "high": None}
    reach = float(stdtrit(len(gaps) - 1, 0.975)) * error
    return {"difference": centre, "low": centre - reach, "high": centre + reach}
