"""Self-distillation: a student learns from the labels and from the ensemble of two independent students."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time

import torch
import torch.nn.functional as F
from torch import Tensor

from training.data.images import Source, Splits, split
from training.data.loader import Loader, draw_plan
from training.data.sources import open_source
from training.recipe.recipe import Recipe
from training.run.cohort import Cohort, build_cohort, predict
from training.run.device import choose_device, threads
from training.run.epochs import Answers
from training.run.files.environment import environment
from training.run.files.run_folder import write_json
from training.run.step import set_rate
from training.run.stopping import TrainingDiverged
from training.run.train import train

from .paths import name_of
from .record import Recorder, rounded

Heat = tuple[float, float]
"""Share of the teacher in the loss, temperature; as many candidates as the other methods have."""
GRID: tuple[Heat, ...] = tuple((share, heat) for share in (0.3, 0.6, 0.9) for heat in (1.0, 2.0, 4.0))


@dataclass(frozen=True)
class Distilled:
    """The students of one seed at several shares and temperatures, with one teacher, each with a record in a file.

    Attributes:
        teacher: the recipe of the independent students, trained for as many epochs as the teacher shall be.
        epochs: of the student.
        seed: of both.
        grid: shares and temperatures.
        folder: of the files.
        recorded: epochs at which the student is scored.
    """

    teacher: Recipe
    epochs: int
    seed: int
    grid: tuple[Heat, ...]
    folder: Path
    recorded: tuple[int, ...]

    @property
    def recipe(self) -> Recipe:
        """The recipe of the student."""
        return replace(self.teacher, students=self.teacher.students[:1], epochs=self.epochs)

    def file(self, heat: Heat) -> Path:
        """The file of one record."""
        share, temperature = heat
        taught = f"share-{share:g}-heat-{temperature:g}-taught-{self.teacher.epochs}"
        return self.folder / f"{taught}-{name_of(self.recipe, self.seed)}.json"

    def run(self, progress: bool = False, source: Source | None = None) -> int:
        """Train what is left; returns how many students that were."""
        left = [heat for heat in self.grid if not self.file(heat).exists()]
        if left:
            source, began = source or open_source(self.recipe), process_time()
            teacher, spent = self._taught(source), process_time() - began
            splits = split(self.recipe, source, self.seed)
            for heat in left:
                began, recorder, diverged = process_time(), Recorder(self.recorded), None
                try:
                    distil(self.recipe, self.seed, splits, teacher, heat, recorder)
                except TrainingDiverged as error:
                    diverged = str(error)
                record = recorder.records.get((self.recipe, self.seed), {"path": {}})
                made = environment(choose_device("cpu")) | {"seconds": process_time() - began + spent}
                write_json(self.file(heat), rounded(record | {"diverged": diverged, "made": made}))
        return len(left)

    def _taught(self, source: Source) -> Tensor:
        """Log-probabilities (n, C) of the teachers' mean logits on the training images."""
        seen: list[Tensor] = []
        train(
            self.teacher, self.seed, source=source, watch=lambda a: seen.append(a.logits) if a.part == "train" else None
        )
        return seen[0].log_softmax(-1).mean(0)


def distil(recipe: Recipe, seed: int, splits: Splits, teacher: Tensor, heat: Heat, recorder: Recorder) -> None:
    """Train one student on (1 - s) CE + s T^2 KL(teacher at T || student at T) and record its answers."""
    device = choose_device(recipe.device)
    with threads(recipe.threads):
        torch.manual_seed(seed)
        cohort = build_cohort(recipe, seed, splits.train, device)
        loader = Loader(splits.train, recipe, seed, device)
        for epoch in range(recipe.epochs):
            set_rate(cohort.optimizers[0], float(recipe.lr))
            order = draw_plan(splits.train, recipe, seed, epoch).order.split(recipe.batch_size)[: len(loader)]
            for (pixels, labels), rows in zip(loader.epoch(epoch), order, strict=True):
                cohort.optimizers[0].zero_grad()
                loss = loss_of(cohort.students[0](pixels), labels, teacher[rows], heat)
                if not loss <= recipe.max_loss:
                    raise TrainingDiverged(f"the loss of a distilled student is {loss:.6g} in epoch {epoch + 1}")
                loss.backward()
                cohort.optimizers[0].step()
            _show(cohort, loader, splits, ("validation",), epoch + 1, recorder)
        _show(cohort, loader, splits, ("train", "validation", "test"), recipe.epochs, recorder)


def loss_of(logits: Tensor, labels: Tensor, teacher: Tensor, heat: Heat) -> Tensor:
    """The student's loss (Hinton et al. 2015) of logits (B, C), labels (B,) and the teacher's logits (B, C)."""
    share, temperature = heat
    student, target = ((one / temperature).log_softmax(-1) for one in (logits, teacher))
    pull = F.kl_div(student, target, reduction="batchmean", log_target=True) * temperature**2
    return (1 - share) * F.cross_entropy(logits, labels) + share * pull


def _show(cohort: Cohort, loader: Loader, splits: Splits, parts: Sequence[str], epoch: int, recorder: Recorder) -> None:
    images = {"train": lambda: splits.train, "validation": lambda: splits.validation, "test": splits.test}
    for part in parts:
        logits, labels = predict(cohort, loader.sweep(images[part]()))
        recorder(Answers(cohort.recipe, cohort.seed, part, epoch, logits, labels))
