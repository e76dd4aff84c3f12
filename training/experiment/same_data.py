"""Whether runs that a folder holds already were made of the data that are there now."""

from collections.abc import Sequence

from training.data.images import Source
from training.data.sources import open_source
from training.recipe.recipe import Recipe
from training.run.files.run_folder import check_data

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
    found: dict[tuple[object, ...], str | None] = {}
    for task in tasks:
        if task.folder is None or not (task.folder / "data.json").exists():
            continue
        key = tuple(getattr(task.recipe, name) for name in READ)
        if key not in found:
            found[key] = _fingerprint(task.recipe, source, left)
        if (data := found[key]) is not None:
            check_data(task.folder, data)


def _fingerprint(recipe: Recipe, source: Source | None, needed: bool) -> str | None:
    if not needed and source is None and recipe.data_root is None:
        return None
    try:
        return (source or open_source(recipe)).train().fingerprint
    except (OSError, ValueError):
        if needed:
            raise
        return None
