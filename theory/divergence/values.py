"""The Rényi divergence and the geometric mixture, from probabilities and from logits, for every order in [0, inf]."""

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from . import arguments, fast
from .arguments import Array, Mask
from .kernel import mixture, restricted_divergence
from .pair import Pair, pair_from_logits, pair_from_probabilities
from .rows import by_rows

LOGIT_NAMES = ("logits_p", "logits_q")


def renyi_divergence(p: ArrayLike, q: ArrayLike, alpha: ArrayLike, axis: int = -1) -> Array:
    r"""$D_\alpha(p\|q) = \frac{1}{\alpha-1}\log\sum_i p_i^\alpha q_i^{1-\alpha}$ of two probability vectors.

    Order 0 is $-\log q(p>0)$, 1 the Kullback-Leibler divergence, 2 is $\log(1+\chi^2)$, inf is
    $\log\max_{p_i>0} p_i/q_i$. The relative error is at most 1e-12, mostly about 1e-15, for every order, also next to
    order 1 and for p next to q. Beyond its arguments it takes memory for the result and for some blocks of rows.

    Args:
        p: probabilities of the peer, classes along `axis`; zeros are classes that cannot occur.
        q: probabilities of the student, a shape that broadcasts with p's.
        alpha: the order in [0, inf], a scalar or an array that broadcasts against the batch shape (without classes).
        axis: the class axis of both.

    Returns:
        D in nats, float64, of the broadcast batch shape; inf where p is not absolutely continuous with respect to q
        and alpha >= 1, and where the supports are disjoint.

    Raises:
        ValueError: negative or NaN order, negative probabilities, a row that misses 1 by more than 1e-6 (smaller misses
            are normalised), shapes that do not broadcast, an empty class axis.

    Source: Rényi 1961; van Erven & Harremoës 2014, eq. (1) and section II.
    """
    order, rows = _checked_probabilities(p, q, alpha, axis)
    quick = partial(fast.divergence, fast.PROBABILITIES)
    return by_rows(quick, careful_divergence, *rows, order, ("p", "q"), 1)[..., 0][()]


def renyi_divergence_from_logits(logits_p: ArrayLike, logits_q: ArrayLike, alpha: ArrayLike, axis: int = -1) -> Array:
    r"""$D_\alpha(\mathrm{softmax}\,y\,\|\,\mathrm{softmax}\,z)$ with y = logits_p (peer) and z = logits_q (student).

    As `renyi_divergence`, for logits: -inf is a class that cannot occur. The relative error is at most 1e-12, mostly
    about 1e-15, also for logits to +-1e4, where the probabilities themselves underflow.

    Raises:
        ValueError: as `renyi_divergence`; NaN or +inf logits, and rows in which every logit is -inf.
    """
    order, rows = checked_logits(logits_p, logits_q, alpha, axis)
    quick = partial(fast.divergence, fast.LOGITS)
    return by_rows(quick, careful_divergence_from_logits, *rows, order, LOGIT_NAMES, 1)[..., 0][()]


def geometric_mixture(p: ArrayLike, q: ArrayLike, alpha: ArrayLike, axis: int = -1) -> Array:
    r"""The geometric mixture (escort) $w \propto p^\alpha q^{1-\alpha}$; p at order 1, q on p's support at order 0.

    At order inf the limit: q restricted to the classes of the largest $p_i/q_i$, renormalised. NaN in rows where
    $D_\alpha$ is infinite, since no mixture exists there. Arguments and errors as `renyi_divergence`; the class axis
    stays where `axis` says.
    """
    order, pair = _arguments_from_probabilities(p, q, alpha, axis)
    return np.moveaxis(_mixture_or_nan(pair, order), -1, axis)


def geometric_mixture_from_logits(logits_p: ArrayLike, logits_q: ArrayLike, alpha: ArrayLike, axis: int = -1) -> Array:
    r"""$w = \mathrm{softmax}(\alpha\log p + (1-\alpha)\log q)$ of softmax(logits_p) and softmax(logits_q).

    As `geometric_mixture`; arguments and errors as `renyi_divergence_from_logits`.
    """
    order, pair = arguments_from_logits(logits_p, logits_q, alpha, axis)
    return np.moveaxis(_mixture_or_nan(pair, order), -1, axis)


def careful_divergence(p: Array, q: Array, order: Array) -> Array:
    """D in double-double where it matters, of rows of one shape that were checked; order and result end in 1."""
    return _divergence(pair_from_probabilities(p, q), order)


def careful_divergence_from_logits(y: Array, z: Array, order: Array) -> Array:
    """The same of softmax y and softmax z."""
    return _divergence(pair_from_logits(y, z), order)


def _checked_probabilities(
    p: ArrayLike, q: ArrayLike, alpha: ArrayLike, axis: int
) -> tuple[Array, tuple[Array, Array]]:
    order = arguments.as_order(alpha)
    return order, (arguments.as_probabilities(p, "p", axis), arguments.as_probabilities(q, "q", axis))


def checked_logits(y: ArrayLike, z: ArrayLike, alpha: ArrayLike, axis: int) -> tuple[Array, tuple[Array, Array]]:
    """The order, and both rows of logits with the class axis last; refuses what `arguments` refuses."""
    order = arguments.as_order(alpha)
    return order, (arguments.as_logits(y, LOGIT_NAMES[0], axis), arguments.as_logits(z, LOGIT_NAMES[1], axis))


def _arguments_from_probabilities(p: ArrayLike, q: ArrayLike, alpha: ArrayLike, axis: int) -> tuple[Array, Pair]:
    order, rows = _checked_probabilities(p, q, alpha, axis)
    pair = pair_from_probabilities(*arguments.broadcast_rows(*rows, ("p", "q")))
    return _with_class_axis(order, pair), pair


def arguments_from_logits(logits_p: ArrayLike, logits_q: ArrayLike, alpha: ArrayLike, axis: int) -> tuple[Array, Pair]:
    """The checked order (with a class axis of length 1) and the prepared pair."""
    order, rows = checked_logits(logits_p, logits_q, alpha, axis)
    pair = pair_from_logits(*arguments.broadcast_rows(*rows, LOGIT_NAMES))
    return _with_class_axis(order, pair), pair


def _with_class_axis(order: Array, pair: Pair) -> Array:
    shape = arguments.broadcast_order(order, pair.p.shape[:-1])
    return np.broadcast_to(order, shape)[..., None]


def _divergence(pair: Pair, order: Array) -> Array:
    inner, alpha = restricted_divergence(pair.inner, order)[..., 0], order[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):  # weight is read below order 1 only, and 0 * inf means 0
        weight = np.where(alpha < 1, alpha / (1 - alpha), 0.0)
        cut_p = np.where((alpha > 0) & (pair.lost_p > 0), weight * pair.lost_p, 0.0)
    cut_p = np.where(pair.leaves & (alpha >= 1), np.inf, cut_p)
    return (inner + cut_p + pair.lost_q)[..., None]


def _mixture_or_nan(pair: Pair, order: Array) -> Array:
    w, _ = mixture(pair.inner, order)
    return np.where(undefined(pair, order), np.nan, w)


def undefined(pair: Pair, order: Array) -> Mask:
    """Rows (last axis of length 1) where D is infinite, so that neither a mixture nor a gradient exists."""
    disjoint = ~pair.inner.support.any(axis=-1, keepdims=True)
    return disjoint | (pair.leaves[..., None] & (order >= 1))
