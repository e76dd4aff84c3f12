"""The cohorts of all runs as stacks of networks, and the step that updates all students of all runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from training.run.cohort import Cohort
from training.run.step import set_rate

from .layers import Linear
from .network import stack_networks, unstack
from .objective import Objectives

Rates = float | Tensor
"""One learning rate, or one (R,) a run."""


@dataclass
class Part:
    """The students of one architecture: at which `places` of a cohort of K they are, place by place, run by run.

    Attributes:
        places: P of the places 0 .. K - 1.
        stack: their networks as one of N = P R.
        velocities: the momentum of each parameter; empty without.
    """

    places: list[int]
    stack: nn.Module
    velocities: list[Tensor] = field(default_factory=list)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (R, P, classes, B) of pixels (R, C, H, W, B)."""
        number = len(self.places)
        seen = pixels if number == 1 else pixels.expand(number, *pixels.shape).flatten(0, 1)
        logits: Tensor = self.stack(seen)
        return logits.view(number, len(pixels), *logits.shape[1:]).transpose(0, 1)


class Cohorts:
    """R cohorts of the same K architectures, by the optimiser of their recipe (stochastic gradient descent).

    Args:
        cohorts: the single ones; their weights and momentum are copied, and `store` copies them back.
    """

    def __init__(self, cohorts: Sequence[Cohort]) -> None:
        self.cohorts, self.recipe = cohorts, cohorts[0].recipe
        names = self.recipe.students
        self.parts = [self._part([k for k, one in enumerate(names) if one == name]) for name in dict.fromkeys(names)]
        self._order = torch.tensor([place for part in self.parts for place in part.places]).argsort()

    def _part(self, places: list[int]) -> Part:
        part = Part(places, stack_networks(self._networks(places)))
        if self.recipe.momentum:
            each = [self._velocities(k, cohort) for k in places for cohort in self.cohorts]
            part.velocities = [torch.stack(one) for one in zip(*each, strict=True)]
        return part

    def _networks(self, places: list[int]) -> list[nn.Module]:
        return [cohort.students[k] for k in places for cohort in self.cohorts]

    @staticmethod
    def _velocities(k: int, cohort: Cohort) -> list[Tensor]:
        state = cohort.optimizers[k].state
        kept = [(one, state[one].get("momentum_buffer")) for one in cohort.students[k].parameters()]
        return [torch.zeros_like(one) if velocity is None else velocity for one, velocity in kept]

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (R, K, classes, B) of pixels (R, C, H, W, B)."""
        found = [part.forward(pixels) for part in self.parts]
        return found[0] if len(found) == 1 else torch.cat(found, 1)[:, self._order]

    def step(self, pixels: Tensor, labels: Tensor, objectives: Objectives, rates: Rates) -> Tensor:
        """One update of every student of every run; returns their losses (R, K) before it.

        Args:
            pixels: (R, C, H, W, B).
            labels: (R, B).
            objectives: what each run minimises.
            rates: learning rates.
        """
        self._let_layers_learn(rates)
        logits = self.forward(pixels)
        losses, gradient = objectives(logits.detach(), labels)
        logits.backward(gradient)
        self._update(rates)
        return losses

    def _let_layers_learn(self, rates: Rates) -> None:
        """Let the products of plain SGD at one rate add to the weights at once: a gradient is as large as they are."""
        rate = None if isinstance(rates, Tensor) or self.recipe.momentum or self.recipe.weight_decay else rates
        for part in self.parts:
            for layer in part.stack.modules():
                if isinstance(layer, Linear):
                    layer.rate = rate

    @torch.no_grad()
    def _update(self, rates: Rates) -> None:
        """SGD as torch.optim.SGD defines it, with a rate for each run, of what has not made its step already."""
        for part in self.parts:
            for k, weights in enumerate(part.stack.parameters()):
                if weights.grad is None:
                    continue
                direction, weights.grad = weights.grad, None
                if self.recipe.weight_decay:
                    direction.add_(weights, alpha=self.recipe.weight_decay)
                if self.recipe.momentum:
                    velocity = part.velocities[k].mul_(self.recipe.momentum).add_(direction)
                    direction = (
                        direction.add_(velocity, alpha=self.recipe.momentum) if self.recipe.nesterov else velocity
                    )
                if isinstance(rates, Tensor):
                    each = rates.to(weights.dtype).repeat(len(part.places)).view(-1, *[1] * (weights.ndim - 1))
                    weights.addcmul_(direction, each, value=-1)
                else:
                    weights.sub_(direction, alpha=rates)

    def train(self, mode: bool) -> None:
        """Whether batch normalisation uses the batch's own statistics."""
        for part in self.parts:
            part.stack.train(mode)

    @torch.no_grad()
    def store(self, rates: Sequence[float]) -> None:
        """Copy weights, statistics, momentum and the rates of the last step into the single cohorts."""
        for part in self.parts:
            unstack(part.stack, self._networks(part.places))
            for place, k in enumerate(part.places):
                for run, cohort in enumerate(self.cohorts):
                    set_rate(cohort.optimizers[k], rates[run])
                    own = [velocity[place * len(self.cohorts) + run].clone() for velocity in part.velocities]
                    for weights, velocity in zip(cohort.students[k].parameters(), own, strict=bool(own)):
                        cohort.optimizers[k].state[weights]["momentum_buffer"] = velocity
