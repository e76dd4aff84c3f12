r"""Shelf B: convexity of $D_\alpha$ in the distributions and in the student's logits."""
# ruff: noqa: C408  (given=dict(y=..., z=...) reads like the statement)

import numpy as np

from theory.divergence.arguments import Array
from theory.divergence.gradients import student_gradient
from theory.divergence.values import renyi_divergence
from theory.statements.domains import Interval, Logits, Order, Simplex
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, PAIR, VAN_ERVEN, Pair, divergence, dot, per_class

SHARE = Interval(0, 1)


def between(t: Array, first: Array, second: Array) -> Array:
    """(1-t) first + t second, a share a row."""
    return (1 - per_class(t)) * first + per_class(t) * second


@theorem(
    "B1",
    given=dict(p=Simplex(), q=Simplex(), q2=Simplex(), alpha=Order(), t=SHARE),
    source=f"{VAN_ERVEN}, Thm 12",
    status="cited",
    resolution=1e-3,
)
def convex_in_the_student(p: Array, q: Array, q2: Array, alpha: Array, t: Array) -> Pair:
    r"""$D_\alpha(p\|(1-t)q+tq') \le (1-t)D_\alpha(p\|q) + tD_\alpha(p\|q')$ for every order in $[0,\infty]$."""
    values = [renyi_divergence(p, student, alpha) for student in (q, q2)]
    return renyi_divergence(p, between(t, q, q2), alpha), _mean(t, values[0], values[1])


@theorem(
    "B1",
    given=dict(p=Simplex(), p2=Simplex(), q=Simplex(), q2=Simplex(), alpha=Order(0, 1), t=SHARE),
    source=f"{VAN_ERVEN}, Thm 11",
    status="cited",
    resolution=1e-3,
)
def jointly_convex_up_to_order_1(p: Array, p2: Array, q: Array, q2: Array, alpha: Array, t: Array) -> Pair:
    r"""$D_\alpha((1-t)p+tp'\|(1-t)q+tq') \le (1-t)D_\alpha(p\|q)+tD_\alpha(p'\|q')$ for $\alpha\in[0,1]$."""
    mixed = renyi_divergence(between(t, p, p2), between(t, q, q2), alpha)
    return mixed, _mean(t, renyi_divergence(p, q, alpha), renyi_divergence(p2, q2, alpha))


@theorem(
    "B1",
    given=dict(p=Simplex(), p2=Simplex(), q=Simplex(), q2=Simplex(), alpha=Order(), t=SHARE),
    source=f"{VAN_ERVEN}, Thm 13",
    status="cited",
    resolution=1e-3,
)
def jointly_quasi_convex(p: Array, p2: Array, q: Array, q2: Array, alpha: Array, t: Array) -> Pair:
    r"""$D_\alpha((1-t)p+tp'\|(1-t)q+tq') \le \max(D_\alpha(p\|q), D_\alpha(p'\|q'))$ for every order in
    $[0,\infty]$."""
    mixed = renyi_divergence(between(t, p, p2), between(t, q, q2), alpha)
    return mixed, np.maximum(renyi_divergence(p, q, alpha), renyi_divergence(p2, q2, alpha))


@theorem("B1", given=dict(alpha=Interval(1.01, 1e3)), source=OURS)
def joint_convexity_fails_above_order_1(alpha: Array) -> Pair:
    r"""For every $\alpha>1$ joint convexity fails: with $q=(b,1-b)$ and $p = 1, \frac12$ and their midpoint $\frac34$,
    $\frac12 D_\alpha(p\|q) + \frac12 D_\alpha(p'\|q) \le 0.99\,D_\alpha(\tfrac{p+p'}2\|q) + 0.01\log\tfrac1b$.

    Here b is chosen by $(b/(1-b))^{\alpha-1} = 1/10$ (drawn from order 1.01 on, where b is a float). Proof: let $r =
    1/10$. The left side is $\log\frac1b + \frac{1}{2(\alpha-1)}(\log(1+r) - \alpha\log2)$ and $D(\frac34) \ge
    \log\frac1b - \frac{\alpha}{\alpha-1}\log\frac43$; since $\frac12\log(1.1) < \alpha(\frac12\log2 - 0.99\log\frac43)$
    from order 1 on, the right side is larger.
    """
    log_odds = -np.log(10) / (alpha - 1)  # of b
    student = np.stack([log_odds, np.zeros_like(log_odds)], -1)
    peers = np.array([[0.0, -np.inf], [0.0, 0.0], [np.log(3), 0.0]])
    first, second, middle = (divergence(peer, student, alpha) for peer in peers)
    return (first + second) / 2, 0.99 * middle + 0.01 * np.logaddexp(0.0, -log_odds)


@theorem(
    "B2",
    given=PAIR | dict(z2=Logits(), alpha=Order(1)),
    source=OURS,
    resolution=1.0,
    tight=lambda t: dict(
        y=np.zeros(2), z=np.array([4.0, 0.0]), z2=np.array([4.0 + t, 0.0]), alpha=np.array([1, 2, np.inf])
    ),
)
def convex_in_the_students_logits(y: Array, z: Array, z2: Array, alpha: Array) -> Pair:
    r"""$D_\alpha(p\|q) + (q-w)^\top(z'-z) \le D_\alpha(p\|q')$ for $\alpha\in[1,\infty]$: convex in the logits, and q-w
    is a subgradient, at order inf too.

    Proof: the Hessian $J_q + (\alpha-1)J_w$ (D4) is a sum of positive semidefinite matrices; order inf is a limit.
    """
    tangent = divergence(y, z, alpha) + dot(student_gradient(y, z, alpha), z2 - z)
    return tangent, divergence(y, z2, alpha)


@theorem("B2", given=PAIR | dict(z2=Logits(), alpha=Order(0, 1)), source=OURS, resolution=1.0)
def weakly_convex_below_order_1(y: Array, z: Array, z2: Array, alpha: Array) -> Pair:
    r"""$D_\alpha(p\|q) + (q-w)^\top(z'-z) \le D_\alpha(p\|q') + \frac{1-\alpha}{4}\|z'-z\|_2^2$ for $\alpha\in[0,1]$:
    weakly convex with modulus $(1-\alpha)/2$, the best one by the witness of D4.

    Proof: the Hessian $J_q - (1-\alpha)J_w \ge -(1-\alpha)/2$, since a covariance $J_w$ has norm at most 1/2.
    """
    tangent = divergence(y, z, alpha) + dot(student_gradient(y, z, alpha), z2 - z)
    return tangent, divergence(y, z2, alpha) + (1 - alpha) / 4 * dot(z2 - z, z2 - z)


def _mean(t: Array, first: Array, second: Array) -> Array:
    """(1-t) first + t second with 0 * inf = 0."""
    with np.errstate(invalid="ignore"):
        return np.where(t < 1, (1 - t) * first, 0.0) + np.where(t > 0, t * second, 0.0)
