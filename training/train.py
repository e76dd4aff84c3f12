"""A run: one recipe, one seed, from the first batch to the scores on the test set."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from . import metrics
from .cohort import Cohort, build_cohort, predict, step
from .data import Source, Splits, split
from .files import append_line, probe_folder, read_json, truncate_lines, write_json
from .guard import Guard, Interrupt
from .loader import Loader
from .metrics import Report
from .objective import objective_at
from .optimise import learning_rate
from .recipe import Recipe
from .sources import open_source
from .state import State, resume_state, save_state


@dataclass(frozen=True)
class Result:
    """What one seed came to: scores on the three parts of the data, after the last epoch (nothing is selected)."""

    seed: int
    test: Report
    validation: Report
    train: Report
    images: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def train(
    recipe: Recipe,
    seed: int = 0,
    folder: Path | None = None,
    source: Source | None = None,
    resume: bool = False,
    progress: bool = False,
) -> Result:
    """Train the recipe's students from one seed and score them on the test set.

    Args:
        recipe: what to run.
        seed: decides initial weights, order of the images and their augmentation.
        folder: where metrics, checkpoints and the result go; nothing is written without one.
        source: the images; by default those that `recipe.data` names.
        resume: continue from the newest checkpoint in `folder`, to the same bits as a run that was never stopped.
        progress: show a progress bar on the standard error stream.

    Raises:
        ValueError: if the data do not fit the recipe, or a loss is not finite (TrainingDiverged).
        OSError: if a file cannot be read or written.
        KeyboardInterrupt: after Ctrl-C, once a checkpoint is written.
    """
    done = _finished(folder, resume)
    if done is not None:
        return done
    splits, device = split(recipe, source or open_source(recipe)), choose_device(recipe.device)
    with _threads(recipe.threads), Interrupt() as interrupt:
        torch.manual_seed(
            seed
        )  # dropout and the like; initial weights and batches have generators of their own
        cohort = build_cohort(recipe, seed, splits.train, device)
        run = Run(cohort, Loader(splits.train, recipe, seed, device), splits, seed, folder, interrupt)
        run.fit(resume, progress)
        return run.finish()


class Run:
    """The moving parts of a run and the order in which they move."""

    def __init__(
        self,
        cohort: Cohort,
        loader: Loader,
        splits: Splits,
        seed: int,
        folder: Path | None,
        interrupt: Interrupt,
    ) -> None:
        self.cohort, self.loader, self.splits, self.seed, self.folder = cohort, loader, splits, seed, folder
        self.recipe, self.interrupt = cohort.recipe, interrupt
        self.state = State(losses=torch.zeros(len(cohort.recipe.students), dtype=torch.float64))
        self.rate = learning_rate(self.recipe)

    def fit(self, resume: bool, progress: bool) -> None:
        """All epochs that are left."""
        if self.folder is not None:
            probe_folder(self.folder, needed=4 * _bytes(self.cohort))
            if resume:
                resume_state(self.folder, self.cohort, self.state)
            for name in ("metrics", "timing"):
                truncate_lines(self.folder / f"{name}.jsonl", self.state.epoch)
        epochs = self.recipe.epochs
        with tqdm(
            total=epochs, initial=self.state.epoch, unit="epoch", disable=not progress, leave=False
        ) as bar:
            while self.state.epoch < epochs:
                row = self._epoch()
                bar.update()
                bar.set_postfix(loss=f"{row['loss'][0]:.3f}", accuracy=f"{row['ensemble']['accuracy']:.3f}")

    def _epoch(self) -> dict[str, Any]:
        state, began = self.state, time.perf_counter()
        objective, steps = objective_at(self.recipe, state.epoch), len(self.loader)
        guard = Guard(self.recipe, objective.alpha, self.cohort.device, self.folder)
        for batch in self.loader.epoch(state.epoch, start=state.step):
            losses = step(self.cohort, batch, objective, self.rate(state.epoch * steps + state.step, steps))
            guard.watch(state.epoch * steps + state.step, losses)
            state.losses += losses.to(state.losses)
            state.step += 1
            self._between_steps(guard)
        guard.check()
        row = self._row(objective.alpha, objective.weight, steps)
        state.next_epoch()
        if self.folder is not None:
            append_line(self.folder / "metrics.jsonl", row)
            timing = {"epoch": row["epoch"], "seconds": time.perf_counter() - began}
            append_line(self.folder / "timing.jsonl", timing)
            if state.epoch % self.recipe.checkpoint_epochs == 0 or state.epoch == self.recipe.epochs:
                self._save(guard)
        return row

    def _between_steps(self, guard: Guard) -> None:
        every = self.recipe.checkpoint_steps
        due = every is not None and self.state.step % every == 0 and self.state.step < len(self.loader)
        if due or self.interrupt.requested:
            self._save(guard)
        if self.interrupt.requested:
            raise KeyboardInterrupt

    def _save(self, guard: Guard) -> None:
        if self.folder is not None:
            guard.check()
            guard.check_weights(self.cohort.students)
            save_state(self.folder, self.cohort, self.state, len(self.loader))

    def _row(self, alpha: float, weight: float, steps: int) -> dict[str, Any]:
        last = (self.state.epoch + 1) * steps - 1
        row = {"epoch": self.state.epoch, "step": last + 1, "alpha": alpha, "weight": weight}
        row |= {"lr": self.rate(last, steps), "loss": (self.state.losses / steps).tolist()}
        return row | metrics.report(*self._predict(self.splits.validation))

    def _predict(self, images: Any) -> tuple[Tensor, Tensor]:
        return predict(self.cohort, self.loader.sweep(images))

    def finish(self) -> Result:
        """Read the test set, for the first time, and write the result."""
        parts = {"train": self.splits.train, "validation": self.splits.validation, "test": self.splits.test()}
        reports = {name: metrics.report(*self._predict(images)) for name, images in parts.items()}
        result = Result(self.seed, images={name: len(images) for name, images in parts.items()}, **reports)
        if self.folder is not None:
            write_json(self.folder / "result.json", result.to_json())
        return result


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is the GPU where there is one.

    Raises:
        ValueError: if there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device must be auto, cpu or a device of this machine, got {name!r}") from error
    return device


def _finished(folder: Path | None, resume: bool) -> Result | None:
    if folder is None or not (folder / "result.json").exists():
        return None
    if not resume:
        raise ValueError(f"{folder} holds a finished run; choose another folder, or pass --resume to keep it")
    return Result(**read_json(folder / "result.json"))


def _bytes(cohort: Cohort) -> int:
    """Bytes of weights and optimiser state (at most two numbers a weight more)."""
    return 3 * sum(p.numel() * p.element_size() for s in cohort.students for p in s.parameters())


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
