r"""What the order does beyond a weight: cumulants, the tempering force, and pairs of orders without bias.

Near agreement $D_\alpha = \frac\alpha2\kappa_2 + \ldots$: the order acts like a weight, so compare orders at one
stiffness $\mu = \alpha\lambda$. What is left is a force on the *mean* student: above order 1 it tempers the consensus,
below it sharpens. Labels O1, O2 and N3 are those of `theory.theorems`. (This project.)
"""

from math import factorial

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from theory.divergence.arguments import Array, as_floats, as_logits, as_order, broadcast_rows, refuse_where
from theory.divergence.gradients import student_gradient

from .arguments import times


def cumulants(logits_p: ArrayLike, logits_q: ArrayLike, terms: int = 4) -> Array:
    r"""$\kappa_1, \ldots, \kappa_n$ of the logit gap $\delta = y - z$ under the student $q = \mathrm{softmax}\,z$.

    $\kappa_1$ is the mean; then $\kappa_n = m_n - \sum_{i=2}^{n-1}\binom{n-1}{i-1}\kappa_i m_{n-i}$ with central
    moments.

    Args:
        logits_p: finite logits y of the peer, classes last.
        logits_q: finite logits z of the student, a shape that broadcasts with y's.
        terms: n, at least 1.

    Returns:
        Shape (..., n).

    Raises:
        ValueError: infinite logits, shapes that don't fit, or no term.
    """
    if terms < 1:
        raise ValueError(f"terms must be at least 1, got {terms}")
    y, z = broadcast_rows(_finite(logits_p, "logits_p"), _finite(logits_q, "logits_q"), ("logits_p", "logits_q"))
    q, gap = softmax(z, axis=-1), y - z
    mean = (q * gap).sum(axis=-1)
    moments = [(q * (gap - mean[..., None]) ** n).sum(axis=-1) for n in range(terms + 1)]
    found = [mean]
    for n in range(2, terms + 1):
        split = (_choose(n - 1, i - 1) * found[i - 1] * moments[n - i] for i in range(2, n))
        found.append(moments[n] - sum(split, np.zeros_like(mean)))
    return np.stack(found, axis=-1)


def divergence_by_cumulants(logits_p: ArrayLike, logits_q: ArrayLike, alpha: ArrayLike, terms: int = 4) -> Array:
    r"""$\alpha\sum_{n=2}^N\frac{1+\alpha+\ldots+\alpha^{n-2}}{n!}\kappa_n$, which is $D_\alpha(p\|q)$ up to
    $O(\mathrm{osc}^{N+1})$.

    N = 2 is $\frac\alpha2\mathrm{Var}_q(y-z)$: the order is a weight. The third cumulant's term,
    $\frac{\alpha(1+\alpha)}6\kappa_3$, is the first that tells orders of equal $\alpha\lambda$ apart. The remainder
    after N = 3 is at most $\frac{\alpha(1+\alpha+\alpha^2)}{192}\mathrm{osc}^4$ (O1). Order inf is refused:
    the series has no limit there.

    Args:
        logits_p, logits_q: as `cumulants`.
        alpha: finite orders that broadcast against the batch shape.
        terms: N, the last cumulant, at least 2; at $\alpha\,\mathrm{osc} \gtrsim 1$ more do not help.

    Raises:
        ValueError: as `cumulants`, terms below 2, or an infinite order.
    """
    if terms < 2:
        raise ValueError(f"terms must be at least 2, got {terms}")
    order, kappa = _finite_order(alpha), cumulants(logits_p, logits_q, terms)
    weights = [np.polyval(np.ones(n - 1), order) / factorial(n) for n in range(2, terms + 1)]
    return order * sum((w * kappa[..., n + 1] for n, w in enumerate(weights)), np.zeros_like(order))


def order_against_weight(alpha: ArrayLike, other: ArrayLike, osc: ArrayLike) -> Array:
    r"""$\frac{|\alpha-\beta|}{6\sqrt3}\mathrm{osc}^2$, the most by which $\nabla_zD_\alpha/\alpha$ and
    $\nabla_zD_\beta/\beta$ differ in the 1-norm (O1).

    Times $\mu = \alpha\lambda$ it bounds the difference of two losses' gradients at one stiffness; the constant is the
    best. `osc` is max - min of the students' logit gap.

    Raises:
        ValueError: an infinite or negative order, or a negative osc.
    """
    width = as_floats(osc, "osc")
    refuse_where(~(width >= 0), "osc", width, "be non-negative")
    return times(np.abs(_finite_order(alpha) - _finite_order(other)) / (6 * np.sqrt(3)), width**2)


