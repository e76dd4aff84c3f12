"""The loss of every student at one point of the run: what the recipe says about order, weight, topology, smoothing."""

from dataclasses import dataclass

from torch import Tensor

from .loss import mutual_loss
from .recipe import Recipe
from .topology import Topology, topology_matrix


@dataclass(frozen=True)
class Objective:
    """The losses (K,) of K students from their logits: cross-entropy plus lam times the divergences from the peers."""

    alpha: float
    weight: float
    topology: Topology
    temperature: float = 1.0
    label_smoothing: float = 0.0
    compiled: bool = False

    def __call__(self, logits: list[Tensor], labels: Tensor) -> Tensor:
        return mutual_loss(
            logits,
            labels,
            self.alpha,
            self.weight,
            weights=self.topology,
            temperature=self.temperature,
            label_smoothing=self.label_smoothing,
            compiled=self.compiled,
        )


def objective_at(recipe: Recipe, epoch: int) -> Objective:
    """The objective of one epoch of the recipe."""
    return Objective(
        recipe.order(epoch, recipe.epochs),
        recipe.coupling(epoch, recipe.epochs),
        topology_matrix(recipe.topology, len(recipe.students)),
        recipe.temperature,
        recipe.label_smoothing,
        recipe.compile or recipe.compile_loss,
    )
