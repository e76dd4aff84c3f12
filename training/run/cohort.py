"""K students that learn together: their networks, optimisers and devices, how they are built, and `predict`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.data.images import Images
from training.data.loader import Batch
from training.networks import Shape, build_model
from training.recipe.recipe import Recipe

from .placement import Placement


@dataclass(frozen=True)
class Cohort:
    """The students, the callables for their forward passes (perhaps compiled or wrapped), and their optimisers."""

    recipe: Recipe
    students: list[nn.Module]
    forwards: Sequence[Callable[[Tensor], Tensor]]
    optimizers: list[torch.optim.Optimizer]
    device: torch.device
    classes: int
    placement: Placement
    seed: int

    @property
    def held(self) -> list[int]:
        """The students that this process updates: all of them, unless they are placed on several processes."""
        return [k for k in range(len(self.students)) if self.placement.holds(k)]

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """The logits (B, C) of every student, under autocast when the recipe asks for it."""
        own = [self.forward_one(k, pixels) if k in self.held else None for k in range(len(self.students))]
        return self.placement.exchange(own, (len(pixels), self.classes), self.device)

    def forward_one(self, k: int, pixels: Tensor) -> Tensor:
        """The logits (B, C) of student k in float32, also under autocast: the losses need float32 accuracy."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.recipe.amp):
            return self.forwards[k](pixels).float()


def build_students(recipe: Recipe, seed: int, shape: Shape, classes: int) -> list[nn.Module]:
    """The recipe's students; student k of a seed starts from the same weights in every variant of a recipe."""
    return [_seeded(name, 1009 * seed + k, shape, classes) for k, name in enumerate(recipe.students)]


def _seeded(name: str, seed: int, shape: Shape, classes: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build_model(name, shape, classes)


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


def build_cohort(
    recipe: Recipe, seed: int, images: Images, device: torch.device, placement: Placement | None = None
) -> Cohort:
    """The students of a seed for images of this shape; those that this process updates are on the device."""
    placement = placement or Placement()
    memory = torch.channels_last if recipe.channels_last else torch.contiguous_format
    students = build_students(recipe, seed, images.shape, images.classes)
    for k, student in enumerate(students):
        if placement.holds(k):
            student.to(device).to(memory_format=memory)  # pyright: ignore[reportCallIssue]
    forwards = [placement.wrap(student) for student in students]
    if recipe.compile:
        forwards = [torch.compile(student) for student in forwards]
    optimizers = [build_optimizer(recipe, student) for student in students]
    return Cohort(recipe, students, forwards, optimizers, device, images.classes, placement, seed)


@torch.no_grad()
def predict(cohort: Cohort, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """Logits (K, N, C) in float32 and labels (N,) over the batches, the students in evaluation mode."""
    for student in cohort.students:
        student.eval()
    parts = [(torch.stack(cohort.forward(pixels)).float(), labels) for pixels, labels in batches]
    for student in cohort.students:
        student.train()
    return torch.cat([logits for logits, _ in parts], dim=1), torch.cat([labels for _, labels in parts])
