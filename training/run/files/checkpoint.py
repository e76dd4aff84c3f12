"""Checkpoints: everything that a run needs to resume to the same bits, in files that a kill leaves undamaged.

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
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor

from training.recipe.recipe import Recipe
from training.recipe.schedule import as_number
from training.recipe.schema import fitted
from training.run.cohort import Cohort

from .environment import version_of
from .run_folder import write_atomically

KEPT = 2
_NAME = re.compile(r"step-(\d{9})-([0-9a-f]{16})\.pt")


class Group(msgspec.Struct):
    """The parameters of one group of an optimiser, by number, and its settings."""

    params: list[int]


class Moments(msgspec.Struct):
    """The state that torch's optimisers keep for each parameter."""

    state: dict[int, dict[str, Any]]
    param_groups: list[Group]


class Content(msgspec.Struct, forbid_unknown_fields=True):
    """What a checkpoint holds; those of versions that stored neither seed nor recipe still work."""

    epoch: Annotated[int, msgspec.Meta(ge=0)]
    step: Annotated[int, msgspec.Meta(ge=0)]
    losses: Tensor
    students: list[dict[str, Tensor]]
    optimizers: list[Moments]
    generator: Tensor
    cuda_generator: Tensor | None = None
    seed: int | None = None
    recipe: dict[str, Any] | None = None
    rdml: str | None = None


CIRCUMSTANCES = {"device", "threads", "resident", "placement", "checkpoint_epochs", "checkpoint_steps", "tensorboard"}
"""Fields of a recipe that say where it runs and what it stores; they do not affect what is learned."""


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


def load_newest(folder: Path, cohort: Cohort | None = None) -> dict[str, Any] | None:
    """The newest good checkpoint in `folder`, or None; a bad one is skipped with a warning that names it.

    A good one is complete, has finite weights and, given a cohort, has its seed and recipe and fits its students.
    Code is never executed: a file that holds anything but tensors and plain values counts as damaged.
    """
    for _, path in _listed(folder):
        content = _load(path)
        problem = "is damaged" if content is None else _problem(content, cohort)
        if problem is None:
            return content
        warnings.warn(f"checkpoint {path} {problem}; the one before it is used", RuntimeWarning, stacklevel=2)
    return None


def _load(path: Path) -> dict[str, Any] | None:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest()[:16] != path.stem.split("-")[2] or not zipfile.is_zipfile(io.BytesIO(data)):
        return None
    with contextlib.suppress(pickle.UnpicklingError, RuntimeError, EOFError):
        return torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    return None


def _problem(content: Any, cohort: Cohort | None) -> str | None:
    """Why a whole checkpoint must not be used; None if it may."""
    if cohort is not None:
        try:
            held = fitted(content, Content, "what it holds")
        except ValueError as error:
            return f"is damaged ({error})"
        if problem := _foreign(held, cohort) or _misfit(held, cohort):
            return problem
    return None if _finite(content) else "is damaged (it has weights that are not finite)"


def _foreign(held: Content, cohort: Cohort) -> str | None:
    if held.seed is not None and held.seed != cohort.seed:
        return f"belongs to seed {held.seed}, not {cohort.seed}"
    own, other = cohort.recipe.to_json(), held.recipe or {}
    for key in sorted(set(own) & set(other) - CIRCUMSTANCES):
        if as_number(own[key]) != as_number(other[key]):  # an older version kept a constant as it was written
            return f"belongs to another recipe ({key} {other[key]!r}, not {own[key]!r})"
    return None


def _misfit(held: Content, cohort: Cohort) -> str | None:
    """Why its tensors do not fit the run (names or shapes), or None; else loading would fail half-way."""
    wanted, random = [_shapes(student.state_dict()) for student in cohort.students], torch.get_rng_state()
    if [_shapes(weights) for weights in held.students] != wanted:
        return "is damaged (its weights have other names or shapes, or are of another dtype, than the students)"
    if len(held.optimizers) != len(wanted) or not all(map(_suits, held.optimizers, cohort.optimizers)):
        return "is damaged (its optimisers' state does not fit the weights)"
    numbers = (held.losses.shape, held.generator.shape, held.generator.dtype)
    if numbers != ((len(wanted),), random.shape, random.dtype) or held.epoch > cohort.recipe.epochs:
        return "is damaged (its losses, epoch or random state are not of this run)"
    return None


def _suits(held: Moments, optimizer: torch.optim.Optimizer) -> bool:
    sizes = [parameter.numel() for group in optimizer.param_groups for parameter in group["params"]]
    same = [len(group.params) for group in held.param_groups] == [len(g["params"]) for g in optimizer.param_groups]
    return same and all(
        index in range(len(sizes)) and one.numel() in (1, sizes[index])
        for index, moments in held.state.items()
        for one in moments.values()
        if isinstance(one, Tensor)
    )


def _shapes(weights: dict[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (weight.shape, weight.dtype) for name, weight in weights.items()}


def _finite(content: Any) -> bool:
    students = content.get("students", []) if isinstance(content, dict) else []
    return all(bool(weight.isfinite().all()) for weights in students for weight in weights.values())


def origin(folder: Path) -> tuple[Recipe, int] | None:
    """Recipe and seed of the newest good checkpoint in a seed's folder; None without one, or if it stored neither."""
    content = load_newest(folder / "checkpoints")
    if content is None:
        return None
    held = fitted(content, Content, f"the newest checkpoint in {folder}")
    if held.recipe is None or held.seed is None:
        return None
    return Recipe.from_json(held.recipe, f"the recipe in the newest checkpoint of {folder}"), held.seed


def newest_good(folder: Path) -> Path | None:
    """The path of the newest checkpoint that is whole and has finite weights."""
    return next((path for _, path in _listed(folder) if (found := _load(path)) and _finite(found)), None)


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
        "rdml": version_of("rdml"),
        "seed": cohort.seed,
        "recipe": cohort.recipe.to_json(),
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
    cohort.placement.wait()  # no process goes on before the file is written


def resume_state(folder: Path, cohort: Cohort, state: State) -> None:
    """Put the run back to its newest undamaged checkpoint; without one it starts from the beginning."""
    content = load_newest(folder / "checkpoints", cohort)
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
    content = load_newest(folder / "checkpoints", cohort)
    if content is None:
        raise ValueError(f"{folder} holds no good checkpoint; `rdml train --resume` makes one")
    for student, weights in zip(cohort.students, content["students"], strict=True):
        student.load_state_dict(weights)
