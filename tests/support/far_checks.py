"""Run by test_far_device.py: results of rdml on a device that is not the CPU, and how often it waits for the device.

python far_checks.py LIBRARY    # LIBRARY: far_device.cpp, compiled; prints what each of CHECKS found as a JSON object
"""

import itertools
import json
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from short_cells import one_cell_a_measure
from torch import Tensor
from torch.utils.backend_registration import rename_privateuse1_backend

from sims import STUDIES
from sims.verdicts import takes_device
from training import Recipe, mutual_loss, renyi_divergence_loss, train
from training.data.images import split
from training.data.loader import Loader
from training.data.sources import open_source
from training.experiment.measurement import follow
from training.loss import REDUCTIONS
from training.run.cohort import build_cohort
from training.run.step import objective_at, step

rename_privateuse1_backend("far")
CPU, FAR, INF = torch.device("cpu"), torch.device("far"), float("inf")
ORDERS = [0.0, 0.5, 1.0, 1.01, 1.5, 9.0, INF]
LOSSES: list[dict[str, Any]] = [
    {},
    {"temperature": 2.0},
    {"label_smoothing": 0.1},
    {"weights": [[0, 1, 0], [0, 0, 0], [0.5, 0.5, 0]]},
    {"weight": 0.0},
    {"ignore_index": 0},
    {"class_weights": torch.arange(10.0), "label_smoothing": 0.1},
    {"row_weights": torch.arange(8)},
]
SHORT = Recipe(epochs=1, subset=250, batch_size=20, lr=0.01)
RECIPES: list[dict[str, Any]] = [
    {"students": ("cnn", "mlp"), "augment": ("crop", "flip", "cutout")},
    {"optimizer": "adamw", "label_smoothing": 0.1},
    {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "clip_norm": 1.0, "updates": "sequential"},
    {"students": ("mlp",) * 3, "topology": "ring", "temperature": 3.0, "alpha": "linear:2:0.5"},
    {"students": ("resnet20", "cnn"), "channels_last": True, "alpha": 1.01},
    {"resident": False},
]
STEPS = 4


def load(library: str) -> None:
    """Register the device with torch."""
    torch.ops.load_library(library)
    module: Any = types.ModuleType("torch.far")
    module.is_available, module.device_count, module.current_device = (lambda: True), (lambda: 1), (lambda: 0)
    module.manual_seed_all, module._is_in_bad_fork = (lambda seed: None), (lambda: False)
    module.get_amp_supported_dtype = lambda: [torch.bfloat16]
    torch._register_device_module("far", module)


def counted(work: Callable[[], Any]) -> tuple[dict[str, int], Any]:
    """How often the work waited for the device, by kind of wait, and what it returned."""
    torch.ops.far.taken()
    found = work()
    return torch.ops.far.taken(), found


def mixing() -> str:
    """The error of adding tensors of two devices."""
    try:
        return str(torch.ones(2, device=FAR) + torch.ones(2))
    except RuntimeError as error:
        return str(error)


def looking() -> list[dict[str, int]]:
    """The waits that are counted for reading a number, copying to the host, copying to the device, and a host index."""
    x, here = torch.ones(3, device=FAR), torch.tensor([0, 1])
    return [counted(work)[0] for work in (x.sum().item, x.cpu, partial(here.to, FAR), partial(x.__getitem__, here))]


def losses() -> Iterator[dict[str, Any]]:
    """Every kind of loss."""
    logits, labels = 3 * torch.randn(3, 8, 10), torch.randint(10, (8,))
    for alpha, options in itertools.product(ORDERS, LOSSES):
        loss = partial(mutual_loss, alpha=alpha)
        yield {"case": f"{alpha} {options}", **_compared(loss, logits, labels, **options)}
    for alpha, reduction, detach in itertools.product(ORDERS, REDUCTIONS, (False, True)):
        loss = partial(renyi_divergence_loss, alpha=alpha, reduction=reduction, detach_peer=detach)
        yield {"case": f"{alpha} {reduction} {detach}", **_compared(loss, *logits[:2])}
    for alpha in ORDERS:
        loss = partial(mutual_loss, alpha=alpha)
        yield {"case": f"{alpha} soft", **_compared(loss, logits, logits[0].softmax(-1))}
        loss = partial(renyi_divergence_loss, alpha=alpha)
        yield {"case": f"{alpha} rows", **_compared(loss, *logits[:2], row_weights=torch.arange(8))}


