"""Toy simulations of constant-rate SGD against the bounds of `theory`."""

from . import noise_floor, rotating_pair
from .simulation import EXACT, Moments, Oracle, Problem, Schedule, Simulation, gaussian, run
from .study import Cell, Row, Study, StudyResult

STUDIES: dict[str, Study] = {study.name: study for study in (noise_floor.STUDY, rotating_pair.STUDY)}

__all__ = [
    "EXACT",
    "STUDIES",
    "Cell",
    "Moments",
    "Oracle",
    "Problem",
    "Row",
    "Schedule",
    "Simulation",
    "Study",
    "StudyResult",
    "gaussian",
    "run",
]
