"""CIFAR's python pickles, read without executing code: only dictionaries, lists, text and numpy arrays are accepted."""

import codecs
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from .formats import PIXELS, REMEDY, read_member

ROOM = 1_000_000
"""Bytes that a pickle may have besides its pixels, for file names and labels."""


def read_cifar_pickle(place: Path, member: str, images: int, labels: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 32, 32, 3) and labels (N,) of one CIFAR file in its python layout.

    Args:
        place: the folder that holds the file, or the .tar.gz archive, which is read without unpacking it.
        member: the name of the file, without folders.
        images: the number of images that it must hold.
        labels: the field of the labels: labels for CIFAR-10, fine_labels for CIFAR-100.

    Raises:
        ValueError: if it names anything but arrays, or holds something else than such images.
        OSError: if it is missing.
    """
    data = read_member(place, member, images * PIXELS + ROOM + 40 * images)
    try:
        fields = _Arrays(io.BytesIO(data), encoding="bytes").load()
        pixels, found = (_array(fields[name]) for name in (b"data", labels))
    except Exception as error:  # a damaged pickle raises nearly everything
        raise ValueError(f"{place / member} is no pickle of CIFAR ({error}); {REMEDY}") from error
    if pixels.shape != (images, PIXELS) or pixels.dtype != np.uint8 or found.shape != (images,):
        raise ValueError(f"{place / member} must hold {images} images, got {pixels.dtype} {pixels.shape}; {REMEDY}")
    return np.ascontiguousarray(pixels.reshape(images, 3, 32, 32).transpose(0, 2, 3, 1)), found


def _array(field: Any) -> np.ndarray:
    return field if isinstance(field, np.ndarray) else np.array(field, dtype=np.int64)


def _empty(*_: object) -> np.ndarray:
    """The array into which numpy's pickles put their content."""
    return np.empty(0, np.uint8)


def _latin(text: str, encoding: str) -> bytes:
    """Bytes as Python 3 writes them for Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text is encoded in {encoding}")
    return codecs.encode(text, "latin1")


ALLOWED = {
    ("numpy", "ndarray"): "ndarray",  # only an argument of _reconstruct; a string, so that it cannot be called
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy._core.multiarray", "_reconstruct"): _empty,
    ("_codecs", "encode"): _latin,
}


class _Arrays(pickle.Unpickler):
    """Accepts only the five global names that a pickled array refers to."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        """What a name of the pickle stands for."""
        if (module_name, global_name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")
        return ALLOWED[module_name, global_name]
