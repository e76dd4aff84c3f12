"""Theorems on cohorts of students: ridge fits, phases, temperature, accounting; this room imports the files of
theory.theorems, the files of theory and every other room of theory.
"""

from . import (
    accounting,
    best_coupling,
    ensembles,
    first_order,
    gaussian,
    phases,
    resolvent,
    smooth_students,
    temperature,
    unequal,
)

__all__ = [
    "accounting",
    "best_coupling",
    "ensembles",
    "first_order",
    "gaussian",
    "phases",
    "resolvent",
    "smooth_students",
    "temperature",
    "unequal",
]
