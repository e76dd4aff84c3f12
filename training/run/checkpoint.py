"""Checkpoints: everything that a run must remember to continue to the same bits, in files that survive a kill.

A file is written atomically, carries the digest of its bytes in its name, and is loaded without executing code.
"""

import contextlib
import hashlib
import io
import pickle
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .cohort import Cohort
from .run_folder import write_atomically

KEPT = 2
_NAME = re.compile(r"step-(\d{9})-([0-9a-f]{16})\.pt")


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write a checkpoint of `step` into `folder`; the `KEPT` newest stay, whatever happens.

    The bytes go to a temporary file that is renamed once it is on the disk: a crash or a full disk leaves the
    earlier checkpoints as they were, and never a half-written one under a checkpoint's name.

    Raises:
        OSError: if the disk is full or the folder cannot be written; no earlier checkpoint is lost.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    path = folder / f"step-{step:09d}-{hashlib.sha256(data).hexdigest()[:16]}.pt"
    write_atomically(path, data)
    for _, old in _listed(folder)[KEPT:]:
        old.unlink()
    return path


def load_newest(folder: Path) -> dict[str, Any] | None:
    """The newest good checkpoint in `folder`, or None; every damaged one is named in a warning and passed over.

    Code is never executed: a file that holds anything but tensors and plain values counts as damaged.
    """
    for _, path in _listed(folder):
        content = _load(path)
        if content is not None:
            return content
        warnings.warn(f"checkpoint {path} is damaged; the one before it is used", RuntimeWarning, stacklevel=2)
    return None


def _load(path: Path) -> dict[str, Any] | None:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest()[:16] != path.stem.split("-")[2] or not zipfile.is_zipfile(io.BytesIO(data)):
        return None
    with contextlib.suppress(pickle.UnpicklingError):
        return torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    return None


def newest(folder: Path) -> Path | None:
    """The path of the newest checkpoint, damaged or not."""
    return next((path for _, path in _listed(folder)), None)


def _listed(folder: Path) -> list[tuple[int, Path]]:
    """(step, path) of the checkpoints, newest first."""
    found = [(match, path) for path in folder.glob("step-*.pt") if (match := _NAME.fullmatch(path.name))]
    return sorted(((int(match[1]), path) for match, path in found), reverse=True)


@dataclass
class State:
    """Where a run is: `step` of `epoch`, and the sums of this epoch's losses (K,), on the device that computes them."""

    losses: Tensor
    epoch: int = 0
    step: int = 0

    def next_epoch(self) -> None:
        """Begin the next epoch: its losses are summed from 0."""
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
        save(target, state.epoch * steps + state.step, content)
    cohort.placement.wait()  # nobody goes on as if it were written before it is


def resume_state(folder: Path, cohort: Cohort, state: State) -> None:
    """Put the run back to its newest undamaged checkpoint; without one it starts from the beginning."""
    content = load_newest(folder / "checkpoints")
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
    content = load_newest(folder / "checkpoints")
    if content is None:
        raise ValueError(f"{folder} holds no good checkpoint; `rdml train --resume` makes one")
    for student, weights in zip(cohort.students, content["students"], strict=True):
        student.load_state_dict(weights)
