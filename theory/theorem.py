"""A theorem is a function: its docstring is the statement, its value the two sides, its domain stands in a
decorator."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import sympy

from .arguments import Array, Mask
from .domain import Domain, Point
from .sampling import describe
from .sides import Sides, excess_of, tidy
from .symbolic import vanishes

Status = Literal["proved", "cited", "numerical", "conjecture"]
Relation = Literal["<=", "=="]
Witness = Callable[[float], Mapping[str, Any]]
Expressions = sympy.Expr | Iterable[sympy.Expr]

THEOREMS: dict[str, "Theorem"] = {}
"""Every theorem by name, filled by importing `theory.theorems`."""

MET = 1e-6
WITNESS_STEPS = 4.0 ** -np.arange(1, 16)
"""The curve parameters at which a witness is evaluated; the two sides meet as they fall to 0."""


@dataclass(frozen=True)
class Theorem:
    """A statement $lhs \\le rhs$ or $lhs = rhs$ that can be evaluated, searched, differentiated and displayed.

    Attributes:
        label: the shelf number in the theory note, like "A3".
        given: where each variable lives.
        source: who proved it, with the theorem's number, or "this project" with the proof in the docstring.
        tight: a curve t -> point along which lhs/rhs -> 1 as t -> 0; a point may be a batch (one row an order, say),
            and then the two sides must meet in every row.
        where: a hypothesis that the domains cannot express; rows outside it are ignored and reported as not reached.
        tolerance: relative excess allowed to floating point.
        resolution: sides smaller than this are compared absolutely, on this scale.
        classes: numbers of classes that a search tries.
        cost: how many times dearer than a plain divergence a point is; searches evaluate so many fewer.
        certificates: names of the interval proofs of its two-class form, see `theory.certificates`.
        batched: whether the function follows the batch convention (a leading axis); None: a search asks it once.
    """

    name: str
    label: str
    statement: str
    given: Mapping[str, Domain]
    source: str
    status: Status
    relation: Relation
    function: Callable[..., tuple[Any, Any]] = field(repr=False)
    tight: Witness | None = field(default=None, repr=False)
    where: Callable[..., Any] | None = field(default=None, repr=False)
    tolerance: float = 1e-10
    resolution: float = 1e-290
    classes: tuple[int, ...] = (2, 3, 5, 10, 100)
    batched: bool | None = True
    cost: int = 1
    certificates: tuple[str, ...] = ()
    _identities: dict[str, Callable[..., Expressions]] = field(default_factory=dict, repr=False)

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

    def identity(self, step: Callable[..., Expressions]) -> Callable[..., Expressions]:
        """Attach a step of the proof: a function that returns sympy expressions which must simplify to 0.

        Its coefficients are keyword arguments with defaults, so that a test can plant an error in each of them.

        Raises:
            ValueError: no coefficient, a coefficient without a default, or a name used twice.
        """
        parameters = inspect.signature(step).parameters.values()
        if not parameters or any(p.default is inspect.Parameter.empty for p in parameters):
            raise ValueError(f"identity {step.__name__} must take its coefficients as keyword arguments with defaults")
        if step.__name__ in self._identities:
            raise ValueError(f"{self.name} already has an identity named {step.__name__}")
        self._identities[step.__name__] = step
        return step

    @property
    def identities(self) -> Mapping[str, Callable[..., Expressions]]:
        """The steps of the proof by name."""
        return MappingProxyType(self._identities)

    def vanishing(self) -> dict[str, bool]:
        """For each identity, whether it simplifies to 0."""
        return {name: vanishes(step()) for name, step in self._identities.items()}

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

    def tightness(self) -> float:
        """The largest lhs/rhs that the witness reaches, worst over the rows of its points; NaN without a witness."""
        if self.tight is None:
            return float("nan")
        best = np.array(-np.inf)
        for t in WITNESS_STEPS:
            best = np.maximum(best, _meeting(self, self.tight(t)))
            if best.min() > 1 - MET:
                break
        return float(best.min())

    def search(self, seconds: float = 10.0, seed: int = 0, points: int = 20_000) -> "Any":
        """The worst point found: edge cases, random restarts, then optimisers. See `theory.search.search`."""
        from .search import search  # a theorem can be stated and shown without scipy.optimize

        return search(self, seconds=seconds, seed=seed, points=points)

    def _repr_markdown_(self) -> str:
        origin = f"*{self.status}*, {self.source}"
        return (
            f"**{self.label} {self.name.replace('_', ' ')}.** {self.statement}\n\n${describe(self.given)}$ ({origin})"
        )

    def _repr_latex_(self) -> str:
        return rf"{self.statement}\quad\text{{for}}\quad ${describe(self.given)}$"


def _meeting(theorem: Theorem, point: Mapping[str, Any]) -> Array:
    batch, _ = batched({name: np.asarray(value, np.float64) for name, value in point.items()}, theorem.given)
    sides = theorem.sides(batch)
    violated = theorem.excess_of(sides) > theorem.tolerance
    apart = np.abs(excess_of(sides, theorem.relation, 1e-290))  # no resolution: sides that are merely small don't meet
    return np.where(violated, -np.inf, 1.0 - apart)


def batched(point: Mapping[str, Array], given: Mapping[str, Domain]) -> tuple[Point, bool]:
    """The point with every value repeated along one common leading axis, and whether no value had that axis."""
    events = {name: given[name].edges(value.shape[-1] if value.ndim else 1).ndim - 1 for name, value in point.items()}
    rows = max([1, *(value.shape[0] for name, value in point.items() if value.ndim > events[name])])
    repeated = {
        name: value if value.ndim > events[name] else np.broadcast_to(value, (rows, *value.shape))
        for name, value in point.items()
    }
    return repeated, all(value.ndim == events[name] for name, value in point.items())


def theorem(
    label: str,
    *,
    given: Mapping[str, Domain],
    source: str,
    status: Status = "proved",
    relation: Relation = "<=",
    **options: Any,
) -> Callable[[Callable[..., tuple[Any, Any]]], Theorem]:
    """Turn a function of the variables in `given` into a `Theorem` and register it; its docstring is the statement.

    Raises:
        ValueError: no docstring, no source, arguments other than `given`, an unknown status or relation, a name in
        use.
    """

    def register(function: Callable[..., tuple[Any, Any]]) -> Theorem:
        made = stated(function, label=label, given=given, source=source, status=status, relation=relation, **options)
        if made.name in THEOREMS:
            raise ValueError(f"there is already a theorem named {made.name!r}")
        THEOREMS[made.name] = made
        return made

    return register


def conjecture(
    *, given: Mapping[str, Domain], relation: Relation = "<=", **options: Any
) -> Callable[[Callable[..., tuple[Any, Any]]], Theorem]:
    """Give an inequality of one's own the same treatment as a theorem, without registering it.

    ```python
    @conjecture(given=dict(y=Logits(), z=Logits(), alpha=Order(0, 1)))
    def stronger_pinsker(y, z, alpha):
        "$\\frac{\\alpha}{1.9}\\|p-q\\|_1^2 \\le D_\\alpha(p\\|q)$"
        return alpha / 1.9 * l1_distance(y, z) ** 2, renyi_divergence_from_logits(y, z, alpha)

    stronger_pinsker.search(seconds=5)
    ```

    Raises:
        ValueError: as `theorem`.
    """

    def make(function: Callable[..., tuple[Any, Any]]) -> Theorem:
        chosen = {"label": "?", "batched": None} | options
        return stated(function, given=given, source="a conjecture", status="conjecture", relation=relation, **chosen)

    return make


def stated(function: Callable[..., tuple[Any, Any]], **attributes: Any) -> Theorem:
    """The checked `Theorem` of a function, unregistered."""
    name, given = getattr(function, "__name__", "theorem"), attributes["given"]
    allowed = {"status": ("proved", "cited", "numerical", "conjecture"), "relation": ("<=", "==")}
    for key, values in allowed.items():
        if attributes[key] not in values:
            raise ValueError(f"{key} of {name} must be one of {', '.join(values)}, got {attributes[key]!r}")
    if not attributes["source"].strip():
        raise ValueError(f"{name} must name its source, got an empty string")
    if list(inspect.signature(function).parameters) != list(given):
        raise ValueError(f"{name} must take exactly the variables in `given`, {', '.join(given)}, in that order")
    statement = inspect.cleandoc(function.__doc__ or "")
    if not statement:
        raise ValueError(f"{name} must have a docstring: it is the statement")
    return Theorem(name=name, statement=statement, function=function, **attributes)
