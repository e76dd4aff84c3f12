"""Theorems on detached updates at a constant rate: descent, rotation, noise, potentials and scope; this room imports
the files of theory.theorems, the files of theory and every other room of theory.
"""

from . import (
    bounded_scope,
    conservative_rules,
    descent,
    effective_weight,
    momentum,
    no_bias,
    noise,
    order_and_weight,
    order_in_runs,
    potential,
    rotation,
)

__all__ = [
    "bounded_scope",
    "conservative_rules",
    "descent",
    "effective_weight",
    "momentum",
    "no_bias",
    "noise",
    "order_and_weight",
    "order_in_runs",
    "potential",
    "rotation",
]
