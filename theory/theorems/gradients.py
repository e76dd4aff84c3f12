r"""Shelf D1-D3: the gradient in the student's logits, $\nabla_z D_\alpha = q - w$, and its size."""
# ruff: noqa: C408  (given=dict(y=..., z=...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.constants import LARGE_ORDER_CONSTANT, POINT_MASS_ROOT
from theory.divergence.arguments import Array
from theory.divergence.gradients import student_gradient
from theory.statements.domains import Interval, Logits, Order, Reals
from theory.statements.theorem import theorem

from .quantities import COARSE, OURS, PAIR, Pair, divergence, dot, integral, per_class, probabilities
from .symbols import ONE, TWO, a, mixture_of_logits, renyi_of_logits, softmax, y, z

GIVEN = PAIR | dict(alpha=Order())
FINITE = PAIR | dict(alpha=Order(open_high=True))
ORDERS = np.array([0.25, 0.5, 1.0, 2.0, 10.0])
UP_TO_HALF = np.array([0.1, 0.3, 0.5])


def opposite_corners(t: float) -> dict[str, Any]:
    """p = (1-e, e), q = (d, 1-d) with e = d^(2/min(a,1)), d = t -> 0: w is then nearly p, so q - w is nearly (-1,
    1)."""
    exponent = 2 / np.minimum(ORDERS, 1)
    flat = np.zeros_like(ORDERS)
    return dict(
        y=np.stack([flat, exponent * np.log(t)], -1), z=np.stack([flat + np.log(t), flat - 0.0], -1), alpha=ORDERS
    )


def nearly_fair_coins(t: float) -> dict[str, Any]:
    """p -> q = (1/2, 1/2) at orders from 1 on."""
    return dict(y=np.array([t, 0.0]), z=np.zeros(2), alpha=np.array([1.0, 2.0, 10.0]))


@theorem(
    "D1",
    given=GIVEN | dict(alpha=Interval(0, 1e3), step=Reals("C")),
    source=OURS,
    relation="==",
    classes=(2, 3, 10),
    **COARSE,
)
def student_gradient_is_q_minus_w(y: Array, z: Array, alpha: Array, step: Array) -> Pair:
    r"""$\nabla_z D_\alpha(p\|\mathrm{softmax}\,z) = q - w$, $w \propto p^\alpha q^{1-\alpha}$, for
    $\alpha\in[0,\infty)$.

    Checked in integrated form along a step in z: $D(z+v) = D(z) + \int_0^1 v^\top(q-w)\,dt$. Proof: with $D =
    \frac{1}{\alpha-1}\log\sum p^\alpha e^{(1-\alpha)z} + \log\sum e^z$ the first term contributes -w, the second q. At
    order 0 with full support, and wherever q = w, it is 0; at order inf q - w (w = q on argmax l) is a subgradient.
    """
    v = np.tanh(step) / (1 + per_class(np.abs(1 - alpha)))
    slope = integral(lambda t: dot(v, student_gradient(y, z + t * v, alpha)))
    return divergence(y, z + v, alpha), divergence(y, z, alpha) + slope


@student_gradient_is_q_minus_w.identity
def derivatives_for_two_and_three_classes(coefficient: sp.Expr = ONE) -> list[sp.Expr]:
    steps = []
    for n in (2, 3):
        value, q, w = renyi_of_logits(a, y[:n], z[:n]), softmax(z[:n]), mixture_of_logits(a, y[:n], z[:n])
        steps += [sp.diff(value, z[i]) - (q[i] - coefficient * w[i]) for i in range(n)]
    return steps


@theorem(
    "D1",
    given=dict(label=Logits(), y=Logits(), y2=Logits(), z=Logits(), alpha=Order(), lam=Interval(0, 1e3)),
    source=OURS,
    relation="==",
    classes=(2, 3, 10),
    resolution=1.0,
)
def soft_target_of_the_whole_loss(label: Array, y: Array, y2: Array, z: Array, alpha: Array, lam: Array) -> Pair:
    r"""$\nabla_z\big(\mathrm{CE}(e,q) + \frac\lambda2\sum_{j=1}^2 D_\alpha(p_j\|q)\big) = (1+\lambda)(q-t)$ with
    $t = (e + \lambda\bar w)/(1+\lambda)$: cross-entropy to a soft target held fixed, for any label distribution e.

    Proof: D1 and $\nabla_z\mathrm{CE}(e, q) = q - e$ (order 1 of D1).
    """
    e, q, weight = probabilities(label), probabilities(z), per_class(lam)
    pulls = (student_gradient(y, z, alpha) + student_gradient(y2, z, alpha)) / 2
    target = (e + weight * (q - pulls)) / (1 + weight)
    return student_gradient(label, z, 1.0) + weight * pulls, (1 + weight) * (q - target)


