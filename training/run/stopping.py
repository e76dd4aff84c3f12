"""What ends a run early: a loss that is not finite, or a request to stop."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Self

import torch
from torch import Tensor, nn

from training.recipe.recipe import Recipe
from training.run.files import checkpoint


class TrainingDiverged(ValueError):
    """A loss or a weight is not finite, or a loss is above `max_loss`."""


class Guard:
    """Checks the losses of every step: at once on the CPU, every 50 steps on a GPU, where a check waits for it."""

    def __init__(self, recipe: Recipe, alpha: float, device: torch.device, folder: Path | None) -> None:
        self._recipe, self._alpha, self._folder = recipe, alpha, folder
        self._every = 1 if device.type == "cpu" else 50
        self._first, self._losses = 0, list[Tensor]()

    def watch(self, step: int, losses: Tensor) -> None:
        """Keep the losses (K,) of a step for the next check."""
        if not self._losses:
            self._first = step
        self._losses.append(losses)
        if len(self._losses) >= self._every:
            self.check()

    def check(self) -> None:
        """Raise TrainingDiverged if a loss noted since the last check is not finite or too large."""
        if not self._losses:
            return
        losses = torch.stack(self._losses)
        self._losses.clear()
        bad = ~(losses <= self._recipe.max_loss)  # true for nan as well
        if bad.any():
            step, student = bad.nonzero()[0].tolist()
            self._stop(f"the loss of student {student + 1} is {losses[step, student]:.6g} at step {self._first + step}")

    def check_weights(self, students: list[nn.Module]) -> None:
        """Raise TrainingDiverged if a weight or a running statistic is not finite: a checkpoint never holds one."""
        for k, student in enumerate(students):
            kept = [tensor for tensor in student.state_dict().values() if tensor.is_floating_point()]
            if not nn.utils.get_total_norm(kept).isfinite():
                self._stop(f"student {k + 1} has weights that are not finite")

    def _stop(self, what: str) -> None:
        path = checkpoint.newest_good(self._folder / "checkpoints") if self._folder else None
        good = f"the last good checkpoint is {path}" if path else "there is no checkpoint"
        raise TrainingDiverged(
            f"training stopped: {what} (order {self._alpha:g}, lr {self._recipe.lr}, max_loss "
            f"{self._recipe.max_loss:g}); {good}; try a smaller learning rate, weight or order"
        )


class Interrupt:
    """Turns Ctrl-C and SIGTERM into a request to stop after the current batch; the same signal again stops at once.

    It must be the same signal: on Ctrl-C, which its processes receive as well, torchrun sends each of them a SIGTERM.
    """

    def __init__(self) -> None:
        self._received: set[int] = set()
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether the run shall stop."""
        return bool(self._received)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # elsewhere signals cannot be handled
            self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.requested and kind is None:  # it came too late to stop this run; it must stop the next
            raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if number in self._received:
            raise KeyboardInterrupt
        self._received.add(number)
