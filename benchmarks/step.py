"""The time of a training step: RDML against independent students, for more students and classes, and a plain loop.

python -m benchmarks.step [--quick]
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
import tyro
from torch.utils.data import DataLoader, Dataset

from training import Images, Recipe
from training.data.loader import Loader
from training.run.cohort import build_cohort, build_students
from training.run.device import choose_device
from training.run.step import objective_at, step

from .loss import common_formula
from .timing import Clock, Ratio, interleaved, peak_memory, printing, ratio, table, verdict

TITLE = "A training step (medians over turns with quartiles; memory beyond what the students and their images hold)"
SMALL = Recipe(students=("mlp",) * 2, alpha=1.5, batch_size=64, lr=0.01)
PAIR = Recipe(
    students=("resnet20",) * 2,
    alpha=1.5,
    batch_size=64,
    augment=("crop", "flip"),
    lr=0.01,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-4,
)
"""Two students for 32x32 images, trained as the papers do."""

STUDENTS = [2, 4, 8, 16]
CLASSES = [10, 100, 1000, 10_000, 131_072]
FAST = {"float32": {}, "bfloat16": {"amp": True}}
PAIR_AIM = 1.05
PAIRED = [
    ("RDML", "independent"),
    ("RDML, compiled loss", "independent"),
    ("RDML, compiled loss", "independent, compiled loss"),
]
SPEED_AIMS = {"float32": {"cpu": 1.2, "cuda": 4.0}, "bfloat16": {"cpu": 2.0, "cuda": 4.0}}


def pictures(number: int, side: int, channels: int, classes: int) -> Images:
    """Random images: a step costs the same whatever they show."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (number, side, side, channels), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.randint(classes, (number,), generator=generator), classes)


def trainer(recipe: Recipe, images: Images, device: torch.device) -> Callable[[], None]:
    """One step of `training`'s own loop a call."""
    cohort, loader = build_cohort(recipe, 0, images, device), Loader(images, recipe, 0, device)
    batches = itertools.chain.from_iterable(loader.epoch(epoch) for epoch in itertools.count())
    objective = objective_at(recipe, 0)

    def call() -> None:
        step(cohort, next(batches), objective, 0.01)

    return call


class Augmented(Dataset):
    """Images that are cropped and flipped one by one when they are asked for, as a data set usually does it."""

    def __init__(self, images: Images) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = F.pad(self.images.pixels[index].permute(2, 0, 1).float() / 255, (4,) * 4)
        (top, left), side = torch.randint(9, (2,)).tolist(), self.images.pixels.shape[1]
        pixels = pixels[:, top : top + side, left : left + side]
        return ((pixels.flip(2) if torch.rand(()) < 0.5 else pixels) - 0.5) / 0.25, self.images.labels[index]


def plain_loop(recipe: Recipe, images: Images, device: torch.device) -> Callable[[], None]:
    """The same students as the method is usually coded: a backward a student, a loop over pairs, `.item()`."""
    _, height, width, channels = images.pixels.shape
    students = [s.to(device) for s in build_students(recipe, 0, (height, width, channels), images.classes)]
    optimizers = [torch.optim.SGD(s.parameters(), 0.01, 0.9, weight_decay=5e-4, nesterov=True) for s in students]
    epochs = (DataLoader(Augmented(images), recipe.batch_size, shuffle=True, drop_last=True) for _ in itertools.count())
    batches, alpha = itertools.chain.from_iterable(epochs), float(recipe.alpha)

    def call() -> None:
        pixels, labels = (part.to(device) for part in next(batches))
        outputs = [student(pixels) for student in students]
        for k, optimizer in enumerate(optimizers):
            peers = [output.detach() for j, output in enumerate(outputs) if j != k]
            loss = F.cross_entropy(outputs[k], labels)
            for peer in peers:
                loss = loss + common_formula(outputs[k], peer, alpha) / len(peers)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()

    return call


def against_independent(
    recipe: Recipe, images: Images, turns: int, device: torch.device, clock: Clock
) -> Iterator[dict]:
    """Time and memory of a step, and both as ratios to the same students trained independently."""
    compiled = replace(recipe, compile_loss=True)
    recipes = {"RDML": recipe, "RDML, compiled loss": compiled}
    recipes |= {name.replace("RDML", "independent"): replace(one, weight=0.0) for name, one in recipes.items()}
    calls = {name: trainer(one, images, device) for name, one in recipes.items()}
    times = interleaved(calls, turns, clock=clock)
    memory = {name: peak_memory(call, device) for name, call in calls.items()}
    for ours, base in PAIRED:
        yield {
            "question": f"{ours} / {base}",
            "students": f"{len(recipe.students)} {recipe.students[0]}",
            "classes": images.classes,
            **_against(ratio(times, ours, base), PAIR_AIM if len(recipe.students) == 2 else None),
            "batch_size": recipe.batch_size,
            "seconds": median(times[ours]),
            "independent_seconds": median(times[base]),
            "memory": memory[ours],
            "memory_ratio": memory[ours] / memory[base],
        }


def _against(figure: Ratio, aim: float | None, least: bool = False) -> dict[str, str]:
    return {"ratio": str(figure), "aim": "" if aim is None else verdict(figure.median, aim, least)}


def against_plain_loop(turns: int, device: torch.device, clock: Clock) -> Iterator[dict]:
    """Images per second as a ratio to the plain loop, in float32 and with the forward pass in bfloat16."""
    images = pictures(512, 32, 3, 100)
    calls = {"plain": plain_loop(PAIR, images, device)}
    for name, change in FAST.items():
        recipe = replace(PAIR, channels_last=True, **change)
        calls[name] = trainer(recipe, images, device)
    times = interleaved(calls, turns, clock=clock)
    for name in FAST:
        yield {
            "question": f"images/s, {name} / plain loop",
            "students": "2 resnet20",
            "classes": 100,
            **_against(ratio(times, "plain", name), SPEED_AIMS[name].get(device.type), least=True),
            "seconds": median(times[name]),
        }


def run(quick: bool = False, device: str = "auto", clock: Clock = "wall") -> Iterator[dict]:
    """The lines of the table, one by one."""
    place, turns = choose_device(device), 5 if quick else 20
    yield from against_independent(PAIR, pictures(512, 32, 3, 100), turns, place, clock)
    for number in STUDENTS:
        recipe = replace(SMALL, students=("mlp",) * number)
        yield from against_independent(recipe, pictures(512, 8, 1, 100), turns, place, clock)
    for classes in CLASSES:
        yield from against_independent(SMALL, pictures(512, 8, 1, classes), turns, place, clock)
    yield from against_plain_loop(turns, place, clock)


def steps(quick: bool = False) -> int:
    """How many lines `run` yields."""
    return len(PAIRED) * (1 + len(STUDENTS) + len(CLASSES)) + len(FAST)


def render(rows: list[dict[str, Any]]) -> str:
    """The Markdown table."""
    columns = ["question", "students", "classes", "ratio", "aim", "ms a step", "peak MiB", "its ratio"]
    return table(columns, [_cells(row) for row in rows])


def _cells(row: dict[str, Any]) -> list[object]:
    memory = [f"{row['memory'] / 2**20:.2f}", f"{row['memory_ratio']:.2f}"] if "memory" in row else ["", ""]
    milliseconds = f"{1000 * row['seconds']:.1f}"
    return [row["question"], row["students"], row["classes"], row["ratio"], row["aim"], milliseconds, *memory]


if __name__ == "__main__":
    tyro.cli(printing(TITLE, run, render))
