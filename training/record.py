"""The run folder: what was run, where, and what came out; tables are made from run folders only.

RUN/recipe.json         the recipe
RUN/seed-0/metrics.jsonl      one line an epoch: step, order, weight, rate, losses, validation scores
RUN/seed-0/timing.jsonl       one line an epoch: seconds (apart, so that metrics are reproducible to the bit)
RUN/seed-0/tensorboard/       the same for TensorBoard, when asked
RUN/seed-0/checkpoints/       the newest checkpoints
RUN/seed-0/result.json        scores on the test set, read once, at the end
RUN/seed-0/environment.json   what they were made with: versions, device, commit, seconds of training
RUN/results.json              the results of all seeds
"""

import contextlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from .files import probe_folder, read_json, write_json
from .recipe import Recipe

PACKAGES = ("rdml", "torchmetrics", "numpy", "scipy", "scikit-learn")


def environment(device: torch.device) -> dict[str, Any]:
    """Versions, hardware and commit: what a number must travel with."""
    return {
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES} | {"torch": str(torch.__version__)},  # with its build
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({processor()})",
        "cores": os.cpu_count(),
        "commit": commit(),
    }


def commit() -> str | None:
    """The commit of the code's own repository, marked + when files differ from it; None outside a repository."""
    here = Path(__file__).parent
    try:
        name = _git(here, "rev-parse", "HEAD")
        return name + ("+" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Its name, as far as the system tells it, and its vector instructions."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


def open_run(folder: Path, recipe: Recipe, resume: bool) -> None:
    """Make a run folder, or check that the one which is there may be continued.

    Raises:
        ValueError: if the folder holds a run already and `resume` is False, or holds one of another recipe.
        OSError: if the folder cannot be written.
    """
    file = folder / "recipe.json"
    if file.exists():
        if Recipe.from_json(read_json(file)) != recipe:
            raise ValueError(f"{folder} holds a run of another recipe (see {file}); choose another folder")
        if not resume:
            raise ValueError(f"{folder} holds a run already; pass --resume to continue it, or choose another folder")
    probe_folder(folder)
    write_json(file, recipe.to_json())
