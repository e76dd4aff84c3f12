"""A theorem is a function: its docstring is the statement, its value the two sides, its domain stands in a
decorator."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import sympy

from theory.divergence.arguments import Array
from theory.typed import check_call, check_fields

from .claim import Claim, Relation, batched
from .domains import Domain
from .sampling import describe
from .sides import excess_of
from .symbolic import vanishes

Status = Literal["proved", "cited", "numerical", "conjecture"]
Witness = Callable[[float], Mapping[str, Any]]
Expressions = sympy.Expr | Iterable[sympy.Expr]

THEOREMS: dict[str, "Theorem"] = {}
"""Every theorem by name, filled by importing `theory.theorems`.

>>> import theory.theorems
>>> THEOREMS["pinsker"].status
'proved'
"""

MET = 1e-6
WITNESS_STEPS = 4.0 ** -np.arange(1, 16)
"""The curve parameters at which a witness is evaluated; the two sides meet as they fall to 0."""


@dataclass(frozen=True, kw_only=True)
class Theorem(Claim):
    """A claim that is stated and sourced, with a witness of its tightness and the steps of its proof.

    Attributes:
        label: the shelf number in the theory note, like "A3".
        source: who proved it, with the theorem's number, or "this project" with the proof in the docstring.
        tight: a curve t -> point along which lhs/rhs -> 1 as t -> 0; a point may be a batch (one row an order, say),
            and then the two sides must meet in every row.
        certificates: names of the interval proofs of its two-class form, see `theory.certificates`.

    >>> import numpy as np
    >>> import theory.theorems
    >>> pinsker = THEOREMS["pinsker"]
    >>> lhs, rhs = pinsker(y=np.log([0.6, 0.4]), z=np.log([0.3, 0.7]), alpha=0.5)
    >>> bool(lhs <= rhs), pinsker.tightness() > 0.99
    (True, True)
    """

    label: str
    statement: str
    source: str
    status: Status
    tight: Witness | None = field(default=None, repr=False)
    certificates: tuple[str, ...] = ()
    _identities: dict[str, Callable[..., Expressions]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        check_fields(self)
        check_call(f"where of {self.name}", self.where, **self.given)
        check_call(f"tight of {self.name}", self.tight, "t")

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
        """The worst point found: edge cases, random restarts, then optimisers. See `theory.statements.search`."""
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

    >>> from theory.statements.domains import Logits
    >>> from theory import renyi_divergence_from_logits
    >>> @theorem("Z9", given={"y": Logits(), "z": Logits()}, source="Gibbs")
    ... def kl_is_not_negative(y, z):
    ...     "$D_1(p, q)$ is at least 0. Proof: Jensen."
    ...     return 0 * y[..., 0], renyi_divergence_from_logits(y, z, 1.0)
    >>> THEOREMS.pop("kl_is_not_negative").label
    'Z9'
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

    Raises:
        ValueError: as `theorem`.

    >>> from theory import renyi_divergence_from_logits
    >>> from theory.statements.domains import Logits
    >>> @conjecture(given={"y": Logits(), "z": Logits()})
    ... def symmetric(y, z):
    ...     "$D_1(p, q)$ is at most $D_1(q, p)$, which is false."
    ...     return renyi_divergence_from_logits(y, z, 1.0), renyi_divergence_from_logits(z, y, 1.0)
    >>> symmetric.search(seconds=1).refuted
    True
    """

    def make(function: Callable[..., tuple[Any, Any]]) -> Theorem:
        chosen = {"label": "?", "batched": None} | options
        return stated(function, given=given, source="a conjecture", status="conjecture", relation=relation, **chosen)

    return make


def stated(function: Callable[..., tuple[Any, Any]], **attributes: Any) -> Theorem:
    """The checked `Theorem` of a function, unregistered."""
    name, given = getattr(function, "__name__", "theorem"), attributes["given"]
    if not callable(function):
        raise ValueError(f"a statement must be a function of the variables in `given`, got {function!r}")
    if not (isinstance(given, Mapping) and given and all(isinstance(domain, Domain) for domain in given.values())):
        raise ValueError(f"given of {name} must name a domain such as Logits() for each variable, got {given!r}")
    allowed = {"status": ("proved", "cited", "numerical", "conjecture"), "relation": ("<=", "==")}
    for key, values in allowed.items():
        if attributes[key] not in values:
            raise ValueError(f"{key} of {name} must be one of {', '.join(values)}, got {attributes[key]!r}")
    for key, values in (("classes", attributes.get("classes", (2,))), ("cost", (attributes.get("cost", 1),))):
        if not values or not all(isinstance(value, int) and value >= 1 for value in values):
            raise ValueError(f"{key} of {name} must be at least 1, got {attributes[key]!r}")
    if not isinstance(attributes["source"], str) or not attributes["source"].strip():
        raise ValueError(f"{name} must name its source, got {attributes['source']!r}")
    if list(inspect.signature(function).parameters) != list(given):
        raise ValueError(f"{name} must take exactly the variables in `given`, {', '.join(given)}, in that order")
    statement = inspect.cleandoc(function.__doc__ or "")
    if not statement:
        raise ValueError(f"{name} must have a docstring: it is the statement")
    return Theorem(name=name, statement=statement, function=function, **attributes)
