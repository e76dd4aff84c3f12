"""Runs of plain constant-rate SGD along which the theory's quantities are measured."""

import contextlib
import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from theory.dynamics.detaching import dropped_gradient_bound
from theory.typed import AnyPath, as_path, check_arguments, shown
from training.data.images import Source, split
from training.data.loader import Loader, planes
from training.data.sources import open_source
from training.measure import instruments as on
from training.measure.instruments import Landscape
from training.recipe.differences import differences
from training.recipe.recipe import Recipe
from training.run.cohort import Cohort, build_cohort
from training.run.device import choose_device, threads
from training.run.files.environment import environment
from training.run.files.run_folder import claimed, probe_folder, write_json
from training.run.step import objective_at, step

from .parallel import check_jobs, check_seeds, run_all
from .published import MeasuredRun, read_published
from .same_data import keep_to_data
from .tables import markdown

PLAIN = {
    "momentum": 0,
    "weight_decay": 0,
    "warmup_epochs": 0,
    "label_smoothing": 0,
    "clip_norm": None,
    "augment": (),
    "temperature": 1,
    "topology": "all",
    "optimizer": "sgd",
    "updates": "simultaneous",
    "amp": False,
    "placement": "single",
}
"""Fields that a recipe must have for the theorems to apply: constant-rate SGD on losses that are exact means."""
FEW, FEWER, BATCHES = 500, 32, 10
"""Images for costly quantities (power iteration, float64), images for Jacobians, mini-batches for the noise."""


class Cell(NamedTuple):
    """One run to measure; its numbers are kept in a file (None: nowhere)."""

    recipe: Recipe
    seed: int
    records: int
    file: Path | None

    def run(self, progress: bool = False, source: Source | None = None) -> dict[str, Any]:
        """What `follow` finds, or what the file holds already."""
        asked = {"recipe": self.recipe.to_json(), "seed": self.seed, "records": self.records}
        if self.file is not None and self.file.exists():
            found = read_published(self.file, MeasuredRun)
            there, here = ({"seed": one["seed"], "records": one["records"], **one["recipe"]} for one in (found, asked))
            if told := differences(there, here):
                raise ValueError(f"{self.file} holds a run of another recipe: {told}; choose another folder")
            return found
        rows = follow(self.recipe, self.seed, self.records, source)
        found = asked | {"made": environment(choose_device(self.recipe.device)), "rows": rows}
        if self.file is not None:
            write_json(self.file, found)
        return found


def follow(recipe: Recipe, seed: int, records: int, source: Source | None = None) -> list[dict[str, Any]]:
    """Train by plain SGD and measure at equally spaced steps, the first and the last among them.

    Each row holds the step and, before it is taken:
        loss: L_k of each student.
        squared_gradient: $\\|\\nabla_k L_k\\|^2$ of each student; dropped: $\\gamma^2$ (E3).
        potential: P, and `rotation`, the share of the update that descends no potential (E4, E5).
        divergence: the mean over pairs; disagreement: the variance of the logits; oscillation: the largest.
        sharpness, jacobian, noise: estimates of beta, R and sigma^2 on some of the images, so no bounds on all of them.
        self_bounding: the largest ratio of D3 on some of the images (None at order 0).
        drift: the students' mean drift through this step, divided by the rate (E1); drift_bound: E2 with this R.

    Raises:
        ValueError: a recipe that is not plain SGD, fewer than two students or records, or students whose loss is no
            mean over images (batch normalisation, dropout).
    """
    _check(recipe, records)
    splits, device = split(recipe, source or open_source(recipe), seed), choose_device(recipe.device)
    with threads(recipe.threads):
        torch.manual_seed(seed)
        cohort = build_cohort(recipe, seed, splits.train, device)
        _check_students(cohort.students)
        loader = Loader(splits.train, recipe, seed, device)
        pixels, labels = loader.prepare(planes(splits.train).to(device)), splits.train.labels.to(device)
        land = Landscape(cohort.students, pixels, labels, float(recipe.alpha), float(recipe.weight))
        return list(_rows(cohort, loader, land, records))


def _rows(cohort: Cohort, loader: Loader, land: Landscape, records: int) -> Iterator[dict[str, Any]]:
    recipe, total = cohort.recipe, cohort.recipe.epochs * len(loader)
    wanted = {round(x) for x in np.linspace(0, total - 1, records)}
    batches = itertools.chain.from_iterable(loader.epoch(epoch) for epoch in range(recipe.epochs))
    objective, rate = objective_at(recipe, 0), float(recipe.lr)
    for number, batch in enumerate(batches):
        if number not in wanted:
            step(cohort, batch, objective, rate)
            continue
        logits = land.logits()
        row = {"step": number, **_measured_before_step(land, logits, recipe.batch_size)}
        step(cohort, batch, objective, rate)
        with torch.no_grad():
            moved = on.drift(land, logits.detach(), land.logits())
        yield row | {"drift": sum(moved) / len(moved) / rate}


