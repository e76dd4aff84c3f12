"""Run by test_placement.py under torchrun: trains on several processes, stops half-way, resumes, writes what it found.

torchrun --nproc-per-node 2 two_processes.py FOLDER    # FOLDER/NAME-whole and FOLDER/NAME-resumed for every case
"""

import dataclasses
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from training import Recipe, train
from training.run.batch_statistics import share_batch_statistics

run: Any = importlib.import_module("training.run.epochs")

SHORT = Recipe(epochs=2, subset=128, batch_size=32, momentum=0.9, lr=0.05, alpha=1.5, augment=("crop", "flip"))
CASES = {  # batch normalisation at a low rate (at 0.01 a change of 1e-7 in the weights grows to 1e-2); 3 students on 2
    "data": dataclasses.replace(SHORT, students=("resnet20", "own_networks:pair"), lr=1e-3, placement="data"),
    "data-sequential": dataclasses.replace(SHORT, updates="sequential", clip_norm=1.0, placement="data"),
    "students": dataclasses.replace(
        SHORT, students=("cnn", "mlp", "own_networks:double"), topology="ring", placement="students"
    ),
}
STOP = 6
"""The step before which one process is asked to stop; all agree at the next check, two steps later."""


def stopped_run(recipe: Recipe, folder: Path) -> None:
    """Train until rank 1 is asked to stop: every process leaves with a KeyboardInterrupt."""
    step, calls = run.step, iter(range(10**6))

    def asking(*args):
        if next(calls) == STOP and os.environ["RANK"] == "1":
            signal.raise_signal(signal.SIGTERM)
        return step(*args)

    run.step, run.ASK_EVERY = asking, 2
    try:
        train(recipe, 0, folder)
    except KeyboardInterrupt:
        return
    finally:
        run.step = step
    raise AssertionError("the run did not stop")


def batch_statistics() -> dict[str, torch.Tensor]:
    """Gradients, averaged over processes, and running statistics, from this process's half of a batch."""
    rank, network = dist.get_rank(), normalised_network()
    half = slice(4 * rank, 4 * rank + 4)
    pixels, target = example()
    wrapped = nn.parallel.DistributedDataParallel(share_batch_statistics(network))
    (wrapped(pixels[half]) - target[half]).square().mean().backward()
    return outcome(network)


def outcome(network: nn.Module) -> dict[str, torch.Tensor]:
    """Gradients and running statistics."""
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    return gradients | dict(network.named_buffers())


def normalised_network() -> nn.Module:
    """Two convolutions with batch normalisation, in double precision."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2, affine=False)]
    return nn.Sequential(*layers).double()


def example() -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs whose halves have different means, and targets."""
    generator = torch.Generator().manual_seed(0)
    pixels, target = (torch.randn(8, c, s, s, generator=generator).double() for c, s in ((3, 8), (2, 4)))
    return pixels + torch.arange(8.0)[:, None, None, None], target


def main(root: Path) -> None:
    for name, recipe in CASES.items():
        train(recipe, 0, root / f"{name}-whole")
        stopped_run(recipe, root / f"{name}-resumed")
        train(recipe, 0, root / f"{name}-resumed", resume=True)
    torch.save(batch_statistics(), root / f"statistics-{os.environ['RANK']}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