@theorem("D2", given=GIVEN, source=OURS, tight=opposite_corners, certificates=("D2",))
def student_gradient_l1(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|\nabla_z D_\alpha\|_1 \le 2$ for every order and C; a supremum, never attained, and the same for each
    $\alpha>0$.

    Proof: $q-w$ is a difference of two distributions; at distance 2 their supports would be disjoint, but w << q.
    """
    return np.abs(student_gradient(y, z, alpha)).sum(axis=-1), np.full(np.shape(alpha), 2.0)


@student_gradient_l1.identity
def gradient_at_opposite_corners(exponent: sp.Expr = TWO) -> sp.Expr:
    d = sp.Symbol("d", positive=True)  # order 1/2: p = (1 - e, e), q = (d, 1 - d), e = d^4
    e = d ** (2 * exponent)
    w = sp.sqrt((1 - e) * d) / (sp.sqrt((1 - e) * d) + sp.sqrt(e * (1 - d)))
    return sp.limit(w - d, d, 0, "+") - exponent / 2


@theorem("D2", given=GIVEN, source=OURS, tight=opposite_corners)
def student_gradient_l2(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|\nabla_z D_\alpha\|_2 \le \sqrt2$ for every order and C; a supremum, the same for each $\alpha>0$.

    Proof: for a vector x of sum 0, $\|x\|_2^2 \le \|x\|_1\|x\|_\infty \le \|x\|_1^2/2$; then D2 in the 1-norm.
    """
    return np.linalg.norm(student_gradient(y, z, alpha), axis=-1), np.full(np.shape(alpha), np.sqrt(2))


@theorem("D2", given=GIVEN, source=OURS, tight=opposite_corners)
def student_gradient_max(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|\nabla_z D_\alpha\|_\infty \le 1$ for every order and C; a supremum, the same for each $\alpha>0$.

    Proof: each component is a difference of two probabilities.
    """
    return np.abs(student_gradient(y, z, alpha)).max(axis=-1), np.ones(np.shape(alpha))


@theorem(
    "D2",
    given=dict(label=Logits(zeros=True)) | GIVEN | dict(lam=Interval(0, 1e3)),
    source=OURS,
    tight=lambda t: dict(label=np.array([0.0, -np.inf]), lam=3.0) | opposite_corners(t),
)
def whole_gradient_l2(label: Array, y: Array, z: Array, alpha: Array, lam: Array) -> Pair:
    r"""$\|\nabla_z(\mathrm{CE} + \lambda D_\alpha)\|_2 \le \sqrt2\,(1+\lambda)$ for any label distribution; a
    supremum.

    Proof: it is $(1+\lambda)(q-t)$ by D1, a multiple of a difference of two distributions.
    """
    whole = student_gradient(label, z, 1.0) + per_class(lam) * student_gradient(y, z, alpha)
    return np.linalg.norm(whole, axis=-1), np.sqrt(2) * (1 + lam)


@theorem("D3", given=FINITE, source=OURS, tight=nearly_fair_coins, certificates=("D3-low", "D3-high"))
def self_bounding_l1(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|q-w\|_1^2 \le 2\max(1,\alpha)\,D_\alpha(p\|q)$: the pull of a peer dies out as the students agree.

    Proof: $D_\alpha(p\|q) = D_{1/\alpha}(w\|q)$ (A5), and Pinsker's inequality C1 (for $1/\alpha\ge1$: at order 1,
    A3).
    """
    gradient = np.abs(student_gradient(y, z, alpha)).sum(axis=-1)
    return gradient**2, 2 * np.maximum(1, alpha) * divergence(y, z, alpha)


@self_bounding_l1.identity
def second_order_around_the_fair_coin(two: sp.Expr = TWO) -> list[sp.Expr]:
    t = sp.Symbol("t", positive=True)  # p = (1 + t, 1 - t)/2, q fair
    value = sp.log(((1 + t) ** a + (1 - t) ** a) / 2) / (a - 1)
    gap = 2 * ((1 + t) ** a / ((1 + t) ** a + (1 - t) ** a) - sp.Rational(1, 2))
    difference = gap**2 - two * a * value
    return [sp.simplify(sp.series(difference, t, 0, 3).removeO().coeff(t, 2))]


def mixture_at_a_vertex(t: float, orders: Array = UP_TO_HALF) -> dict[str, Any]:
    """q = (x, 1-x) with 2x log x = x - 1, and p such that w -> (1, 0)."""
    logit_q = np.log(POINT_MASS_ROOT / (1 - POINT_MASS_ROOT))
    logit_p = (-40 * np.log(t) - (1 - orders) * logit_q) / orders
    return dict(y=np.stack([logit_p, 0 * orders], -1), z=np.array([logit_q, 0.0]), alpha=orders)


@theorem(
    "D3", given=PAIR | dict(alpha=Order(0, 0.5)), source=OURS, tight=mixture_at_a_vertex, certificates=("D3-half",)
)
def self_bounding_up_to_order_half(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|q-w\|_1^2 \le 8x(1-x)\,D_\alpha(p\|q) = 1.62906\ldots D_\alpha$ for $\alpha\le\frac12$, $2x\log x = x-1$: the
    best constant there; $\kappa(\alpha) = 1/c(1/\alpha)$ in general (`theory.self_bounding_constant`).

    Proof: by A5 $D_\alpha(p\|q) = D_{1/\alpha}(w\|q)$, so this is C2 for the pair w, q.
    """
    lhs = np.abs(student_gradient(y, z, alpha)).sum(axis=-1) ** 2
    return lhs, divergence(y, z, alpha) / LARGE_ORDER_CONSTANT


@theorem("D3", given=FINITE, source=OURS, tight=nearly_fair_coins)
def self_bounding_l2(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|q-w\|_2^2 \le \max(1,\alpha)\,D_\alpha(p\|q)$.

    Proof: $\|x\|_2^2 \le \|x\|_1^2/2$ for vectors of sum 0, and D3 in the 1-norm.
    """
    return (student_gradient(y, z, alpha) ** 2).sum(axis=-1), np.maximum(1, alpha) * divergence(y, z, alpha)
