"""Toy simulations of constant-rate SGD against the bounds of `theory`."""

from . import (
    drift,
    escape,
    limit_cycle,
    noise_floor,
    order_as_variance,
    potential,
    rotating_pair,
    search_for_cycles,
    sharper_bound,
    stationary_covariance,
    students_generic,
    three_terms,
)
from .check import check_gradient
from .moments import Moments, Record, Trace
from .oracles import EXACT, Oracle, adversarial_bias, constant_bias, gaussian, rademacher
from .simulation import Problem, Schedule, Simulation, run
from .study import Cell, Row, Study, StudyResult
from .sweep import sweep

_MODULES = (
    three_terms,
    noise_floor,
    students_generic,
    drift,
    rotating_pair,
    limit_cycle,
    potential,
    sharper_bound,
    stationary_covariance,
    order_as_variance,
    escape,
    search_for_cycles,
)
STUDIES: dict[str, Study] = {module.STUDY.name: module.STUDY for module in _MODULES}

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
