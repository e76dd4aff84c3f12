"""The sets that a theorem's variables range over: how to draw from them, their edge cases, and their coordinates.

Every value is an array with one leading batch axis: `n` orders have shape (n,), `n` logit rows have shape (n, C). All
variables of one theorem share the number of classes C, unless a domain fixes its own.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from scipy.special import expit, log_softmax, logit, softmax

from theory.divergence.arguments import Array, Mask

FLAT = 36.0
"""Coordinates beyond this don't move a float64 sigmoid any more."""


@dataclass(frozen=True)
class Domain(ABC):
    """A set with a random sampler, edge cases, and a chart: unconstrained coordinates for an optimiser."""

    least_classes: ClassVar[int] = 1

    @abstractmethod
    def sample(self, rng: Generator, n: int, classes: int) -> Array:
        """n values, shape (n, *event shape)."""

    @abstractmethod
    def edges(self, classes: int) -> Array:
        """The points where a wrong statement or a careless formula breaks first."""

    def encode(self, values: Array) -> Array:
        """Coordinates of shape (n, d) of the values; the default is the values themselves, flattened."""
        return values.reshape(len(values), -1)

    def decode(self, coordinates: Array, classes: int) -> Array:
        """Values from coordinates of shape (n, d)."""
        return coordinates.reshape(len(coordinates), *self.edges(classes).shape[1:])

    def latex(self) -> str:
        """The set as mathematics."""
        return rf"\text{{{type(self).__name__}}}"


@dataclass(frozen=True)
class Interval(Domain):
    """Numbers between `low` and `high`, both included unless `open_low` or `open_high`; inf is a number here.

    Raises:
        ValueError: an empty interval.
    """

    low: float = 0.0
    high: float = float("inf")
    open_low: bool = False
    open_high: bool = False

    special: ClassVar[tuple[float, ...]] = (0.0, 0.5, 1.0, 2.0)

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"an interval must have low < high, got [{self.low}, {self.high}]")

    def contains(self, values: Array) -> Mask:
        """Which values lie inside."""
        above = values > self.low if self.open_low else values >= self.low
        return above & (values < self.high if self.open_high else values <= self.high)

    def sample(self, rng: Generator, n: int, classes: int) -> Array:
        values = self.decode(rng.normal(0.0, 2.0, (n, 1)), classes)
        near = rng.choice(self.edges(classes), n)
        beside = near * (1 + rng.choice([-1, 1], n) * 10 ** rng.uniform(-15, -1, n))
        values = np.where((rng.random(n) < 0.25) & self.contains(beside), beside, values)
        return np.where(rng.random(n) < 0.15, near, values)

    def edges(self, classes: int) -> Array:
        points = np.array([self.low, self.high, *self.special])
        finite = points[np.isfinite(points)]
        around = np.concatenate([points, np.nextafter(finite, np.inf), np.nextafter(finite, -np.inf)])
        return np.unique(around[self.contains(around)])

    def encode(self, values: Array) -> Array:
        with np.errstate(divide="ignore"):
            if np.isinf(self.high):
                raw = np.log(np.asarray(values) - self.low)
            else:
                raw = logit((np.asarray(values) - self.low) / (self.high - self.low))
        return np.clip(raw, -FLAT, FLAT)[:, None]

    def decode(self, coordinates: Array, classes: int) -> Array:
        x = np.clip(coordinates[:, 0], -FLAT, FLAT)
        values = self.low + (np.exp(x) if np.isinf(self.high) else (self.high - self.low) * expit(x))
        inner = np.nextafter(self.low, np.inf), np.nextafter(self.high, -np.inf)
        return np.clip(values, inner[0] if self.open_low else self.low, inner[1] if self.open_high else self.high)

    def latex(self) -> str:
        left, right = "(" if self.open_low else "[", ")" if self.open_high or np.isinf(self.high) else "]"
        return rf"{left}{self.low:g},{self.high:g}{right}".replace("inf", r"\infty")


@dataclass(frozen=True)
class Order(Interval):
    """Orders of the divergence: an interval in [0, inf] whose edge cases are 0, 1/2, 1, 2, inf and their neighbours."""

    special: ClassVar[tuple[float, ...]] = (
        0.0,
        1e-12,
        1e-3,
        0.5,
        1 - 1e-9,
        1.0,
        1 + 1e-9,
        2.0,
        50.0,
        1e3,
        float("inf"),
    )

    def latex(self) -> str:
        return super().latex().replace(r"\infty)", r"\infty)" if self.open_high else r"\infty]")


