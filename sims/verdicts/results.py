"""What a study returns: rows, with the words and axes that go with them."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from theory.typed import check, check_between, check_fields

Relation = Literal["=", "≤", "≥"]
Scale = Literal["linear", "log", "symlog"]


def check_place(order: float | None, x: float | None, relation: str, panel: int | None) -> None:
    """Refuse an order or a panel that is negative, a place on no axis, another relation."""
    check_between("order", order, 0)
    check_between("panel", panel, 0)
    check("relation", relation, Relation)
    if x is not None and not math.isfinite(x):
        raise ValueError(f"x must be finite, got {x}")


@dataclass(frozen=True)
class Row:
    """One comparison: what a simulation measures (mean and standard error over replicas) against theory.

    Attributes:
        name: the cell in words, with $LaTeX$.
        eta: learning rate; order: the order alpha, None where there is none.
        theory: the value that theory gives, exact, or a bound where `relation` says so.
        passed: the study's rule.
        series, x, panel: the curve in the figure, the place on its axis, and the panel, None for none.
        interval: confidence interval of a number that was fitted to other rows; None where nothing was fitted.

    A measurement that is not finite is kept, but agrees with nothing.

    Raises:
        ValueError: a size, an error or an order that is negative, an interval without its number.

    >>> row = Row("plateau", 0.1, None, 0.05, 0.001, 0.0526, True, replicas=50, steps=100, burn_in=0, seed=0)
    >>> abs(row.measured - row.theory) < 3 * row.standard_error
    True
    """

    name: str
    eta: float
    order: float | None
    measured: float
    standard_error: float
    theory: float
    passed: bool
    replicas: int
    steps: int
    burn_in: int
    seed: int
    series: str = ""
    x: float = 0.0
    relation: str = "="
    panel: int | None = 0
    interval: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_place(self.order, self.x, self.relation, self.panel)
        for name, least in (("replicas", 1), ("steps", 1), ("burn_in", 0), ("seed", 0)):
            check_between(name, getattr(self, name), least)
        if not 0 < self.eta < math.inf:
            raise ValueError(f"eta must be positive and finite, got {self.eta}")
        if math.isnan(self.theory):
            raise ValueError("theory must be a number, got nan")
        if math.isfinite(self.measured):
            self._check_measurement()
        elif self.passed:
            raise ValueError(f"measured must be finite where the rule passed, got {self.measured}")

    def _check_measurement(self) -> None:
        check_between("standard_error", self.standard_error, 0)
        low, high = self.interval or (self.measured, self.measured)
        if not low <= self.measured <= high:
            raise ValueError(f"interval must be (low, high) around {self.measured}, got {self.interval}")


@dataclass(frozen=True)
class Axis:
    """An axis of the standard figure: its label with unit, and "linear", "log" or "symlog" (then linear to `width`).

    `marks` are values at which a dotted line crosses the panel.
    """

    label: str
    scale: str = "log"
    width: float = 1.0
    marks: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        check("scale", self.scale, Scale)


RATE = Axis(r"learning rate $\eta$ (parameter per unit of gradient)")
MEAN_SQUARE = Axis(r"plateau $X$ (loss² per parameter²)")


@dataclass(frozen=True)
class Panel:
    """One pair of axes of the standard figure."""

    x: Axis = RATE
    y: Axis = MEAN_SQUARE
    title: str = ""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class StudyResult:
    """The rows of a study with the words that go with them.

    >>> StudyResult("empty", "Nothing", "", "", "", rows=()).passed
    True
    """

    study: str
    title: str
    lesson: str
    caption: str
    rule: str
    rows: tuple[Row, ...]
    panels: tuple[Panel, ...] = (Panel(),)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def passed(self) -> bool:
        """Whether every row agrees with theory."""
        return all(row.passed for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return asdict(self) | {"rows": [asdict(row) for row in self.rows], "passed": self.passed}
