r"""The stable formula for D_alpha and the mixture on a common support.

With $s = \alpha - 1$, $l = \log(p/q)$ and $Z = \sum p e^{sl}$ the divergence is $\log(Z)/s$. The textbook form loses
every digit near order 1 and for p near q. Here $A = (Z-1)/s$ is summed from non-negative terms (both $\sum p$ and $\sum
p e^{-l}$ are 1, so $A = \sum p\,[(e^{sl}-1)/s + e^{-l}-1]$), and $D = \log(1 + sA)/s$ where that is well conditioned;
elsewhere a log-sum-exp, its exponents in double-double. Orders below 1/2 use $D_\alpha(p\|q) = \frac{\alpha}{1-\alpha}
D_{1-\alpha}(q\|p)$, for which s is $-\alpha$ exactly. (This project.)
"""

import math

import numpy as np
from scipy.special import exprel

from .arguments import Array, Mask
from .double_double import DoubleDouble, add, exponential, multiply, negative, take, two_sum, where
from .pair import Restricted, softmax_of_exponents

_SERIES = [1 / math.factorial(n) for n in range(20, 1, -1)]  # 1/21! is below a float64's last digit for |x| <= 1


def restricted_divergence(pair: Restricted, order: Array) -> Array:
    """D_alpha of a pair with common support; order and result have a class axis of length 1."""
    largest = np.where(pair.support, pair.log_ratio.hi, -np.inf).max(axis=-1, keepdims=True)
    limit = is_limit(pair, order)
    finite = np.where(limit, 1.0, order)
    low = finite < 0.5
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # lanes that np.where does not select
        value = _log_power_sum_over_s(pair.swapped(low), shifted_order(finite))
        value = value * np.where(low, finite / (1 - finite), 1.0)
    any_common = pair.support.any(axis=-1, keepdims=True)
    return np.where(any_common, np.where(limit, largest, value), 0.0) + 0.0  # + 0.0 turns -0.0 into 0.0


def is_limit(pair: Restricted, order: Array) -> Mask:
    """Rows of order inf, or so large that order times log-ratio leaves float64: D is then D_inf to the last digit."""
    with np.errstate(over="ignore", invalid="ignore"):
        product = order * np.abs(pair.log_ratio.hi).max(axis=-1, keepdims=True)
    return (order == np.inf) | ~(product <= 1e300)


def shifted_order(order: Array) -> DoubleDouble:
    """alpha - 1 without error, or -alpha below order 1/2, where the pair is swapped."""
    return where(order < 0.5, DoubleDouble(-order, np.zeros_like(order)), two_sum(order, -1.0))


def _log_power_sum_over_s(pair: Restricted, s: DoubleDouble) -> Array:
    exponents = add(pair.log_p, multiply(s, pair.log_ratio))
    excess = _tsallis(pair, s.hi, exponential(exponents))
    small = s.hi * excess
    by_log1p = excess * np.where(small == 0, 1.0, np.log1p(small) / np.where(small == 0, 1.0, small))
    safe = np.where(s.hi == 0, 1.0, s.hi)  # order 1 is never here: its s A is 0
    return np.where((small > -0.5) & (small < 1), by_log1p, _log_sum_exp(exponents, pair.support) / safe)


def _tsallis(pair: Restricted, s: Array, tilted: Array) -> Array:
    """A = (sum p e^{sl} - 1) / s as a sum of non-negative terms; `tilted` is p e^{sl}."""
    p, log_ratio = pair.p, pair.log_ratio.hi
    x = s * log_ratio
    small_x = np.abs(x) <= 1
    growth = np.where(small_x, p * log_ratio * exprel(x), (tilted - p) / np.where(s == 0, 1.0, s))
    decay = np.where(log_ratio < -1, -pair.q * np.expm1(log_ratio), p * np.expm1(-log_ratio))
    second_order = np.where(small_x, p * log_ratio * (x * _second_remainder(x)), growth - p * log_ratio)
    near = p * log_ratio * (log_ratio * _second_remainder(-log_ratio)) + second_order
    terms = np.where(np.abs(log_ratio) <= 1, near, growth + decay)
    return np.where(pair.support, terms, 0.0).sum(axis=-1, keepdims=True)


def _second_remainder(x: Array) -> Array:
    """(e^x - 1 - x) / x^2 for |x| <= 1, where the closed form cancels."""
    return np.asarray(np.polyval(_SERIES, np.where(np.abs(x) <= 1, x, 0.0)), np.float64)


def _log_sum_exp(exponents: DoubleDouble, support: Mask) -> Array:
    top = take(exponents, np.argmax(np.where(support, exponents.hi, -np.inf), axis=-1, keepdims=True))
    below = np.where(support, exponential(add(exponents, negative(top))), 0.0)
    return top.hi + np.log(below.sum(axis=-1, keepdims=True))


def mixture(pair: Restricted, order: Array) -> tuple[Array, DoubleDouble]:
    """w = softmax(log q + alpha l) on the common support, and log w; q restricted to argmax l in the limit rows."""
    limit = is_limit(pair, order)
    exponents = add(pair.log_q, tilt(pair, order))
    support = pair.support & (~limit | attains_maximum(pair))
    return softmax_of_exponents(where(limit, pair.log_q, exponents), support)


def tilt(pair: Restricted, order: Array) -> DoubleDouble:
    """alpha (l - max l): log(w/q) up to a constant a row, and 0 at the maximum, where log q thus keeps its digits."""
    finite = np.where(is_limit(pair, order), 0.0, order)
    return multiply(DoubleDouble(finite, np.zeros_like(finite)), behind_maximum(pair))


def attains_maximum(pair: Restricted) -> Mask:
    """The classes of the largest log-ratio; closer than about 1e-32, where double-doubles end, counts as a tie."""
    return pair.support & (behind_maximum(pair).hi == 0)


def behind_maximum(pair: Restricted) -> DoubleDouble:
    """l - max l, the maximum taken over both words of l."""
    high = np.where(pair.support, pair.log_ratio.hi, -np.inf)
    leading = pair.support & (high == high.max(axis=-1, keepdims=True))
    top = np.argmax(np.where(leading, pair.log_ratio.lo, -np.inf), axis=-1, keepdims=True)
    return add(pair.log_ratio, negative(take(pair.log_ratio, top)))
