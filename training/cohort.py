"""K students that learn together, and one step of their learning."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .data import Images
from .loader import Batch
from .model import build_students
from .objective import Objective
from .optimise import build_optimizer, set_rate
from .placement import Placement
from .recipe import Recipe


@dataclass(frozen=True)
class Cohort:
    """The students, how to call them (compiled or wrapped, perhaps) and the optimiser of each."""

    recipe: Recipe
    students: list[nn.Module]
    forwards: Sequence[Callable[[Tensor], Tensor]]
    optimizers: list[torch.optim.Optimizer]
    device: torch.device
    classes: int
    placement: Placement

    @property
    def held(self) -> list[int]:
        """The students that this process updates: all of them, unless they are placed on several processes."""
        return [k for k in range(len(self.students)) if self.placement.holds(k)]

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """The logits (B, C) of every student, under autocast when the recipe asks for it."""
        own = [self.forward_one(k, pixels) if k in self.held else None for k in range(len(self.students))]
        return self.placement.exchange(own, (len(pixels), self.classes), self.device)

    def forward_one(self, k: int, pixels: Tensor) -> Tensor:
        """The logits (B, C) of student k in float32, whatever it computes in: cross-entropies need all their digits."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.recipe.amp):
            return self.forwards[k](pixels).float()


def build_cohort(
    recipe: Recipe, seed: int, images: Images, device: torch.device, placement: Placement | None = None
) -> Cohort:
    """The students of a seed for images like these; those that this process holds are on the device."""
    placement = placement or Placement()
    height, width, channels = images.pixels.shape[1:]
    memory = torch.channels_last if recipe.channels_last else torch.contiguous_format
    students = build_students(recipe, seed, (height, width, channels), images.classes)
    for k, student in enumerate(students):
        if placement.holds(k):
            student.to(device).to(memory_format=memory)  # pyright: ignore[reportCallIssue]
    forwards = [placement.wrap(student) for student in students]
    if recipe.compile:
        forwards = [torch.compile(student) for student in forwards]
    optimizers = [build_optimizer(recipe, student) for student in students]
    return Cohort(recipe, students, forwards, optimizers, device, images.classes, placement)


def step(cohort: Cohort, batch: Batch, objective: Objective, rate: float) -> Tensor:
    """One update of every student; returns their losses (K,) before it, detached."""
    for optimizer in cohort.optimizers:
        set_rate(optimizer, rate)
    update = _one_after_another if cohort.recipe.updates == "sequential" else _together
    return update(cohort, *batch, objective)


def _together(cohort: Cohort, pixels: Tensor, labels: Tensor, objective: Objective) -> Tensor:
    losses = objective(cohort.forward(pixels), labels)
    losses.sum().backward()  # a student's parameters occur in its own loss only: one backward serves all
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


@torch.no_grad()
def predict(cohort: Cohort, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """Logits (K, N, C) in float32 and labels (N,) over the batches, the students in evaluation mode."""
    for student in cohort.students:
        student.eval()
    parts = [(torch.stack(cohort.forward(pixels)).float(), labels) for pixels, labels in batches]
    for student in cohort.students:
        student.train()
    return torch.cat([logits for logits, _ in parts], dim=1), torch.cat([labels for _, labels in parts])
