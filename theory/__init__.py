"""The Rényi divergence, its gradients and its theorems; this room imports nothing of ours.

Everything is in float64, without torch. A name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theory.divergence import (
        geometric_mixture,
        geometric_mixture_from_logits,
        peer_gradient,
        renyi_divergence,
        renyi_divergence_from_logits,
        student_gradient,
        student_hessian,
    )

    from .constants import pinsker_constant, self_bounding_constant
    from .enclosures import pinsker_enclosure, self_bounding_enclosure

_HOMES = {
    "constants": ("pinsker_constant", "self_bounding_constant"),
    "enclosures": ("pinsker_enclosure", "self_bounding_enclosure"),
}
"""Where a name comes from; those that are not listed are of `divergence`."""

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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((home for home, names in _HOMES.items() if name in names), "divergence")
    found = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
