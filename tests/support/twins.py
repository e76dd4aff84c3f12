"""Comparisons of the float formulas with their mpmath twins, shared by the tests of theory."""

from typing import Any

import numpy as np
from mpmath import mpf
from numpy.typing import ArrayLike

TINY = mpf("1e-300")  # smaller float64 numbers may have fewer than 53 bits


def relative_error(value: ArrayLike, truth: Any) -> float:
    """|value - truth| / |truth|, 0 where both are 0."""
    return float(abs(mpf(float(np.asarray(value))) - truth) / max(abs(truth), TINY))


def normwise_error(values: ArrayLike, truth: list[Any]) -> float:
    """max |values - truth| / max |truth|, 0 where both vanish."""
    norm = max(abs(t) for t in truth)
    flat = np.ravel(values).tolist()
    return float(max(abs(mpf(v) - t) for v, t in zip(flat, truth, strict=True)) / max(norm, TINY))
