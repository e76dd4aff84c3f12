"""The Rényi divergence and its derivatives, stable at every order; this room imports nothing of ours.

`values` and `gradients` are what users call; `reference` computes the same in mpmath, slowly, from the definitions.
"""

from .gradients import peer_gradient, student_gradient, student_hessian
from .values import (
    geometric_mixture,
    geometric_mixture_from_logits,
    renyi_divergence,
    renyi_divergence_from_logits,
)

__all__ = [
    "geometric_mixture",
    "geometric_mixture_from_logits",
    "peer_gradient",
    "renyi_divergence",
    "renyi_divergence_from_logits",
    "student_gradient",
    "student_hessian",
]
