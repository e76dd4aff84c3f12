r"""Gradients in plain float64 with a proved bound of each row's error.

They are taken for every row in which that bound is at most `PROMISE` times its largest component; `rows` has the
others computed in double-double. It saves what `fast` saves and is held to the careful path by
`tests/theory/divergence/test_fast_gradients.py`.

With b = softmax of some logits and $w \propto b\,e^{\sigma d}$ both gradients are multiples of $b - w$: b = q, $\sigma
= \alpha$ for the student and b = p, $\sigma = \alpha - 1$ for the peer, d = y - z. Let $\delta_i = d_i - d_t$ for the
likeliest class t, $G = e^{\sigma\delta} - 1$ and $\bar G = \sum b\,G$. Then
$$b_i - w_i = b_i\,\frac{\bar G - G_i}{1 + \bar G},$$
in which $G_t = 0$, so that no component is the difference of two numbers near 1.

**The bound**, with the model and weights of `rounding`, in units of u. $\delta_i$ has the error $2|d_t| +
2|\delta_i|$, and none at t; so $|\Delta G_i| \le c\,|G_i| + o\,(1 + |G_i|)$ off t, with $o = 2|\sigma d_t|$ and $c =
4(1 + X)$ + `FUNCTION`, X the largest exponent, since $|x| e^x \le (1 + x^+)|e^x - 1|$. With K as in `fast`, $S = \sum
b\,|G|$ and $\rho = 1 - b_t$, $\bar G$ has the error $\Delta \le (K + c)\,S + o\,(\rho + S)$. Off t, $b_i |\Delta G_i|
\le (c + o)\,b_i|G_i| + o \min(b_t, \rho)$, and $b_i|G_i| \le (1 + \bar G) N + b_t|\bar G|$, N the largest component.
So every component is within
$$N\Big(k + 5 + \frac{\Delta}{1 + \bar G}\Big) + \frac{b_t\Delta + \max_i b_i|\Delta G_i|}{1 + \bar G}.$$

**Far pairs** are two softmaxes. Errors of exponents up to $\omega$ move a component of w by at most $2.1\,\omega
\min(1/4, 1 - \max w)$, since $w_i(1 - w_i)$ is at most both. (This project.)
"""

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


def student(y: Array, z: Array, alpha: Array, axis: int) -> tuple[Array, Mask]:
    """q - w, and in which rows its normwise relative error is proved to be at most `PROMISE`."""
    return _gap(z, y - z, alpha, axis)


def peer(y: Array, z: Array, alpha: Array, axis: int) -> tuple[Array, Mask]:
    """alpha/(1-alpha) (p - w), and the rows as `student`."""
    s = np.where(alpha == 1, 1e-60, alpha - 1)  # as in `gradients`: the limit to the last digit
    gap, accepted = _gap(y, y - z, s, axis)
    gap *= -alpha / s
    return gap, accepted


def _gap(base: Array, ratio: Array, sigma: Array, axis: int) -> tuple[Array, Mask]:
    """b - w for b = softmax(base) and w = softmax(base + sigma ratio), class axis 0 or 1 of two."""
    gap, error = _near(base, ratio, sigma, axis)
    accepted = _accepted(_largest(gap, axis), error)
    if not accepted.all():
        rows = ~accepted.ravel()
        few_base, few_ratio, few_sigma = (np.compress(rows, x, 1 - axis) for x in (base, ratio, sigma))
        far, far_error = _far(few_base, few_ratio, few_sigma, axis)
        gap[(slice(None), rows) if axis == 0 else rows] = far
        accepted[~accepted] = _accepted(_largest(far, axis), far_error).ravel()
    return gap, accepted


def _accepted(norm: Array, error: Array) -> Mask:
    return vouched(norm, error) & (norm >= SMALLEST)


def _largest(x: Array, axis: int) -> Array:
    return np.maximum(np.maximum.reduce(x, axis, keepdims=True), -np.minimum.reduce(x, axis, keepdims=True))


def _near(base: Array, ratio: Array, sigma: Array, axis: int) -> tuple[Array, Array]:
    weights, reach = softmax_weights(base, axis)
    centre = np.take_along_axis(ratio, np.expand_dims(np.argmax(base, axis), axis), axis)
    exponent = (ratio - centre) * sigma
    growing = np.maximum.reduce(exponent, axis, keepdims=True)
    growth = np.expm1(exponent, out=exponent)
    spread, middle = SLACK * mean(weights, np.abs(growth), axis), mean(weights, growth, axis)
    gap = np.subtract(middle, growth, out=growth)
    gap *= weights.mass
    gap /= (1 + middle) * weights.total
    norm = _largest(gap, axis)
    error = _near_error(weights, 2 * np.abs(sigma * centre), growing, spread, middle, norm, base.shape[axis], axis)
    usable = (reach <= REACH) & (growing <= REACH) & (np.abs(sigma * centre) <= LARGEST)
    return gap, np.where(usable, error, np.inf)


def _near_error(
    weights: Weights,
    offset: Array,
    growing: Array,
    spread: Array,
    middle: Array,
    norm: Array,
    classes: int,
    axis: int,
) -> Array:
    power_sum, top = 1 + middle, 1 / weights.total
    rest = np.minimum(1.0, 1 - top + U * (additions(classes, axis) + 4))
    slope = 4 * (1 + growing) + FUNCTION
    mean_error = (weights.error + additions(classes, axis) + 2 + slope) * spread + offset * (rest + spread)
    own = (slope + offset) * (power_sum * norm + top * np.abs(middle)) + offset * np.minimum(top, rest)
    error = norm * (weights.error + 5 + mean_error / power_sum) + (top * mean_error + own) / power_sum
    return np.where(U * mean_error <= 1e-3 * power_sum, error, np.inf)


def _far(base: Array, ratio: Array, sigma: Array, axis: int) -> tuple[Array, Array]:
    reach = np.maximum.reduce(base, axis, keepdims=True) - np.minimum.reduce(base, axis, keepdims=True)
    size = np.abs(sigma) * _largest(ratio, axis)
    exponent = base - np.maximum.reduce(base, axis, keepdims=True)
    b, b_error = _softmax(exponent, reach, axis)
    w, w_error = _softmax(exponent + sigma * ratio, 4 * reach + 6 * size, axis)
    return b - w, np.where(size + reach <= 1e12, b_error + w_error, np.inf)


def _softmax(exponent: Array, error: Array, axis: int) -> tuple[Array, Array]:
    """The softmax of exponents with some error in u, and the largest error of a component in u."""
    value = np.exp(exponent - np.maximum.reduce(exponent, axis, keepdims=True))
    mass = total(value, axis)
    value /= mass
    work = additions(exponent.shape[axis], axis) + 4
    rest = 1 - 1 / mass + U * work
    return value, 2.1 * error * np.minimum(0.25, rest) + 2 * FUNCTION + work
