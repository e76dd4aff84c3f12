"""Scores and predictions of a finished (or interrupted) run, from its checkpoints."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from theory.typed import AnyPath, check_arguments
from training.data.images import Source, Splits, split
from training.data.loader import Loader
from training.data.sources import open_source
from training.measure import scores as metrics
from training.measure.advice import Advice, advise, combine
from training.recipe import schedule
from training.recipe.recipe import Recipe
from training.run.cohort import build_cohort, predict
from training.run.device import choose_device
from training.run.files.checkpoint import load_weights, origin
from training.run.files.opening import read_recipe
from training.run.files.run_folder import check_data

Part = Literal["test", "validation"]


def evaluate_run(
    run: AnyPath, part: Part = "test", source: Source | None = None, device: str | None = None
) -> dict[int, metrics.Report]:
    """Scores of the newest good checkpoint of every seed, by seed; predictions go to `predictions-PART.npz` beside it.

    Args:
        run: a run folder, or the folder of one seed that `training.train` was given.
        part: the images to score.
        source: the images; by default those that the recipe names.
        device: where to compute; by default where the run did.

    Raises:
        ValueError: if the folder holds no run, or a seed of it no good checkpoint; if there is no such device; if the
            training half is of other data than that of the run, whichever part is scored.
    """
    check_arguments(evaluate_run, locals())
    folder = Path(run)
    recipe, alone = recipe_of(folder)
    recipe, places = _with_device(recipe, device), places_of(folder, alone)
    reports = {}
    for seed, logits, labels in _each_seed(places, recipe, part, source):
        place = places[seed] / f"predictions-{part}.npz"
        np.savez_compressed(place, logits=logits.cpu().numpy(), labels=labels.cpu().numpy())
        reports[seed] = metrics.report(logits, labels)
    return reports


def advise_run(run: AnyPath, source: Source | None = None, device: str | None = None) -> Advice:
    """Whether mutual learning would help the independent students of a run folder (see `training.advise`).

    From the validation predictions of the newest good checkpoint of every seed: they were not trained on, and their
    labels are as noisy as the training labels. Several seeds give one advice (see `training.measure.advice.combine`).

    Args:
        run: the folder of a run of weight 0: `rdml train --weight 0`, or the variant `independent` of `rdml compare`.
        source: the images; by default those that the recipe names.
        device: where to compute; by default where the run did.

    Raises:
        ValueError: as `evaluate_run` and `advise` do; or if the students of the run were coupled.
    """
    check_arguments(advise_run, locals())
    folder = Path(run)
    recipe, alone = recipe_of(folder)
    recipe = _with_device(recipe, device)
    if any(schedule.values(recipe.weight, "weight", recipe.epochs)):
        raise ValueError(
            f"{run} holds students that were coupled (weight {recipe.weight}): advice needs independent ones, those of "
            "--weight 0"
        )
    if len(recipe.students) < 2:
        raise ValueError(f"{run} holds one student: advice needs at least two, trained independently")
    answers = _each_seed(places_of(folder, alone), recipe, "validation", source)
    return combine([advise(logits, labels) for _, logits, labels in answers])


def recipe_of(folder: Path) -> tuple[Recipe, int | None]:
    """The recipe of a run folder; or of the folder of one seed, as `train` writes it, with that seed.

    Such a folder has no recipe.json: its checkpoints hold recipe and seed.

    Raises:
        ValueError: if it is neither.
    """
    alone = None if (folder / "recipe.json").exists() else origin(folder)
    return (read_recipe(folder), None) if alone is None else alone


def places_of(folder: Path, alone: int | None) -> dict[int, Path]:
    """The folder of each seed of a run, which is the run's own if that holds one seed alone.

    Raises:
        ValueError: if there is none.
    """
    return {seed: folder / f"seed-{seed}" for seed in seeds_of(folder)} if alone is None else {alone: folder}


def _with_device(recipe: Recipe, device: str | None) -> Recipe:
    return recipe if device is None else replace(recipe, device=device)


def _each_seed(
    places: Mapping[int, Path], recipe: Recipe, part: Part, source: Source | None
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(seed, logits, labels) of every seed of a run; each seed has its own label noise."""
    images = source or open_source(recipe)
    for seed, place in places.items():
        splits = split(recipe, images, seed)
        check_data(place, splits.data)  # other data may hold what the students were trained on
        yield seed, *predictions(place, recipe, splits, seed, part)


def seeds_of(run: Path) -> list[int]:
    """The seeds of a run folder; another folder whose name begins with seed- is none of them.

    Raises:
        ValueError: if there is none.
    """
    names = [folder.name.removeprefix("seed-") for folder in run.glob("seed-*") if folder.is_dir()]
    found = sorted(int(name) for name in names if name.isdecimal() and name == str(int(name)))
    if not found:
        raise ValueError(f"{run} must hold at least one seed, a folder seed-0, seed-1, ..., got none")
    return found


def predictions(folder: Path, recipe: Recipe, splits: Splits, seed: int, part: Part) -> tuple[Tensor, Tensor]:
    """Logits (K, N, C) of the newest checkpoint in a seed's folder, and labels (N,)."""
    device = choose_device(recipe.device)
    cohort = build_cohort(recipe, seed, splits.train, device)
    load_weights(folder, cohort)
    loader = Loader(splits.train, recipe, seed, device)
    return predict(cohort, loader.sweep(splits.test() if part == "test" else splits.validation))
