r"""Shelf G3, continued: the first-order law for softmax students, against their mutually trained optima."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np

from theory.cohorts.coregularisation import first_order_effect
from theory.divergence.arguments import Array
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair, divergence, probabilities

from .ensembles import solved

COUPLING = 4e-3
"""The larger of the two weights of the difference quotient."""
ENDS = COUPLING * np.array([1.0, -1.0, 0.5, -0.5])
SMOOTH: dict[str, Any] = dict(
    designs=Reals(2, 4, 3, 2, scale=2),
    labels=Reals(4, 3, scale=3),
    alpha=Interval(0, 4),
    decay=Interval(0.3, 3),
)


@theorem("G3", given=SMOOTH, source=OURS, relation="==", cost=40, tolerance=1e-6, resolution=0.1)
def first_order_law_of_softmax_students(designs: Array, labels: Array, alpha: Array, decay: Array) -> Pair:
    r"""$\frac{d\theta_k}{d\lambda}\big|_0 = -H_k^{-1}\nabla_{\theta_k}\frac1{K-1}\sum_jD_\alpha(p_j\|p_k)$ and
    $\frac{d\,\mathrm{Risk}}{d\lambda}\big|_0 = -\nabla\mathrm{Risk}^\top H_k^{-1}\nabla\bar D$, all at independent
    students: whether mutual learning helps is known before it is tried.

    For smooth students with Hessian $H_k\succ0$; checked on two softmax regressions with weight decay, logits
    $\tanh(X_k)\theta_k$ on three inputs with soft labels, the risk being the cross-entropy on a fourth; left a
    difference quotient of the optima in $\lambda$. Proof: implicit function theorem at $\lambda=0$; peers, detached,
    enter at first order with their independent values.
    """
    x, alone = np.tanh(designs), np.zeros((len(designs), 2, 2))
    alone = _optimum(x, labels, alpha, np.zeros_like(alpha), decay, alone, 10)
    ends = _ends(x, labels, alpha, decay, alone)
    quotients = [_slope(values) for values in (ends, [_risk(x, labels, theta)[..., None] for theta in ends])]
    hessian = _own_hessian(x, labels, alone, decay)
    pull = _parametric(x[:, :, :3], _pulls(_logits(x[:, :, :3], alone), alpha))
    slope = _parametric(x[:, :, 3:], _misfit(_logits(x[:, :, 3:], alone), labels[:, 3:]))
    moves = -solved(hessian, pull)
    effect = first_order_effect(slope, hessian, pull)[..., None]
    return np.concatenate(quotients, -1), np.concatenate([moves, effect], -1)


def _ends(x: Array, labels: Array, alpha: Array, decay: Array, alone: Array) -> Array:
    """The optima at the four weights of `ENDS`, which come first in the result's shape; found together."""
    x, labels, alpha, decay, start = (np.concatenate([v] * len(ENDS)) for v in (x, labels, alpha, decay, alone))
    weights = np.repeat(ENDS, len(alone))
    return _optimum(x, labels, alpha, weights, decay, start, 6).reshape(len(ENDS), *alone.shape)


def _slope(values: Any) -> Array:
    """The derivative at 0 from values at `ENDS`: Richardson's difference quotient, of fourth order."""
    far, back, near, behind = values
    return (4 * (near - behind) / COUPLING - (far - back) / (2 * COUPLING)) / 3


def _optimum(x: Array, labels: Array, alpha: Array, lam: Array, decay: Array, theta: Array, steps: int) -> Array:
    """Newton's method on both students at once, each for its own loss."""
    inputs, wide = x[:, :, :3], lam[:, None, None]
    for _ in range(steps):
        z = _logits(inputs, theta)
        pulls = _misfit(z, labels[:, :3]) + wide[..., None] * _pulls(z, alpha)
        gradient = _parametric(inputs, pulls) + decay[:, None, None] * theta
        theta = theta - solved(_own_hessian(x, labels, theta, decay), gradient)
    return theta


def _logits(x: Array, theta: Array) -> Array:
    return np.einsum("nkicp,nkp->nkic", x, theta)


def _parametric(x: Array, pulls: Array) -> Array:
    return np.einsum("nkicp,nkic->nkp", x, pulls) / x.shape[2]


def _misfit(z: Array, labels: Array) -> Array:
    return probabilities(z) - probabilities(labels[:, None])


def _pulls(z: Array, alpha: Array) -> Array:
    """q - w of D1 by plain softmaxes: far from the regimes that need the stable formulas, and called often."""
    order = alpha[:, None, None, None]
    return probabilities(z) - probabilities(order * z[:, ::-1] + (1 - order) * z)


def _own_hessian(x: Array, labels: Array, theta: Array, decay: Array) -> Array:
    inputs = x[:, :, :3]
    q = probabilities(_logits(inputs, theta))[..., None]
    centred = inputs - (q * inputs).sum(axis=-2, keepdims=True)
    curvature = np.einsum("nkicp,nkicq->nkpq", q * centred, centred) / 3
    return curvature + decay[:, None, None, None] * np.eye(2)


def _risk(x: Array, labels: Array, theta: Array) -> Array:
    z = _logits(x[:, :, 3:], theta)[:, :, 0]
    return divergence(np.broadcast_to(labels[:, 3:], z.shape), z, 1.0)
