r"""The divergence in plain float64 with a proved bound of each row's error.

It is taken for every row in which that bound is at most `PROMISE` times the value; `rows` has the others computed in
double-double. It saves nine tenths of the time and more (`benchmarks/divergence.py`) and is held to the careful path
by `tests/theory/divergence/test_fast.py`. No row with a class that cannot occur is taken.

**Near pairs.** Let p be the peer's probabilities, d the log-ratios up to a constant a row, m about $\sum p d$, $\delta
= d - m$, $s = \alpha - 1$, $\varphi(x) = e^x - 1 - x \ge 0$, $\Phi_\sigma = \sum p\,\varphi(\sigma\delta)$, $\lambda =
\sum p\,\delta$. Since $p_i/q_i = e^{\delta_i} \sum p\,e^{-\delta}$,
$$D_\alpha = \tfrac1s \log(1 + s\lambda + \Phi_s) + \log(1 - \lambda + \Phi_{-1}),$$
in which $\lambda$ is nothing but rounding and is dropped. Both logarithms keep their digits for close pairs and next
to order 1. Orders below 1/2 are those of the swapped pair, as in `kernel`, so that $s \ge -1/2$.

**The bound**, in the model of `rounding` and in units of u. Let k be the error of the weights, $c_0 + c_1 |d|$ that of
d (0 and 1 for logits), X the largest $|\sigma\delta|$ and $\mu = \sum p\,|\delta|$.

1. A weighted mean of a non-negative f has the relative error K = k + `additions` + 2.
2. $\delta$ has the error $c_0 + c_1 |d| + |\delta| \le c_0 + c_1 |m| + (c_1 + 1) |\delta|$, and $x = \sigma\delta$,
   whose product and factor are rounded, $\omega = o + (c_1 + 3) |x|$ with $o = |\sigma| (c_0 + c_1 |m|)$.
3. It moves $\varphi$ by at most $\omega\,|e^x - 1| + 0.51\,u\,\omega^2 e^x$. Since $|e^x - 1| \le \varphi + |x|$ and
   $|x|\,|e^x - 1| \le (2 + x^+)\,\varphi$, the mean of this is at most $o\,(\Phi + |\sigma|\mu) + (c_1 + 3)(2 +
   X)\,\Phi + 0.6\,u\,(o + (c_1 + 3) X)^2 (1 + \Phi)$.
4. expm1(x) - x has the error `FUNCTION` $|e^x - 1| + \varphi$; the series, taken up to X = 1/8, has $8\varphi$.
5. $\Phi_\sigma$ thus has an error F, the sum of $K\Phi$ and of lines 3 and 4; its log1p has F / (1 + $\Phi$) and
   `FUNCTION` times itself.
6. $|\lambda|$ is at most $\Lambda = (K + c_1 + 1)(|m| + \mu) + c_0$. It changes D by at most $\Lambda \min(1,
   \max\Phi) + 0.6\,(1 + |s|)\,u\,\Lambda^2$: to first order its two terms differ by the factor $1/(1+\Phi_s) -
   1/(1+\Phi_{-1})$.

(This project.)
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .arguments import Array, Mask
from .rounding import (
    FUNCTION,
    LARGEST,
    REACH,
    SLACK,
    SMALLEST,
    U,
    Weights,
    additions,
    mean,
    softmax_weights,
    total,
    vouched,
)

SERIES_REACH = 0.125
_SERIES = [1 / math.factorial(n) for n in range(12, 1, -1)]  # the first term left out is below 1e-3 u for |x| <= 1/8


class LogRatio(NamedTuple):
    """log(p/q) up to a constant a row, with an error of at most `fixed` + `relative` |value|, in u."""

    value: Array
    fixed: Array | float
    relative: Array | float


class Form(NamedTuple):
    """How two arrays become a near pair (and in which rows they may), and logits with their relative error in u."""

    near: Callable[[Array, Array, int], tuple[Weights, LogRatio, Mask]]
    logits: Callable[[Array], Array]
    logit_error: float


def divergence(form: Form, first: Array, second: Array, alpha: Array, axis: int) -> tuple[Array, Mask]:
    """D_alpha of the rows, and in which of them its relative error is proved to be at most `PROMISE`.

    The class axis (0 or 1 of two) has length 1 in alpha and in the results.
    """
    low = alpha < 0.5
    s, factor = alpha - 1, np.ones(())
    if low.any():
        first, second = _swapped(first, second, low)
        s, factor = np.where(low, -alpha, s), np.where(low, alpha / (1 - alpha), 1.0)
    value, error = _near(form, first, second, s, axis)
    accepted = _accepted(value, error, factor)
    for method in () if accepted.all() else (_below_order_1, _far):
        rows = ~accepted if method is _far else ~accepted & (s < 0)
        if rows.any():
            few, other, few_s = (np.compress(rows.ravel(), x, 1 - axis) for x in (first, second, s))
            value[rows], error[rows] = (x.ravel() for x in method(form, few, other, few_s, axis))
            accepted = _accepted(value, error, factor)
    return value * factor, accepted


def _swapped(first: Array, second: Array, low: Mask) -> tuple[Array, Array]:
    return (second, first) if low.all() else (np.where(low, second, first), np.where(low, first, second))


def _accepted(value: Array, error: Array, factor: Array) -> Mask:
    exact = (error == 0) | (factor == 0)
    return vouched(value, error) & ((value * factor >= SMALLEST) | exact)


def near_logits(y: Array, z: Array, axis: int) -> tuple[Weights, LogRatio, Mask]:
    """softmax y and y - z."""
    weights, reach = softmax_weights(y, axis)
    return weights, LogRatio(y - z, 0.0, 1.0), reach <= REACH


def near_probabilities(p: Array, q: Array, axis: int) -> tuple[Weights, LogRatio, Mask]:
    """p / sum p and log(p/q): where the whole row is close by log1p, since p - q is exact there."""
    apart = p - q
    close = np.logical_and.reduce(np.abs(apart) <= q / 2, axis, keepdims=True)
    if close.all():
        ratio = np.log1p(apart / q)
    else:
        ratio = np.log(p / q)
        if close.any():
            ratio = np.where(close, np.log1p(apart / q), ratio)
    weights = Weights(p, total(p, axis), additions(p.shape[axis], axis) + 1)
    usable = np.minimum.reduce(np.minimum(p, q), axis, keepdims=True) > 1e-150
    return weights, LogRatio(ratio, np.where(close, 0.0, 1.01), np.where(close, FUNCTION + 2, FUNCTION)), usable


LOGITS = Form(near_logits, lambda y: y, 0.0)
PROBABILITIES = Form(near_probabilities, np.log, FUNCTION)


class _Centred(NamedTuple):
    """A near pair: delta, its extremes, |m|, sum p |delta|, K, and c_0 + c_1 |m| of the bound; where it holds."""

    weights: Weights
    moved: Array
    above: Array
    below: Array
    shift: Array
    spread: Array
    sums: Array | float
    fixed: Array
    usable: Mask
    axis: int


def _centred(weights: Weights, ratio: LogRatio, usable: Mask, size: Array, axis: int) -> _Centred:
    centre = mean(weights, ratio.value, axis)
    moved = ratio.value - centre
    above, below = np.maximum.reduce(moved, axis, keepdims=True), np.minimum.reduce(moved, axis, keepdims=True)
    shift = np.abs(centre)
    fixed = ratio.fixed + ratio.relative * shift
    sums = weights.error + additions(moved.shape[axis], axis) + 2
    usable = usable & (np.maximum(1.0, size) * np.maximum(above, -below) <= REACH) & ((1 + size) * shift <= LARGEST)
    spread = SLACK * mean(weights, np.abs(moved), axis) + U * fixed
    return _Centred(weights, moved, above, below, shift, spread, sums, fixed, usable, axis)


def _near(form: Form, first: Array, second: Array, s: Array, axis: int) -> tuple[Array, Array]:
    """The divergence of near pairs and its error in u, inf where the bound does not hold."""
    size = np.abs(s)
    weights, ratio, usable = form.near(first, second, axis)
    pair = _centred(weights, ratio, usable, size, axis)
    if not pair.usable.any():
        return np.full(s.shape, np.nan), np.full(s.shape, np.inf)
    value, error, largest = _log_mean(pair, -1.0, 1.0, ratio.relative + 1)
    if s.any():
        log, log_error, phi = _log_mean(pair, s, size, ratio.relative + 3)
        divisor = s + (s == 0)
        value, error, largest = value + log / divisor, error + log_error / np.abs(divisor), np.maximum(largest, phi)
    drift = _drift(pair, ratio)
    error = error + drift * (np.minimum(1.0, largest) + 0.6 * U * (1 + size) * drift)
    return value, np.where(pair.usable, error, np.inf)


def _drift(pair: _Centred, ratio: LogRatio) -> Array:
    """The bound of lambda in u."""
    return (pair.sums + ratio.relative + 1) * (pair.shift + pair.spread) + ratio.fixed


def _below_order_1(form: Form, first: Array, second: Array, s: Array, axis: int) -> tuple[Array, Array]:
    r"""The divergence of near pairs for s in [-1/2, 0) and its error in u, where the two logarithms cancel: confident
    pairs.

    With $l = \delta + L = \log(p/q)$, $L = \log\sum p\,e^{-\delta}$, $g(l) = (e^{sl} - 1)/s + e^{-l} - 1 \ge 0$ and $A
    = \sum p\,g(l)$ it is $D = \log(1 + sA)/s$. Its bound: $g' = e^{sl} - e^{-l}$ and $\sum p\,g' = sA$, so that the
    error of L counts $|s|A$ times; $|l\,g'| \le (2 + l^-)\,g$. With $M = \mu + L \ge \sum p\,|l|$, $\sum p\,|e^{-l} -
    1| \le 2M$ and $\sum p\,|e^{sl} - 1| \le 3|s|M$: $\sum p\,|g'| \le 3.5 M$, the two expm1 add 5M (`FUNCTION` + 2),
    the product sl adds 3M. Second order: $\sum p\,|g''| \le 3/2$.
    """
    weights, ratio, usable = form.near(first, second, axis)
    pair = _centred(weights, ratio, usable, np.abs(s), axis)
    level, level_error, _ = _log_mean(pair, -1.0, 1.0, ratio.relative + 1)
    level_error = level_error + _drift(pair, ratio)
    moved = pair.moved + level
    excess = mean(weights, np.expm1(s * moved) / s + np.expm1(-moved), axis)
    power_sum = 1 + s * excess
    value = np.log1p(s * excess) / s
    below, apart = -(pair.below + level), pair.spread + level
    fixed = pair.fixed + (ratio.relative + 1) * level
    error = (pair.sums + (ratio.relative + 2) * (2 + np.maximum(0.0, below)) - s * level_error) * excess
    error += (3.5 * fixed + 5 * (FUNCTION + 2) + 3) * apart
    furthest = np.maximum(below, pair.above + level)
    error += 0.8 * U * (fixed + (ratio.relative + 2) * furthest + level_error) ** 2
    return value, np.where(pair.usable & (power_sum > 0), error / power_sum + (FUNCTION + 3) * value, np.inf)


def _log_mean(
    pair: _Centred, sigma: Array | float, size: Array | float, slope: Array | float
) -> tuple[Array, Array, Array]:
    """log1p(Phi_sigma), its error in u (with what a division and a sum add), and Phi_sigma; size is |sigma|.

    The arguments of phi have the relative error `slope` besides that of a shift.
    """
    reach, offset = size * np.maximum(pair.above, -pair.below), size * pair.fixed
    growing = np.maximum(sigma * pair.above, sigma * pair.below)
    small = reach <= SERIES_REACH
    phi = mean(pair.weights, _phi(pair.moved * sigma, small), pair.axis)
    growth = phi + size * pair.spread
    error = (pair.sums + 8 + slope * (2 + growing)) * phi + (offset + FUNCTION * ~small) * growth
    error += (0.6 * U) * (offset + slope * reach) ** 2 * (1 + phi)
    log = np.log1p(phi)
    return log, error / (1 + phi) + (FUNCTION + 3) * log, phi


def _phi(x: Array, small: Mask) -> Array:
    """e^x - 1 - x, by a series in the rows marked as small."""
    if small.all():
        return _series(x)
    direct = np.expm1(x)
    direct -= x
    return np.where(small, _series(x), direct) if small.any() else direct


def _series(x: Array) -> Array:
    value = x * _SERIES[0]
    for coefficient in _SERIES[1:-1]:
        value += coefficient
        value *= x
    value += _SERIES[-1]
    value *= x
    value *= x
    return value


class _LogSoftmax(NamedTuple):
    """log softmax, its error and the part of it that a class of probability near 1 has, in u, and its largest size."""

    log: Array
    error: Array
    fixed: Array
    size: Array


def _far(form: Form, first: Array, second: Array, s: Array, axis: int) -> tuple[Array, Array]:
    r"""The divergence of far pairs, whose exponentials leave float64, by a log-sum-exp, and its error in u; 0 if p = q.

    It is $\frac1s \log\sum e^{a + s(a - b)}$ with $a = \log p, b = \log q$, off by at most its worst exponent, since a
    log-sum-exp moves by no more than that, and by the rounding of its sum; $\max(a - b)$ at order inf.
    """
    a, b = (_log_softmax(form, x, axis) for x in (first, second))
    ratio = a.log - b.log
    ratio_size = a.size + b.size
    ratio_error = a.error + b.error + ratio_size
    classes = ratio.shape[axis]
    exponent = a.log + s * ratio
    top = np.maximum.reduce(exponent, axis, keepdims=True)
    log = top + np.log(total(np.exp(exponent - top), axis))
    value = log / s
    work = (FUNCTION + 2) * math.log(classes) + 2 * FUNCTION + additions(classes, axis) + 2 * np.abs(log)
    error = (a.error + a.size + work) / np.abs(s) + ratio_error + 3 * ratio_size + 3 * np.abs(value)
    gentle = (np.abs(s) * ratio_size <= 1) & (ratio_size <= 1e90)
    if gentle.any():
        next_to_1 = _far_next_to_1(a, b, ratio, s, axis)
        value, error = (np.where(gentle, x, y) for x, y in zip(next_to_1, (value, error), strict=True))
    infinite = s == np.inf
    if infinite.any():
        value = np.where(infinite, np.maximum.reduce(ratio, axis, keepdims=True), value)
        error = np.where(infinite, ratio_error, error)
    different = np.logical_or.reduce(first != second, axis, keepdims=True)
    return np.where(different, value, 0.0), np.where(different, error, 0.0)


def _far_next_to_1(a: _LogSoftmax, b: _LogSoftmax, ratio: Array, s: Array, axis: int) -> tuple[Array, Array]:
    r"""$\frac1s \log(1 + s \sum p f)$, $f = (e^{sl} - 1)/s$, for $|sl| \le 1$, at order 1 $\sum p\,l$; and its error.

    $\sum p\,|f| \le |\sum p f| + 2$; the errors of log p are $2|\log p - \max|$ and a part that all classes share, and
    $\sum p\,(\max - \log p) \le \log n$.
    """
    divisor = np.where(s == 0, 1.0, s)
    terms = np.where(s == 0, ratio, np.expm1(s * ratio)) if s.any() else ratio
    growth = total(np.exp(a.log) * terms, axis)
    value = np.where(s == 0, growth, np.log1p(growth)) / divisor
    classes, size = ratio.shape[axis], a.size + b.size
    entropy = math.log(classes)
    error = (a.fixed + FUNCTION + additions(classes, axis) + 6) * (np.abs(growth / divisor) + 2)
    error += 2 * entropy * size + 3 * entropy + a.fixed + b.error + b.size
    error *= np.where(s == 0, 1.0, np.exp(np.abs(s) * size) / (1 + growth))
    return value, error + (FUNCTION + 3) * np.abs(value)


def _log_softmax(form: Form, x: Array, axis: int) -> _LogSoftmax:
    logits = form.logits(x)
    top, low = np.maximum.reduce(logits, axis, keepdims=True), np.minimum.reduce(logits, axis, keepdims=True)
    below = logits - top
    log = np.log(total(np.exp(below), axis))
    below -= log
    classes, reach = x.shape[axis], top - low
    given = 2 * form.logit_error * np.maximum(np.abs(top), np.abs(low))
    fixed = given + (FUNCTION + 2) * math.log(classes) + FUNCTION + additions(classes, axis)
    return _LogSoftmax(below, 2 * reach + fixed, fixed, reach + math.log(classes))
