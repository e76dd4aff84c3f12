"""A claim: two sides as functions of a point, where the point may lie, and how far a point violates it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from theory.divergence.arguments import Array, Mask

from .domains import Domain, Point
from .sides import Sides, excess_of, tidy

Relation = Literal["<=", "=="]


@dataclass(frozen=True, kw_only=True)
class Claim:
    r"""A relation $lhs \le rhs$ or $lhs = rhs$ over a domain: all that a search for counterexamples needs.

    Attributes:
        given: where each variable lives.
        function: the two sides at a point.
        where: a hypothesis that the domains cannot express; rows outside it are ignored and reported as not reached.
        tolerance: relative excess allowed to floating point.
        resolution: sides smaller than this are compared absolutely, on this scale.
        classes: numbers of classes that a search tries.
        cost: how many times dearer than a plain divergence a point is; searches evaluate so many fewer.
        batched: whether the function follows the batch convention (a leading axis); None: a search tries it once.
    """

    name: str
    given: Mapping[str, Domain]
    relation: Relation
    function: Callable[..., tuple[Any, Any]] = field(repr=False)
    where: Callable[..., Any] | None = field(default=None, repr=False)
    tolerance: float = 1e-10
    resolution: float = 1e-290
    classes: tuple[int, ...] = (2, 3, 5, 10, 100)
    batched: bool | None = True
    cost: int = 1

    def __call__(self, **point: Any) -> tuple[Any, Any]:
        """Both sides at one point (or at a batch, every value with the same leading axis)."""
        missing, unknown = self.given.keys() - point.keys(), point.keys() - self.given.keys()
        if missing or unknown:
            wrong = f"lacks {sorted(missing)}" if missing else f"does not know {sorted(unknown)}"
            raise ValueError(f"{self.name} takes {', '.join(self.given)}; this call {wrong}")
        return self._of_batch(point) if self.batched else self.function(**point)

    def _of_batch(self, point: Mapping[str, Any]) -> tuple[Any, Any]:
        values = {name: np.asarray(value, np.float64) for name, value in point.items()}
        rows, alone = batched(values, self.given)
        lhs, rhs = self.function(**rows)
        return (lhs[0], rhs[0]) if alone else (lhs, rhs)

    def sides(self, point: Point) -> Sides:
        """Both sides on a batch of points, one row a point, and which rows the hypothesis reaches."""
        reached = True if self.where is None else self.where(**point)
        return tidy(self.function, point, reached, self.batched)

    def excess(self, point: Point) -> Array:
        """How far each row violates the relation: (lhs - rhs)/max, at most 0 (for "==" exactly 0) if it holds.

        For positive sides it is lhs/rhs - 1 where lhs <= rhs. NaN counts as a violation; a row outside `where` is -1.
        """
        return self.excess_of(self.sides(point))

    def excess_of(self, sides: Sides) -> Array:
        """The same for sides already evaluated."""
        return excess_of(sides, self.relation, self.resolution)

    def holds(self, point: Point) -> Mask:
        """Which rows satisfy the relation within the tolerance."""
        return self.excess(point) <= self.tolerance


def batched(point: Mapping[str, Array], given: Mapping[str, Domain]) -> tuple[Point, bool]:
    """The point with every value repeated along one common leading axis, and whether no value had that axis."""
    events = {name: given[name].edges(value.shape[-1] if value.ndim else 1).ndim - 1 for name, value in point.items()}
    rows = max([1, *(value.shape[0] for name, value in point.items() if value.ndim > events[name])])
    repeated = {
        name: value if value.ndim > events[name] else np.broadcast_to(value, (rows, *value.shape))
        for name, value in point.items()
    }
    return repeated, all(value.ndim == events[name] for name, value in point.items())
