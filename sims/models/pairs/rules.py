r"""Rules of mutual learning for two classes: $D(p\|q)$ and its slope in the student's logit z, p the peer.

All but those of Rényi are f-divergences $\sum_iq_if(p_i/q_i)$ with $f''(1)=1$, so that near agreement all are
$\frac12\chi^2$.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from sims.engine.backend import Array, array_namespace

from .circle import Rule
from .scalar import expit

Probabilities = tuple[Array, Array]


@cache
def renyi(order: float, weight: float = 1.0) -> Rule:
    r"""$\lambda D_\alpha(p\|q)$; the slope is $q-w$, and w's logit is the weighted mean of the two logits."""

    def slope(own: Array, peer: Array) -> Array:
        return expit(own) - expit(order * peer + (1 - order) * own)

    def value(p: Probabilities, q: Probabilities) -> Array:
        if order == 1:
            return _kl(p, q)
        return np.log(sum(a**order * b ** (1 - order) for a, b in zip(p, q, strict=True))) / (order - 1)

    return Rule(f"order {order:g}", slope, value, weight)


def generated(name: str, generator: Callable[[Any], Any], slope: Callable[[Array, Array], Array]) -> Rule:
    """The f-divergence of a generator."""

    def value(p: Probabilities, q: Probabilities) -> Any:
        return sum(b * generator(a / b) for a, b in zip(p, q, strict=True))

    return Rule(name, slope, value)


def _kl(p: Probabilities, q: Probabilities) -> Any:
    return sum(a * np.log(a / b) for a, b in zip(p, q, strict=True))


def _log_ratio_slope(own: Array, peer: Array) -> Array:
    return expit(own) * expit(-own) * (own - peer)


def _chi_square_slope(own: Array, peer: Array) -> Array:
    q, r = expit(own), expit(-own)
    gap = q - expit(peer)
    return gap - gap**2 * (r - q) / (2 * q * r)


def _hellinger_slope(own: Array, peer: Array) -> Array:
    xp = array_namespace(own)
    q, r, p, s = expit(own), expit(-own), expit(peer), expit(-peer)
    return 2 * (q * xp.sqrt(r * s) - r * xp.sqrt(q * p))


def _jensen_shannon_slope(own: Array, peer: Array) -> Array:
    xp = array_namespace(own)
    q, r, p, s = expit(own), expit(-own), expit(peer), expit(-peer)
    return 2 * q * r * (own - xp.log((p + q) / (s + r)))


KL = renyi(1.0)
REVERSE_KL = generated("reverse KL", lambda t: -np.log(t), _log_ratio_slope)
CHI_SQUARE = generated("chi-square", lambda t: (t - 1) ** 2 / 2, _chi_square_slope)
HELLINGER = generated("squared Hellinger", lambda t: 2 * (1 - np.sqrt(t)) ** 2, _hellinger_slope)
JENSEN_SHANNON = generated(
    "Jensen-Shannon", lambda t: 2 * (t * np.log(2 * t / (1 + t)) + np.log(2 / (1 + t))), _jensen_shannon_slope
)
JEFFREYS = generated(
    "Jeffreys",
    lambda t: (t - 1) * np.log(t) / 2,
    lambda own, peer: (expit(own) - expit(peer) + _log_ratio_slope(own, peer)) / 2,
)
