"""Quantities that the statements share, on logits with the classes last: `y` of the peer p, `z` of the student q."""
# ruff: noqa: C408  (given=dict(y=..., z=...) reads like the statement)

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import log_softmax, logsumexp, softmax

from theory.divergence.arguments import Array
from theory.divergence.gradients import student_gradient
from theory.divergence.pair import pair_from_logits
from theory.divergence.values import renyi_divergence_from_logits
from theory.statements.domains import Logits

divergence = renyi_divergence_from_logits
Pair = tuple[Array, Array]

OURS = "this project"
VAN_ERVEN = "van Erven & Harremoës 2014"
PAIR = dict(y=Logits(), z=Logits())
ZEROS = dict(y=Logits(zeros=True), z=Logits(zeros=True))
COARSE: dict[str, Any] = dict(tolerance=1e-8, resolution=1e-5)
"""For a statement one side of which is a textbook formula: it loses its digits where the divergence is tiny."""


def log_sum_exp(logits: Array, axis: int = -1) -> Array:
    """log sum e^logits over classes; -inf where there is none."""
    return np.asarray(logsumexp(logits, axis=axis))


def log_probabilities(logits: Array) -> Array:
    """log-softmax over the last axis; -inf stays -inf."""
    return np.asarray(log_softmax(logits, axis=-1))


def probabilities(logits: Array) -> Array:
    """softmax over the last axis."""
    return softmax(logits, axis=-1)


def kl(y: Array, z: Array) -> Array:
    """KL(p||q), which is the divergence of order 1."""
    return renyi_divergence_from_logits(y, z, 1.0)


def l1_distance(y: Array, z: Array) -> Array:
    """V = sum |p - q| to full relative precision: p - q is minus the student's gradient at order 1."""
    return np.abs(student_gradient(y, z, 1.0)).sum(axis=-1)


def log_ratio(y: Array, z: Array) -> Array:
    """l = log(p/q) to full relative precision; 0 outside the common support."""
    return pair_from_logits(*np.broadcast_arrays(y, z)).inner.log_ratio.hi


def oscillation(y: Array, z: Array) -> Array:
    """osc l = max l - min l of logits without zeros."""
    return np.ptp(log_ratio(y, z), axis=-1)


def tilted_logits(y: Array, z: Array, alpha: Array) -> Array:
    """Logits of the geometric mixture w, for orders with a trailing axis or a scalar."""
    a = per_class(alpha)
    return a * centred(y) + (1 - a) * centred(z)


def centred(logits: Array) -> Array:
    """The same distribution with the largest logit at 0, so that large orders multiply small numbers."""
    return logits - logits.max(axis=-1, keepdims=True)


def per_class(values: Any) -> Array:
    """A value a row, ready to multiply rows of classes."""
    return np.asarray(values, np.float64)[..., None]


def dot(a: Array, b: Array) -> Array:
    """Sum over classes of a b."""
    return (a * b).sum(axis=-1)


@cache
def _legendre(nodes: int) -> tuple[Array, Array]:
    x, weights = leggauss(nodes)
    return (x + 1) / 2, weights / 2


def integral(integrand: Callable[[float], Array], nodes: int = 16) -> Array:
    """Gauss-Legendre value of the integral of a smooth function over [0, 1]."""
    return np.sum([w * integrand(float(t)) for t, w in zip(*_legendre(nodes), strict=True)], axis=0)


def nearly_fair_coins(t: float) -> dict[str, Any]:
    """p = (1/2, 1/2) and q -> p: where Pinsker's inequality becomes an equality."""
    return dict(y=np.zeros(2), z=np.array([t, 0.0]))
