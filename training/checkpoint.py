"""Checkpoints that survive: written atomically, sealed by a digest in their name, loaded without executing code."""

import contextlib
import hashlib
import io
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from .files import write_atomically

KEPT = 2
_NAME = re.compile(r"step-(\d{9})-([0-9a-f]{16})\.pt")


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


def load_newest(folder: Path) -> dict[str, Any] | None:
    """The newest good checkpoint in `folder`, or None; every damaged one is named in a warning and passed over.

    Code is never executed: a file that holds anything but tensors and plain values counts as damaged.
    """
    for _, path in _listed(folder):
        content = _load(path)
        if content is not None:
            return content
        warnings.warn(f"checkpoint {path} is damaged; the one before it is used", RuntimeWarning, stacklevel=2)
    return None


def _load(path: Path) -> dict[str, Any] | None:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest()[:16] != path.stem.split("-")[2] or not zipfile.is_zipfile(io.BytesIO(data)):
        return None
    with contextlib.suppress(pickle.UnpicklingError):
        return torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    return None


def newest(folder: Path) -> Path | None:
    """The path of the newest checkpoint, damaged or not."""
    return next((path for _, path in _listed(folder)), None)


def _listed(folder: Path) -> list[tuple[int, Path]]:
    """(step, path) of the checkpoints, newest first."""
    found = [(match, path) for path in folder.glob("step-*.pt") if (match := _NAME.fullmatch(path.name))]
    return sorted(((int(match[1]), path) for match, path in found), reverse=True)
