"""Study of how often `training.advise` is right, on independent and mutual students of several small problems.

    python -m training.experiment.advice_study --out results/advise/advise.json --data-root FOLDER

Per problem and share of label noise, pairs of MLPs are trained independently, and at alpha * lam = 0.1 and 1 from the
same initial weights on the same batches. At several epochs the advice that the independent pairs get on validation
images is compared with what the mutual pairs gain or lose on other held-out images (labels as noisy as those trained
on). Each comparison is a cell. It is clear for the student or the ensemble if the mean change in NLL over seeds exceeds
two standard errors.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from torch import Tensor

from theory.refusal import end
from training.data.labels import noisy_labels
from training.data.sources import open_source
from training.loss import mutual_loss
from training.measure.advice import advise, combine
from training.recipe.recipe import Recipe
from training.run.files.environment import environment
from training.run.files.run_folder import probe_folder, write_json

from .published import command

MODULE = "training.experiment.advice_study"
COUPLINGS = ((1.0, 0.1), (1.0, 1.0), (2.0, 0.05))
"""(alpha, lam)."""

Inputs = Callable[[str | None], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Problem:
    """Inputs, students (MLPs of one hidden layer) and their optimiser; `sizes` of training, validation and test set."""

    title: str
    inputs: Inputs
    sizes: tuple[int, int, int]
    hidden: int
    activation: Callable[[Tensor], Tensor]
    optimizer: Callable[[list[Tensor]], torch.optim.Optimizer]
    epochs: tuple[int, ...]
    noises: tuple[float, ...] = (0.0, 0.2, 0.4)
    seeds: int = 10
    students: int = 2
    batch: int = 50


def digits(root: str | None) -> tuple[Tensor, Tensor]:
    """Both thirds of scikit-learn's digits."""
    source = open_source(Recipe())
    halves = source.train(), source.test()
    return torch.cat([x.pixels for x in halves]).flatten(1) / 240, torch.cat([x.labels for x in halves])


def tumours(root: str | None) -> tuple[Tensor, Tensor]:
    """scikit-learn's breast cancer data: 569 cases, 30 measurements, two classes."""
    from sklearn.datasets import load_breast_cancer

    x, y = map(np.asarray, load_breast_cancer(return_X_y=True))
    return torch.from_numpy((x - x.mean(0)) / x.std(0)).float(), torch.from_numpy(y).long()


def teacher(root: str | None) -> tuple[Tensor, Tensor]:
    """4000 Gaussian inputs in 40 dimensions, labelled by a random network into eight classes."""
    draw = np.random.default_rng(0).standard_normal
    x = draw((4000, 40))
    logits = np.tanh(x @ draw((40, 60)) / 40**0.5 * 2) @ draw((60, 8))
    return torch.from_numpy(x).float(), torch.from_numpy(logits.argmax(-1))


def twenty_classes(root: str | None) -> tuple[Tensor, Tensor]:
    """The first 20 classes of CIFAR-100's training set, 10 000 pictures averaged to 8 x 8 pixels."""
    images = open_source(Recipe(data="cifar100", data_root=root)).train()
    images = images[(images.labels < 20).nonzero()[:, 0]]
    small = images.pixels.double().unflatten(1, (8, 4)).unflatten(3, (8, 4)).mean((2, 4)).flatten(1)
    return ((small - small.mean(0)) / small.std(0)).float(), images.labels


def _sgd(lr: float, momentum: float = 0.0) -> Callable[[list[Tensor]], torch.optim.Optimizer]:
    return lambda weights: torch.optim.SGD(weights, lr=lr, momentum=momentum, foreach=True)


def _adamw(lr: float) -> Callable[[list[Tensor]], torch.optim.Optimizer]:
    return lambda weights: torch.optim.AdamW(weights, lr=lr, weight_decay=0.01, fused=True)


PROBLEMS = {
    "digits": Problem("digits, 96 tanh, AdamW", digits, (500, 600, 697), 96, torch.tanh, _adamw(2e-3),
                      (1, 2, 4, 8, 16, 32, 60)),
    "tumours": Problem("breast cancer, 24 tanh, SGD with momentum", tumours, (200, 180, 189), 24, torch.tanh,
                       _sgd(0.02, 0.9), (1, 2, 5, 10, 25, 50, 100), seeds=24, batch=20),
    "teacher": Problem("random teacher, 64 ReLU, SGD", teacher, (600, 1500, 1500), 64, torch.relu, _sgd(0.1),
                       (2, 5, 10, 20, 35, 55, 80)),
    "cifar": Problem("CIFAR-100 (20 classes, 8×8), 64 ReLU, SGD with momentum", twenty_classes, (1500, 2500, 2500), 64,
                     torch.relu, _sgd(0.005, 0.9), (1, 2, 4, 7, 12, 18, 25), (0.0, 0.3), seeds=8),
}  # fmt: skip


