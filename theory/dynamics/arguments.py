"""The checks of arguments that the formulas of this room share."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from theory.divergence.arguments import Array, as_floats, refuse_where
from theory.typed import shown

ROUNDING = 1e-10
MOST = 10_000


def non_negative(name: str, value: ArrayLike) -> Array:
    number = as_floats(value, name)
    refuse_where(~(number >= 0), name, number, "be non-negative")
    return number


def positive(name: str, value: ArrayLike) -> Array:
    number = as_floats(value, name)
    refuse_where(~((number > 0) & (number < np.inf)), name, number, "be positive and finite")
    return number


def check_students(count: int) -> None:
    """Raise ValueError unless it is a number of students whose stacked matrices can be made."""
    if not isinstance(count, Integral) or isinstance(count, bool) or count > MOST:
        raise ValueError(f"students must be a whole number from 2 to {MOST}, got {shown(count)}")
    if count < 2:
        raise ValueError(f"students must be at least 2, got {shown(count)}")


def symmetric(name: str, matrix: ArrayLike) -> Array:
    m = as_floats(matrix, name)
    if m.ndim != 2 or m.shape[0] != m.shape[1] or not np.isfinite(m).all():
        raise ValueError(f"{name} must be a finite square matrix, got shape {m.shape}")
    if np.abs(m - m.T).max() > ROUNDING * max(np.abs(m).max(), 1e-300):
        raise ValueError(f"{name} must be symmetric, got entries that differ by {np.abs(m - m.T).max():g}")
    return (m + m.T) / 2


def times(factor: ArrayLike, bound: ArrayLike) -> Array:
    """The product, 0 where either is: what does not move has no curvature, whatever the bound."""
    first, second = np.asarray(factor), np.asarray(bound)
    with np.errstate(invalid="ignore"):
        return np.where((first == 0) | (second == 0), 0.0, first * second)[()]
