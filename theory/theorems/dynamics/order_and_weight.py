r"""Shelf O: the order against the weight. Near agreement it is one; beyond that it moves the mean student."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.divergence.gradients import student_gradient
from theory.dynamics.tempering import (
    divergence_by_cumulants,
    mean_force,
    order_against_weight,
    tempering_direction,
    tempering_force,
)
from theory.statements.domains import Interval, Logits, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import (
    COARSE,
    OURS,
    PAIR,
    Pair,
    centred,
    divergence,
    log_sum_exp,
    oscillation,
    per_class,
    probabilities,
)
from theory.theorems.symbols import HALF, ONE, TWO, a, expectation, s

ORDERS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
FINITE: dict[str, Any] = PAIR | dict(alpha=Interval(0, 20, open_low=True))


@theorem("O1", given=FINITE, source=OURS, relation="==", **COARSE)
def divergence_is_a_slope_of_the_cumulant_function(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$(\alpha-1)D_\alpha(p\|q) = \Lambda(\alpha)-\alpha\Lambda(1)$, $\Lambda(s) = \log E_qe^{s\delta}$ the cumulant
    function of the logit gap $\delta = y-z$ under the student.

    Proof: $p = qe^{\delta-\Lambda(1)}$, so $\sum p^\alpha q^{1-\alpha} = e^{\Lambda(\alpha)-\alpha\Lambda(1)}$.
    """
    mass = log_sum_exp(centred(z))
    gap, order = centred(y) - centred(z), per_class(alpha)
    whole = log_sum_exp(centred(z) + order * gap) - mass
    return (alpha - 1) * divergence(y, z, alpha), whole - alpha * (log_sum_exp(centred(z) + gap) - mass)


def around_the_fair_coin(t: float) -> dict[str, Any]:
    """p -> q = the fair coin, whose fourth cumulant is the most negative."""
    return dict(z=np.zeros(2), gap=np.array([8 * t, 0.0]), alpha=ORDERS)


@theorem("O1", given=dict(z=Logits(), gap=Reals("C", scale=3), alpha=Interval(0, 8, open_low=True)), source=OURS,
         resolution=1e-9, tight=around_the_fair_coin)  # fmt: skip
def three_cumulants(z: Array, gap: Array, alpha: Array) -> Pair:
    r"""$\Big|D_\alpha - \alpha\frac{\kappa_2}2 - \alpha(1+\alpha)\frac{\kappa_3}6\Big| \le
    \frac{\alpha(1+\alpha+\alpha^2)}{192}(\mathrm{osc}\,\delta)^4$, $\kappa_n$ the cumulants of $\delta$ under q: at one
    $\alpha\lambda$ the order shows from the third on. The constant is the best.

    Proof: by Taylor $\frac{\Lambda(\alpha)/\alpha-\Lambda(1)}{\alpha-1}$ is the sum of the two terms and $\int
    K\Lambda''''$ with $K(t) = \frac{(\alpha-t)_+^3/\alpha-(1-t)_+^3}{6(\alpha-1)} \ge 0$ ($(\alpha-t)_+^3/\alpha$ rises
    with $\alpha$), of mass $\frac{1+\alpha+\alpha^2}{24}$. A fourth cumulant is $E x^4-3\sigma^4$, at least
    $-2\sigma^4 \ge -\frac18\mathrm{osc}^4$ and at most $\sigma^2\mathrm{osc}^2-3\sigma^4 \le \frac1{12}\mathrm{osc}^4$.
    """
    left = divergence(z + gap, z, alpha) - divergence_by_cumulants(z + gap, z, alpha, 3)
    return np.abs(left), alpha * (1 + alpha + alpha**2) / 192 * np.ptp(gap, axis=-1) ** 4


@three_cumulants.identity
def mass_of_the_kernel(share: sp.Expr = ONE / 24) -> sp.Expr:
    t = sp.Symbol("t", positive=True)
    whole = sp.integrate((a - t) ** 3 / a, (t, 0, a)) - sp.integrate((1 - t) ** 3, (t, 0, 1))
    return whole / (6 * (a - 1)) - share * (1 + a + a**2)


