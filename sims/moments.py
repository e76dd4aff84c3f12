"""What is kept of a run: running moments and thinned traces, in memory that does not depend on the number of steps."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from .backend import Array, as_numpy


@dataclass(frozen=True)
class Record:
    """What is kept beside X and the mean and variance of the states.

    Attributes:
        every: measure at every so many counted steps.
        covariance: keep the covariance matrix (d, d) of the states.
        edges: increasing edges of a histogram of each coordinate; empty for none.
        basin: states (R, d) to the number 0, ..., basins - 1 of the basin of each (R,); None for no basins.
        trace: at most so many points of a thinned trace over the counted steps; 0 for none.
        paths: the trace keeps the states of the first so many replicas.

    Raises:
        ValueError: a number below its least, edges that do not increase, a basin without a number of basins.
    """

    every: int = 1
    covariance: bool = False
    edges: Sequence[float] = ()
    basin: Callable[[Array], NDArray[np.int64]] | None = None
    basins: int = 0
    trace: int = 0
    paths: int = 1

    def __post_init__(self) -> None:
        for name, least in (("every", 1), ("basins", 0), ("trace", 0), ("paths", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if any(not low < high for low, high in pairwise(self.edges)):
            raise ValueError(f"edges must increase, got {list(self.edges)}")
        if (self.basin is None) != (self.basins == 0):
            raise ValueError(f"basin and basins go together, got {self.basin} and {self.basins}")


@dataclass(frozen=True)
class Trace:
    """A thinned trace: counted steps (n,), X over replicas at each (n,), states of the first replicas (n, paths, d)."""

    steps: NDArray[np.int64]
    squared_gradient: NDArray[np.float64]
    states: NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """What remains of a run, as NumPy arrays in double precision.

    Attributes:
        squared_gradient: X of each replica (R,): the mean of ||grad_k L_k||^2 over counted steps and students.
        state_mean, state_variance: of each coordinate (d,), over counted steps and replicas.
        state_covariance: (d, d), or None.
        histogram: counts in each bin of each coordinate (d, bins); the first and the last bin of
            `len(edges) + 1` hold what lies outside the edges. None if there were no edges.
        basin_time: fraction of the counted steps that each replica spent in each basin (R, basins), or None.
        trace: thinned trace, or None.
    """

    squared_gradient: NDArray[np.float64]
    state_mean: NDArray[np.float64]
    state_variance: NDArray[np.float64]
    state_covariance: NDArray[np.float64] | None = None
    histogram: NDArray[np.float64] | None = None
    basin_time: NDArray[np.float64] | None = None
    trace: Trace | None = None

    @property
    def mean(self) -> float:
        """X averaged over replicas."""
        return float(self.squared_gradient.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of `mean`, from the replicas, which are independent."""
        return float(self.squared_gradient.std(ddof=1) / math.sqrt(len(self.squared_gradient)))


@dataclass
class Accumulator:
    """Sums over a run, updated at every measured step; `floor` is the size below which a number counts as 0."""

    record: Record
    students: int
    stride: int
    floor: float = 0.0
    seen: int = 0
    square: Any = 0.0
    mean: Any = 0.0
    spread: Any = 0.0
    counts: Any = 0.0
    times: list[Any] = field(default_factory=list)
    points: list[tuple[int, float, NDArray[Any]]] = field(default_factory=list)

    def add(self, state: Array, gradient: Array, step: int) -> None:
        """One measured step."""
        square = _double(squared_norm(flushed(gradient, math.sqrt(self.floor))))
        self._add_moments(state)
        if self.record.edges:
            self.counts = self.counts + _counts(state, self.record.edges)
        if self.record.basin is not None:
            self._add_times(self.record.basin(state))
        if self.record.trace and self.seen % self.stride == 0:
            paths = as_numpy(state[: self.record.paths, :]).astype(np.float64)  # a copy: the state may be reused
            self.points.append((step, float(array_namespace(square).mean(square)) / self.students, paths))
        self.square = self.square + square
        self.seen += 1

    def moments(self) -> Moments:
        """What remains."""
        square = as_numpy(self.square).astype(np.float64) / (self.seen * self.students)
        spread = as_numpy(self.spread).astype(np.float64) / (self.seen * len(square))
        covariance = spread if self.record.covariance else None
        variance = spread.diagonal().copy() if self.record.covariance else spread
        histogram = as_numpy(self.counts).astype(np.float64) if self.record.edges else None
        times = np.stack([as_numpy(t) / self.seen for t in self.times], axis=-1) if self.times else None
        mean = as_numpy(self.mean).astype(np.float64)
        return Moments(square, mean, variance, covariance, histogram, times, _trace(self.points))

    def _add_moments(self, state: Array) -> None:
        """Mean and sum of squared deviations after one more batch of replicas (Chan, Golub and LeVeque 1983)."""
        xp = array_namespace(state)
        replicas, seen = len(state), self.seen * len(state)
        batch = xp.mean(state, axis=0)
        away, shift = flushed(state - batch, math.sqrt(self.floor)), _double(batch) - self.mean
        weight = seen * replicas / (seen + replicas)
        if self.record.covariance:
            self.spread = self.spread + _double(away.T @ away) + weight * shift[:, None] * shift[None, :]
        else:
            self.spread = self.spread + _double(xp.sum(away * away, axis=0)) + weight * shift**2
        self.mean = self.mean + shift * (replicas / (seen + replicas))

    def _add_times(self, label: NDArray[np.int64]) -> None:
        xp = array_namespace(label)
        here = [xp.astype(label == basin, xp.int64) for basin in range(self.record.basins)]
        self.times = [time + now for time, now in zip(self.times, here, strict=True)] if self.times else here


def squared_norm(gradient: Array) -> Array:
    """||gradient||^2 of each replica, (R,)."""
    return array_namespace(gradient).vecdot(gradient, gradient)


def flushed(array: Array, floor: float) -> Array:
    """Numbers below the floor as 0: subnormal numbers and products that underflow to them take many times as long."""
    xp = array_namespace(array)
    return xp.where(xp.abs(array) < floor, xp.zeros_like(array), array) if floor else array


def _double(array: Array) -> Array:
    """In double precision, since sums over a million steps lose the digits of single precision."""
    xp = array_namespace(array)
    return xp.astype(array, xp.float64, copy=False)


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
