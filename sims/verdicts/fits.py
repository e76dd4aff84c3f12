r"""Lines through the rows of a series: slopes and limits with confidence intervals, judged as rows of their own.

Every fit is linear in what the rows measure, $v=\sum_kc_kf(X_k)$, and the rows are independent; so its standard error
is $\sqrt{\sum_k(c_kf'(X_k)s_k)^2}$, with the rows' standard errors $s_k$ from independent replicas. Student's t with
the degrees of freedom of one row is a little wide for the sum.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .results import Row

LEVEL = 0.05
LEAST = 3  # rows, so that a line can be wrong
Vector = NDArray[np.float64]
Estimate = Callable[[Vector, Vector, Vector], tuple[float, float, float]]
"""(places, means, standard errors) to the fitted number, its standard error, and what the fit itself may be off."""


def power(x: Vector, mean: Vector, error: Vector) -> tuple[float, float, float]:
    """The exponent: the least-squares slope of log X against log x."""
    away = np.log(x) - np.log(x).mean()
    share = away / (away @ away)
    return float(share @ np.log(mean)), float(np.linalg.norm(share * error / mean)), 0.0


def level(x: Vector, mean: Vector, error: Vector) -> tuple[float, float, float]:
    """The value at x = 0 of the least-squares line of X against x."""
    share = np.linalg.pinv(np.stack([np.ones_like(x), x], axis=-1))[0]
    return float(share @ mean), float(np.linalg.norm(share * error)), 0.0


def limit(x: Vector, mean: Vector, error: Vector) -> tuple[float, float, float]:
    """The limit x -> 0 by Richardson: the polynomial through all rows; off by what the last row's power changed."""
    share = np.linalg.inv(np.vander(x, increasing=True))[0]
    order = np.argsort(x)[: len(x) - 1]
    lower = np.linalg.inv(np.vander(x[order], increasing=True))[0]
    value = float(share @ mean)
    return value, float(np.linalg.norm(share * error)), abs(value - float(lower @ mean[order]))


@dataclass(frozen=True)
class Fit:
    """What to fit to which rows, and what theory says of it.

    Attributes:
        name: in words, with $LaTeX$; shown in the table, the caption and the figure's legend.
        series, panel: the curve whose rows are fitted; `most`: up to this place on its axis.
        theory: the value that theory gives; `tolerance`: the interval must lie within it, wholly. None: the interval
            must contain theory.
    """

    name: str
    series: str
    theory: float
    tolerance: float | None
    estimate: Estimate = power
    most: float = np.inf
    panel: int | None = 0

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Those that are fitted, in the order of their places."""
        mine = [row for row in rows if (row.series, row.panel) == (self.series, self.panel) and row.x <= self.most]
        return sorted(mine, key=lambda row: row.x)


def fitted(fits: Sequence[Fit], rows: Sequence[Row]) -> list[Row]:
    """A row for every fit that has at least three rows of its own; simultaneous 95 % intervals (Bonferroni)."""
    able = [fit for fit in fits if len({row.x for row in fit.rows(rows)}) >= LEAST]
    return [_row(fit, fit.rows(rows), LEVEL / len(able)) for fit in able]


def _row(fit: Fit, rows: list[Row], risk: float) -> Row:
    x, mean, error = np.array([(row.x, row.measured, row.standard_error) for row in rows]).T
    value, spread, off = fit.estimate(x, mean, error)
    half = float(stats.t.ppf(1 - risk / 2, rows[0].replicas - 1)) * spread + off
    miss = abs(value - fit.theory)
    passed = miss <= half if fit.tolerance is None else miss + half <= fit.tolerance
    numbers = {"measured": value, "standard_error": spread, "theory": fit.theory, "passed": bool(passed)}
    words = {"name": f"{fit.series}: {fit.name}", "series": fit.series, "panel": None, "x": 0.0, "relation": "="}
    return replace(rows[0], interval=(value - half, value + half), **numbers, **words)


def in_words(rows: Sequence[Row]) -> str:
    """The fitted numbers with their intervals, for a caption; empty if there are none."""
    each = [f"{row.name} {between(row)}" for row in rows if row.interval]
    return f" Fitted, with simultaneous 95 % intervals: {'; '.join(each)}." if each else ""


def between(row: Row) -> str:
    """The number and its interval, to the digits that the interval has."""
    low, high = row.interval or (row.measured, row.measured)
    digits = max(2, min(6, 1 - int(np.floor(np.log10(max(high - low, 1e-6))))))
    return f"{row.measured:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
