"""Whether runs that a folder holds already were made of the data that are there now."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from training.data.images import Source
from training.data.sources import open_source
from training.recipe.recipe import Recipe
from training.run.files.run_folder import check_data, write_json

from .parallel import Task

READ = ("data", "data_root", "image_size", "text_words", "text_buckets")
"""The fields of a recipe on which the training half depends that a source reads."""


def check_same_data(tasks: Sequence[Task], source: Source | None = None) -> None:
    """Refuse to let runs on these data stand beside those in the folders, if they were made of others.

    Nothing is downloaded for runs that are only read again, and of these the data may be gone.

    Raises:
        ValueError: if the data differ, or, where a run is left, are damaged.
        OSError: if a run is left, and they cannot be read.
    """
    left = any(task.folder is None or not (task.folder / "result.json").exists() for task in tasks)
    _check(((task.recipe, task.folder) for task in tasks if task.folder is not None), left, source)


def keep_to_data(recipe: Recipe, files: Sequence[Path], source: Source | None = None, alone: bool = True) -> None:
    """As `check_same_data`, for measured runs, one a file of one folder: the first of them write down their data.

    A folder of measured runs that did not is let pass, as an older run is. Data on which nothing was measured give way
    to others, unless another process is at work in the folder (`alone` is False).

    Raises:
        ValueError, OSError: as `check_same_data`.
    """
    folder = files[0].parent
    begun = any(folder.glob("order-*.json"))
    if alone and not begun:
        (folder / "data.json").unlink(missing_ok=True)
    _check([(recipe, folder)], not all(file.exists() for file in files), source)
    if not (folder / "data.json").exists() and not begun:
        write_json(folder / "data.json", _fingerprint(recipe, source, needed=True))


def _check(places: Iterable[tuple[Recipe, Path]], left: bool, source: Source | None) -> None:
    found: dict[tuple[object, ...], str | None] = {}
    for recipe, folder in places:
        if not (folder / "data.json").exists():
            continue
        key = tuple(getattr(recipe, name) for name in READ)
        if key not in found:
            found[key] = _fingerprint(recipe, source, left)
        if (data := found[key]) is not None:
            check_data(folder, data)


def _fingerprint(recipe: Recipe, source: Source | None, needed: bool) -> str | None:
    if not needed and source is None and recipe.data_root is None:
        return None
    try:
        return (source or open_source(recipe)).train().fingerprint
    except (OSError, ValueError):
        if needed:
            raise
        return None
