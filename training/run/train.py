"""`train`: one run of a recipe from one seed, from the first batch to the scores on the test set."""

import contextlib
from pathlib import Path

import torch

from theory.typed import AnyPath, as_path, check_arguments, check_call, shown
from training.data.images import Source, split
from training.data.loader import Loader
from training.data.sources import open_source
from training.measure.scores import Result
from training.networks import check_importable
from training.recipe.recipe import Recipe
from training.recipe.schema import read
from training.run.files.run_folder import check_data, held

from .cohort import build_cohort
from .device import choose_device, threads, warn_of_imitated_bfloat16
from .epochs import Run, Watch
from .placement import leads, placed
from .stopping import Interrupt


def train(
    recipe: Recipe,
    seed: int = 0,
    folder: AnyPath | None = None,
    source: Source | None = None,
    resume: bool = False,
    progress: bool = False,
    watch: Watch | None = None,
) -> Result:
    """Train the recipe's students from one seed and score them on the test set.

    Args:
        recipe: what to run.
        seed: decides initial weights, order of the images, their augmentation and their label noise.
        folder: where metrics, checkpoints and the result go; nothing is written without one.
        source: the images; by default those that `recipe.data` names.
        resume: continue from the newest checkpoint in `folder`, to the same bits as a run that was never stopped.
        progress: show a progress bar on the standard error stream.
        watch: is handed the logits of which the run computes its scores (`training.run.epochs.Answers`).

    Raises:
        ValueError: if data or students do not fit the recipe, or a loss is not finite (TrainingDiverged); if a student
            is a function that cannot be imported again, and there is a folder.
        OSError: if a file cannot be read or written.
        KeyboardInterrupt: after Ctrl-C, once a checkpoint is written.

    >>> from dataclasses import replace
    >>> result = train(replace(RECIPES["digits"], epochs=1, subset=96))
    >>> sorted(result.test), result.images["test"]
    (['cohort', 'ensemble', 'student 1', 'student 2'], 599)
    """
    check_arguments(train, locals())
    check_call("watch", watch, "answers")
    check_seed(seed)
    folder = as_path(folder)
    done = finished(folder, resume, source)
    if done is not None:
        return done
    if folder is not None:
        check_importable(recipe.students)
    source = source or open_source(recipe)
    splits, device = split(recipe, source, seed), choose_device(recipe.device)
    if source.preview:
        splits.test()  # only to raise its errors now instead of after the last epoch
    if recipe.amp:
        warn_of_imitated_bfloat16(device)
    with threads(recipe.threads), placed(recipe, device) as placement, _only_writer(folder), Interrupt() as interrupt:
        torch.manual_seed(seed)  # for dropout; initial weights and batches have generators of their own
        cohort = build_cohort(recipe, seed, splits.train, device, placement)
        loader = Loader(splits.train, recipe, seed, device, placement.share)
        run = Run(cohort, loader, splits, seed, folder, interrupt)
        run.watch = watch
        run.fit(resume, progress)
        return run.finish()


def check_seed(seed: int) -> None:
    """Raise ValueError unless a generator takes the seed."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed must be a whole number from 0 to 2**63 - 1, got {shown(seed)}")


def _only_writer(folder: Path | None) -> contextlib.AbstractContextManager[None]:
    """Keep other runs from writing into the folder; processes that do not lead write nothing."""
    return contextlib.nullcontext() if folder is None or not leads() else held(folder)


def finished(folder: Path | None, resume: bool, source: Source | None = None) -> Result | None:
    """The result that a run's folder holds already; None if there is no folder or no result in it.

    Raises:
        ValueError: if there is one although the run shall not be resumed, or of other data than the source's.
    """
    if folder is None or not (folder / "result.json").exists():
        return None
    if not resume:
        raise ValueError(f"{folder} holds a finished run; choose another folder, or pass --resume to keep it")
    if source is not None:
        check_data(folder, source.train().fingerprint)
    return read(folder / "result.json", Result)