@dataclass(frozen=True)
class Data:
    """What all seeds of a cell see: inputs (S, N, D) and labels (S, N), by part."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    classes: int


def draw_data(problem: Problem, inputs: tuple[Tensor, Tensor], noise: float) -> Data:
    """Each seed has its own three parts and its own label noise on all of them."""
    x, y = inputs
    classes, ends = int(y.max()) + 1, np.cumsum(problem.sizes)
    orders = [torch.from_numpy(np.random.default_rng([seed, 1]).permutation(len(x))) for seed in range(problem.seeds)]
    labels = [noisy_labels(y, classes, noise, seed) for seed in range(problem.seeds)]
    parts = [
        (
            torch.stack([x[o[a:b]] for o in orders]),
            torch.stack([z[o[a:b]] for z, o in zip(labels, orders, strict=True)]),
        )
        for a, b in zip((0, *ends[:-1]), ends, strict=True)
    ]
    return Data(*parts, classes=classes)


def train(problem: Problem, data: Data, alpha: float, lam: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits (K, S, N, C) on validation and test set at each epoch asked for; all seeds side by side."""
    generator = torch.Generator().manual_seed(0)
    x, y = data.train
    shape = (problem.students, problem.seeds)
    sizes = ((x.shape[-1], problem.hidden), (problem.hidden, data.classes))
    weights = [torch.randn(*shape, a, b, generator=generator) * (1.5 / a) ** 0.5 for a, b in sizes]
    weights += [torch.zeros(*shape, 1, b) for _, b in sizes]
    optimizer = problem.optimizer([w.requires_grad_() for w in weights])

    def forward(pixels: Tensor) -> Tensor:
        return problem.activation(pixels @ weights[0] + weights[2]) @ weights[1] + weights[3]

    for epoch in range(1, max(problem.epochs) + 1):
        order = torch.rand(y.shape, generator=generator).argsort(-1)
        for index in order.split(problem.batch, dim=1)[: y.shape[1] // problem.batch]:
            rows = torch.arange(problem.seeds)[:, None], index
            optimizer.zero_grad()
            # a mean over seeds and images: times the number of seeds, the sum of the losses of each seed alone
            losses = mutual_loss(list(forward(x[rows]).flatten(1, 2)), y[rows].flatten(), alpha, lam)
            (problem.seeds * losses.sum()).backward()
            optimizer.step()
        if epoch in problem.epochs:
            with torch.no_grad():
                yield forward(data.validation[0]), forward(data.test[0])


def losses(logits: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """NLL (S,) of the mean student and of the mean logits' ensemble, from logits (K, S, N, C)."""
    log_p = logits.double().log_softmax(-1)
    index = labels[None, ..., None]
    students = -log_p.gather(-1, index.expand(len(log_p), -1, -1, 1)).mean((0, 2, 3))
    together = -log_p.mean(0).log_softmax(-1).gather(-1, index[0]).mean((1, 2))
    return students.numpy(), together.numpy()


def cells(name: str, problem: Problem, inputs: tuple[Tensor, Tensor], noise: float) -> Iterator[dict[str, Any]]:
    """One row an epoch and coupling: the advice's numbers, and what student and ensemble gained (mean, SE)."""
    data = draw_data(problem, inputs, noise)
    alone = list(train(problem, data, 1.0, 0.0))
    advices = [_advice(validation, data.validation[1]) for validation, _ in alone]
    before = [losses(test, data.test[1]) for _, test in alone]
    for alpha, lam in COUPLINGS:
        for k, (_, test) in enumerate(train(problem, data, alpha, lam)):
            row = {"problem": name, "noise": noise, "epoch": problem.epochs[k], "alpha": alpha, "lam": lam} | advices[k]
            for who, old, new in zip(("student", "ensemble"), before[k], losses(test, data.test[1]), strict=True):
                gain = old - new
                row |= {f"{who}_gain": gain.mean(), f"{who}_se": gain.std(ddof=1) / len(gain) ** 0.5}
            yield {key: float(f"{v:.6g}") if isinstance(v, float) else v for key, v in row.items()}


def _advice(logits: Tensor, labels: Tensor) -> dict[str, Any]:
    every = []
    for s in range(len(labels)):
        with contextlib.suppress(ValueError):  # refused: an ensemble without an error on these examples
            every.append(advise(logits[:, s], labels[s]))
    found = combine(every)
    high = found.high if np.isfinite(found.high) else None  # JSON knows no inf
    said: dict[str, Any] = {
        "predicted_student": found.student,
        "predicted_ensemble": found.ensemble,
        "phase": found.phase,
    }
    said["advised_seeds"] = found.seeds
    return {"beta": found.beta, "low": found.low, "high": high, "ambiguity": found.ambiguity} | said


def main(out: Path = Path("runs/advise.json"), data_root: str | None = None, only: tuple[str, ...] = ()) -> int:
    """Run the study and write one JSON file.

    Args:
        out: the file.
        data_root: folder that holds CIFAR-100; otherwise it is downloaded.
        only: problems to run; by default all.
    """
    if unknown := [name for name in only if name not in PROBLEMS]:
        raise ValueError(f"there is no problem {unknown[0]!r}; the problems are {', '.join(PROBLEMS)}")
    if out.is_dir():
        raise ValueError(f"out must be a file, got the folder {out}")
    probe_folder(out.parent)
    torch.set_num_threads(1)
    made, rows, seconds = environment(torch.device("cpu")), [], {}
    for name in only or PROBLEMS:
        began, problem = time.perf_counter(), PROBLEMS[name]
        inputs = problem.inputs(data_root)
        for noise in problem.noises:
            rows += cells(name, problem, inputs, noise)
            print(f"{name}, label noise {noise}: {time.perf_counter() - began:.0f} s", flush=True)
        seconds[name] = round(time.perf_counter() - began, 1)
    setting = ("title", "sizes", "seeds", "students", "hidden", "batch", "epochs", "noises")
    problems = {name: {key: asdict(PROBLEMS[name])[key] for key in setting} for name in only or PROBLEMS}
    write_json(out, {"command": command(MODULE), "made": made, "seconds": seconds, "problems": problems, "cells": rows})
    return 0


if __name__ == "__main__":
    NAME = f"python -m {MODULE}"
    end(NAME, lambda: tyro.cli(main, prog=NAME))
