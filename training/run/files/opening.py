"""Opens a run folder: reads its recipe, and decides who may begin a run in it or continue one."""

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.recipe.differences import MOST, differences
from training.recipe.recipe import Recipe

from .environment import version_of
from .run_folder import claimed, probe_folder, read_json, write_json


@contextlib.contextmanager
def opened(folder: Path, recipe: Recipe, resume: bool) -> Iterator[None]:
    """Open a run folder, and hold it while its runs are made in the block.

    If the block is refused before anything is trained, a folder that was not there before is taken away again.

    Raises:
        ValueError, OSError: as `open_run`.
    """
    new = not folder.exists()
    with claimed(folder) as alone:  # or not: several processes may train seeds of one recipe
        try:
            open_run(folder, recipe, resume, alone)
            yield
        except ConnectionError:  # the other processes of a run: it is to be resumed
            raise
        except Exception:
            if new and alone and not begun(folder):
                shutil.rmtree(folder, ignore_errors=True)
            raise


def open_run(folder: Path, recipe: Recipe, resume: bool, alone: bool = True) -> None:
    """Make a run folder, or check that the one which is there may be continued.

    A recipe by which nothing was trained, since its command was refused or killed, gives way to another, unless
    another process holds the folder (`alone` is False): it may be about to train.

    Raises:
        ValueError: if the folder holds a run already and `resume` is False, or holds one of another recipe.
        OSError: if the folder cannot be written.
    """
    if (folder / "recipe.json").exists():
        there = read_recipe(folder)
        if alone and not begun(folder):
            _forget_data(folder)
        else:
            _check(folder, there, recipe, resume)
    probe_folder(folder)
    write_json(folder / "recipe.json", {"rdml": version_of("rdml")} | recipe.to_json())


def check_resumable(folder: Path | None) -> None:
    """Raise ValueError unless a command names a folder in which there is a run, of whatever seeds."""
    if folder is None:
        raise ValueError("--resume continues the run in a folder: name it with --folder")
    if not (folder / "recipe.json").exists() and not begun(folder):
        raise ValueError(f"{folder} holds no run to resume; leave out --resume to begin one there")


def begun(folder: Path) -> bool:
    """Whether a run folder holds anything that was trained: a checkpoint, a line of metrics, a result."""
    lines = any(file.stat().st_size for file in folder.glob("seed-*/metrics.jsonl"))
    return lines or any(any(folder.glob(f"seed-*/{name}")) for name in ("checkpoints/step-*.pt", "result.json"))


def _forget_data(folder: Path) -> None:
    for file in folder.glob("seed-*/data.json"):
        file.unlink()


def _check(folder: Path, there: Recipe, here: Recipe, resume: bool) -> None:
    if there != here:
        told = differences(dataclasses.asdict(there), dataclasses.asdict(here))
        raise ValueError(f"{folder} holds a run of another recipe: {told}; choose another folder")
    if not resume:
        raise ValueError(f"{folder} holds a run already; pass --resume to continue it, or choose another folder")


def read_recipe(folder: Path) -> Recipe:
    """The recipe of a run folder.

    Raises:
        ValueError: if there is none, or it does not fit, in one sentence that names the file.
    """
    file = folder / "recipe.json"
    if not file.exists():
        raise ValueError(f"{folder} holds no run: there is no recipe.json in it{_runs_inside(folder)}")
    content = read_json(file)
    _refuse_twice(file)
    written = content.pop("rdml", None) if isinstance(content, dict) else None
    try:
        return Recipe.from_json(content, file)
    except ValueError as error:
        raise ValueError(f"{error}{f'; rdml {written} wrote the file' if written else ''}") from error


def _runs_inside(folder: Path) -> str:
    """The runs in a folder of a comparison, or of several, in words; nothing where there are none."""
    runs = [str(file.parent) for depth in ("*", "*/*") for file in sorted(folder.glob(f"{depth}/recipe.json"))]
    more = f" and {len(runs) - MOST} more" if len(runs) > MOST else ""
    return f"; pass one of the runs inside: {', '.join(runs[:MOST])}{more}" if runs else ""


def _refuse_twice(file: Path) -> None:
    """Raise ValueError for a field that stands twice in a file, as after an edit by hand: JSON would take the last."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{file} must have each field once, got {twice[0]!r} twice; take one away")
        return dict(pairs)

    json.loads(file.read_bytes(), object_pairs_hook=once, parse_int=str)
