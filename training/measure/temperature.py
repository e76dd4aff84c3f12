r"""The inverse temperature that calibrates an ensemble on held-out data (G5), with a bootstrap interval."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch import Tensor

Array = NDArray[Any]


def inverse_temperature(logits: Tensor, labels: Tensor) -> float:
    r"""$\beta^* = \min\arg\min_{\beta\ge0}\frac1N\sum_n-\log\mathrm{softmax}(\beta z_n)_{y_n}$ for the mean logits z.

    Temperature scaling (Guo et al. 2017) with $\beta = 1/T$; the loss is convex in $\beta$. Below 1 the ensemble is
    overconfident. inf if no label is less likely than another class (no error, so no finite minimiser); 0 if the
    uniform prediction is the best, or if every row of z is constant; nan if a logit is not finite.

    Args:
        logits: mean logits (N, C) of the students, in float64.
        labels: (N,) int64.
    """
    slopes = Slopes.of(logits, labels)
    if not math.isfinite(slopes.scale):
        return math.nan
    if slopes.scale == 0 or slopes.at(0.0).mean() >= 0:
        return 0.0
    if slopes.own.amin() == 0:
        return np.inf
    high = 1.0
    while slopes.at(high).mean() < 0:
        high *= 2
    tight: Any = {"xtol": 1e-14 * high, "rtol": 1e-13}
    root: Any = brentq(lambda gamma: slopes.at(gamma).mean().item(), 0.0, high, **tight)
    return float(root) / slopes.scale


@dataclass(frozen=True)
class Slopes:
    r"""The examples' slopes $\partial_\beta(-\log\mathrm{softmax}(\beta z)_y) = E_{p_\beta}z-z_y$, nondecreasing in
    $\beta$.

    Taken in units in which the widest row has width 1, so that logits of any size neither overflow nor vanish.

    Attributes:
        z: (N, C) in [-1, 0], 0 the largest of each row.
        own: (N,), z of the labels.
        scale: the width of the widest row; 0 if every row is constant.
    """

    z: Tensor
    own: Tensor
    scale: float

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> Self:
        """The slopes of the losses of these logits (N, C) and labels (N,)."""
        below = logits - logits.amax(-1, keepdim=True)
        scale = -below.amin().item()
        z = below / (scale or 1.0)
        return cls(z, z.gather(-1, labels[:, None])[:, 0], scale)

    def at(self, gamma: float) -> Tensor:
        r"""(N,): the slopes at $\beta$ = gamma/scale in units of the scale; gamma may be inf."""
        if gamma == np.inf:
            return -self.own
        return (torch.softmax(gamma * self.z, -1) * self.z).sum(-1) - self.own


def bootstrap_interval(logits: Tensor, labels: Tensor, level: float, resamples: int, seed: int) -> tuple[float, float]:
    r"""The percentile bootstrap's interval for $\beta^*$ over examples, without one optimisation a resample.

    A resample's mean slope grows with $\beta$, so its $\beta^*$ is at most b iff that slope at b is not negative. The
    share of resamples with $\beta^*\le b$ is therefore counted at once at any b, and bisection finds the quantiles.

    Args:
        logits, labels: as `inverse_temperature`.
        level: the interval's probability, in (0, 1).
        resamples: how many.
        seed: of the resamples.

    Returns:
        (low, high); 0 and inf are possible ends.
    """
    slopes, n = Slopes.of(logits, labels), len(labels)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.uint16)
    tail = (1 - level) / 2
    return _quantile(slopes, counts, tail), _quantile(slopes, counts, 1 - tail)


def _quantile(slopes: Slopes, counts: Array, share: float) -> float:
    r"""The least b such that at least this share of the resamples has its $\beta^*$ at or below b."""

    def reached(gamma: float) -> bool:
        values = slopes.at(gamma).cpu().numpy()
        blocks = np.array_split(counts, max(1, counts.size // 2**22))  # as float64, a block at a time
        sums = np.concatenate([block @ values for block in blocks])
        return bool((sums > 0 if gamma == np.inf else sums >= 0).mean() >= share)

    if slopes.scale == 0 or reached(0.0):
        return 0.0
    if not reached(np.inf):
        return np.inf
    low, high = 0.0, 1.0
    while not reached(high):
        low, high = high, 2 * high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high / slopes.scale
