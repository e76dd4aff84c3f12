r"""Shelf C, continued: the best constant $c(\alpha) = \inf D_\alpha/V^2$, $V = \|p-q\|_1$, between its closed forms."""
# ruff: noqa: C408  (given=dict(y=..., z=...) reads like the statement)

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import sympy as sp
from scipy.special import logit

from theory.certificates import load
from theory.constants import GOLDEN_ORDER, POINT_MASS_ROOT, VERTEX_ORDER, nearest_coins, pinsker_constant, ratio
from theory.divergence.arguments import Array
from theory.enclosures import pinsker_enclosure
from theory.statements.domains import Integer, Interval
from theory.statements.theorem import theorem

from .quantities import OURS, PAIR, Pair, divergence, l1_distance, probabilities, tilted_logits
from .symbols import ONE, a

CERTIFICATES = ("C3-low", "C3-high", *load("c-*"))
MIDDLE = Interval(GOLDEN_ORDER, VERTEX_ORDER, open_low=True)
BETWEEN = np.array([1.2, 1.25, 1.3, 1.35, 1.39])


@theorem("C3", given=PAIR | dict(alpha=Interval(1, 1e3), beta=Interval(1, 1e3)), source=OURS, classes=(2,),
         tight=lambda t: dict(y=np.array([3.0, 0.0]), z=np.array([-0.5, 0.0]), alpha=2.0, beta=2.0 + t))  # fmt: skip
def orders_that_keep_a_share_form_an_interval(y: Array, z: Array, alpha: Array, beta: Array) -> Pair:
    r"""For coins and $1\le\alpha\le\beta$: $\min\big(\frac{D_\beta}\beta, \frac{V^2}2\big) \le \frac{D_\alpha}\alpha$,
    so for $k\le\frac12$ the orders $\alpha\ge1$ with $D_\alpha\ge k\alpha V^2$ form an interval that begins at 1. Hence
    $c(\alpha)/\alpha$ does not increase on $[1,\infty)$; c does not decrease (A3).

    Checked with the smaller of the two orders for $\alpha$. Proof: $\chi(\alpha) = (\alpha-1)D_\alpha -
    k\alpha(\alpha-1)V^2$ vanishes at 0 and 1, is at most 0 between (C1), and $\chi'(1) = \mathrm{KL}-kV^2 > 0$. For
    coins $\chi'' = \mathrm{osc}^2w(1-w) - 2kV^2$, where the log-odds of w are linear in $\alpha$: positive on one
    interval at most. Were $\chi$ to come back to 0 after being negative at some $\alpha>1$, it would have minima in
    (0, 1) and beyond its zero $t_1>1$, so that $\chi''>0$ somewhere on both sides of $(1,t_1)$, hence on all of it, and
    by convexity $\chi\le0$ there: a contradiction to $\chi'(1)>0$. For c: $k = c(\beta)/\beta \le \frac12$.
    """
    low, high = np.minimum(alpha, beta), np.maximum(alpha, beta)
    return np.minimum(divergence(y, z, high) / high, l1_distance(y, z) ** 2 / 2), divergence(y, z, low) / low


@orders_that_keep_a_share_form_an_interval.identity
def curvature_in_the_order(two: sp.Expr = 2 * ONE) -> list[sp.Expr]:
    y, z, k, v = sp.symbols("y z k V", real=True)  # log-odds
    chi = sp.log(sp.exp(a * y + (1 - a) * z) + 1) - a * sp.log(1 + sp.exp(y)) - (1 - a) * sp.log(1 + sp.exp(z))
    w = 1 / (1 + sp.exp(-a * y - (1 - a) * z))
    chi -= k * a * (a - 1) * v**2
    return [sp.diff(chi, a, 2) - (y - z) ** 2 * w * (1 - w) + two * k * v**2, chi.subs(a, 0), chi.subs(a, 1)]


def nearest_pairs(t: float) -> dict[str, Any]:
    """The interior minimisers between the closed forms."""
    coins = np.array([nearest_coins(alpha) for alpha in BETWEEN])
    zeros = np.zeros(len(BETWEEN))
    return dict(y=np.stack([coins[:, 0], zeros], -1), z=np.stack([coins[:, 1], zeros], -1), n=np.arange(5.0))


def nearest_pairs_by_order(t: float) -> dict[str, Any]:
    """The same with their orders."""
    pairs = nearest_pairs(t)
    return dict(y=pairs["y"], z=pairs["z"], alpha=BETWEEN)


