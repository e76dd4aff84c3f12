"""Differences over the same seeds, with intervals that hold for all comparisons of a table together."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True)
class Difference:
    """A mean over n paired seeds with its simultaneous 95 % interval.

    It is about new seeds (weights, order of batches, wrong labels) on the same images.

    >>> Difference(0.5, 0.1, 0.9, 16).sign, str(Difference(0.5, -0.1, 1.1, 16))
    (1, '+0.5 [-0.1, +1.1]')
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def reach(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2

    @property
    def sign(self) -> int:
        """1 or -1 if the interval excludes 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)

    def __str__(self) -> str:
        return self.shown("+.3g")

    def shown(self, form: str, factor: float = 1.0) -> str:
        """Mean and interval in this format, times a factor."""
        mean, low, high = (f"{factor * value:{form}}" for value in (self.mean, self.low, self.high))
        return f"{mean} [{low}, {high}]"


def paired(values: ArrayLike, reference: ArrayLike, comparisons: int = 1) -> Difference:
    """Values minus reference, seed by seed.

    Args:
        values, reference: (n,), one a seed, n at least 2.
        comparisons: how many the table holds; each interval has level 1 - 0.05 / comparisons (Bonferroni).

    Raises:
        ValueError: shapes that differ, fewer than two seeds or one comparison, or values that are not finite.
    """
    new, old = np.asarray(values, np.float64), np.asarray(reference, np.float64)
    if new.shape != old.shape or new.ndim != 1 or len(new) < 2 or not np.isfinite([new, old]).all():
        raise ValueError(f"values and reference must be finite, one a seed for n >= 2 seeds, got {new} and {old}")
    if comparisons < 1:
        raise ValueError(f"comparisons must be at least 1, got {comparisons}")
    gaps, n = new - old, len(new)
    reach = _quantile(1 - 0.025 / comparisons, n - 1) * float(stats.sem(gaps))
    return Difference(float(gaps.mean()), float(gaps.mean() - reach), float(gaps.mean() + reach), n)


@lru_cache  # a table asks for the same one a thousand times
def _quantile(level: float, freedom: int) -> float:
    return float(stats.t.ppf(level, freedom))