@dataclass(frozen=True)
class Integer(Domain):
    """Whole numbers from `low` to `high`, both included (as float64)."""

    low: int = 1
    high: int = 10

    def sample(self, rng: Generator, n: int, classes: int) -> Array:
        return rng.integers(self.low, self.high + 1, n).astype(np.float64)

    def edges(self, classes: int) -> Array:
        return np.unique([self.low, min(self.low + 1, self.high), self.high]).astype(np.float64)

    def encode(self, values: Array) -> Array:
        return np.asarray(values, np.float64)[:, None]

    def decode(self, coordinates: Array, classes: int) -> Array:
        return np.clip(np.round(coordinates[:, 0]), self.low, self.high)

    def latex(self) -> str:
        return rf"\{{{self.low},\dots,{self.high}\}}"


@dataclass(frozen=True)
class Logits(Domain):
    """Rows of C logits, from nearly uniform to nearly a vertex; `zeros` admits -inf (a class that cannot occur).

    `classes` fixes C; `scale` bounds the spread of what is drawn, not of what is allowed.
    """

    classes: int | None = None
    zeros: bool = False
    scale: float = 300.0

    least_classes: ClassVar[int] = 2

    def count(self, classes: int) -> int:
        """The number of classes of a row."""
        return self.classes or classes

    def sample(self, rng: Generator, n: int, classes: int) -> Array:
        shape = (n, self.count(classes))
        rows = rng.normal(size=shape) * 10 ** rng.uniform(-3, np.log10(self.scale / 3), (n, 1))
        peak = np.zeros(shape)
        peak[np.arange(n), rng.integers(shape[1], size=n)] = rng.exponential(self.scale / 5, n)
        rows = np.where(rng.random((n, 1)) < 0.3, rows / self.scale + peak, rows)
        if self.zeros:
            cut = (rng.random(shape) < 0.3) & (rng.random((n, 1)) < 0.3)
            cut[np.arange(n), rng.integers(shape[1], size=n)] = False
            rows = np.where(cut, -np.inf, rows)
        return rows

    def edges(self, classes: int) -> Array:
        first, last = np.eye(self.count(classes))[[0, -1]]
        ramp = np.linspace(0.0, 1.0, self.count(classes))
        heights = [h for h in (1e-6, 0.1, 1.0, 4.0, 12.0, 36.0, 150.0, 700.0) if h <= self.scale]
        rows = [0 * first, ramp] + [h * side for h in heights for side in (first, last, -first)]
        if self.zeros:
            rows += [np.where(side == 1, 0.0, -np.inf) for side in (first, last)]
            rows += [np.where(side == 1, -np.inf, ramp) for side in (first, last)]
        return np.array(rows)

    def encode(self, values: Array) -> Array:
        return np.where(np.isneginf(values), -3 * self.scale, values).reshape(len(values), -1)

    def latex(self) -> str:
        line = r"[-\infty,\infty)" if self.zeros else r"\mathbb{R}"
        return rf"{line}^{{{self.classes or 'C'}}}"


@dataclass(frozen=True)
class Simplex(Logits):
    """Probability vectors: softmax of the same rows, exact vertices and faces included when `zeros`."""

    zeros: bool = True

    def sample(self, rng: Generator, n: int, classes: int) -> Array:
        return softmax(super().sample(rng, n, classes), axis=-1)

    def edges(self, classes: int) -> Array:
        return softmax(super().edges(classes), axis=-1)

    def encode(self, values: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.maximum(np.log(values), -3 * self.scale)

    def decode(self, coordinates: Array, classes: int) -> Array:
        return np.exp(log_softmax(coordinates, axis=-1))

    def latex(self) -> str:
        return rf"\Delta_{{{self.classes or 'C'}}}"


@dataclass(frozen=True)
class Reals(Domain):
    """Arrays of real numbers of a given shape, "C" standing for the number of classes: `Reals("C")`, `Reals(2, 2)`."""

    shape: tuple[int | str, ...] = ()
    scale: float = 10.0

    def __init__(self, *shape: int | str, scale: float = 10.0) -> None:
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "scale", scale)

    def event(self, classes: int) -> tuple[int, ...]:
        """The shape of one value."""
        return tuple(classes if size == "C" else int(size) for size in self.shape)

    def sample(self, rng: Generator, n: int, classes: int) -> Array:
        size = 10 ** rng.uniform(-2, np.log10(self.scale), n)
        return rng.normal(size=(n, *self.event(classes))) * size.reshape(-1, *[1] * len(self.shape))

    def edges(self, classes: int) -> Array:
        ramp = np.linspace(-1.0, 1.0, int(np.prod(self.event(classes)))).reshape(self.event(classes))
        signs = np.where(np.indices(self.event(classes))[-1] % 2, -1.0, 1.0) if self.shape else np.array(-1.0)
        return np.array([np.zeros_like(ramp), np.ones_like(ramp), signs, ramp, self.scale * ramp])

    def latex(self) -> str:
        exponent = r" \times ".join(map(str, self.shape))
        return r"\mathbb{R}" + (f"^{{{exponent}}}" if exponent else "")


Point = dict[str, Array]
"""Values of all variables of a theorem, each with the same leading batch axis."""
