"""The Rényi divergence, its gradients and its theorems, in float64 and without torch."""

from theory.divergence.gradients import peer_gradient, student_gradient, student_hessian
from theory.divergence.values import (
    geometric_mixture,
    geometric_mixture_from_logits,
    renyi_divergence,
    renyi_divergence_from_logits,
)

from .constants import pinsker_constant, self_bounding_constant
from .enclosures import pinsker_enclosure, self_bounding_enclosure

__all__ = [
    "geometric_mixture",
    "geometric_mixture_from_logits",
    "peer_gradient",
    "pinsker_constant",
    "pinsker_enclosure",
    "renyi_divergence",
    "renyi_divergence_from_logits",
    "self_bounding_constant",
    "self_bounding_enclosure",
    "student_gradient",
    "student_hessian",
]
