"""Records what a result was computed with: versions, hardware, vector instructions, commit."""

import contextlib
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("rdml", "torchmetrics", "numpy", "scipy", "scikit-learn")


def environment(device: torch.device) -> dict[str, Any]:
    """Versions, hardware and commit, which are stored with every result."""
    return {
        "python": platform.python_version(),
        "versions": {name: version_of(name) for name in PACKAGES} | {"torch": str(torch.__version__)},  # with its build
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({processor()})",
        "cores": os.cpu_count(),
        "commit": commit(),
    }


@cache
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


@cache
def version_of(name: str) -> str | None:
    """The version of an installed package; None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """The name of the processor, if the system tells it, and its vector instructions."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"
