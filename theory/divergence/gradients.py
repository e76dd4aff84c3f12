r"""Closed forms of the derivatives of $D_\alpha(\mathrm{softmax}\,y \,\|\, \mathrm{softmax}\,z)$ in the logits.

With $w$ the geometric mixture: $\nabla_z D = q - w$ and $\nabla_y D = \frac{\alpha}{1-\alpha}(p - w)$. Plain
differences lose every digit where the distributions agree, so each component is $-q\,(e^x - 1)$ with $x = \log(w/q)$
known to full relative precision, and the component where both are largest is minus the sum of the others. (This
project.)
"""

import numpy as np
from numpy.typing import ArrayLike

from . import fast_gradients
from .arguments import Array
from .double_double import DoubleDouble, multiply, two_sum
from .kernel import attains_maximum, behind_maximum, is_limit, mixture, tilt
from .pair import Pair, Restricted, normalised_log_ratio, pair_from_logits
from .rows import Careful, Fast, by_rows
from .values import LOGIT_NAMES, arguments_from_logits, checked_logits, undefined


def student_gradient(logits_p: ArrayLike, logits_q: ArrayLike, alpha: ArrayLike, axis: int = -1) -> Array:
    r"""$\nabla_z D_\alpha(p\|\mathrm{softmax}\,z) = q - w$, $w \propto p^\alpha q^{1-\alpha}$ the geometric mixture.

    Order 1 gives q - p (deep mutual learning). At order inf the limit, with w = q restricted to the classes of the
    largest p/q and renormalised; it is a subgradient, and 0 at p = q like every other order's. The normwise relative
    error is at most 1e-12, mostly about 1e-15.

    Args:
        logits_p: logits y of the peer, classes along `axis`; -inf is a class that cannot occur.
        logits_q: logits z of the student, a shape that broadcasts with y's.
        alpha: the order in [0, inf], a scalar or an array that broadcasts against the batch shape (without classes).
        axis: the class axis of both.

    Returns:
        The gradient in z, of the broadcast shape; NaN in rows where D is infinite.

    Raises:
        ValueError: as `renyi_divergence_from_logits`.

    Source: theorem D1 (this project); order 1 is the gradient of the cross-entropy to soft targets.
    """
    return _rows(fast_gradients.student, careful_student_gradient, logits_p, logits_q, alpha, axis)


def peer_gradient(logits_p: ArrayLike, logits_q: ArrayLike, alpha: ArrayLike, axis: int = -1) -> Array:
    r"""$\nabla_y D_\alpha(\mathrm{softmax}\,y\|q) = \frac{\alpha}{1-\alpha}(p - w)$; at order 1 $p\,(l - \mathrm{KL})$.

    The part that deep mutual learning drops by detaching the peer. At order inf the limit w - p. Arguments, result and
    errors as `student_gradient`. Source: theorem D5 (this project).
    """
    return _rows(fast_gradients.peer, careful_peer_gradient, logits_p, logits_q, alpha, axis)


def student_hessian(logits_p: ArrayLike, logits_q: ArrayLike, alpha: ArrayLike, axis: int = -1) -> Array:
    r"""$\nabla_z^2 D_\alpha(p\|\mathrm{softmax}\,z) = J_q + (\alpha-1) J_w$ with $J_q = \mathrm{diag}(q) - qq^\top$.

    Returns the matrices in the two last axes, after the batch axes. At order inf the maximum of several classes is a
    kink: entries are then infinite; with a single maximum the limit is $J_q$. NaN in rows where D is infinite. The
    error of an entry is about 1e-16 times $q_i q_j + |\alpha-1| w_i w_j$: relative to the entry for orders above 1.
    Arguments and errors as `student_gradient`. Source: theorem D4 (this project).
    """
    order, pair = arguments_from_logits(logits_p, logits_q, alpha, axis)
    weights = _hessian_weights(pair.q, mixture(pair.inner, order)[0], order[..., None])
    return np.where(undefined(pair, order)[..., None], np.nan, _laplacian(weights))


def careful_student_gradient(y: Array, z: Array, order: Array) -> Array:
    """`student_gradient` in double-double where it matters, of rows of one shape that were checked; order ends in 1."""
    pair = pair_from_logits(y, z)
    return np.where(undefined(pair, order), np.nan, _student_rows(pair, order))


