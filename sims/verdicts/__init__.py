"""How a study judges what it measured: cells, rules, fits and rows; this room imports theory and sims.engine."""

from .fits import Fit
from .results import MEAN_SQUARE, RATE, Axis, Panel, Row, StudyResult
from .rules import RuleOf, at_least, at_most, of_the_sign, within_standard_errors, within_tolerance
from .study import (
    Cell,
    Measured,
    Study,
    mean_square,
    mean_square_every,
    over_replicas,
    run_together,
    takes_device,
    with_steps,
)

__all__ = [
    "MEAN_SQUARE",
    "RATE",
    "Axis",
    "Cell",
    "Fit",
    "Measured",
    "Panel",
    "Row",
    "RuleOf",
    "Study",
    "StudyResult",
    "at_least",
    "at_most",
    "mean_square",
    "mean_square_every",
    "of_the_sign",
    "over_replicas",
    "run_together",
    "takes_device",
    "with_steps",
    "within_standard_errors",
    "within_tolerance",
]
