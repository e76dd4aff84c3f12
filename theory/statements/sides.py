"""The two sides of a statement on a batch of points, and how far they violate it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.divergence.arguments import Array, Mask, as_floats

from .domains import Point


@dataclass(frozen=True)
class Sides:
    """lhs and rhs with the points along the first axis (any further axes are components), and the rows reached."""

    lhs: Array
    rhs: Array
    reached: Mask

    @property
    def finite(self) -> Mask:
        """Rows that count: within the hypothesis, with neither side infinite."""
        return self.reached & np.isfinite(self.lhs).all(axis=-1) & np.isfinite(self.rhs).all(axis=-1)


def tidy(function: Callable[..., tuple[Any, Any]], point: Point, reached: Any, batched: bool | None) -> Sides:
    """Evaluate a function that follows the batch convention, or one that takes a single point, on a batch."""
    n = len(next(iter(point.values())))
    together = takes_batches(function, point) if batched is None else batched
    values = two(function(**point)) if together else _one_by_one(function, point, n)
    lhs, rhs = (as_floats(side, "each side of a statement") for side in values)
    lhs, rhs = _of_one_shape(lhs, rhs, n)
    return Sides(lhs.reshape(n, -1), rhs.reshape(n, -1), np.broadcast_to(np.asarray(reached, bool), (n,)))


def _of_one_shape(lhs: Array, rhs: Array, n: int) -> tuple[Array, Array]:
    try:
        lhs, rhs = np.broadcast_arrays(lhs, rhs)
    except ValueError:
        at_a_point = (side.shape[1:] if side.shape[:1] == (n,) else side.shape for side in (lhs, rhs))
        told = " and ".join(map(str, at_a_point))
        raise ValueError(f"the two sides of a statement must have one shape, got {told} at a point") from None
    return lhs, rhs


def two(values: Any) -> tuple[Any, Any]:
    """The two sides; refuses anything but a pair, so that the columns of one array are not taken for them."""
    if not isinstance(values, tuple | list) or len(values) != 2:
        raise ValueError(f"a statement must return its two sides, lhs and rhs, got {values!r:.80}")
    return values[0], values[1]


def _one_by_one(function: Callable[..., tuple[Any, Any]], point: Point, n: int) -> tuple[Any, Any]:
    rows = [two(function(**{name: values[i] for name, values in point.items()})) for i in range(n)]
    return np.stack([np.asarray(r[0]) for r in rows]), np.stack([np.asarray(r[1]) for r in rows])


def takes_batches(function: Callable[..., tuple[Any, Any]], point: Point) -> bool:
    """Whether the function on the first three (or two) points equals its value on each alone.

    So a user may write a conjecture for one pair of distributions; if it works on batches too, they make it faster.
    """
    few = {name: values[:3] for name, values in point.items()}
    n = len(next(iter(few.values())))
    try:
        together = [np.asarray(side) for side in two(function(**few))]
    except (ValueError, TypeError, IndexError):
        return False
    alone = [function(**{name: values[i] for name, values in few.items()}) for i in range(n)]
    return all(
        side.shape[:1] == (n,) and all(_same(side[i], alone[i][k]) for i in range(n)) for k, side in enumerate(together)
    )


def _same(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-300, equal_nan=True)


def excess_of(sides: Sides, relation: str, resolution: float) -> Array:
    """(lhs - rhs)/max(|lhs|, |rhs|, resolution) of each row; |lhs - rhs| in the largest component for "=="."""
    lhs, rhs = sides.lhs, sides.rhs
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.where(lhs == rhs, 0.0, lhs - rhs)  # two infinite sides agree
        size = np.maximum(np.maximum(np.abs(lhs), np.abs(rhs)), resolution)
        if relation == "==":
            gap, size = np.abs(gap).max(axis=-1), size.max(axis=-1)
        relative = np.where(np.isposinf(gap) | np.isnan(gap), 1.0, np.where(np.isneginf(gap), -1.0, gap / size))
    worst = relative if relation == "==" else relative.max(axis=-1)
    return np.where(sides.reached, np.where(np.isnan(worst), 1.0, worst), -1.0)