def tempering_direction(students: ArrayLike) -> Array:
    r"""$G = \mathrm{softmax}''(\bar z)[\Sigma]$: $G_i = \frac1K\sum_k\bar q_i\big[(d_{k,i}-E_{\bar q}d_k)^2 -
    \mathrm{Var}_{\bar q}d_k\big]$, $d_k = z_k-\bar z$.

    For two classes $\bar q(1-\bar q)(1-2\bar q)\mathrm{Var}(d)$, which points towards 1/2 (O2). Sums to 0.

    Args:
        students: finite logits of K students, shape (..., K, C).

    Returns:
        Shape (..., C).

    Raises:
        ValueError: infinite logits or no axis of students.
    """
    z = _cohort(students)
    mean = z.mean(axis=-2, keepdims=True)
    q, d = softmax(mean, axis=-1), z - mean
    centred = d - (q * d).sum(axis=-1, keepdims=True)
    variance = (q * centred**2).sum(axis=-1, keepdims=True)
    return (q * (centred**2 - variance)).mean(axis=-2)


def tempering_force(students: ArrayLike, alpha: ArrayLike, lam: ArrayLike) -> Array:
    r"""$\mu(\alpha-1)\frac{K}{K-1}G$, $\mu = \alpha\lambda$: the mutual terms' force on the mean student, to second
    order in the disagreement (O2).

    Force means minus the gradient: positive where the class gains. 0 at order 1, exactly.

    Args:
        students: finite logits of K >= 2 students, shape (..., K, C).
        alpha, lam: finite order and weight, scalars or arrays that broadcast against the batch shape.

    Returns:
        Shape (..., C); `mean_force` is what it approximates.

    Raises:
        ValueError: one student, infinite logits, an infinite or negative order, a weight that isn't finite.
    """
    z, order, weight = _cohort(students, 2), _finite_order(alpha), _weight(lam)
    count = z.shape[-2]
    return (weight * order * (order - 1) * count / (count - 1))[..., None] * tempering_direction(z)


def mean_force(students: ArrayLike, alpha: ArrayLike, lam: ArrayLike) -> Array:
    r"""$\frac{\lambda}{K(K-1)}\sum_k\sum_{j\ne k}(w_{jk}-q_k)$: the exact force on the mean student (O2).

    Arguments, result and errors as `tempering_force`; order inf is allowed.
    """
    z, order, weight = _cohort(students, 2), as_order(alpha), _weight(lam)
    count = z.shape[-2]
    pairs = [(j, k) for k in range(count) for j in range(count) if j != k]
    pulls = [student_gradient(z[..., j, :], z[..., k, :], order) for j, k in pairs]
    return -weight[..., None] * np.sum(pulls, axis=0) / len(pairs)


def complementary_orders(alpha: ArrayLike, stiffness: ArrayLike = 1.0) -> tuple[Array, Array]:
    r"""Orders $(\alpha, 1-\alpha)$ and weights $(\frac\mu\alpha, \frac\mu{1-\alpha})$ without bias (N3).

    Student 1, with the first order and weight, and student 2, with the second, then descend the potential
    $\mathrm{CE}_1+\mathrm{CE}_2+\frac\mu\alpha D_\alpha(p_2\|p_1)$; both feel the stiffness $\mu$ near agreement. These
    are the only pairs of Rényi orders with a potential; both are 1/2 in the middle. The ratio of the weights makes the
    joint field a gradient. Without it, at equal weights say, complementary orders leave no bias either: by A4 the
    students descend one function, $\mathrm{CE}_1+\frac1r\mathrm{CE}_2+\lambda_1D_\alpha(p_2\|p_1)$, student 2 at $r =
    \frac{(1-\alpha)\lambda_2}{\alpha\lambda_1}$ times the rate of student 1.

    Args:
        alpha: the order of student 1, in (0, 1), any shape.
        stiffness: $\mu$, non-negative; it broadcasts against alpha.

    Returns:
        Orders and weights, each of shape (..., 2).

    Raises:
        ValueError: an order outside (0, 1) or a negative stiffness.
    """
    order, mu = np.broadcast_arrays(as_order(alpha), as_floats(stiffness, "stiffness"))
    refuse_where(~((order > 0) & (order < 1)), "alpha", order, "be in (0, 1), so that 1 - alpha is an order, too")
    refuse_where(~(mu >= 0) | (mu == np.inf), "stiffness", mu, "be non-negative and finite")
    orders = np.stack([order, 1 - order], axis=-1)
    return orders, mu[..., None] / orders


def _choose(n: int, k: int) -> int:
    return factorial(n) // (factorial(k) * factorial(n - k))


def _finite(logits: ArrayLike, name: str) -> Array:
    rows = as_logits(logits, name, -1)
    refuse_where(rows == -np.inf, name, rows, "be finite here: a logit of -inf has no cumulants")
    return rows


def _cohort(students: ArrayLike, least: int = 1) -> Array:
    z = _finite(students, "students")
    if z.ndim < 2 or z.shape[-2] < least:
        raise ValueError(f"students must have shape (..., K, C) with K at least {least}, got shape {z.shape}")
    return z


def _finite_order(alpha: ArrayLike) -> Array:
    order = as_order(alpha)
    refuse_where(order == np.inf, "alpha", order, "be finite here")
    return order


def _weight(lam: ArrayLike) -> Array:
    weight = as_floats(lam, "lam")
    refuse_where(~np.isfinite(weight), "lam", weight, "be finite")
    return weight
