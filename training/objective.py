"""The loss of every student at one point of the run: what the recipe says about order, weight, topology, smoothing."""

from dataclasses import dataclass

from torch import Tensor

from .loss import mutual_loss
from .recipe import Recipe


@dataclass(frozen=True)
class Objective:
    """The losses (K,) of K students from their logits: cross-entropy plus lam times the mean divergence from peers."""

    alpha: float
    weight: float

    def __call__(self, logits: list[Tensor], labels: Tensor) -> Tensor:
        return mutual_loss(logits, labels, self.alpha, weight=self.weight)


def objective_at(recipe: Recipe, epoch: int) -> Objective:
    """The objective of one epoch of the recipe."""
    return Objective(recipe.order(epoch, recipe.epochs), recipe.coupling(epoch, recipe.epochs))
