"""Two distributions prepared for stable arithmetic: masses, log-masses and their exact log-ratio."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from .arguments import Array, Mask
from .double_double import DoubleDouble, add, exponential, negative, take, two_sum, where

ZERO = DoubleDouble(np.zeros(1), np.zeros(1))


@dataclass(frozen=True)
class Restricted:
    """p and q on the classes that both can produce, renormalised there; all is 0 on the other classes."""

    p: Array
    q: Array
    log_p: DoubleDouble
    log_q: DoubleDouble
    log_ratio: DoubleDouble
    support: Mask

    def swapped(self, rows: Mask) -> "Restricted":
        """The pair (q, p) in the rows marked (last axis of length 1), (p, q) in the others."""
        return Restricted(
            np.where(rows, self.q, self.p),
            np.where(rows, self.p, self.q),
            where(rows, self.log_q, self.log_p),
            where(rows, self.log_p, self.log_q),
            where(rows, negative(self.log_ratio), self.log_ratio),
            self.support,
        )


@dataclass(frozen=True)
class Pair:
    """Two distributions, class axis last, and what their restriction to the common support cuts off.

    `lost_p = -log p(q > 0)` and `lost_q = -log q(p > 0)` (shape without the class axis; 0 with full support, inf when
    the supports are disjoint) give D_alpha(p||q) = D_alpha(inner) + alpha/(1-alpha) lost_p + lost_q for alpha < 1;
    `leaves` marks the rows in which p is not absolutely continuous with respect to q.
    """

    inner: Restricted
    p: Array
    q: Array
    lost_p: Array
    lost_q: Array
    leaves: Mask


def pair_from_logits(logits_p: Array, logits_q: Array) -> Pair:
    """The pair softmax(logits_p), softmax(logits_q); both of one shape, checked, class axis last."""
    possible_p, possible_q = np.isfinite(logits_p), np.isfinite(logits_q)
    common = possible_p & possible_q
    raw = two_sum(np.where(common, logits_p, 0.0), np.where(common, -logits_q, 0.0))
    (inner_p, log_p), (inner_q, log_q) = softmax(logits_p, common), softmax(logits_q, common)
    ratio = normalised_log_ratio(inner_q, inner_p, log_q, log_p, raw, common)
    inner = Restricted(inner_p, inner_q, log_p, log_q, ratio, common)
    if common.all():
        return _whole(inner)
    p, q = softmax(logits_p, possible_p)[0], softmax(logits_q, possible_q)[0]
    return Pair(
        inner,
        p,
        q,
        _lost_mass(p, common, _log_mass(logits_p, common)),
        _lost_mass(q, common, _log_mass(logits_q, common)),
        np.any(possible_p & ~possible_q, axis=-1),
    )


def pair_from_probabilities(p: Array, q: Array) -> Pair:
    """The pair p / sum p, q / sum q; both of one shape, checked, class axis last."""
    common = (p > 0) & (q > 0)
    (inner_p, log_p), (inner_q, log_q) = _renormalised(p, common), _renormalised(q, common)
    ratio = normalised_log_ratio(inner_q, inner_p, log_q, log_p, _raw_log_ratio(p, q, common), common)
    inner = Restricted(inner_p, inner_q, log_p, log_q, ratio, common)
    if common.all():
        return _whole(inner)
    p, q = p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):  # log p = -inf of an impossible class is meant
        lost_p, lost_q = (_lost_mass(x, common, _log_mass(np.log(x), common)) for x in (p, q))
    return Pair(inner, p, q, lost_p, lost_q, np.any((p > 0) & ~common, axis=-1))


def _whole(inner: Restricted) -> Pair:
    """The pair whose rows have every class in common: what the restriction cuts off is exactly nothing."""
    nothing = np.zeros(inner.p.shape[:-1])
    return Pair(inner, inner.p, inner.q, nothing, nothing, nothing > 0)


def softmax(logits: Array, support: Mask) -> tuple[Array, DoubleDouble]:
    """Softmax over the support, and its logarithm with an absolute error of about 1e-16 log(classes); 0 elsewhere."""
    return softmax_of_exponents(DoubleDouble(logits, np.zeros_like(logits)), support)


def softmax_of_exponents(exponents: DoubleDouble, support: Mask) -> tuple[Array, DoubleDouble]:
    """The same for exponents in double-double, as an order times a log-ratio needs them."""
    inside = DoubleDouble(np.where(support, exponents.hi, -np.inf), np.where(support, exponents.lo, 0.0))
    top = np.argmax(inside.hi, axis=-1, keepdims=True)
    flat = where(support, exponents, ZERO)
    below = where(support, add(flat, negative(take(flat, top))), ZERO)
    mass = np.where(support, exponential(below), 0.0)
    others = mass.copy()
    np.put_along_axis(others, top, 0.0, -1)
    rest = others.sum(axis=-1, keepdims=True)
    log_mass = add(below, DoubleDouble(-np.log1p(rest), np.zeros_like(rest)))
    return mass / (1.0 + rest), where(support, log_mass, ZERO)


def normalised_log_ratio(
    base: Array, tilted: Array, log_base: DoubleDouble, log_tilted: DoubleDouble, raw: DoubleDouble, support: Mask
) -> DoubleDouble:
    """log(tilted / base) from `raw`, the same up to a constant a row, without losing digits where the two agree.

    At the class where both are large (argmax of the smaller of the two) the constant follows from sum base (e^raw - 1)
    = 0, whose terms are small where the distributions are close; only a constant beyond 1 is taken from the difference
    of the log-masses.
    """
    smaller = np.where(support, np.minimum(log_base.hi, log_tilted.hi), -np.inf)
    centre = np.argmax(smaller, axis=-1, keepdims=True)
    delta = add(raw, negative(take(raw, centre)))
    far = add(take(log_tilted, centre), negative(take(log_base, centre)))
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        moved = np.where(np.abs(delta.hi) <= 1, base * np.expm1(delta.hi), tilted * exponential(negative(far)) - base)
        near = -np.log1p(np.where(support, moved, 0.0).sum(axis=-1, keepdims=True))
    offset = where(np.abs(far.hi) <= 1, DoubleDouble(near, np.zeros_like(near)), far)
    return where(support, add(delta, offset), ZERO)


def _renormalised(p: Array, common: Mask) -> tuple[Array, DoubleDouble]:
    inner = np.where(common, p, 0.0)
    total = inner.sum(axis=-1, keepdims=True)
    inner = inner / np.where(total > 0, total, 1.0)
    log_mass = np.log(np.where(inner > 0, inner, 1.0))
    return inner, DoubleDouble(log_mass, np.zeros_like(log_mass))


def _raw_log_ratio(p: Array, q: Array, common: Mask) -> DoubleDouble:
    p, q = np.where(common, p, 1.0), np.where(common, q, 1.0)
    close = np.abs(p - q) <= q / 2  # there p - q is exact and log1p keeps its digits
    ratio = np.where(close, np.log1p(np.where(close, p - q, 0.0) / q), np.log(p) - np.log(q))
    return DoubleDouble(ratio, np.zeros_like(ratio))


def _lost_mass(p: Array, common: Mask, log_inside: Array) -> Array:
    """-log p(common): from the mass outside while that is the smaller part, else from log p(common)."""
    outside = np.where(common, 0.0, p).sum(axis=-1)
    return np.where(outside <= 0.5, -np.log1p(-np.minimum(outside, 0.5)), -log_inside) + 0.0


def _log_mass(logits: Array, common: Mask) -> Array:
    """log of softmax(logits)'s mass on the common classes, -inf if there is none, without underflow."""
    inside = logsumexp(np.where(common, logits, -np.inf), axis=-1)
    return inside - logsumexp(logits, axis=-1)
