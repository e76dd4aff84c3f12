"""Layers of many small students at once: features or classes are the first axis, replicas the last and contiguous."""

import operator
from collections.abc import Callable
from functools import reduce

import numpy as np
from array_api_compat import device
from numpy.typing import NDArray

from sims.engine.backend import Array, array_namespace

BLOCK = 80_000  # bytes of one number an example, over replicas: what is computed of them fits into a processor's cache


def in_blocks(work: Callable[[Array], Array], state: Array, examples: int) -> Array:
    """Gradients of so many replicas at a time as a `BLOCK` of examples makes; a GPU takes all at once."""
    size = max(1, BLOCK // (examples * state.dtype.itemsize))
    if len(state) <= size or str(device(state)) != "cpu":
        return work(state)
    parts = [work(state[at : at + size]).T for at in range(0, len(state), size)]
    return array_namespace(state).concat(parts, axis=1).T


def rows(state: Array) -> Array:
    """The transpose, in contiguous rows."""
    xp = array_namespace(state)
    return xp.reshape(xp.reshape(state.T, (-1,)), state.T.shape)


def columns(table: Array, which: NDArray[np.int64]) -> Array:
    """Columns of a table (F, n), (F, *shape of which)."""
    xp = array_namespace(table)
    return xp.reshape(xp.take(table, xp.reshape(which, (-1,)), axis=1), (len(table), *which.shape))


def through(values: Array, weights: Array) -> Array:
    """A layer: values (F, ...) and weights (F, G, K, R) to (G, student, mini-batch's student or 1, n, R)."""
    wide = weights[:, :, :, None, None]
    return reduce(operator.add, (values[f] * wide[f] for f in range(len(values))))


def products(left: Array, right: Array) -> Array:
    """Sums over examples of products, (F, K or 1, n, R or 1) and (G, K, n, R) to (F, G, K, R)."""
    xp = array_namespace(right)
    return xp.stack([xp.sum(one * right, axis=2) for one in left], axis=0)


def softmax(logits: Array) -> Array:
    """Softmax over the first axis."""
    xp = array_namespace(logits)
    powers = xp.exp(logits - reduce(xp.maximum, logits))
    powers *= 1 / reduce(operator.add, powers)
    return powers
