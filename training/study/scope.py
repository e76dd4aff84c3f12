"""Bounded scope: how far constant-rate training goes from its start and from the mean of its last epoch.

The abstract says that the students keep searching within a bounded scope, which may help mitigate overfitting. So
held-out error and NLL are kept together with the distances, for independent and mutual students on the same batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from training.data.images import Source, split
from training.data.loader import Loader
from training.data.sources import open_source
from training.recipe.recipe import Recipe
from training.run.cohort import build_cohort, predict
from training.run.device import choose_device, threads
from training.run.step import objective_at, step

from .record import numbers, rounded


@dataclass(frozen=True)
class Walk:
    """One run to follow: distances and held-out scores after some epochs."""

    recipe: Recipe
    seed: int
    epochs: tuple[int, ...]

    def run(self, progress: bool = False, source: Source | None = None) -> dict[str, Any]:
        """Train it; distances are Euclidean norms in the weights, means over the students."""
        splits, device = split(self.recipe, source or open_source(self.recipe), self.seed), choose_device("cpu")
        with threads(self.recipe.threads):
            cohort = build_cohort(self.recipe, self.seed, splits.train, device)
            loader, objective = Loader(splits.train, self.recipe, self.seed, device), objective_at(self.recipe, 0)
            start, kept, scores, last = (
                places(cohort.students),
                list[Tensor](),
                list[dict[str, float]](),
                list[Tensor](),
            )
            for epoch in range(max(self.epochs)):
                for batch in loader.epoch(epoch):
                    step(cohort, batch, objective, float(self.recipe.lr))
                    if epoch + 1 == max(self.epochs):
                        last.append(places(cohort.students))
                if epoch + 1 in self.epochs:
                    kept.append(places(cohort.students))
                    scores.append(numbers(*predict(cohort, loader.sweep(splits.validation))))
        return self._reduced(start, kept, scores, last)

    def _reduced(
        self, start: Tensor, kept: list[Tensor], scores: list[dict[str, float]], last: list[Tensor]
    ) -> dict[str, Any]:
        centre = torch.stack(last).mean(0)
        rows = [
            {
                "epoch": epoch,
                "from_start": _mean_norm(place - start),
                "from_end": _mean_norm(place - centre),
                "held_out_error": 1 - score["student_accuracy"],
                "held_out_nll": score["student_nll"],
            }
            for epoch, place, score in zip(sorted(self.epochs), kept, scores, strict=True)
        ]
        within = max(_mean_norm(place - centre) for place in last)
        order = {"alpha": self.recipe.alpha, "weight": self.recipe.weight, "decay": self.recipe.weight_decay}
        return rounded(order | {"seed": self.seed, "rows": rows, "last_epoch_radius": within})


def places(students: Sequence[nn.Module]) -> Tensor:
    """The weights of each student, (K, P), copied."""
    return torch.stack([parameters_to_vector(student.parameters()).detach() for student in students])


def _mean_norm(gaps: Tensor) -> float:
    return gaps.double().norm(dim=1).mean().item()
