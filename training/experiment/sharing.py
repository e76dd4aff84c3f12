"""Hands a source of images to worker processes: written to a file once, instead of sent with every task."""

import contextlib
import pickle
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import joblib

from training.data.images import Images, Source


@contextlib.contextmanager
def shared(source: Source | None) -> Iterator[Source | None]:
    """The source in a form that other processes can read while the block lasts; None stays None.

    Its parts are read here, once. A test half that must not be read before the end of a run stays a function.

    Raises:
        ValueError: if a part cannot be sent to another process.
    """
    if source is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        yield Source(
            _stored(folder / "train", source.train()),
            _stored(folder / "test", source.test() if source.preview else source.test),
            None if source.validation is None else _stored(folder / "validation", source.validation()),
            source.preview,
        )


def _stored(path: Path, content: Any) -> Callable[[], Images]:
    try:
        path.write_bytes(pickle.dumps(joblib.wrap_non_picklable_objects(content, keep_wrapper=False)))
    except (TypeError, ValueError, AttributeError, RuntimeError, pickle.PicklingError) as error:
        raise ValueError(f"the {path.name} images cannot be sent to other processes ({error}): pass jobs=1") from error
    return partial(_read, path)


def _read(path: Path) -> Images:
    found = _load(path)
    return found if isinstance(found, Images) else found()


@lru_cache(maxsize=3)  # a process trains several tasks on the same three parts
def _load(path: Path) -> Any:
    return pickle.loads(path.read_bytes())
