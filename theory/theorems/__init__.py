"""The shelves of theorems; importing this package fills the registry."""

from . import (
    convexity,
    curvature,
    descent,
    duality,
    gradients,
    limits,
    noise,
    order,
    peer,
    potential,
    rotation,
    variation,
)

__all__ = [
    "convexity",
    "curvature",
    "descent",
    "duality",
    "gradients",
    "limits",
    "noise",
    "order",
    "peer",
    "potential",
    "rotation",
    "variation",
]
