"""Rows in blocks: the fast path for all, the careful one for those that it leaves; memory for one block at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arguments import Array, Mask, broadcast_order, broadcast_rows

BLOCK = 2**15
"""So many numbers of each array at a time, or one row: they stay in the processor's cache."""

FEW_CLASSES = 64
"""Below it blocks lie class by class, since numpy takes long over many short sums."""

Fast = Callable[[Array, Array, Array, int], tuple[Array, Mask]]
"""(first, second, orders, class axis of two) to results and which of the rows they hold for."""
Careful = Callable[[Array, Array, Array], Array]
"""The same of any rows, class axis last; orders have length 1 there."""


@dataclass(frozen=True)
class _Flat:
    """The rows of an array under an index of the whole batch, without a copy of those that broadcasting repeats."""

    rows: Array
    index: NDArray[np.intp] | None

    @classmethod
    def of(cls, values: Array, batch: tuple[int, ...]) -> "_Flat":
        rows = values.reshape(-1, values.shape[-1])
        if values.shape[:-1] == batch:
            return cls(rows, None)
        index = np.arange(len(rows)).reshape(values.shape[:-1])
        return cls(rows, np.broadcast_to(index, batch).reshape(-1))

    def take(self, selection: slice | NDArray[np.intp]) -> Array:
        return self.rows[selection if self.index is None else self.index[selection]]


def by_rows(
    fast: Fast, careful: Careful, first: Array, second: Array, order: Array, names: tuple[str, str], width: int
) -> Array:
    """Results of shape batch + (width,), each row from the fast path if it vouches for it, else from the careful one.

    Refuses rows and orders that do not broadcast, in the words of `arguments`.
    """
    rows = broadcast_rows(first, second, names)[0].shape[:-1]
    batch = broadcast_order(order, rows)
    p, q = _Flat.of(first, batch), _Flat.of(second, batch)
    count = math.prod(batch)
    orders = np.full((count, 1), order) if order.ndim == 0 else np.broadcast_to(order, batch).reshape(-1, 1)
    result, left = np.empty((count, width)), np.ones(count, bool)
    step = max(1, BLOCK // first.shape[-1])
    for start in range(0, count, step):
        block = slice(start, start + step)
        result[block], left[block] = _fast(fast, p.take(block), q.take(block), orders[block])
    rest = left.nonzero()[0]
    for start in range(0, len(rest), step):
        few = rest[start : start + step]
        result[few] = careful(p.take(few), q.take(few), orders[few])
    return result.reshape(*batch, width)


def _fast(fast: Fast, first: Array, second: Array, order: Array) -> tuple[Array, Mask]:
    with np.errstate(all="ignore"):  # the fast path vouches for no row that overflows
        if first.shape[-1] >= FEW_CLASSES:
            value, accepted = fast(np.ascontiguousarray(first), np.ascontiguousarray(second), order, 1)
            return value, ~accepted[:, 0]
        value, accepted = fast(np.ascontiguousarray(first.T), np.ascontiguousarray(second.T), order.T, 0)
        return value.T, ~accepted[0]
