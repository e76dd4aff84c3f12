"""One optimiser a student, and its learning rate as a function of the (fractional) epoch."""

from collections.abc import Callable

import torch
from torch import nn

from . import schedule
from .recipe import Recipe


def build_optimizer(recipe: Recipe, student: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimiser over one student; its rate is set before every step by `learning_rate`."""
    parameters = list(student.parameters())
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=0.0, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.SGD(
        parameters,
        lr=0.0,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


def learning_rate(recipe: Recipe) -> Callable[[int, int], float]:
    """`rate(step, steps_an_epoch)` of the run's step number `step`: the schedule times the linear warm-up."""
    base, epochs, warmup = schedule.parse(recipe.lr, "lr"), float(recipe.epochs), recipe.warmup_epochs

    def rate(step: int, steps: int) -> float:
        grown = 1.0 if warmup == 0 else min(1.0, (step + 1) / (warmup * steps))
        return grown * base(step / steps, epochs)

    return rate


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter of the optimiser this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
