"""K students that learn together: their networks, optimisers and devices, how they are built, and `predict`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import torch
from torch import Tensor, nn

from training.data.images import Images
from training.data.loader import Batch, few_pictures, seen_shape
from training.data.texts import Texts
from training.networks import BUILT_IN, Shape, build_model, check_kind, dtype_of, made_alike
from training.recipe.recipe import Recipe

from .first_batch import check_weights, examine, initialise
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

    @cached_property
    def dtype(self) -> torch.dtype:
        """Of all logits: float64 if a student computes in it, else float32."""
        return reduce(torch.promote_types, map(dtype_of, self.students), torch.float32)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """The logits (B, C) of every student, under autocast when the recipe asks for it."""
        own = [self.forward_one(k, pixels) if k in self.held else None for k in range(len(self.students))]
        return self.placement.exchange(own, (len(pixels), self.classes), self.device, self.dtype)

    def forward_one(self, k: int, pixels: Tensor) -> Tensor:
        """The logits (B, C) of student k in `dtype`, also under autocast: the losses need float32 accuracy."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.recipe.amp):
            return self.forwards[k](pixels).to(self.dtype)


def build_students(
    recipe: Recipe, seed: int, shape: Shape, classes: int, pixels: Tensor | None = None
) -> list[nn.Module]:
    """The recipe's students; student k of a seed starts from the same weights in every variant of a recipe.

    Args:
        recipe: its students, and which of their outputs are logits.
        seed: of the run.
        shape: height, width and channels of an image.
        classes: the number of classes.
        pixels: a few images (B, C, H, W) on the CPU, from which lazy modules learn the shapes of their weights.
    """
    return [_seeded(recipe, 1009 * seed + k, k, shape, classes, pixels) for k in range(len(recipe.students))]


def _seeded(recipe: Recipe, seed: int, k: int, shape: Shape, classes: int, pixels: Tensor | None) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = build_model(recipe.students[k], shape, classes)
        if recipe.students[k] not in BUILT_IN:
            made_alike(network, classes, recipe.output, _who(recipe, k))
        if pixels is not None:
            initialise(network, pixels, _who(recipe, k))
        return network


def _who(recipe: Recipe, k: int) -> str:
    return f"student {k + 1} ({recipe.students[k]})"


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
    """The students of a seed for images of this shape (or texts); those that this process updates are on the device.

    Raises:
        ValueError: if one of them cannot be made or is for the other of images and texts, or what it gives for a few of
            the images cannot be logits.
    """
    placement = placement or Placement()
    memory = torch.channels_last if recipe.channels_last else torch.contiguous_format
    for name in recipe.students:
        check_kind(name, isinstance(images, Texts))
    brought = set(recipe.students) - BUILT_IN
    pixels = few_pictures(images, recipe) if brought else None
    students = build_students(recipe, seed, seen_shape(images, recipe), images.classes, pixels)
    check_weights(students)
    for k, student in enumerate(students):
        if placement.holds(k):
            student.to(device).to(memory_format=memory)  # pyright: ignore[reportCallIssue]
            if pixels is not None and recipe.students[k] in brought:
                examine(student, pixels.to(device), _who(recipe, k))
    forwards = [placement.wrap(student) for student in students]
    if recipe.compile:
        forwards = [torch.compile(student) for student in forwards]
    optimizers = [build_optimizer(recipe, student) for student in students]
    return Cohort(recipe, students, forwards, optimizers, device, images.classes, placement, seed)


@torch.no_grad()
def predict(cohort: Cohort, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """Logits (K, N, C) in the cohort's dtype and labels (N,) over the batches, the students in evaluation mode."""
    for student in cohort.students:
        student.eval()
    parts = [(torch.stack(cohort.forward(pixels)), labels) for pixels, labels in batches]
    for student in cohort.students:
        student.train()
    return torch.cat([logits for logits, _ in parts], dim=1), torch.cat([labels for _, labels in parts])
