"""`train_stacked`: many runs at once, from the first batch to the scores on the test set."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from theory.typed import AnyPath, as_path, check_arguments, check_call
from training.data.images import Source, Splits, split
from training.data.loader import Loader
from training.data.sources import open_source
from training.measure.scores import Result
from training.recipe.recipe import Recipe
from training.run.device import choose_device, threads
from training.run.epochs import Watch
from training.run.files.run_folder import held
from training.run.stopping import Interrupt
from training.run.train import check_seed, finished

from .member import Member
from .rule import check_alike, why_not, why_not_these
from .stack import Stack


class Planned(NamedTuple):
    """A run: its recipe, its seed, and its folder (None: nothing is written).

    >>> Planned(RECIPES["digits"], seed=3).folder is None
    True
    """

    recipe: Recipe
    seed: int = 0
    folder: AnyPath | None = None


class _Run(NamedTuple):
    """A `Planned` whose folder is a Path."""

    recipe: Recipe
    seed: int
    folder: Path | None


def train_stacked(
    runs: Sequence[Planned],
    source: Source | None = None,
    resume: bool = False,
    progress: bool = False,
    watch: Watch | None = None,
) -> list[Result]:
    """Train several runs at once and score them on the test set: what `training.train` finds for each, to rounding.

    All students of all runs make a step in one forward and backward pass. Each run keeps its own batches,
    augmentation, label noise, order, weight and rate, and its own folder, whose files are those of a single run; it
    may be continued singly or in another stack. Two things differ: the last digits, since sums are taken in another
    order, and that checkpoints and lines of an epoch are written at most every ten seconds. The seconds of a run in
    its files are its share of the stack's.

    Args:
        runs: recipe, seed and folder of each. The recipes may differ in alpha, weight, topology, lr and label_noise.
        source: the images; by default those that the recipes name.
        resume: continue from the newest checkpoints; runs that stopped at different steps go on in stacks of their own.
        progress: show a progress bar over the epochs on the standard error stream.
        watch: is handed the logits of which each run's scores are computed, as by `train`.

    Returns:
        The results, in the order of the runs.

    Raises:
        ValueError: if the recipes differ in another field or can't be stacked (see `why_not`), if the data do not fit
            them, or if a loss is not finite (TrainingDiverged; the other runs are stored before).
        OSError: if a file cannot be read or written.
        KeyboardInterrupt: after Ctrl-C, once a checkpoint of every run is written.

    Three orders from two seeds each:

    >>> from dataclasses import replace
    >>> base = replace(RECIPES["digits"], epochs=1, subset=96)
    >>> runs = [Planned(replace(base, alpha=alpha), seed) for alpha in (0.5, 1.0, 2.0) for seed in range(2)]
    >>> len(train_stacked(runs))
    6
    """
    check_arguments(train_stacked, locals())
    check_call("watch", watch, "answers")
    _check(runs)
    every = [_Run(run.recipe, run.seed, as_path(run.folder)) for run in runs]
    found = {k: finished(run.folder, resume, source) for k, run in enumerate(every)}
    left = [k for k, result in found.items() if result is None]
    if left:
        check_alike([runs[k].recipe for k in left])
        source = source or open_source(runs[0].recipe)
        found |= zip(left, _train([every[k] for k in left], source, resume, progress, watch), strict=True)
    return [result for result in found.values() if result is not None]


def _check(runs: Sequence[Planned]) -> None:
    if not len(runs):
        raise ValueError("runs must be at least one, got none")
    for run in runs:
        check_arguments(Planned, run._asdict())
        check_seed(run.seed)
    folders = [Path(run.folder) for run in runs if run.folder is not None]
    if twice := [folder for folder in folders if folders.count(folder) > 1]:
        raise ValueError(f"every run needs a folder of its own, got {twice[0]} twice")


def _train(runs: Sequence[_Run], source: Source, resume: bool, progress: bool, watch: Watch | None) -> list[Result]:
    recipe = runs[0].recipe
    splits = _splits(runs, source)
    if reason := why_not(recipe) or why_not_these(splits[0].train):
        raise ValueError(f"these runs cannot be stacked: {reason}")
    if source.preview:
        splits[0].test()
    device = choose_device(recipe.device)
    with threads(recipe.threads), _only_writer(runs), Interrupt() as interrupt:
        loader = Loader(splits[0].train, recipe, 0, device)
        each = zip(runs, splits, strict=True)
        members = [Member(*run, part, loader, interrupt, device) for run, part in each]
        for member in members:
            member.watch = watch
            member.open(resume)
        stacks = [Stack(some, loader, interrupt) for some in _by_position(members)]
        for stack in stacks:
            stack.fit(progress)
        results = {id(member): result for stack in stacks for member, result in stack.finish()}
    return [results[id(member)] for member in members]


def _splits(runs: Sequence[_Run], source: Source) -> list[Splits]:
    """The splits of each run: the same images, whose labels differ by their noise."""
    kept: dict[tuple[int, float], Splits] = {}
    for recipe, seed, _ in runs:
        found = kept.get((seed, recipe.label_noise)) or split(recipe, source, seed)
        kept[seed, recipe.label_noise] = _with_pixels_of(next(iter(kept.values()), found), found)
    return [kept[run.seed, run.recipe.label_noise] for run in runs]


def _with_pixels_of(first: Splits, own: Splits) -> Splits:
    """The splits, but with the first one's pixels, so that those of each run need not be kept."""
    train, validation = replace(first.train, labels=own.train.labels), first.validation
    return Splits(train, replace(validation, labels=own.validation.labels), first.test, own.data)


@contextlib.contextmanager
def _only_writer(runs: Sequence[_Run]) -> Iterator[None]:
    with contextlib.ExitStack() as locks:
        for run in runs:
            if run.folder is not None:
                locks.enter_context(held(run.folder))
        yield


def _by_position(members: Sequence[Member]) -> list[list[Member]]:
    """The members that stand at the same step, together."""
    places: dict[tuple[int, int], list[Member]] = {}
    for member in members:
        places.setdefault((member.state.epoch, member.state.step), []).append(member)
    return list(places.values())
