"""Toy simulations of constant-rate SGD against the bounds of `theory`; this room imports theory."""

from sims.engine import (
    EXACT,
    Moments,
    Oracle,
    Problem,
    Record,
    Schedule,
    Simulation,
    Trace,
    adversarial_bias,
    check_gradient,
    constant_bias,
    gaussian,
    rademacher,
    run,
    sweep,
)
from sims.studies import STUDIES
from sims.verdicts import Cell, Row, Study, StudyResult

__all__ = [
    "EXACT",
    "STUDIES",
    "Cell",
    "Moments",
    "Oracle",
    "Problem",
    "Record",
    "Row",
    "Schedule",
    "Simulation",
    "Study",
    "StudyResult",
    "Trace",
    "adversarial_bias",
    "check_gradient",
    "constant_bias",
    "gaussian",
    "rademacher",
    "run",
    "sweep",
]
