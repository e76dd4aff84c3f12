r"""The divergence in plain float64 with a proved bound of each row's error: taken for every row whose bound is at most
`PROMISE`; `rows` has the others computed in double-double.

It saves nine tenths of the time and more (`benchmarks/divergence.py`) and is held to the careful path by
`tests/theory/divergence/test_fast.py`. No row with a class that cannot occur is taken.

**Near pairs.** With weights p, log-ratios d known up to a constant a row, $\delta = d - m$ for $m \approx \sum p d$,
$s = \alpha - 1$ and $\varphi(x) = e^x - 1 - x \ge 0$, let $\Phi_\sigma = \sum p\,\varphi(\sigma\delta)$ and $\lambda =
\sum p\,\delta$. Since $p_i/q_i = e^{\delta_i} \sum p e^{-\delta}$,
$$D_\alpha = \tfrac1s \log(1 + s\lambda + \Phi_s) + \log(1 - \lambda + \Phi_{-1}),$$
in which $\lambda$ is rounding only and is dropped. Both logarithms keep their digits for close pairs and next to order
1, and for s > 0 nothing cancels. Orders below 1/2 are those of the swapped pair, as in `kernel`.

**Far pairs**, where an exponential leaves float64: $\frac1s \log\sum e^{a + s(a-b)}$ with $a = \log p, b = \log q$ by a
log-sum-exp, the textbook; at order 1 $\sum p (a-b)$, at order inf $\max(a-b)$.

**The bound of near pairs.** Standard model: an operation returns its exact result times $1 + \varepsilon$,
$|\varepsilon| \le u = 2^{-53}$; exp, expm1, log and log1p are within `FUNCTION` u (2 ulp; a test measures them); a sum
of n numbers is within `additions(n)` u of their absolute values. Everything below is in units of u.

1. Weights. $e^{y - \max y}$ has the relative error R + `FUNCTION`, R the range of y; the sum that divides it at most
   $\log n$ + `FUNCTION` + additions, since $\sum p (\max y - y) \le \log n$. With k their sum, the weighted mean of a
   non-negative f has the relative error K = k + additions + 2.
2. Arguments. $\delta_i$ has the error $c_0 + c_1 |d_i| + |\delta_i|$, in which $|d_i| \le |m| + |\delta_i|$; logits have
   $c_0 = 0, c_1 = 1$. So $x = \sigma\delta$ has $\omega = o + (c_1+3)|x|$ with $o = |\sigma| (c_0 + c_1 |m|)$ (the
   product and s itself are rounded).
3. Propagation. $|\varphi(x + \omega) - \varphi(x)| \le \omega |e^x - 1| + 0.51\, u\, \omega^2 e^x$. With $|e^x - 1| \le
   \varphi + |x|$ and $|x||e^x - 1| \le (2 + x^+)\varphi$, with $\mu = \sum p|\delta|$ and X the largest |x|, the mean of
   the right side is at most $o\,(\Phi + |\sigma|\mu) + (c_1+3)(2+X)\Phi + 0.6\, u\,(o + (c_1+3)X)^2 (1 + \Phi)$.
4. Evaluation. expm1(x) - x has the error `FUNCTION` $|e^x - 1| + \varphi$, its mean at most `FUNCTION` $(\Phi + |\sigma|
   \mu) + \Phi$; for X up to 1/8 the series has 8 $\varphi$.
5. So $\Phi_\sigma$ has an error F, the sum of K$\Phi$ and lines 3 and 4, and its log1p at most F / (1 + $\Phi$) +
   `FUNCTION` log1p($\Phi$).
6. $\lambda$ is at most $\Lambda = (K + c_1 + 1)(|m| + \mu) + c_0$ and changes D by at most $\Lambda \min(1, \max\Phi) +
   0.6 (1 + |s|)\, u \Lambda^2$: to first order its two terms differ by the factor $1/(1+\Phi_s) - 1/(1+\Phi_{-1})$.

`REACH` and `LARGEST` keep every first-order error that multiplies $\Phi$ below 1e-3, so that computed and exact values
may be exchanged in the bound at the price of the factor `SLACK`, which covers the rounding of the bound, too. Underflow
counts for nothing beside values above `SMALLEST`. (This project.)
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .arguments import Array, Mask

PROMISE = 1e-12
"""The relative error of an accepted row is at most this."""

U = 2.0**-53
FUNCTION = 4.0
"""exp, expm1, log and log1p are within this many u of the exact value, relatively."""

SLACK = 1.03
REACH = 600.0
"""The range of logits and the largest exponent of a near pair: neither overflow nor underflow."""
LARGEST = 1e9
"""No near pair has a shift m (times 1 + |s|) beyond this."""
SMALLEST = 1e-200

SERIES_REACH = 0.125
_SERIES = [1 / math.factorial(n) for n in range(12, 1, -1)]  # the first term left out is below 1e-3 u for |x| <= 1/8


class Weights(NamedTuple):
    """Positive numbers, their sums over classes, and the relative error of their quotient in u (k above)."""

    mass: Array
    total: Array
    error: Array | float


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


def additions(classes: int, axis: int) -> float:
    """How often a term of a sum over classes is rounded: in turn along axis 0, pairwise along the last.

    numpy adds pairwise down to blocks of 128, which have eight accumulators.
    """
    return classes - 1.0 if axis == 0 else 26.0 + max(0, math.ceil(math.log2(classes / 64)))


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
    for method in (_below_order_1, _far):
        rows = ~accepted if method is _far else ~accepted & (s < 0)
        if rows.any():
            few = (np.compress(rows.ravel(), x, 1 - axis) for x in (first, second, s))
            value[rows], error[rows] = (x.ravel() for x in method(form, *few, axis))
            accepted = _accepted(value, error, factor)
    return value * factor, accepted


def _swapped(first: Array, second: Array, low: Mask) -> tuple[Array, Array]:
    return (second, first) if low.all() else (np.where(low, second, first), np.where(low, first, second))


def _accepted(value: Array, error: Array, factor: Array) -> Mask:
    return vouched(value, error) & ((value * factor >= SMALLEST) | (error * factor == 0))


def vouched(value: Array, error: Array) -> Mask:
    """Rows whose error, in u, is at most `PROMISE` times the value, with room for eight more roundings."""
    return (error * (SLACK * U) <= (PROMISE - 8 * U) * value) & (value < np.inf)


def near_logits(y: Array, z: Array, axis: int) -> tuple[Weights, LogRatio, Mask]:
    """softmax y and y - z."""
    weights, reach = softmax_weights(y, axis)
    return weights, LogRatio(y - z, 0.0, 1.0), reach <= REACH


def softmax_weights(y: Array, axis: int) -> tuple[Weights, Array]:
    """e^(y - max y), which is exactly 1 at the maximum, and the range of y."""
    top = np.maximum.reduce(y, axis, keepdims=True)
    reach = top - np.minimum.reduce(y, axis, keepdims=True)
    mass = np.exp(y - top)
    classes = y.shape[axis]
    error = reach + (math.log(classes) + 2 * FUNCTION + additions(classes, axis) + 2)
    return Weights(mass, total(mass, axis), error), reach


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
    """The divergence of near pairs for s in [-1/2, 0) from a sum of terms that do not cancel, and its error in u."""
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


def total(x: Array, axis: int) -> Array:
    """The sum over classes, in which numpy takes the terms in the same order for one row and for many."""
    if axis == 0 and x.shape[1] == 1:  # numpy would take a lone column for a row
        return np.add.accumulate(x, 0)[-1:]
    return np.add.reduce(x, axis, keepdims=True)


def mean(weights: Weights, values: Array, axis: int) -> Array:
    """The weighted mean over classes."""
    return total(weights.mass * values, axis) / weights.total


class _LogSoftmax(NamedTuple):
    """log softmax, its error and the part of it that a class of probability near 1 has, in u, and its largest size."""

    log: Array
    error: Array
    fixed: Array
    size: Array


def _far(form: Form, first: Array, second: Array, s: Array, axis: int) -> tuple[Array, Array]:
    """The divergence by a log-sum-exp, 0 where the rows are the same, and its error in u."""
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
    gentle = np.abs(s) * ratio_size <= 1
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
    """log1p(sum p (e^(sl) - 1)) / s for |s l| <= 1, which is sum p l at order 1, and its error in u."""
    divisor = np.where(s == 0, 1.0, s)
    terms = np.where(s == 0, ratio, np.expm1(s * ratio)) if s.any() else ratio
    growth = total(np.exp(a.log) * terms, axis)
    value = np.where(s == 0, growth, np.log1p(growth)) / divisor
    classes, size = ratio.shape[axis], a.size + b.size
    entropy = math.log(classes)
    error = (a.fixed + FUNCTION + additions(classes, axis) + 4) * (np.abs(growth / divisor) + 2)
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
