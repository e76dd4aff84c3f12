"""How a run is divided over the processes of torchrun: which students and which images each of them has.

`data`: every process holds all students and a share of each batch; gradients are averaged by DistributedDataParallel,
batch statistics by `CrossBatchNorm`. `students`: every process holds some students and sees every batch; only
logits are exchanged.
"""

import atexit
import contextlib
import datetime
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.recipe.recipe import Recipe

from .batch_statistics import share_batch_statistics

TIMEOUT = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Placement:
    """This process's part of a run: rank `rank` of `ranks`; `kind` says what is divided, as above."""

    kind: str = "single"
    rank: int = 0
    ranks: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the run folder and shows progress."""
        return self.rank == 0

    @property
    def share(self) -> tuple[int, int]:
        """(rank, ranks) of this process in sharing each batch."""
        return (self.rank, self.ranks) if self.kind == "data" else (0, 1)

    def owner(self, student: int) -> int:
        """The rank that holds a student's weights, under `students`."""
        return student % self.ranks

    def holds(self, student: int) -> bool:
        """Whether this process updates a student."""
        return self.kind != "students" or self.owner(student) == self.rank

    def wrap(self, student: nn.Module) -> nn.Module:
        """The student as it is called in training: with shared gradients and batch statistics under `data`."""
        if self.kind != "data":
            return student
        return nn.parallel.DistributedDataParallel(share_batch_statistics(student))

    def exchange(
        self, logits: list[Tensor | None], shape: tuple[int, int], device: torch.device, dtype: torch.dtype
    ) -> list[Tensor]:
        """The logits of all students: this process's own as they are, the others' received and without a graph."""
        if self.kind != "students":
            return [row for row in logits if row is not None]
        rows = []
        for k, own in enumerate(logits):
            sent = torch.empty(shape, device=device, dtype=dtype) if own is None else own.detach().contiguous()
            dist.broadcast(sent, src=self.owner(k))
            rows.append(sent if own is None else own)
        return rows

    def mean(self, losses: Tensor) -> Tensor:
        """Losses (K,) over the global batch."""
        if self.kind != "data":
            return losses
        total = losses.clone()
        dist.all_reduce(total)
        return total / self.ranks

    def collect(self, states: list[Any]) -> list[Any]:
        """The state of each student, from the process that updates it; all must call this, only the leader uses it."""
        if self.kind != "students":
            return states
        everyone: list[Any] = [None] * self.ranks
        dist.all_gather_object(everyone, states)
        return [everyone[self.owner(k)][k] for k in range(len(states))]

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set in any process; they wait for each other here."""
        if self.ranks == 1:
            return flag
        total = torch.tensor(float(flag), device=device)
        dist.all_reduce(total)
        return bool(total > 0)

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.ranks > 1:
            dist.barrier()


def leads() -> bool:
    """Whether this process is the one that writes and prints: the only one, or rank 0 of torchrun's."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def placed(recipe: Recipe, device: torch.device) -> Iterator[Placement]:
    """The placement of this process, from torchrun's environment.

    Args:
        recipe: what to place.
        device: decides how they communicate: nccl between GPUs (one a process, see `choose_device`), gloo between CPUs.

    Raises:
        ValueError: if the recipe wants several processes and there are none, or the other way round.
        ConnectionError: if another process dies or does not answer.
    """
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if recipe.placement == "single":
        if ranks > 1:
            raise ValueError(f"placement must be data or students under torchrun with {ranks} processes, got 'single'")
        yield Placement()
        return
    _check(recipe, ranks)
    try:
        _join(device)
        yield Placement(recipe.placement, dist.get_rank(), ranks)
    except RuntimeError as error:
        if not _broken_connection(error):
            raise
        raise ConnectionError(
            f"rank {os.environ['RANK']} of {ranks} stops: another process died or does not answer "
            f"({' '.join(str(error).split())[:160]}); start all of them again with --resume"
        ) from error


def _join(device: torch.device) -> None:
    """Make the group of processes, once: several seeds share it."""
    if dist.is_initialized():
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)  # nccl sends objects and waits through the current device
        dist.init_process_group("nccl", timeout=TIMEOUT, device_id=device)
    else:
        dist.init_process_group("gloo", timeout=TIMEOUT)
    atexit.register(_leave)


def _leave() -> None:
    """Leave the group before the interpreter shuts down: its threads end with the last network sharing gradients."""
    gc.collect()
    dist.destroy_process_group()


def _broken_connection(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in ("gloo", "connection"))


def _check(recipe: Recipe, ranks: int) -> None:
    if ranks == 1:
        raise ValueError(
            f"placement {recipe.placement!r} needs processes: torchrun --nproc-per-node 2 -m rdml train ..."
        )
    if recipe.placement == "students" and ranks > len(recipe.students):
        raise ValueError(f"placement students needs a student a process, got {len(recipe.students)} for {ranks}")
    if recipe.updates == "sequential" and recipe.placement == "students":
        raise ValueError("updates must be simultaneous when students are placed on several processes, got 'sequential'")
