r"""The first-order law along training (G3): what a little mutual learning changes, from independent students alone.

The iterates of SGD depend smoothly on lam. Their derivative at lam = 0 follows the steps of the independent students,

    v' = m v + H_k u + grad_k D_k,    u' = u - eta v',

with u the derivative of student k's weights, H_k the Hessian of its mini-batch loss, D_k the mean divergence from its
detached peers and m the momentum. So the derivative of a held-out NLL needs no mutual run, and lam times it is compared
with what mutual runs at lam = 0.1 gained. Students must be smooth: with rectified units a change of 1e-5 in lam moves a
single run as far as one of 0.01 does.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad, jvp, stack_module_state, vmap

from training.data.images import Source, Splits, split
from training.data.loader import Batch, Loader
from training.experiment import measurement
from training.recipe.recipe import Recipe
from training.run.cohort import build_students

PLAIN = {name: value for name, value in measurement.PLAIN.items() if name != "momentum"} | {"nesterov": False}
"""Fields that a recipe must have for the recursion above to be that of its steps."""
Weights = dict[str, Tensor]
"""Weights (or their derivatives) of all students of all seeds, student by student within a seed: (S K, ...)."""


class Law:
    """Independent students of several seeds and the derivative of their weights in lam, at order 1.

    Args:
        recipe: of independent students: SGD at a constant rate on plain cross-entropies, perhaps with momentum.
        seeds: which.
        source: the images.

    Raises:
        ValueError: a recipe of anything else.
    """

    def __init__(self, recipe: Recipe, seeds: range, source: Source) -> None:
        for name, value in PLAIN.items():
            if getattr(recipe, name) != value:
                raise ValueError(f"the law follows plain SGD: {name} must be {value!r}, got {getattr(recipe, name)!r}")
        self.recipe, self.splits = recipe, [split(recipe, source, seed) for seed in seeds]
        self.loaders = [
            Loader(own.train, recipe, seed, torch.device("cpu")) for own, seed in zip(self.splits, seeds, strict=True)
        ]
        images = self.splits[0].train
        each = [student for seed in seeds for student in build_students(recipe, seed, images.shape, images.classes)]
        self.students = len(recipe.students)
        self._network = each[0]
        weights, buffers = stack_module_state(each)
        if buffers:
            raise ValueError(f"the law needs students without running statistics, got {', '.join(buffers)}")
        self.weights = {name: one.detach() for name, one in weights.items()}
        self.velocity, self.slope, self.push = ({k: torch.zeros_like(w) for k, w in weights.items()} for _ in range(3))

    def answers(self, weights: Weights, pixels: Tensor) -> Tensor:
        """Logits of one student."""
        return functional_call(self._network, weights, (pixels,))

    def step(self, batches: list[Batch]) -> None:
        """One update of all students and of their derivatives."""
        pixels, labels = (torch.stack(part).repeat_interleave(self.students, 0) for part in zip(*batches, strict=True))
        logits = vmap(self.answers)(self.weights, pixels).unflatten(0, (-1, self.students))
        total = logits.softmax(-1).sum(1, keepdim=True)
        peers = ((total - logits.softmax(-1)) / (self.students - 1)).flatten(0, 1)
        found = vmap(self._pulls)(self.weights, self.slope, pixels, labels, peers)
        rate, momentum = float(self.recipe.lr), self.recipe.momentum
        for kept, speeds, added in ((self.weights, self.velocity, found[0]), (self.slope, self.push, found[1])):
            for name in kept:
                speeds[name] = momentum * speeds[name] + added[name]
                kept[name] = kept[name] - rate * speeds[name]

    def _pulls(self, weights: Weights, slope: Weights, pixels: Tensor, labels: Tensor, peers: Tensor) -> Any:
        """The gradient of a student's loss, and that of H u + D; of order 1, D has the gradient of F.cross_entropy."""

        def own(w: Weights) -> Tensor:
            return F.cross_entropy(self.answers(w, pixels), labels)

        def pull(w: Weights) -> Tensor:
            return F.cross_entropy(self.answers(w, pixels), peers)

        force, bent = jvp(grad(own), (weights,), (slope,))[:2]
        towards = grad(pull)(weights)
        return force, {name: bent[name] + towards[name] for name in bent}

    def _moved(self, weights: Weights, slope: Weights, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """A student's logits and their derivatives in lam."""
        logits, moved = jvp(lambda w: self.answers(w, pixels), (weights,), (slope,))[:2]
        return logits, moved

    def derivatives(self) -> dict[str, list[float]]:
        """d NLL / d lam on the second half of the held-out images, of the mean student and of the ensemble, by seed."""
        found: dict[str, list[float]] = {"student": [], "ensemble": []}
        for s, (own, loader) in enumerate(zip(self.splits, self.loaders, strict=True)):
            pixels, labels = _second_half(own, loader)
            some = slice(s * self.students, (s + 1) * self.students)
            weights, slope = ({name: one[some] for name, one in part.items()} for part in (self.weights, self.slope))
            logits, moved = vmap(self._moved, (0, 0, None))(weights, slope, pixels)
            for who, z, u in (("student", logits, moved), ("ensemble", logits.mean(0), moved.mean(0))):
                gap = z.softmax(-1) - F.one_hot(labels, z.shape[-1])
                found[who].append((gap * u).sum(-1).mean().item())
        return found


def _second_half(splits: Splits, loader: Loader) -> Batch:
    pixels, labels = (torch.cat(part) for part in zip(*loader.sweep(splits.validation), strict=True))
    return pixels[1::2], labels[1::2]


def follow(recipe: Recipe, seeds: range, source: Source, epochs: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """The derivatives after each of these epochs."""
    law = Law(recipe, seeds, source)
    for epoch in range(max(epochs)):
        for batches in zip(*(loader.epoch(epoch) for loader in law.loaders), strict=True):
            law.step(list(batches))
        if epoch + 1 in epochs:
            yield {"epoch": epoch + 1} | law.derivatives()