@theorem(
    "C4",
    given=dict(n=Integer(0, 4)),
    source=OURS,
    relation="==",
    tolerance=1e-6,
    tight=lambda t: dict(n=np.arange(5.0)),
)
def interior_minimisers_solve_two_equations(n: Array) -> Pair:
    r"""A pair of coins p = (a, 1-a), q = (b, 1-b), 0 < b < a < 1, at which $D_\alpha/V^2$ is least solves
    $\frac{w-b}{b(1-b)} = \frac\alpha{1-\alpha}\,\frac{a-w}{a(1-a)}$ and $D_\alpha = \frac{(a-b)(w-b)}{2b(1-b)}$, so
    $c(\alpha) = \frac{w-b}{8(a-b)b(1-b)}$; w = (w, 1-w) is the geometric mixture.

    Checked at the minimisers for $\alpha$ = 1.2, 1.25, 1.3, 1.35 and 1.39 (n = 0..4), found numerically to 1e-7. Proof:
    $\partial_bD = \frac{b-w}{b(1-b)}$ and $\partial_aD = \frac\alpha{1-\alpha}\,\frac{a-w}{a(1-a)}$ (D1, D5 in
    probabilities); $\log D - 2\log(a-b)$ is stationary.
    """
    pairs = nearest_pairs(0)
    y, z, alpha = (np.asarray(value)[n.astype(int)] for value in (pairs["y"], pairs["z"], BETWEEN))
    p, q, w = (probabilities(v)[:, 0] for v in (y, z, tilted_logits(y, z, alpha)))
    by_q, by_p = (w - q) / (q * (1 - q)), alpha / (1 - alpha) * (p - w) / (p * (1 - p))
    best = pinsker_constant(alpha)
    return np.stack([by_q, divergence(y, z, alpha), best], -1), np.stack(
        [by_p, (p - q) * by_q / 2, by_q / (8 * (p - q))], -1
    )


@interior_minimisers_solve_two_equations.identity
def derivatives_in_probabilities(one: sp.Expr = ONE) -> list[sp.Expr]:
    p, q = sp.symbols("p q", positive=True)
    heads, tails = p**a * q ** (1 - a), (1 - p) ** a * (1 - q) ** (1 - a)
    value, w = sp.log(heads + tails) / (a - 1), heads / (heads + tails)
    by_q, by_p = (q - w) / (q * (one - q)), a / (1 - a) * (p - w) / (p * (one - p))
    return [sp.diff(value, q) - by_q, sp.diff(value, p) - by_p]


@theorem("C4", given=PAIR | dict(alpha=MIDDLE), source=OURS, tight=nearest_pairs_by_order, certificates=CERTIFICATES)
def pinsker_between_the_closed_forms(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$c_-(\alpha)\|p-q\|_1^2 \le D_\alpha(p\|q)$ for $\alpha_g\le\alpha\le\alpha^*$, where $c_- \le c \le c_+$ is an
    enclosure of width at most 0.001 (`theory.pinsker_enclosure`).

    Proof (computer-assisted): at 21 orders c is enclosed by interval arithmetic from below and by a pair of coins from
    above; for $\alpha_1\le\alpha\le\alpha_2$ the monotonicities of C3 give $\max(c(\alpha_1),
    \frac\alpha{\alpha_2}c(\alpha_2)) \le c(\alpha) \le \min(c(\alpha_2), \frac\alpha{\alpha_1}c(\alpha_1))$. No
    closed form of c is known here (an open problem).
    """
    return pinsker_enclosure(alpha)[0] * l1_distance(y, z) ** 2, divergence(y, z, alpha)


@theorem("C4", given=dict(alpha=MIDDLE), source=OURS, certificates=CERTIFICATES, cost=20)
def some_pair_meets_the_upper_end(alpha: Array) -> Pair:
    r"""For every $\alpha_g<\alpha\le\alpha^*$ some pair has $D_\alpha(p\|q) \le c_+(\alpha)\|p-q\|_1^2$.

    Proof: the witness at the next order above by A3, or that at the next order below by C3, whichever is the lower;
    nearly fair coins and the point mass at the ends.
    """
    skew, v = (alpha - 2) / 3, 1e-3
    fair = ratio(2 * np.arctanh((skew + 1) * v), 2 * np.arctanh(skew * v), alpha)
    vertex = ratio(800.0, logit(POINT_MASS_ROOT), alpha)
    found = [ratio(p, q, alpha) for p, q in _witnesses()]
    return np.min([fair, vertex, *found], axis=0), pinsker_enclosure(alpha)[1]


@cache
def _witnesses() -> list[tuple[float, float]]:
    """Log-odds of the coins of the certificates."""
    pairs = [certificate["witness"] for certificate in load("c-*").values()]
    return [(float(logit(float(Fraction(p)))), float(logit(float(Fraction(q))))) for p, q in pairs]


@theorem("C4", given=PAIR | dict(n=Integer(0, 4)), source=OURS, status="numerical", tight=nearest_pairs)
def pinsker_constant_between_the_closed_forms(y: Array, z: Array, n: Array) -> Pair:
    r"""$c(\alpha)\|p-q\|_1^2 \le D_\alpha(p\|q)$ with c below both closed forms, here at $\alpha$ = 1.2, 1.25, 1.3,
    1.35 and 1.39 (n = 0..4).

    Numerical: c is the least ratio that a minimisation over binary pairs finds, to ten digits
    (`theory.pinsker_constant`); interval proofs enclose it to 1e-6 at the first four orders.
    """
    alpha = BETWEEN[n.astype(int)]
    best = np.array([pinsker_constant(order) for order in BETWEEN])[n.astype(int)]
    return best * l1_distance(y, z) ** 2, divergence(y, z, alpha)
