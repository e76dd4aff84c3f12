"""The Rényi divergence and its derivatives, stable at every order; this room imports the files of theory.

`values` and `gradients` are what users call. They compute each row in plain float64 (`fast`, `fast_gradients`) where a
proved bound keeps twelve digits, else in double-double (`kernel`); `rows` decides. `reference` computes the same in
mpmath, slowly, from the definitions.
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
