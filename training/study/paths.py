"""Trains the runs of a problem, as stacks where that pays, and keeps the record of each in a file of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from training.data.images import Source
from training.experiment.parallel import run_all
from training.recipe.recipe import Recipe
from training.recipe.schema import decoded
from training.run.device import choose_device
from training.run.files.environment import environment
from training.run.files.run_folder import write_json
from training.run.stopping import TrainingDiverged
from training.run.train import train
from training.stack.rule import alike, usual_size, why_not
from training.stack.train import Planned, train_stacked

from .record import Recorder, rounded

Run = tuple[Recipe, int]
"""Recipe and seed."""


@dataclass(frozen=True)
class Batch:
    """Runs that train together in one process; those whose file exists are not trained again."""

    runs: tuple[Run, ...]
    files: tuple[Path, ...]
    epochs: tuple[int, ...]

    @property
    def recipe(self) -> Recipe:
        """The recipe of the first."""
        return self.runs[0][0]

    def run(self, progress: bool = False, source: Source | None = None) -> int:
        """Train what is left; returns how many runs that were."""
        left = [k for k, file in enumerate(self.files) if not file.exists()]
        if left:
            self._train(left, progress, source)
        return len(left)

    def _train(self, left: list[int], progress: bool, source: Source | None) -> None:
        began, recorder = process_time(), Recorder(self.epochs)
        planned = [Planned(*self.runs[k]) for k in left]
        diverged: str | None = None
        try:
            if len(planned) > 1:
                train_stacked(planned, source, progress=progress, watch=recorder)
            else:
                train(planned[0].recipe, planned[0].seed, source=source, progress=progress, watch=recorder)
        except TrainingDiverged as error:
            if len(left) > 1:  # the others go on without it
                for k in left:
                    self._train([k], progress, source)
                return
            diverged = str(error)
        made = environment(choose_device(self.recipe.device)) | {"seconds": (process_time() - began) / len(left)}
        for k in left:
            record = recorder.records.get(self.runs[k], {"path": {}, "advice": {}})
            kept = record | {"diverged": diverged, "recipe": shown(self.runs[k][0]), "made": made}
            write_json(self.files[k], rounded(kept))


def train_all(
    runs: Sequence[Run], folder: Path, epochs: tuple[int, ...], source: Source, jobs: int, progress: bool = True
) -> list[dict[str, Any]]:
    """The record of every run, trained now or before.

    Args:
        runs: recipes and seeds.
        folder: holds a file a run.
        epochs: after which held-out images are scored.
        source: of all runs.
        jobs: processes at the same time; -1: one a core.
        progress: show a bar.
    """
    files = {run: folder / f"{name_of(*run)}.json" for run in runs}
    folder.mkdir(parents=True, exist_ok=True)
    left = [run for run in runs if not files[run].exists()]
    batches = [Batch(tuple(part), tuple(files[run] for run in part), epochs) for part in _parts(left, source)]
    if batches:
        for _ in run_all(batches, progress, jobs, source):
            pass
    return [_read(files[run], run[0]) for run in runs]


def _read(file: Path, recipe: Recipe) -> dict[str, Any]:
    found = read_record(file)
    if found.get("recipe", shown(recipe)) != shown(recipe):
        raise ValueError(f"{file} holds a run of another recipe; choose another folder")
    return found


def read_record(file: Path) -> dict[str, Any]:
    """The record that a file keeps."""
    return decoded(file.read_bytes(), file)


def shown(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON, without the folder of the data, which differs between machines."""
    return replace(recipe, data_root=None).to_json()


def name_of(recipe: Recipe, seed: int) -> str:
    """A file name that differs between the runs of a problem."""
    words = {
        "noise": recipe.label_noise,
        "order": recipe.alpha,
        "weight": recipe.weight,
        "decay": recipe.weight_decay,
        "smoothing": recipe.label_smoothing,
        "rate": recipe.lr,
        "epochs": recipe.epochs,
        "seed": seed,
    }
    return "-".join([*recipe.students, *(f"{key}-{value:g}" for key, value in words.items())])


def _parts(runs: Sequence[Run], source: Source) -> Iterator[list[Run]]:
    """Runs that go together, those of the same recipe side by side."""
    kinds: dict[Recipe, list[Run]] = {}
    for run in runs:
        kinds.setdefault(alike(run[0]), []).append(run)
    images = source.train() if kinds else None
    for kind, some in kinds.items():
        assert images is not None
        size = 1 if why_not(kind) else usual_size(kind, images)
        for part in np.array_split(np.arange(len(some)), -(-len(some) // size)):
            yield [some[k] for k in part]
