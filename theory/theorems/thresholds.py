r"""Shelf C, continued: where the best constant $c(\alpha) = \inf D_\alpha/V^2$, $V = \|p-q\|_1$, has a closed form."""
# ruff: noqa: C408  (given=dict(y=..., z=...) reads like the statement)

import numpy as np
import sympy as sp

from theory.constants import GOLDEN_ORDER, LARGE_ORDER_CONSTANT, POINT_MASS_ROOT, VERTEX_ORDER
from theory.divergence.arguments import Array
from theory.divergence.gradients import student_gradient
from theory.statements.domains import Interval, Order
from theory.statements.theorem import theorem

from .gradients import mixture_at_a_vertex
from .quantities import OURS, PAIR, Pair, divergence, l1_distance
from .symbols import ONE, a
from .variation import expansion, nearly_fair_coins, point_mass


@theorem("C3", given=PAIR | dict(alpha=Interval(0, GOLDEN_ORDER, open_low=True)), source=OURS, certificates=("C3-low",),
         tight=lambda t: nearly_fair_coins(t) | dict(alpha=np.array([1.0, 1.1, 1.17])))  # fmt: skip
def pinsker_up_to_the_golden_order(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\frac\alpha2\|p-q\|_1^2 \le D_\alpha(p\|q)$ for $0<\alpha\le\alpha_g = \frac{5+3\sqrt5}{10} = 1.17082\ldots$,
    the best constant, and not beyond $\alpha_g$ (see below).

    Proof (computer-assisted): up to 1 by C1. From there to $\alpha_g$ it is enough at $\alpha_g$, as the orders at
    which a pair of coins keeps $D_\alpha\ge\frac\alpha2V^2$ form an interval (see below); coins suffice (C1). At
    $\alpha_g$, with half log-odds z of q and z+d of p and $w = z-\frac{\alpha-2}3d$, the slack over $\frac{d^2}2$ is
    $\alpha w^2$ and terms of order 4 and more, that of $d^4$ positive: a polynomial bound settles a
    neighbourhood of 0, interval arithmetic the rest.
    """
    return alpha / 2 * l1_distance(y, z) ** 2, divergence(y, z, alpha)


@pinsker_up_to_the_golden_order.identity
def slack_near_fair_coins(
    five: sp.Expr = 5 * ONE, skew: sp.Expr = ONE / 3, scale: sp.Expr = ONE / 405
) -> list[sp.Expr]:
    """Coefficients of w^2, w d, d^2 and d^4; that of d^2 is 0 at the golden order, where d^4 has a positive one."""
    w, d, s = sp.symbols("w d s", real=True)
    z = w + (a - 2) * skew * d

    def average(start: sp.Expr, step: sp.Expr, weight: sp.Expr) -> sp.Expr:
        x = start + s * step
        powers = sp.Poly(sp.expand(weight * (1 - x**2 + sp.Rational(2, 3) * x**4)), s)
        return sum((c / (n + 1) for (n,), c in powers.terms()), sp.Integer(0))  # the integral of s^n over [0, 1]

    larger = average(z, d, 2 * s) + (a - 1) * average(z + a * d, (1 - a) * d, 2 * s)
    slack = sp.Poly(sp.expand(larger - a * average(z, d, ONE) ** 2), w, d)
    golden = a * (five * a - 5 * a**2 + 1) / 18
    fourth = scale * a * (89 * a**4 - 178 * a**3 + 117 * a**2 - 28 * a - 7)
    found = [slack.coeff_monomial(w**i * d**j) for i, j in ((0, 0), (2, 0), (1, 1), (0, 2), (0, 4))]
    return [value - expected for value, expected in zip(found, (0, a, 0, golden, fourth), strict=True)]


@theorem("C3", given=PAIR | dict(alpha=Order(VERTEX_ORDER)), source=OURS, certificates=("C3-high",),
         tight=lambda t: point_mass(t) | dict(alpha=np.array([1.4, 1.5, 1.9])))  # fmt: skip
def pinsker_from_the_vertex_order(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$c_\infty\|p-q\|_1^2 \le D_\alpha(p\|q)$ for $\alpha \ge \alpha^* = \frac1{1-x} = 1.39795\ldots$, where
    $2x\log x = x-1$ and $c_\infty = \frac1{8x(1-x)}$: the best constant, and not below $\alpha^*$ (see below).

    Proof (computer-assisted): by A3 it is enough at $\alpha^*$, and by C1 for coins. Both sides touch at p = (1, 0),
    q = (x, 1-x). With $\epsilon = 1-p_1$, $\beta = q_1-x$ and since $\frac{\alpha^*}{\alpha^*-1} = \frac1x$, the gap is
    $[-\log q_1-4c_\infty(1-q_1)^2] - 8c_\infty\beta\epsilon - 4c_\infty\epsilon^2 +
    \frac{\log(1-\epsilon)+\epsilon}x + \frac{\log(1+R)}{\alpha^*-1}$, $R =
    (\frac\epsilon{1-\epsilon})^{\alpha^*}(\frac{q_1}{1-q_1})^{\alpha^*-1}$, where the bracket has a double zero at x
    and is convex around it; $\epsilon^{\alpha^*}$ beats $\epsilon^2$. Interval arithmetic settles the rest of the
    square.
    """
    return LARGE_ORDER_CONSTANT * l1_distance(y, z) ** 2, divergence(y, z, alpha)


@pinsker_from_the_vertex_order.identity
def gap_near_the_vertex(eight: sp.Expr = 8 * ONE) -> list[sp.Expr]:
    x, beta, e, r = sp.symbols("x beta e R", positive=True)
    q, c, order = x + beta, 1 / (eight * x * (1 - x)), 1 / (1 - x)
    divergence_of = (order * sp.log(1 - e) + (1 - order) * sp.log(q) + sp.log(1 + r)) / (order - 1)
    bracket = -sp.log(q) - 4 * c * (1 - q) ** 2
    gap = bracket - 8 * c * beta * e - 4 * c * e**2 + (sp.log(1 - e) + e) / x + sp.log(1 + r) / (order - 1)
    slope = sp.diff(bracket, beta) + 1 / q - 8 * c * (1 - q)
    return [divergence_of - 4 * c * (1 - e - q) ** 2 - gap, slope, 8 * c * (1 - x) - 1 / x]


@theorem("C3", given=dict(alpha=Interval(1.18, 2.0)), source=OURS)
def half_alpha_fails_beyond_the_golden_order(alpha: Array) -> Pair:
    r"""For $\alpha > \frac{5+3\sqrt5}{10} = 1.17082\ldots$ the constant $\alpha/2$ is too large: some pair has
    $D_\alpha(p\|q) \le \frac\alpha2V^2$, with < for small V.

    Proof: with $p = (1+(m+1)V, 1-(m+1)V)/2$, $q = (1+mV, 1-mV)/2$, $m = (\alpha-2)/3$, the term of order $V^4$ is
    $\frac\alpha{36}(1+5\alpha-5\alpha^2)$, negative beyond the golden order. (Drawn from 1.18 on, with V = 0.05.)
    """
    v, m = 0.05, (alpha - 2) / 3
    y, z = (np.stack([np.log1p(c * v), np.log1p(-c * v)], -1) for c in (m + 1, m))
    return divergence(y, z, alpha), alpha / 2 * v**2


@half_alpha_fails_beyond_the_golden_order.identity
def quartic_term_changes_sign_at_the_golden_order(three: sp.Expr = 3 * ONE) -> list[sp.Expr]:
    m, golden = sp.Symbol("m", positive=True), (5 + three * sp.sqrt(5)) / 10
    fourth = sp.cancel(expansion()[4].subs(m, (a - 2) / 3))
    return [sp.expand(fourth - a * (1 + 5 * a - 5 * a**2) / 36), sp.expand(1 + 5 * golden - 5 * golden**2)]


@theorem("C3", given=dict(alpha=Interval(1.01, 1.39)), source=OURS)
def point_mass_constant_fails_below_the_vertex_order(alpha: Array) -> Pair:
    r"""For $\alpha < \alpha^* = \frac1{1-x} = 1.39795\ldots$ the constant $c_\infty$ is too large: some pair has
    $D_\alpha(p\|q) \le c_\infty V^2$, with < close to the vertex.

    Proof: for $\alpha\le1$ by $c\le\frac\alpha2$. Else at q = (x, 1-x), $p = (1-\epsilon, \epsilon)$ the gap is
    $-(\frac\alpha{\alpha-1}-\frac1x)\epsilon + O(\epsilon^\alpha)$. (Drawn from 1.01 to 1.39, where $\epsilon$ is the
    one at which the second term is at most half of the first.)
    """
    x = POINT_MASS_ROOT
    slope = alpha / (alpha - 1) - 1 / x
    e = np.minimum(0.1, (slope * (alpha - 1) / 4) ** (1 / (alpha - 1)))
    y = np.stack([np.log1p(-e), np.log(e)], -1)
    z = np.log([x, 1 - x]) + np.zeros_like(y)
    return divergence(y, z, alpha), LARGE_ORDER_CONSTANT * l1_distance(y, z) ** 2


@theorem("C3", given=PAIR | dict(alpha=Interval(1 / GOLDEN_ORDER, 1)), source=OURS, certificates=("C3-low",),
         tight=lambda t: nearly_fair_coins(t) | dict(alpha=np.array([0.86, 0.9, 1.0])))  # fmt: skip
def self_bounding_from_the_dual_of_the_golden_order(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|q-w\|_1^2 \le 2\alpha D_\alpha(p\|q)$ already for $\alpha\ge\frac1{\alpha_g} = 0.85410\ldots$, w the
    geometric mixture: the best constant.

    Proof: C3 for w and q at order $\frac1\alpha$, which is the same divergence (A5).
    """
    return _pull(y, z, alpha) ** 2, 2 * alpha * divergence(y, z, alpha)


@theorem("C3", given=PAIR | dict(alpha=Order(0, 1 / VERTEX_ORDER)), source=OURS, certificates=("C3-high",),
         tight=lambda t: mixture_at_a_vertex(t, np.array([0.1, 0.5, 0.7])))  # fmt: skip
def self_bounding_up_to_the_dual_of_the_vertex_order(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|q-w\|_1^2 \le 8x(1-x)\,D_\alpha(p\|q) = 1.62906\ldots D_\alpha$ still for $\alpha\le\frac1{\alpha^*} = 1-x =
    0.71533\ldots$, $2x\log x = x-1$: the best constant.

    Proof: as above, at the vertex order.
    """
    return _pull(y, z, alpha) ** 2, divergence(y, z, alpha) / LARGE_ORDER_CONSTANT


def _pull(y: Array, z: Array, alpha: Array) -> Array:
    return np.abs(student_gradient(y, z, alpha)).sum(axis=-1)
