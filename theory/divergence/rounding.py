"""The model of rounding in which the fast path's bounds are proved, and the accuracy that a row must have.

Standard model: an operation returns its exact result times 1 + e, |e| <= `U`; exp, expm1, log and log1p are within
`FUNCTION` `U` of theirs (2 ulp); a sum of n numbers is within `additions` `U` times the sum of their absolute values.
`tests/theory/divergence/test_fast.py` measures the functions and the sums. Errors are in units of `U` throughout.
"""

import math
from typing import NamedTuple

import numpy as np

from .arguments import Array, Mask

PROMISE = 1e-12
"""The relative error of a row that the fast path vouches for is at most this."""

U = 2.0**-53
FUNCTION = 4.0

SLACK = 1.03
"""For what the bounds leave out: products of two errors, and their own rounding."""

REACH = 600.0
"""The range of logits and the largest exponent of a near pair: neither overflow nor underflow."""
LARGEST = 1e9
"""No near pair has a shift (times the order's factor) beyond this, so that first-order errors stay below 1e-3."""
SMALLEST = 1e-200
"""Results below it are left, so that underflow counts for nothing."""


class Weights(NamedTuple):
    """Positive numbers, their sums over classes, and the relative error of their quotient."""

    mass: Array
    total: Array
    error: Array | float


def vouched(value: Array, error: Array) -> Mask:
    """Rows whose error is at most `PROMISE` times the value, with room for eight more roundings."""
    return (error <= (PROMISE / U - 8) / SLACK * value) & (value < np.inf)


def additions(classes: int, axis: int) -> float:
    """How often a term of a sum over classes is rounded: in turn along axis 0, pairwise along the last.

    numpy adds pairwise down to blocks of 128, which have eight accumulators.
    """
    return classes - 1.0 if axis == 0 else 26.0 + max(0, math.ceil(math.log2(classes / 64)))


def total(x: Array, axis: int) -> Array:
    """The sum over classes, in which numpy takes the terms in the same order for one row and for many."""
    if axis == 0 and x.shape[1] == 1:  # numpy would take a lone column for a row
        return np.add.accumulate(x, 0)[-1:]
    return np.add.reduce(x, axis, keepdims=True)


def mean(weights: Weights, values: Array, axis: int) -> Array:
    """The weighted mean over classes."""
    return total(weights.mass * values, axis) / weights.total


def softmax_weights(y: Array, axis: int) -> tuple[Weights, Array]:
    """e^(y - max y), which is exactly 1 at the maximum, and the range R of y.

    A term has the relative error R + `FUNCTION`, their sum at most log n + `FUNCTION` + `additions`, since
    sum p (max y - y) <= log n; the quotient is rounded once more.
    """
    top = np.maximum.reduce(y, axis, keepdims=True)
    reach = top - np.minimum.reduce(y, axis, keepdims=True)
    mass = np.exp(y - top)
    classes = y.shape[axis]
    error = reach + (math.log(classes) + 2 * FUNCTION + additions(classes, axis) + 2)
    return Weights(mass, total(mass, axis), error), reach
