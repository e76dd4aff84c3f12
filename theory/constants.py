r"""The best constants of Pinsker's inequality and of self-bounding, for every order.

$c(\alpha) = \inf D_\alpha(p\|q)/V^2$ with $V = \|p-q\|_1$, and $\kappa(\alpha) = \sup\|q-w\|_1^2/D_\alpha$, which is
$1/c(1/\alpha)$ by escort duality (A5). Binary pairs suffice (C1). c is exactly $\alpha/2$ up to order 1.17082 and
exactly 0.613852... from order 1.39795 on (C3, computer-assisted); between them no closed form is known, the infimum is
found numerically and `theory.pinsker_enclosure` gives proved bounds (C4).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, lambertw

from theory.divergence.arguments import Array, as_order, refuse_where
from theory.divergence.gradients import peer_gradient, student_gradient
from theory.divergence.values import renyi_divergence_from_logits

POINT_MASS_ROOT = float(-0.5 / lambertw(-np.exp(-0.5) / 2, -1).real)
"""x = 0.284668..., the root of 2x log x = x - 1 below 1."""
LARGE_ORDER_CONSTANT = 1 / (8 * POINT_MASS_ROOT * (1 - POINT_MASS_ROOT))
"""c(alpha) = 0.613851... for every order from the vertex order on (C3; from 2 on also by hand, C2)."""
GOLDEN_ORDER = (5 + 3 * np.sqrt(5)) / 10
"""1.170820...: up to it c(alpha) = alpha/2, beyond it that is too large a constant (C3)."""
VERTEX_ORDER = 1 / (1 - POINT_MASS_ROOT)
"""1.397953...: from here on, and not before, the best binary pair has p at a vertex (C3)."""
STARTS = np.stack(np.meshgrid(np.linspace(-3, 3, 25), np.linspace(-3, 2.25, 22), indexing="ij"), -1).reshape(-1, 2)
"""Log-odds of q and log(log-odds of p minus those of q); further out the ratio is too flat to start from."""


def pinsker_constant(alpha: ArrayLike) -> Array:
    r"""The largest c with $c\,\|p-q\|_1^2 \le D_\alpha(p\|q)$ for all distributions, to 1e-10.

    $\alpha/2$ exactly up to order $(5+3\sqrt5)/10 = 1.17082\ldots$ (proved: up to 1 by C1, Gilardoni 2010, beyond by
    C3, computer-assisted), $\frac1{8x(1-x)} = 0.61385\ldots$ with $2x\log x = x-1$ exactly from order $1/(1-x) =
    1.39795\ldots$ on (proved: C3, computer-assisted; from 2 on also C2), between them the least ratio over binary pairs
    (numerical to 1e-10; `pinsker_enclosure` encloses it to 0.001, proved).

    Args:
        alpha: orders in (0, inf], any shape.

    Raises:
        ValueError: an order that is 0 (no constant exists), negative or NaN.
    """
    order = as_order(alpha)
    refuse_where(order == 0, "alpha", order, "be positive: no constant exists at order 0")
    return np.asarray(np.vectorize(_constant, otypes=[float])(order))[()]


def self_bounding_constant(alpha: ArrayLike) -> Array:
    r"""The least kappa with $\|q-w\|_1^2 \le \kappa D_\alpha(p\|q)$, to 1e-10; inf at order inf (D3).

    $1/c(1/\alpha)$ by A5, so with the statuses of c (C3): $2\alpha$ exactly from order $10/(5+3\sqrt5) = 0.85410\ldots$
    on and $8x(1-x) = 1.62905\ldots$ exactly up to order $1-x = 0.71533\ldots$ (both proved), between them numerical;
    `self_bounding_enclosure` gives proved bounds.

    Raises:
        ValueError: as `pinsker_constant`.
    """
    order = as_order(alpha)
    refuse_where(order == 0, "alpha", order, "be positive: both sides are 0 at order 0")
    finite = np.where(order == np.inf, 1.0, order)
    return np.where(order == np.inf, np.inf, 1 / pinsker_constant(1 / finite))[()]


def ratio(logit_p: ArrayLike, logit_q: ArrayLike, alpha: ArrayLike) -> Array:
    """D_alpha/V^2 of two coins by their log-odds."""
    y, z = _coin(logit_p), _coin(logit_q)
    return renyi_divergence_from_logits(y, z, alpha) / np.abs(student_gradient(y, z, 1.0)).sum(axis=-1) ** 2


def _coin(logit: ArrayLike) -> Array:
    heads = np.asarray(logit, np.float64)
    return np.stack([heads, np.zeros_like(heads)], -1)


@lru_cache(maxsize=4096)
def _constant(alpha: float) -> float:
    if alpha <= GOLDEN_ORDER:
        return alpha / 2
    if alpha >= VERTEX_ORDER:
        return LARGE_ORDER_CONSTANT
    return float(ratio(*nearest_coins(alpha), alpha))


@lru_cache(maxsize=4096)
def nearest_coins(alpha: float) -> tuple[float, float]:
    """Log-odds of the p and q with the least ratio, for orders between the closed forms; from the best of a grid."""
    from scipy.optimize import minimize  # takes longer to import than all else here, and few orders need it

    start = STARTS[np.argmin(ratio(STARTS[:, 0] + np.exp(STARTS[:, 1]), STARTS[:, 0], alpha))]
    found = minimize(_log_ratio, start, args=(alpha,), jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 60})
    return float(found.x[0] + np.exp(found.x[1])), float(found.x[0])


def _log_ratio(point: Array, alpha: float) -> tuple[float, Array]:
    """log of the ratio and its gradient in (log-odds of q, log of the excess of those of p)."""
    gap = np.exp(point[1])
    y, z = _coin(point[0] + gap), _coin(point[0])
    value = renyi_divergence_from_logits(y, z, alpha)
    p, q = expit(point[0] + gap), expit(point[0])
    distance = -student_gradient(y, z, 1.0)[0]
    slope_p = peer_gradient(y, z, alpha)[0] / value - 2 * p * (1 - p) / distance
    slope_q = student_gradient(y, z, alpha)[0] / value + 2 * q * (1 - q) / distance
    return float(np.log(value) - 2 * np.log(2 * distance)), np.array([slope_p + slope_q, gap * slope_p])
