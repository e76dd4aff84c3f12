"""Theorems on the divergence itself: order, convexity, gradients, bounds; this room imports the files of
theory.theorems, the files of theory and every other room of theory.
"""

from . import (
    between,
    convexity,
    curvature,
    duality,
    gradients,
    limits,
    order,
    peer,
    thresholds,
    variation,
)

__all__ = [
    "between",
    "convexity",
    "curvature",
    "duality",
    "gradients",
    "limits",
    "order",
    "peer",
    "thresholds",
    "variation",
]
