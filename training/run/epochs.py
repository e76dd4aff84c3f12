"""The epochs of a run: steps, validation scores, checkpoints, and the test set once at the end."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from training.data.images import Images, Splits
from training.data.loader import Loader
from training.measure import scores as metrics
from training.measure.scores import Result
from training.recipe.recipe import Recipe
from training.run.files.checkpoint import State, resume_state, save_state
from training.run.files.environment import environment
from training.run.files.run_folder import append_line, check_data, probe_folder, read_lines, truncate_lines, write_json
from training.run.files.tensorboard import Curves

from .cohort import Cohort, predict
from .step import Objective, objective_at, step
from .stopping import Guard, Interrupt

ASK_EVERY = 10
"""Steps between two checks whether another process was asked to stop."""


class Answers(NamedTuple):
    """What the students of a run answered to one part of the images, after some epochs.

    Attributes:
        recipe, seed: the run.
        part: "validation" after every epoch; at the end also "train", "validation" and "test".
        epoch: how many are done.
        logits: (K, N, C).
        labels: (N,), as noisy as the recipe asks (those of the test set: never).
    """

    recipe: Recipe
    seed: int
    part: str
    epoch: int
    logits: Tensor
    labels: Tensor


Watch = Callable[[Answers], None]
"""Is handed the answers from which a run's scores are computed."""


class Run:
    """One run: its cohort, batches and state, and the order of epochs, checkpoints and scores."""

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
        self.state = State(torch.zeros(len(cohort.recipe.students), dtype=torch.float64, device=cohort.device))
        self.rate, self.leads = self.recipe.rate, cohort.placement.leads
        self.curves: Curves | None = None
        self.watch: Watch | None = None

    def fit(self, resume: bool, progress: bool) -> None:
        """Train all epochs that are left."""
        if self.folder is not None:
            self._open(self.folder, resume)
        epochs = self.recipe.epochs
        with tqdm(
            total=epochs,
            initial=self.state.epoch,
            unit="epoch",
            disable=not (progress and self.leads),
            leave=False,
        ) as bar:
            while self.state.epoch < epochs:
                row = self._epoch()
                bar.update()
                ensemble = f"{row['ensemble']['accuracy']:.3f}"
                bar.set_postfix({"loss": f"{row['loss'][0]:.3f}", "validation accuracy": ensemble})

    def _open(self, folder: Path, resume: bool) -> None:
        if self.leads:
            probe_folder(folder, needed=4 * _bytes(self.cohort))
        if resume:
            check_data(folder, self.splits.data)
            resume_state(folder, self.cohort, self.state)
        self.cohort.placement.wait()
        for name in ("metrics", "timing") if self.leads else ():
            truncate_lines(folder / f"{name}.jsonl", self.state.epoch)
        if self.leads and self.state.epoch == self.state.step == 0:
            write_json(folder / "data.json", self.splits.data)
        if self.leads and self.recipe.tensorboard:
            self.curves = Curves(folder, self.state.epoch)

    def _epoch(self) -> dict[str, Any]:
        state, began = self.state, time.perf_counter()
        objective, steps = objective_at(self.recipe, state.epoch), len(self.loader)
        guard = Guard(self.recipe, objective.alpha, self.cohort.device, self.folder)
        for batch in self.loader.epoch(state.epoch, start=state.step):
            losses = step(self.cohort, batch, objective, self.rate(state.epoch * steps + state.step, steps))
            guard.watch(state.epoch * steps + state.step, losses)
            state.losses += losses
            state.step += 1
            self._between_steps(guard)
        guard.check()
        row = self._row(objective, steps, self._report("validation", state.epoch + 1))
        state.next_epoch()
        self._write(row, time.perf_counter() - began)
        if state.epoch % self.recipe.checkpoint_epochs == 0 or state.epoch == self.recipe.epochs:
            self._save(guard)
        return row

    def _write(self, row: dict[str, Any], seconds: float) -> None:
        if self.folder is not None and self.leads:
            append_line(self.folder / "metrics.jsonl", row)
            append_line(self.folder / "timing.jsonl", {"epoch": row["epoch"], "seconds": seconds})
        if self.curves is not None:
            self.curves.write(row)

    def _between_steps(self, guard: Guard) -> None:
        every = self.recipe.checkpoint_steps
        due = every is not None and self.state.step % every == 0 and self.state.step < len(self.loader)
        stop = self._stop_requested()
        if due or stop:
            self._save(guard)
        if stop:
            raise KeyboardInterrupt

    def _stop_requested(self) -> bool:
        """Whether any process was asked to stop; checked every few steps, since the processes wait for each other."""
        done = self.state.epoch * len(self.loader) + self.state.step
        if self.cohort.placement.ranks > 1 and done % ASK_EVERY:
            return False
        return self.cohort.placement.any(self.interrupt.requested, self.cohort.device)

    def _save(self, guard: Guard) -> None:
        if self.folder is not None:
            guard.check()
            guard.check_weights(self.cohort.students)
            save_state(self.folder, self.cohort, self.state, len(self.loader))

    def _row(self, objective: Objective, steps: int, report: metrics.Report) -> dict[str, Any]:
        last = (self.state.epoch + 1) * steps - 1
        row = {"epoch": self.state.epoch, "step": last + 1, "alpha": objective.alpha, "weight": objective.weight}
        return row | {"lr": self.rate(last, steps), "loss": (self.state.losses / steps).tolist()} | report

    def _report(self, part: str, epoch: int, images: Images | None = None, heed: bool = False) -> metrics.Report:
        logits, labels = self._predict(images or self.splits.validation, heed)
        self.show(part, epoch, logits, labels)
        return metrics.report(logits, labels)

    def show(self, part: str, epoch: int, logits: Tensor, labels: Tensor) -> None:
        """Hand answers to who watches the run."""
        if self.watch is not None:
            self.watch(Answers(self.recipe, self.seed, part, epoch, logits, labels))

    def _predict(self, images: Images, heed: bool = False) -> tuple[Tensor, Tensor]:
        return predict(
            self.cohort, (batch for batch in self.loader.sweep(images) if not heed or self._unless_stopped())
        )

    def _unless_stopped(self) -> bool:
        if self.cohort.placement.any(self.interrupt.requested, self.cohort.device):
            raise KeyboardInterrupt
        return True

    def finish(self) -> Result:
        """Read the test set, for the first time, and write the result.

        Raises:
            KeyboardInterrupt: when asked to stop; the last checkpoint has the trained students already.
        """
        parts = {"train": self.splits.train, "validation": self.splits.validation, "test": self.splits.test()}
        reports = {name: self._report(name, self.recipe.epochs, images, heed=True) for name, images in parts.items()}
        return self._conclude({name: len(images) for name, images in parts.items()}, reports)

    def _conclude(self, counts: dict[str, int], reports: dict[str, metrics.Report]) -> Result:
        names = list(self.splits.train.names)
        result = Result(self.seed, images=counts, classes=names, **reports)
        if self.folder is not None and self.leads:
            write_json(self.folder / "environment.json", self._made())
            write_json(self.folder / "result.json", result.to_json())
        return result

    def _made(self) -> dict[str, Any]:
        """What the result was made with; `seconds` counts the epochs, not what an interruption cost."""
        assert self.folder is not None
        seconds = sum(row["seconds"] for row in read_lines(self.folder / "timing.jsonl"))
        return environment(self.cohort.device) | {"seconds": seconds}


def _bytes(cohort: Cohort) -> int:
    """Bytes of weights and optimiser state (at most two numbers a weight more)."""
    return 3 * sum(p.numel() * p.element_size() for s in cohort.students for p in s.parameters())