def careful_peer_gradient(y: Array, z: Array, order: Array) -> Array:
    """`peer_gradient` likewise."""
    pair = pair_from_logits(y, z)
    return np.where(undefined(pair, order), np.nan, _peer_rows(pair, order))


def _rows(fast: Fast, careful: Careful, y: ArrayLike, z: ArrayLike, alpha: ArrayLike, axis: int) -> Array:
    order, rows = checked_logits(y, z, alpha, axis)
    return np.moveaxis(by_rows(fast, careful, *rows, order, LOGIT_NAMES, rows[0].shape[-1]), -1, axis)


def _hessian_weights(q: Array, w: Array, order: Array) -> Array:
    """q_i q_j + (alpha-1) w_i w_j, minus which is H off the diagonal."""
    products = w[..., :, None] * w[..., None, :]
    with np.errstate(invalid="ignore", over="ignore"):  # inf * 0 at order inf is 0 here
        bend = np.where(products == 0, 0.0, (order - 1) * products)
    return q[..., :, None] * q[..., None, :] + bend


def _student_rows(pair: Pair, order: Array) -> Array:
    inner = pair.inner
    return -_gap(inner, order, (inner.q, inner.log_q, pair.q), tilt(inner, order), np.ones(1))


def _peer_rows(pair: Pair, order: Array) -> Array:
    inner, limit = pair.inner, is_limit(pair.inner, order)
    finite = np.where(limit, 2.0, order)
    s = two_sum(finite, -1.0)
    # at order 1 the coefficient is 1/0; a shift of 1e-60 gives the same limit p (l - KL) to the last digit
    s = DoubleDouble(np.where(s.hi == 0, 1e-60, s.hi), s.lo)
    base = (inner.p, inner.log_p, pair.p)
    return _gap(inner, order, base, multiply(s, behind_maximum(inner)), np.where(limit, 1.0, finite / s.hi))


def _gap(
    pair: Restricted, order: Array, base: tuple[Array, DoubleDouble, Array], raw: DoubleDouble, scale: Array
) -> Array:
    """scale (w - b), b = p or q given as (b and log b on the support, b); raw is log(w/b) up to a constant a row."""
    inner, log_inner, full = base
    w, log_w = mixture(pair, order)
    log_ratio = normalised_log_ratio(inner, w, log_inner, log_w, raw, pair.support).hi
    log_ratio = np.where(is_limit(pair, order), _limit_log_ratio(pair, inner), log_ratio)
    with np.errstate(over="ignore", invalid="ignore"):
        gap = np.where(np.abs(log_ratio) <= 1, inner * (scale * np.expm1(log_ratio)), scale * (w - inner))
    cut_off = scale * np.where(pair.support, 0.0, full)
    gap = np.where(pair.support, gap + cut_off.sum(axis=-1, keepdims=True) * inner, -cut_off)
    return _closed(gap, np.minimum(w, full))


def _limit_log_ratio(pair: Restricted, inner: Array) -> Array:
    """log(w/b) at order inf: -log b(T) on the classes T of the largest log-ratio, -inf off them."""
    top = attains_maximum(pair)
    outside = np.where(top, 0.0, inner).sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):  # b(T) may underflow; values beyond 1 are not used
        return np.where(top, -np.log1p(-np.minimum(outside, 1.0)), -np.inf)


def _closed(gap: Array, weight: Array) -> Array:
    """The gap with its heaviest component replaced by minus the sum of the others: the components sum to 0."""
    heaviest = np.argmax(weight, axis=-1, keepdims=True)
    others = gap.copy()
    np.put_along_axis(others, heaviest, 0.0, -1)
    np.put_along_axis(others, heaviest, -others.sum(axis=-1, keepdims=True), -1)
    return others + 0.0


def _laplacian(weights: Array) -> Array:
    """diag(row sums) - weights, off-diagonal weights only: rows sum to 0 and no diagonal entry cancels."""
    diagonal = np.eye(weights.shape[-1], dtype=bool)
    off = np.where(diagonal, 0.0, weights)
    return np.where(diagonal, off.sum(axis=-1, keepdims=True), 0.0 - off)
