"""Everything that a run must remember to continue to the same bits."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from . import checkpoint
from .cohort import Cohort


@dataclass
class State:
    """Where a run is: `step` of `epoch`, and the sums of this epoch's losses (K,), on the device that computes them."""

    losses: Tensor
    epoch: int = 0
    step: int = 0

    def next_epoch(self) -> None:
        """Turn the page."""
        self.epoch, self.step = self.epoch + 1, 0
        self.losses = torch.zeros_like(self.losses)


def save_state(folder: Path, cohort: Cohort, state: State, steps: int) -> None:
    """Write a checkpoint of the run into its folder; all processes call this, the leader writes."""
    collect, target = cohort.placement.collect, folder / "checkpoints"
    content = {
        "epoch": state.epoch,
        "step": state.step,
        "losses": state.losses,
        "students": collect([student.state_dict() for student in cohort.students]),
        "optimizers": collect([optimizer.state_dict() for optimizer in cohort.optimizers]),
        "generator": torch.get_rng_state(),
        "cuda_generator": torch.cuda.get_rng_state(cohort.device) if cohort.device.type == "cuda" else None,
    }
    if cohort.placement.leads:
        target.mkdir(exist_ok=True)
        checkpoint.save(target, state.epoch * steps + state.step, content)
    cohort.placement.wait()  # nobody goes on as if it were written before it is


def resume_state(folder: Path, cohort: Cohort, state: State) -> None:
    """Put the run back to its newest undamaged checkpoint; without one it starts from the beginning."""
    content = checkpoint.load_newest(folder / "checkpoints")
    if content is None:
        return
    state.epoch, state.step, state.losses = content["epoch"], content["step"], content["losses"].to(state.losses.device)
    for student, weights in zip(cohort.students, content["students"], strict=True):
        student.load_state_dict(weights)
    for optimizer, moments in zip(cohort.optimizers, content["optimizers"], strict=True):
        optimizer.load_state_dict(moments)
    torch.set_rng_state(content["generator"])
    if cohort.device.type == "cuda" and content.get("cuda_generator") is not None:
        torch.cuda.set_rng_state(content["cuda_generator"], cohort.device)


def load_weights(folder: Path, cohort: Cohort) -> None:
    """Give the students the weights of the newest good checkpoint in a run's folder.

    Raises:
        ValueError: if there is none.
    """
    content = checkpoint.load_newest(folder / "checkpoints")
    if content is None:
        raise ValueError(f"{folder} holds no good checkpoint; `rdml train --resume` makes one")
    for student, weights in zip(cohort.students, content["students"], strict=True):
        student.load_state_dict(weights)
