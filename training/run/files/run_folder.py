"""The files of a run folder; only one process at a time writes them, and each is complete or absent.

RUN/recipe.json         the recipe
RUN/seed-0/metrics.jsonl      one line an epoch: step, order, weight, rate, losses, validation scores
RUN/seed-0/timing.jsonl       one line an epoch: seconds (apart, so that metrics are reproducible to the bit)
RUN/seed-0/tensorboard/       the same for TensorBoard, when asked
RUN/seed-0/checkpoints/       the newest checkpoints
RUN/seed-0/result.json        scores on the test set, read once, at the end
RUN/seed-0/data.json          which data it is on: number, shape, classes and a checksum of the training half
RUN/seed-0/environment.json   what they were made with: versions, device, commit, seconds of training
RUN/results.json              the results of all seeds
"""

import contextlib
import json
import math
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
from filelock import FileLock, Timeout

from theory.typed import plain
from training.recipe import schema


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file completely or not at all, and only return once it is on the disk."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OSError(f"cannot write {path} ({error.strerror}); free the disk or choose another folder") from error
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # the rename itself reaches the disk only with its folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def probe_folder(folder: Path, needed: int = 0) -> None:
    """Check, before the work starts, that `needed` bytes can be written into the folder.

    Raises:
        OSError: if they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"probe")
        probe.unlink()
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        told = getattr(error, "strerror", error)
        raise OSError(f"cannot write into {folder} ({told}); choose another folder") from error
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{folder} has {free / 2**20:.0f} MiB free, a run needs {needed / 2**20:.0f} MiB; free the disk")


@contextlib.contextmanager
def held(folder: Path, patience: float = 20.0) -> Iterator[None]:
    """Lock the folder against other processes; the system releases the lock if this one is killed.

    Raises:
        OSError: if another process holds it for longer than `patience` seconds, or it cannot be written.
    """
    probe_folder(folder)
    lock = FileLock(folder / ".lock", timeout=patience)
    try:
        lock.acquire()
    except Timeout as error:
        raise OSError(f"another process is writing into {folder}; wait until it has ended, or end it") from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Lock the folder as `held` does, unless another process has; yields whether this one has.

    Raises:
        OSError: if it cannot be written.
    """
    probe_folder(folder)
    lock = FileLock(folder / ".lock", timeout=0)
    with contextlib.suppress(Timeout):
        lock.acquire()
    try:
        yield lock.is_locked
    finally:
        lock.release()


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically; a number that JSON does not know (nan, inf) is an error."""
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False, default=plain)
    write_atomically(path, f"{text}\n".encode())


def read_json(path: Path) -> Any:
    """Read JSON; damage is one sentence that names the file."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for without end
        raise ValueError(f"{path} must be a file, got a pipe or a device")
    return schema.decoded(path.read_bytes(), path)


def check_data(folder: Path, data: str) -> None:
    """Refuse other data than those of the run in the folder; an older run, which did not write them down, is let pass.

    Args:
        folder: of one seed.
        data: `Images.fingerprint` of the training half.

    Raises:
        ValueError: if they differ.
    """
    file = folder / "data.json"
    if file.exists() and (known := read_json(file)) != data:
        raise ValueError(f"{folder} holds a run on other data ({known}) than these ({data}); choose another folder")


class Line(msgspec.Struct):
    """The fields of a line of metrics.jsonl or timing.jsonl, besides the scores."""

    epoch: Annotated[int, msgspec.Meta(ge=0)]
    step: int | msgspec.UnsetType = msgspec.UNSET
    alpha: float | str | msgspec.UnsetType = msgspec.UNSET
    weight: float | msgspec.UnsetType = msgspec.UNSET
    lr: float | msgspec.UnsetType = msgspec.UNSET
    loss: list[float] | msgspec.UnsetType = msgspec.UNSET
    seconds: float | msgspec.UnsetType = msgspec.UNSET


def append_line(path: Path, *rows: dict[str, Any]) -> None:
    """Append one JSON line a row and wait until they are on the disk."""
    with path.open("a") as file:
        file.write("".join(dump(row) + "\n" for row in rows))
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The complete JSON lines of a file; a last line that a kill cut short is left out.

    Raises:
        ValueError: if a complete line is damaged, in one sentence that names the file and the line.
    """
    if not path.exists():
        return []
    whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return [_line(line, f"{path}, line {number},") for number, line in enumerate(whole, 1)]


def _line(text: bytes, where: str) -> dict[str, Any]:
    row = schema.decoded(text, where)
    schema.fitted(row, Line, where)
    return row


def truncate_lines(path: Path, epochs: int) -> None:
    """Keep the rows of the first `epochs` epochs: later ones will be written again; missing ones cause a warning."""
    kept = [row for row in read_lines(path) if row["epoch"] < epochs]
    if missing := sorted(set(range(epochs)) - {row["epoch"] for row in kept}):
        warnings.warn(
            f"{path} lacks {len(missing)} of the {epochs} epochs that the checkpoint has behind it, the first of them "
            f"{missing[0]}; the students are as they should be, those lines are lost",
            RuntimeWarning,
            stacklevel=2,
        )
    write_atomically(path, "".join(dump(row) + "\n" for row in kept).encode())


def dump(row: dict[str, Any]) -> str:
    """One line of strict JSON; an infinite order is written as the string "inf", as in a recipe."""
    return json.dumps({key: "inf" if value == math.inf else value for key, value in row.items()}, allow_nan=False)