@three_cumulants.identity
def fourth_cumulant_of_the_fair_coin(least: sp.Expr = ONE / 8) -> sp.Expr:
    return sp.diff(sp.log((1 + sp.exp(s)) / 2), s, 4).subs(s, 0) + least


@theorem("O1", given=PAIR | dict(alpha=Interval(0, 20)), source=OURS, relation="==", resolution=1e-5, tolerance=1e-8)
def order_extrapolates_the_peer(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\nabla_zD_\alpha(p\|q) = \nabla_zD_1(p_\alpha\|q)$, $p_\alpha = \mathrm{softmax}(z+\alpha(y-z))$: order
    $\alpha$ is deep mutual learning against the peer extrapolated by $\alpha$ in logits.

    Proof: $w = p_\alpha$ in D1.
    """
    far = centred(z) + per_class(alpha) * (centred(y) - centred(z))
    return student_gradient(y, z, alpha), student_gradient(far, centred(z), 1.0)


def skewed_coin(t: float) -> dict[str, Any]:
    """p -> q = the coin with heads (1 - 1/sqrt 3)/2."""
    heads = (1 - 1 / np.sqrt(3)) / 2
    logits = np.array([np.log(heads), np.log1p(-heads)])
    return dict(y=logits + np.array([t / 4, 0.0]), z=logits, alpha=ORDERS[:4], beta=ORDERS[1:])


@theorem("O1", given=PAIR | dict(alpha=Interval(1e-3, 20), beta=Interval(1e-3, 20)), source=OURS, resolution=1e-3,
         tight=skewed_coin)  # fmt: skip
def order_against_the_weight(y: Array, z: Array, alpha: Array, beta: Array) -> Pair:
    r"""$\Big\|\frac{\nabla_zD_\alpha}\alpha-\frac{\nabla_zD_\beta}\beta\Big\|_1 \le
    \frac{|\alpha-\beta|}{6\sqrt3}(\mathrm{osc}\,\delta)^2$ for every C; the constant is the best.

    Proof: $g(u) = \mathrm{softmax}(z+u\delta)-q$ has $g(0) = 0$ and $\nabla_zD_\alpha = -g(\alpha)$, so the difference
    is $(\beta-\alpha)$ times a second divided difference of g, which is an average of $g''/2$; $\|g''\|_1 \le
    \mathrm{osc}^2/(3\sqrt3)$ (N1).
    """
    one, other = (student_gradient(y, z, order) / per_class(order) for order in (alpha, beta))
    return np.abs(one - other).sum(axis=-1), order_against_weight(alpha, beta, oscillation(y, z))


@order_against_the_weight.identity
def second_divided_difference(sign: sp.Expr = ONE) -> sp.Expr:
    b, first, second = sp.symbols("beta g_alpha g_beta")
    divided = ((second - first) / (b - a) - first / a) / b  # g[0, alpha, beta] with g(0) = 0
    return first / a - second / b - sign * (a - b) * divided


COHORT: dict[str, Any] = dict(centre=Logits(scale=30), spread=Reals(3, "C", scale=3))


@theorem("O2", given=COHORT | dict(lam=Interval(0, 100)), source=OURS, relation="==", resolution=1.0)
def no_force_on_the_mean_student_at_order_1(centre: Array, spread: Array, lam: Array) -> Pair:
    r"""At order 1 the mutual terms' forces cancel, whatever the disagreement: $\sum_k\sum_{j\ne k}(w_{jk}-q_k) = 0$.

    Drawn for K = 3. Proof: $w_{jk} = p_j$, and each student is as often a peer as a student.
    """
    force = mean_force(centre[:, None] + spread, 1.0, lam) / (1 + per_class(lam))
    return force, np.zeros_like(force)


@theorem("O2", given=COHORT | dict(alpha=Interval(0, 8)), source=OURS, resolution=1e-9)
def tempering_law(centre: Array, spread: Array, alpha: Array) -> Pair:
    r"""$\Big\|\frac1K\sum_k\frac1{K-1}\sum_{j\ne k}(w_{jk}-q_k) - \alpha(\alpha-1)\frac K{K-1}G\Big\|_1 \le
    \frac5{48}\overline{\mathrm{osc}^3v_{jk}+\mathrm{osc}^3d_k}$, $v_{jk} = (1-\alpha)d_k+\alpha d_j$, $d_k =
    z_k-\bar z$, $G = \mathrm{softmax}''(\bar z)[\frac1K\sum d_kd_k^\top]$: orders above 1 temper the consensus, below
    1 they sharpen it.

    Drawn for K = 3. Proof: expand $\mathrm{softmax}(\bar z+v)$ to second order; the linear terms cancel and
    $\sum_{j\ne k}d_j = -d_k$ gives the coefficient. The third derivative along v has components
    $w(x^3-3\sigma^2x-\kappa_3)$, 1-norm at most $2E|x|^3+3\sigma^2E|x| \le (\frac28+\frac38)\mathrm{osc}^3v$.
    """
    students = centre[:, None] + spread
    d = spread - spread.mean(axis=1, keepdims=True)
    order = per_class(alpha)
    pairs = [(j, k) for j in range(3) for k in range(3) if j != k]
    widths = [np.ptp((1 - order) * d[:, k] + order * d[:, j], axis=-1) ** 3 for j, k in pairs]
    room = np.mean(widths, axis=0) + (np.ptp(d, axis=-1) ** 3).mean(axis=-1)
    gap = mean_force(students, alpha, np.ones_like(alpha)) - tempering_force(students, alpha, np.ones_like(alpha))
    return np.abs(gap).sum(axis=-1), 5 / 48 * room


@tempering_law.identity
def coefficient_of_the_second_order_term(one: sp.Expr = ONE) -> sp.Expr:
    k = sp.Symbol("K", positive=True)
    whole = (1 - a) ** 2 + a**2 - 1 - 2 * a * (1 - a) / (k - 1)
    return HALF * whole - one * a * (a - 1) * k / (k - 1)


@tempering_law.identity
def second_and_third_derivative_of_softmax(two: sp.Expr = TWO / 2, three: sp.Expr = 3 * ONE) -> list[sp.Expr]:
    """Two classes: along v the mass w of class 1 has the derivative w(1-w)(v_1-v_2), and all is polynomial in it."""
    w, v = sp.Symbol("w"), sp.symbols("v1:3")
    masses = (w, 1 - w)

    def along(value: sp.Expr) -> sp.Expr:
        return sp.diff(value, w) * w * (1 - w) * (v[0] - v[1])

    x = [u - expectation(masses, v) for u in v]
    variance, third = expectation(masses, [u**2 for u in x]), expectation(masses, [u**3 for u in x])
    second = [along(along(m)) - m * (u**2 - two * variance) for m, u in zip(masses, x, strict=True)]
    return second + [
        along(along(along(m))) - m * (u**3 - three * variance * u - third) for m, u in zip(masses, x, strict=True)
    ]


@theorem("O2", given=dict(centre=Logits(2, scale=30), spread=Reals(3, 2, scale=3)), source=OURS, relation="==",
         resolution=1e-3)  # fmt: skip
def tempering_points_towards_one_half(centre: Array, spread: Array) -> Pair:
    r"""Two classes: $G_1 = \bar q(1-\bar q)(1-2\bar q)\,\overline{d^2}$, d the students' log-odds minus their mean; it
    pushes the mean student towards 1/2.

    Proof: $d_{k,1}-E_{\bar q}d_k = (1-\bar q)d$ and $\mathrm{Var}_{\bar q}d_k = \bar q(1-\bar q)d^2$.
    """
    odds = spread[..., 0] - spread[..., 1]
    heads = probabilities(centre + spread.mean(axis=1))
    variance = ((odds - odds.mean(axis=-1, keepdims=True)) ** 2).mean(axis=-1)
    direction = heads[:, 0] * heads[:, 1] * (heads[:, 1] - heads[:, 0]) * variance
    return tempering_direction(centre[:, None] + spread), np.stack([direction, -direction], -1)
