"""One loop of constant-rate SGD over all replicas at once, and what it is made of; this room imports theory."""

from .gradient_check import check_gradient
from .loop import run, states_along
from .moments import Moments, Record, Trace
from .oracles import EXACT, Oracle, adversarial_bias, constant_bias, gaussian, rademacher
from .simulation import Problem, Schedule, Simulation, solved
from .sweep import sweep

__all__ = [
    "EXACT",
    "Moments",
    "Oracle",
    "Problem",
    "Record",
    "Schedule",
    "Simulation",
    "Trace",
    "adversarial_bias",
    "check_gradient",
    "constant_bias",
    "gaussian",
    "rademacher",
    "run",
    "solved",
    "states_along",
    "sweep",
]
