"""One run of a stack: its files are those of a single run, its numbers come from the stack."""

from pathlib import Path
from typing import Any

import torch

from training.data.images import Images, Splits
from training.data.loader import Loader
from training.measure.scores import Report, Result
from training.recipe.recipe import Recipe
from training.run.cohort import build_cohort
from training.run.epochs import Run
from training.run.files.run_folder import append_line
from training.run.step import objective_at
from training.run.stopping import Guard, Interrupt


class Member(Run):
    """A run whose steps are made elsewhere; lines of its files wait in memory until its next checkpoint."""

    def __init__(
        self,
        recipe: Recipe,
        seed: int,
        folder: Path | None,
        splits: Splits,
        loader: Loader,
        interrupt: Interrupt,
        device: torch.device,
    ) -> None:
        super().__init__(build_cohort(recipe, seed, splits.train, device), loader, splits, seed, folder, interrupt)
        self._waiting: dict[str, list[dict[str, Any]]] = {"metrics": [], "timing": []}

    def open(self, resume: bool) -> None:
        """Put the run to where its folder says that it stopped."""
        if self.folder is not None:
            with torch.random.fork_rng(devices=[]):  # all runs of a stack share torch's generator, and none uses it
                self._open(self.folder, resume)

    def end_epoch(self, report: Report, seconds: float) -> dict[str, Any]:
        """Keep the line of the epoch that has just ended, and begin the next."""
        row = self._row(objective_at(self.recipe, self.state.epoch), len(self.loader), report)
        self._waiting["metrics"].append(row)
        self._waiting["timing"].append({"epoch": row["epoch"], "seconds": seconds})
        self.state.next_epoch()
        return row

    def store(self) -> None:
        """Write the lines that wait and a checkpoint of the students as they are in `cohort`."""
        if self.folder is None:
            return
        for name, rows in self._waiting.items():
            if rows:
                append_line(self.folder / f"{name}.jsonl", *rows)
        if self.curves is not None:
            for row in self._waiting["metrics"]:
                self.curves.write(row)
        self._waiting = {name: [] for name in self._waiting}
        with torch.random.fork_rng(
            devices=[]
        ):  # a single run has its own generator, and its steps draw nothing from it
            torch.default_generator.manual_seed(self.seed)
            self._save(self.guard())

    def guard(self) -> Guard:
        """The guard of a single run at this epoch: it says how a run failed."""
        epoch = min(self.state.epoch, self.recipe.epochs - 1)
        return Guard(self.recipe, objective_at(self.recipe, epoch).alpha, torch.device("cpu"), self.folder)

    def conclude(self, parts: dict[str, Images], reports: dict[str, Report]) -> Result:
        """Write and return the result."""
        return self._conclude({name: len(images) for name, images in parts.items()}, reports)
