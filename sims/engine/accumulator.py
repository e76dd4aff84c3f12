"""The sums of a run, in memory that does not depend on the number of steps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from array_api_compat import device
from numpy.typing import NDArray

from .backend import Array, array_namespace, as_numpy
from .moments import Moments, Record, Trace

Terms = tuple[Array, Array, Array]  # squared gradient, squared deviation from the first state, deviation

BLOCK = 64  # terms that are summed in single precision


@dataclass
class Sum:
    """A running sum of arrays, without an intermediate array a term.

    Blocks of terms are summed in place and in their own precision, blocks in double precision: a million terms in
    single precision would lose most of their digits.
    """

    total: Any = 0.0
    block: Any = None
    terms: int = 0

    def add(self, term: Array, terms: int = 1) -> None:
        """One more term, which must be a new array, or the sum of so many."""
        if self.block is None:
            self.block = term
        else:
            self.block += term
        self.terms += terms
        if self.terms >= BLOCK:
            self._close()

    def value(self) -> NDArray[np.float64]:
        """The sum so far."""
        self._close()
        return as_numpy(self.total)

    def _close(self) -> None:
        if self.block is not None:
            xp = array_namespace(self.block)
            self.total, self.block = self.total + xp.astype(self.block, xp.float64), None
            self.terms = 0


@dataclass
class Accumulator:
    """Sums over a run, added to at every measured step; `floor` is the size below which a number counts as 0.

    Squared deviations are taken from each replica's first measured state. As one of the n states of which the variance
    is wanted it is at most sqrt(n) standard deviations off, so the difference of the sums loses n rounding errors only.
    """

    record: Record
    students: int
    stride: int
    floor: float = 0.0
    seen: int = 0
    first: Any = None
    square: Sum = field(default_factory=Sum)
    moved: Sum = field(default_factory=Sum)
    spread: Sum = field(default_factory=Sum)
    counts: Any = 0.0
    times: list[Any] = field(default_factory=list)
    points: list[tuple[int, float, NDArray[Any]]] = field(default_factory=list)

    def add(self, state: Array, gradient: Array, step: int) -> None:
        """One measured step."""
        self.first = state if self.first is None else self.first
        self._add_requested(state, flushed(gradient, math.sqrt(self.floor)), step)
        self.add_terms(self.terms(state, gradient, self.first, self.floor))

    def terms(self, state: Array, gradient: Array, first: Array, floor: float) -> Terms:
        """What a measured step adds to each sum; changes nothing."""
        small = math.sqrt(floor)
        gradient, away = flushed(gradient, small), flushed(state - first, small)
        return gradient * gradient, away.T @ away if self.record.covariance else away * away, away

    def add_terms(self, terms: Terms, steps: int = 1) -> None:
        """The `terms` of a measured step, or their sums over so many."""
        for kept, term in zip((self.square, self.spread, self.moved), terms, strict=True):
            kept.add(term, steps)
        self.seen += steps

    def asks(self, step: int) -> Literal["nothing", "sums", "all"]:
        """What is kept of a step: nothing, its `terms`, or more."""
        if step < 0 or step % self.record.every:
            return "nothing"
        traced = self.record.trace and step // self.record.every % self.stride == 0
        more = traced or len(self.record.edges) or self.record.basin is not None or self.first is None
        return "all" if more else "sums"

    def _add_requested(self, state: Array, gradient: Array, step: int) -> None:
        if self.record.edges:
            self.counts = self.counts + _counts(state, self.record.edges)
        if self.record.basin is not None:
            self._add_times(self.record.basin(state))
        if self.record.trace and self.seen % self.stride == 0:
            paths = as_numpy(state[: self.record.paths, :]).astype(np.float64)
            square = as_numpy(gradient).astype(np.float64) ** 2
            self.points.append((step, float(square.sum(-1).mean()) / self.students, paths))

    def _add_times(self, label: NDArray[np.int64]) -> None:
        xp = array_namespace(label)
        here = [xp.astype(label == basin, xp.int64) for basin in range(self.record.basins)]
        self.times = [time + now for time, now in zip(self.times, here, strict=True)] if self.times else here

    def moments(self) -> Moments:
        """The moments that these sums give."""
        square = self.square.value().sum(-1) / (self.seen * self.students)
        moved = self.moved.value() / self.seen
        means = as_numpy(self.first).astype(np.float64) + moved
        covariance, variance = self._spread(moved, means - means.mean(0))
        histogram = as_numpy(self.counts).astype(np.float64) if self.record.edges else None
        times = np.stack([as_numpy(t) / self.seen for t in self.times], axis=-1) if self.times else None
        if times is not None and not np.allclose(times.sum(-1), 1):
            raise ValueError(f"basin must give whole numbers from 0 to {self.record.basins - 1}, got others")
        return Moments(square, means.mean(0), variance, covariance, histogram, times, _trace(self.points))

    def _spread(
        self, moved: NDArray[np.float64], apart: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64] | None, NDArray[np.float64]]:
        """Covariance and variance: within the replicas, plus that of their means."""
        count, raw = len(moved), self.spread.value()
        if self.record.covariance:
            covariance = raw / (self.seen * count) - moved.T @ moved / count + apart.T @ apart / count
            return covariance, covariance.diagonal().copy()
        return None, (raw / self.seen - moved**2 + apart**2).mean(0)


def flushed(array: Array, floor: float) -> Array:
    """Numbers below the floor as 0: subnormal numbers and products that underflow to them take many times as long."""
    if not floor:
        return array
    xp = array_namespace(array)
    return xp.where(xp.abs(array) < floor, xp.zeros_like(array), array)


def _counts(state: Array, edges: Sequence[float]) -> Array:
    xp, bins = array_namespace(state), len(edges) + 1
    borders = xp.asarray(edges, dtype=state.dtype, device=device(state))
    place = xp.reshape(xp.searchsorted(borders, xp.reshape(state.T, (-1,)), side="right"), state.T.shape)
    return xp.stack([xp.bincount(row, minlength=bins) for row in place])  # bincount: no standard yet, both have it


def _trace(points: list[tuple[int, float, NDArray[Any]]]) -> Trace | None:
    if not points:
        return None
    steps, squares, states = zip(*points, strict=True)
    return Trace(np.array(steps), np.array(squares), np.stack(states))
