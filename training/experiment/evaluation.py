"""Scores and predictions of a finished (or interrupted) run, from its checkpoints."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from training.data.images import Source, Splits, split
from training.data.loader import Loader
from training.data.sources import open_source
from training.measure import scores as metrics
from training.recipe.recipe import Recipe
from training.run.checkpoint import load_weights
from training.run.cohort import build_cohort, predict
from training.run.device import choose_device
from training.run.run_folder import read_recipe

Part = Literal["test", "validation"]


def evaluate_run(
    run: Path, part: Part = "test", source: Source | None = None, device: str | None = None
) -> dict[int, metrics.Report]:
    """Scores of the newest good checkpoint of every seed, by seed; predictions go to `predictions-PART.npz` beside it.

    Args:
        run: a run folder.
        part: the images to score.
        source: the images; by default those that the recipe names.
        device: where to compute; by default where the run did.

    Raises:
        ValueError: if the folder holds no run, or a seed of it no good checkpoint; if there is no such device.
    """
    recipe = read_recipe(run)
    recipe = recipe if device is None else replace(recipe, device=device)
    seeds = sorted(int(folder.name.removeprefix("seed-")) for folder in run.glob("seed-*"))
    splits = split(recipe, source or open_source(recipe))
    return {seed: _evaluate(run / f"seed-{seed}", recipe, splits, seed, part) for seed in seeds}


def _evaluate(folder: Path, recipe: Recipe, splits: Splits, seed: int, part: Part) -> metrics.Report:
    logits, labels = predictions(folder, recipe, splits, seed, part)
    np.savez_compressed(folder / f"predictions-{part}.npz", logits=logits.cpu().numpy(), labels=labels.cpu().numpy())
    return metrics.report(logits, labels)


def predictions(folder: Path, recipe: Recipe, splits: Splits, seed: int, part: Part) -> tuple[Tensor, Tensor]:
    """Logits (K, N, C) of the newest checkpoint in a seed's folder, and labels (N,)."""
    device = choose_device(recipe.device)
    cohort = build_cohort(recipe, seed, splits.train, device)
    load_weights(folder, cohort)
    loader = Loader(splits.train, recipe, seed, device)
    return predict(cohort, loader.sweep(splits.test() if part == "test" else splits.validation))
