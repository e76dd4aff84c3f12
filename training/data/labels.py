"""Turns labels of any kind (whole numbers, names, columns, one-hot rows) into classes 0 .. C - 1."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from theory.typed import check_arguments, shown

from .shapes import check_dense

MOST = 10**6
NOISE_STREAM = 0x6E6F
"""Added to the seed of the label noise, which makes it independent of everything else drawn from that seed."""


@dataclass(frozen=True)
class Classes:
    """C classes, of which class c is labelled `values[c]`: sorted, and decided by the training labels only."""

    values: np.ndarray

    @classmethod
    def of(cls, labels: Any, number: int | None = None) -> "Classes":
        """The classes that occur in training labels.

        Args:
            labels: (N,) or (N, 1) whole numbers or strings, or (N, C) one-hot rows.
            number: the number of classes, which whole numbers then count from 0; by default those that occur.

        Raises:
            ValueError: if the labels are something else, or are names and not that many.
        """
        if number is not None and not (isinstance(number, int) and 0 < number <= MOST):
            raise ValueError(f"classes must be a positive number, at most {MOST}, got {shown(number)}")
        flat, width = flatten(labels)
        number = width if number is None else number
        if number is not None and flat.dtype.kind == "i":
            return cls(np.arange(number))
        values = np.unique(flat)
        if number not in (None, len(values)):
            raise ValueError(f"classes must be the {len(values)} that the labels name, got {number}")
        return cls(values)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def counted(self) -> bool:
        """Whether the labels are 0 .. C - 1 already."""
        return np.array_equal(self.values, np.arange(len(self)))

    @property
    def names(self) -> tuple[str, ...]:
        """What the classes are called; nothing where they are only counted."""
        return () if self.counted else tuple(map(str, self.values))

    def encode(self, labels: Any) -> Tensor:
        """Labels (N,) int64 in 0 .. C - 1.

        Raises:
            ValueError: if one of them is none of the classes.
        """
        flat, _ = flatten(labels)
        known = (
            np.isin(flat, self.values) if flat.dtype.kind == self.values.dtype.kind else np.zeros(len(flat), dtype=bool)
        )
        if not known.all():
            index = int(np.flatnonzero(~known)[0])
            shown = f"in 0..{len(self) - 1}" if self.counted else f"among {_abbreviated(self.names)}, those of training"
            raise ValueError(f"labels must be {shown}, got {flat[index].item()!r} at index {index}")
        return torch.from_numpy(np.searchsorted(self.values, flat).astype(np.int64))


def flatten(labels: Any) -> tuple[np.ndarray, int | None]:
    """Labels (N,) as int64 or strings, and C if they were one-hot rows (N, C).

    Raises:
        ValueError: if they are fractions, rows that are not one-hot, or neither numbers nor names.
    """
    array = as_array(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.dtype.kind in "biuf":
        return _from_one_hot(array), array.shape[1]
    if array.ndim != 1:
        raise ValueError(f"labels must be (N,), (N, 1) or one-hot rows (N, C), got shape {array.shape}")
    return _numbers_or_names(array), None


def as_array(labels: Any) -> np.ndarray:
    """The labels as an array, those of a tensor from wherever it lies."""
    if isinstance(labels, Tensor):
        check_dense("labels", labels)
        plain = labels.detach().cpu()
        return (plain.double() if plain.is_floating_point() else plain).numpy()
    try:
        return np.asarray(labels)
    except Exception as error:  # of whatever kind their own arrays raise
        raise ValueError(f"labels must be one a picture: {' '.join(str(error).split())}") from error


def _from_one_hot(rows: np.ndarray) -> np.ndarray:
    odd = np.flatnonzero(((rows != 0) & (rows != 1)).any(1) | ((rows == 1).sum(1) != 1))
    if len(odd):
        raise ValueError(f"rows of labels must be one-hot, got {_abbreviated(rows[odd[0]].tolist())} at index {odd[0]}")
    return rows.argmax(1)


def _numbers_or_names(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "O":  # a column of a table, or a list of several kinds
        kinds = {type(item) for item in array}
        array = np.array(array.tolist()) if kinds <= {str} or kinds <= {int, bool} else array
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8")
    if array.dtype.kind == "f" and not (whole := np.isfinite(array) & (array == np.floor(array))).all():
        index = int(np.flatnonzero(~whole)[0])
        raise ValueError(f"labels must be whole numbers or names, got {array[index]} at index {index}")
    if array.dtype.kind not in "biufU":
        raise ValueError(f"labels must be whole numbers or names, got {array.dtype} such as {array[0]!r}")
    if array.dtype.kind in "uf" and len(array) and np.abs(array).max() >= 2**63:
        raise ValueError(f"labels must fit into 64 bits with a sign, got {array.max()}")
    return array if array.dtype.kind == "U" else array.astype(np.int64)


def _abbreviated(items: Any, number: int = 5) -> str:
    return ", ".join(map(str, items[:number])) + (", ..." if len(items) > number else "")


def noisy_labels(labels: Tensor, classes: int, share: float, seed: int) -> Tensor:
    """Symmetric label noise: each label becomes wrong with probability `share`, independently of the others.

    A wrong label is drawn uniformly from the *other* classes, so `share` is the expected share of wrong labels. (Some
    authors draw from all classes; their share s is (1 - 1/classes) s here.) The noise of an image depends on the seed
    and its place only, and what a small share makes wrong, a larger share makes wrong in the same way.

    Args:
        labels: (N,) int64 in 0 .. classes - 1.
        classes: how many there are, at least 2.
        share: in [0, 1).
        seed: any integer.

    Returns:
        New labels (N,).

    Raises:
        ValueError: a share outside [0, 1), or a single class.
    """
    check_arguments(noisy_labels, locals())
    if not 0 <= share < 1:
        raise ValueError(f"label_noise must be in [0, 1), got {share!r}")
    if classes < 2:
        raise ValueError(f"label_noise needs at least 2 classes to choose from, got {classes}")
    random = np.random.default_rng([seed % 2**63, NOISE_STREAM])
    wrong, shift = random.random(len(labels)) < share, random.integers(1, classes, len(labels))
    return torch.from_numpy(np.where(wrong, (labels.numpy() + shift) % classes, labels.numpy()))