def apart() -> Iterator[dict[str, Any]]:
    """Two students on the CPU and one on the device, and a divergence from a peer on the other device."""
    logits, labels = list(3 * torch.randn(3, 8, 10)), torch.randint(10, (8,))
    places: tuple[torch.device, ...] = (FAR, CPU, CPU)
    for alpha in ORDERS:
        ends = []
        for where in (places, (CPU,) * 3):
            leaves = [z.to(place, copy=True).requires_grad_() for z, place in zip(logits, where, strict=True)]
            losses = mutual_loss(leaves, labels, alpha, ignore_index=0, class_weights=range(10))
            pull = renyi_divergence_loss(leaves[1], leaves[0], alpha)
            (losses.sum().cpu() + pull).backward()
            assert losses.device.type == where[0].type
            ends.append([x.detach().cpu() for x in (losses, pull, *map(_slope, leaves))])
        error = max(float((x - y).abs().max()) for x, y in zip(*ends, strict=True))
        yield {"case": str(alpha), "error": error}


def _slope(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    assert leaf.grad.device == leaf.device
    return leaf.grad


def _compared(loss: Callable[..., Tensor], *inputs: Tensor, **options: Any) -> dict[str, Any]:
    """Waits, and the largest difference from the CPU of values and gradients."""
    ends = []
    for place in (CPU, FAR, FAR):  # the first call on a device fills caches, so the second is the one to count
        leaf, *rest = (x.to(place, copy=True) for x in inputs)
        leaf.requires_grad_()
        there = {name: x.to(place) if isinstance(x, Tensor) else x for name, x in options.items()}
        waits, value = counted(partial(_graded, partial(loss, **there), leaf, *rest))
        assert leaf.grad is not None
        ends.append((value.detach().cpu(), leaf.grad.cpu()))
    error = max(float((x - y).abs().max()) for x, y in zip(ends[0], ends[-1], strict=True))
    return {"waits": waits, "error": error}


def _graded(loss: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    value = loss(*inputs)
    value.sum().backward()
    return value


def steps() -> Iterator[dict[str, Any]]:
    """Waits of training steps after the first."""
    for change in RECIPES:
        recipe = replace(SHORT, **change)
        images = split(recipe, open_source(recipe)).train
        cohort, loader = build_cohort(recipe, 0, images, FAR), Loader(images, recipe, 0, FAR)
        batches, objective = loader.epoch(0), objective_at(recipe, 0)

        def some(number: int, cohort=cohort, batches=batches, objective=objective) -> None:
            for _ in range(number):
                step(cohort, next(batches), objective, 0.01)

        some(1)
        yield {"case": str(change), "waits": counted(partial(some, STEPS))[0]}


def runs() -> Iterator[dict[str, Any]]:
    """Scores on the test set of whole runs, and of one that is resumed from a checkpoint."""
    for change in (*RECIPES, {"amp": True}):
        recipe = replace(SHORT, **change)
        here, there = (train(replace(recipe, device=place)).test["ensemble"] for place in ("cpu", "far"))
        yield {"case": str(change), "here": here, "there": there}
    recipe = replace(SHORT, device="far", epochs=2, momentum=0.9)
    with tempfile.TemporaryDirectory() as folder:
        whole = train(recipe, folder=Path(folder))
        for file in (Path(folder) / "result.json", max(Path(folder).glob("checkpoints/*.pt"))):
            file.unlink()
        resumed = train(recipe, folder=Path(folder), resume=True)
    yield {"case": "resumed", "here": whole.test["ensemble"], "there": resumed.test["ensemble"]}


def lengths() -> list[dict[str, int]]:
    """Waits of a run, and of one of twice the steps."""
    recipe = replace(SHORT, device="far", validation=0.5, batch_size=10)
    return [counted(partial(train, replace(recipe, subset=number)))[0] for number in (200, 400)]


def measured() -> list[float]:
    """The potential at the end of a measured run, on the CPU and on the device."""
    recipe = replace(SHORT, students=("mlp-tanh", "mlp-tanh"), subset=120)
    return [follow(replace(recipe, device=place), 0, 2)[-1]["potential"] for place in ("cpu", "far")]


def studies() -> Iterator[dict[str, Any]]:
    """The first cell of every measure of every study."""
    for study in STUDIES:
        longest = 300 if study == "escape" else 5  # no replica escapes in a few steps
        for cell in filter(takes_device, one_cell_a_measure(study, longest)):
            on = partial(cell.measure, cell.simulation, 8, 3, backend="torch", dtype="float64")
            yield {"case": f"{study}: {cell.name}", "here": on(device="cpu"), "there": on(device="far")}


CHECKS: list[Callable[[], Any]] = [mixing, looking, losses, apart, steps, runs, lengths, measured, studies]


if __name__ == "__main__":
    load(sys.argv[1])
    torch.manual_seed(0)
    torch.set_num_threads(1)
    found = {check.__name__: check() for check in CHECKS}
    print(json.dumps({name: list(part) if isinstance(part, Iterator) else part for name, part in found.items()}))
