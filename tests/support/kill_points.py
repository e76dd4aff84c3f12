"""Run by test_resume.py: kills runs with SIGKILL at many points, resumes them, and prints the outcome of each.

python kill_points.py FOLDER    # prints {"whole": ..., "fsync 1": ..., ..., "step 11": ...} as JSON
"""

import hashlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sklearn.model_selection  # noqa: F401 - imported here once, for all forks, as is torchmetrics
import torch
import torch._dynamo
import torchmetrics  # noqa: F401

from training import Recipe
from training.data.sources import open_source

module: Any = importlib.import_module("training.run.train")  # the package exports a function of the same name
run: Any = importlib.import_module("training.run.epochs")

RECIPE = Recipe(
    students=("mlp", "cnn"),
    epochs=2,
    subset=96,
    batch_size=32,
    momentum=0.9,
    lr="cosine:0.1:0.01",
    alpha="linear:2:0.5",
    augment=("crop", "flip"),
    crop_padding=1,
    checkpoint_steps=2,
)


def die_at(number: int, function: Callable) -> Callable:
    """`function`, but its `number`-th call kills this process with SIGKILL."""
    calls = iter(range(1, 10**6))

    def dangerous(*args, **kwargs):
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    return dangerous


def in_a_process(action: Callable[[], object]) -> int:
    """Run the action in a fork; returns 0, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_run(folder: Path, point: str, number: int) -> None:
    if point == "fsync":
        os.fsync = die_at(number, os.fsync)
    else:
        run.step = die_at(number, run.step)
    module.train(RECIPE, 5, folder)


def outcome(folder: Path) -> dict[str, str]:
    """Digests of what must not depend on kills: metrics, result, and the newest checkpoint (its name is a digest)."""
    files = [folder / "metrics.jsonl", folder / "result.json", max((folder / "checkpoints").glob("*.pt"))]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def main(root: Path) -> None:
    torch.set_num_threads(1)  # a fork has none of its parent's threads and would wait for them
    open_source(RECIPE).train()  # read here once; no backward pass may precede a fork: it starts threads too
    found: dict[str, object] = {}
    in_a_process(lambda: module.train(RECIPE, 5, root / "whole"))
    found["whole"] = outcome(root / "whole")
    points = [("fsync", number) for number in range(1, 25)] + [("step", number) for number in range(1, 7)]
    for point, number in points:
        folder = root / f"{point}-{number}"
        status = in_a_process(lambda at=(folder, point, number): killed_run(*at))
        if status == 0:
            continue  # the run has fewer such calls
        resumed = in_a_process(lambda to=folder: module.train(RECIPE, 5, to, resume=True))
        found[f"{point} {number}"] = {"killed": status, "resumed": resumed, **outcome(folder)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
