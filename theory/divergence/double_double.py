"""Numbers as an unevaluated sum hi + lo of two float64: about 32 digits where an exponent needs them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_SPLITTER = 134217729.0  # 2**27 + 1 cuts a 53-bit mantissa in two halves (Veltkamp 1968)


class DoubleDouble(NamedTuple):
    """hi + lo with |lo| far below |hi|; both arrays have one shape."""

    hi: Array
    lo: Array


def two_sum(a: ArrayLike, b: ArrayLike) -> DoubleDouble:
    """a + b without error (Knuth): hi is the rounded sum, lo what the rounding lost."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    total = a + b
    other = total - a
    return DoubleDouble(total, (a - (total - other)) + (b - other))


def two_product(a: ArrayLike, b: ArrayLike) -> DoubleDouble:
    """a * b without error (Dekker), on mantissas in [1/2, 1) so that no splitting overflows; lo = 0 if a * b does."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        (mantissa_a, exponent_a), (mantissa_b, exponent_b) = np.frexp(a), np.frexp(b)
        lost = np.ldexp(_product_error(mantissa_a, mantissa_b), exponent_a + exponent_b)
        product = a * b
    return DoubleDouble(product, np.where(np.isfinite(product), lost, 0.0))


def _product_error(a: Array, b: Array) -> Array:
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return ((a_high * b_high - a * b) + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(a: Array) -> tuple[Array, Array]:
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def add(x: DoubleDouble, y: DoubleDouble) -> DoubleDouble:
    """x + y, with an error of about 1e-32 (|x| + |y|)."""
    total = two_sum(x.hi, y.hi)
    return two_sum(total.hi, total.lo + (x.lo + y.lo))


def negative(x: DoubleDouble) -> DoubleDouble:
    """-x."""
    return DoubleDouble(-x.hi, -x.lo)


def multiply(x: DoubleDouble, y: DoubleDouble) -> DoubleDouble:
    """x * y, with a relative error of about 1e-31; the infinite hi of an overflow keeps lo = 0."""
    product = two_product(x.hi, y.hi)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        cross = x.hi * y.lo + x.lo * y.hi
        return DoubleDouble(product.hi, np.where(np.isfinite(product.hi), product.lo + cross, 0.0))


def exponential(x: DoubleDouble) -> Array:
    """exp(hi + lo) as one float64, inf where it overflows."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        # beyond 1e3 the result is 0 or inf, while lo may be far from small
        return np.exp(x.hi) * (1.0 + np.where(np.abs(x.hi) < 1e3, x.lo, 0.0))


def take(x: DoubleDouble, index: NDArray[np.intp]) -> DoubleDouble:
    """The entry of each row that `index` (last axis of length 1) points at."""
    return DoubleDouble(np.take_along_axis(x.hi, index, -1), np.take_along_axis(x.lo, index, -1))


def where(condition: NDArray[np.bool_], x: DoubleDouble, y: DoubleDouble) -> DoubleDouble:
    """x where the condition holds, else y."""
    return DoubleDouble(np.where(condition, x.hi, y.hi), np.where(condition, x.lo, y.lo))
