"""One step of mutual learning: the losses of all students, and the order in which they are updated."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.data.loader import Batch
from training.loss import mutual_loss
from training.recipe.recipe import Recipe
from training.recipe.topology import Topology, topology_matrix

from .cohort import Cohort


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


def step(cohort: Cohort, batch: Batch, objective: Objective, rate: float) -> Tensor:
    """One update of every student; returns their losses (K,) before it, detached."""
    for optimizer in cohort.optimizers:
        set_rate(optimizer, rate)
    update = _one_after_another if cohort.recipe.updates == "sequential" else _together
    return update(cohort, *batch, objective)


def _together(cohort: Cohort, pixels: Tensor, labels: Tensor, objective: Objective) -> Tensor:
    losses = objective(cohort.forward(pixels), labels)
    losses.sum().backward()  # a student occurs in its own loss only: one backward pass is enough
    for k in cohort.held:
        _update(cohort, k)
    return cohort.placement.mean(losses.detach())


def _one_after_another(cohort: Cohort, pixels: Tensor, labels: Tensor, objective: Objective) -> Tensor:
    """The original DML: each student learns from its peers as they are after their own updates of this step."""
    logits, losses = cohort.forward(pixels), []
    for k in range(len(cohort.students)):
        seen = [row if j == k else row.detach() for j, row in enumerate(logits)]
        loss = objective(seen, labels)[k]
        loss.backward()
        _update(cohort, k)
        losses.append(loss.detach())
        if k + 1 < len(cohort.students):
            with torch.no_grad():
                logits[k] = cohort.forward_one(k, pixels)
    return cohort.placement.mean(torch.stack(losses))


def _update(cohort: Cohort, k: int) -> None:
    if cohort.recipe.clip_norm is not None:
        nn.utils.clip_grad_norm_(cohort.students[k].parameters(), cohort.recipe.clip_norm)
    cohort.optimizers[k].step()
    cohort.optimizers[k].zero_grad(set_to_none=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter of the optimiser this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