def _measured_before_step(land: Landscape, logits: Tensor, batch: int) -> dict[str, Any]:
    own = on.gradients(land.losses(logits).sum(), land.students)
    dropped = on.squared(on.dropped_gradients(land, logits))
    energy = on.potential(land, logits)
    radius = max(on.jacobian_norm(student, land.pixels[:FEWER]) for student in land.students)
    width, lam = on.largest_oscillation(logits), land.weight
    return {
        "loss": land.losses(logits).tolist(),
        "squared_gradient": on.squared(own),
        "dropped": sum(dropped) / len(dropped),
        "potential": energy.item(),
        "rotation": on.rotation(own, on.gradients(energy, land.students)),
        "divergence": on.mean_divergence(land, logits),
        "disagreement": on.disagreement(logits),
        "oscillation": width,
        "sharpness": on.sharpness(land.on(slice(FEW))),
        "jacobian": radius,
        "noise": on.gradient_noise(land, batch, BATCHES),
        "self_bounding": on.self_bounding_ratio(land.alpha, logits[:, :FEW]) if land.alpha else None,
        "drift_bound": 2 * lam * (1 + lam) * radius**2 * float(dropped_gradient_bound(land.alpha, width)),
    }


def measure(
    base: Recipe,
    orders: Sequence[float],
    rates: Sequence[float],
    seeds: int = 5,
    records: int = 12,
    folder: AnyPath | None = None,
    progress: bool = False,
    jobs: int = -1,
    source: Source | None = None,
) -> list[dict[str, Any]]:
    """Follow the base recipe at every order and learning rate from the seeds 0 .. seeds - 1, on the source's images.

    A smaller rate gets more epochs, so that eta T, the time of the gradient flow, is that of the largest rate with
    `base.epochs`.

    Returns:
        What each run was and found, by order, rate and seed: keys recipe, seed, records, made, rows (see `follow`).

    Raises:
        ValueError: as `follow`; seeds or jobs that mean nothing; no order or rate, or a rate that is not positive; a
            folder of runs on other data.
        OSError: if the folder cannot be written.
    """
    check_arguments(measure, locals())
    if seeds < 1 or not len(orders) or not len(rates):
        raise ValueError(f"measure needs an order, a rate and a seed, got {orders}, {rates} and {seeds} seeds")
    check_seeds(seeds)
    if not all(0 < rate < np.inf for rate in rates):
        raise ValueError(f"measure needs positive, finite rates, got {', '.join(f'{rate:g}' for rate in rates)}")
    check_jobs(jobs)
    folder = as_path(folder)
    if folder is not None:
        probe_folder(folder)
    cells = [
        Cell(recipe, seed, records, folder and folder / f"order-{order:g}-rate-{rate:g}-seed-{seed}.json")
        for order, rate, seed in itertools.product(orders, rates, range(seeds))
        for recipe in [_variant(base, order, rate, max(rates))]
    ]
    for cell in cells:
        _check(cell.recipe, records)
    with contextlib.nullcontext() if folder is None else claimed(folder) as alone:
        if alone is not None:
            keep_to_data(base, [cell.file for cell in cells if cell.file is not None], source, alone)
        found = {json.dumps([one["recipe"], one["seed"]]): one for one in run_all(cells, progress, jobs, source)}
    return [found[json.dumps([cell.recipe.to_json(), cell.seed])] for cell in cells]


def summary(runs: Sequence[dict[str, Any]]) -> str:
    """One Markdown line an order and rate: means over seeds at the last record, self-bounding at the worst."""
    groups: dict[tuple[float, float], list[dict[str, Any]]] = {}
    for one in runs:
        groups.setdefault((one["recipe"]["alpha"], one["recipe"]["lr"]), []).append(one)
    head = ["order", "rate", "seeds", "loss", "squared gradient", "drift / rate", "E2", "rotation", "worst D3 ratio"]
    return markdown(head, [[f"{order:g}", f"{rate:g}", *_summed(group)] for (order, rate), group in groups.items()])


def _summed(group: list[dict[str, Any]]) -> list[str]:
    last = [one["rows"][-1] for one in group]
    names = ("loss", "squared_gradient", "drift", "drift_bound", "rotation")
    means = [f"{np.mean([row[name] for row in last]):.3g}" for name in names]
    worst = max(row["self_bounding"] or 0.0 for one in group for row in one["rows"])
    return [str(len(group)), *means, f"{worst:.3f}"]


def _variant(base: Recipe, order: float, rate: float, largest: float) -> Recipe:
    return dataclasses.replace(base, alpha=order, lr=rate, epochs=round(base.epochs * largest / rate))


def _check(recipe: Recipe, records: int) -> None:
    for name, value in PLAIN.items():
        if getattr(recipe, name) != value:
            raise ValueError(f"measure follows plain SGD: {name} must be {value!r}, got {getattr(recipe, name)!r}")
    for name in ("alpha", "weight", "lr"):
        try:
            finite = float(getattr(recipe, name)) < np.inf
        except ValueError:
            finite = False
        if not finite:
            raise ValueError(f"measure needs a constant, finite {name}, got {getattr(recipe, name)!r}")
    if len(recipe.students) < 2 or not 2 <= records <= 10**6:
        raise ValueError(f"measure needs 2 students and 2 records, got {len(recipe.students)} and {shown(records)}")


def _check_students(students: Sequence[nn.Module]) -> None:
    for student in students:
        for part in student.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd):
                raise ValueError(f"measure needs losses that are means over images, got {type(part).__name__}")
