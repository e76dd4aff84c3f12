r"""Shelf C: Pinsker-type inequalities, $c(\alpha)\,V^2 \le D_\alpha(p\|q)$ with $V = \|p-q\|_1$."""
# ruff: noqa: C408  (given=dict(y=..., z=...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.constants import LARGE_ORDER_CONSTANT, POINT_MASS_ROOT
from theory.divergence.arguments import Array, Mask
from theory.statements.domains import Order
from theory.statements.theorem import theorem

from .quantities import OURS, PAIR, VAN_ERVEN, Pair, divergence, l1_distance, log_ratio
from .symbols import ONE, a

GILARDONI = "Gilardoni 2010"
UP_TO_1 = PAIR | dict(alpha=Order(0, 1, open_low=True))


def nearly_fair_coins(t: float) -> dict[str, Any]:
    """p = (1/2, 1/2) and q -> p, at several orders."""
    return dict(y=np.zeros(2), z=np.array([t, 0.0]), alpha=np.array([0.1, 0.5, 1.0]))


def point_mass(t: float) -> dict[str, Any]:
    """p -> (1, 0) and q = (x, 1-x) with 2x log x = x - 1."""
    x = POINT_MASS_ROOT
    return dict(
        y=np.array([-40 * np.log(t), 0.0]), z=np.array([np.log(x), np.log1p(-x)]), alpha=np.array([2.0, 5.0, np.inf])
    )


@theorem(
    "C1",
    given=UP_TO_1,
    source=f"{GILARDONI}, Cor. 6 (no. unconfirmed); proof of this project",
    tight=nearly_fair_coins,
    certificates=("C1",),
)
def pinsker(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\frac\alpha2\|p-q\|_1^2 \le D_\alpha(p\|q)$ for $\alpha\in(0,1]$, the best constant.

    Proof: let $\beta=1/\alpha\ge1$. As a function of the student's logits $D_\beta(w\|\cdot)$ is convex, at least 0,
    and $\beta$-smooth in the max norm (D4), so its gradient obeys $\|\cdot\|_1^2 \le 2\beta D_\beta(w\|q)$. With w the
    geometric mixture of order $\alpha$ that gradient is q - p (A5: the mixture of w and q at order $\beta$ is p), and
    $D_\beta(w\|q) = D_\alpha(p\|q)$.
    """
    return alpha / 2 * l1_distance(y, z) ** 2, divergence(y, z, alpha)


@pinsker.identity
def second_order_term_is_half_alpha(half: sp.Expr = ONE / 2) -> sp.Expr:
    return expansion()[2] - half * a


def expansion() -> list[sp.Expr]:
    """Coefficients of D_alpha in V along p = (1+(m+1)V, 1-(m+1)V)/2, q = (1+mV, 1-mV)/2."""
    v, m = sp.symbols("V m", positive=True)
    powers = [_binomial((m + 1) * v * side, a) * _binomial(m * v * side, 1 - a) for side in (1, -1)]
    excess = sp.expand(sum((sp.expand(power) for power in powers), sp.Integer(0)) / 2 - 1)
    terms: list[Any] = [excess.coeff(v, n) for n in range(5)]
    logarithm = [*terms[:4], terms[4] - terms[2] ** 2 / 2]  # log(1 + x) = x - x^2/2 + ..., x of order V^2
    return [term / (a - 1) for term in logarithm]


def _binomial(x: sp.Expr, power: sp.Expr) -> sp.Expr:
    return sum((sp.ff(power, n) / sp.factorial(n) * x**n for n in range(5)), sp.Integer(0))


@theorem("C1", given=UP_TO_1, source=f"{GILARDONI}, abstract", status="cited", tight=nearly_fair_coins)
def pinsker_of_fourth_order(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\frac\alpha2V^2 + \frac{\alpha}{36}(1+5\alpha-5\alpha^2)V^4 \le D_\alpha(p\|q)$ for $\alpha\in(0,1)$ (by
    continuity at 1)."""
    v = l1_distance(y, z)
    return alpha / 2 * v**2 + alpha / 36 * (1 + 5 * alpha * (1 - alpha)) * v**4, divergence(y, z, alpha)


@pinsker_of_fourth_order.identity
def fourth_order_term_minimised_over_offsets(coefficient: sp.Expr = ONE / 36) -> list[sp.Expr]:
    m = sp.Symbol("m", positive=True)
    fourth, offset = expansion()[4], (a - 2) / 3
    stationary = sp.diff(fourth, m).subs(m, offset)
    return [stationary, fourth.subs(m, offset) - coefficient * a * (1 + 5 * a - 5 * a**2)]


@theorem("C1", given=PAIR | dict(alpha=Order()), source=OURS, resolution=1e-5)  # the masses are rounded
def binary_pairs_suffice(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\inf D_\alpha/V^2$ over all C is the one over C = 2: merging $\{p>q\}$ and its complement keeps V and satisfies
    $D_\alpha(\text{merged}) \le D_\alpha(p\|q)$.

    Proof: data processing (A4).
    """
    above = log_ratio(y, z) > 0
    merged = [np.stack([_mass(v, above), _mass(v, ~above)], -1) for v in (y, z)]
    return divergence(merged[0], merged[1], alpha), divergence(y, z, alpha)


def _mass(logits: Array, inside: Mask) -> Array:
    """Logits of the merged class; a class that no row falls into keeps a negligible mass."""
    return np.logaddexp.reduce(np.where(inside, logits, -1e4 + logits.min(axis=-1, keepdims=True)), axis=-1)


@theorem("C2", given=PAIR | dict(alpha=Order(2)), source=OURS, tight=point_mass, certificates=("C2",))
def pinsker_from_order_2(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$c_\infty\|p-q\|_1^2 \le D_\alpha(p\|q)$ for $\alpha\ge2$, $c_\infty = \frac1{8x(1-x)} = 0.6138518\ldots$ with
    $2x\log x = x-1$: the best constant, met by a point mass p and q = (x, 1-x). By hand; C3 has it from order 1.39795.

    Proof: by A3 it is enough at order 2, and by C1 for binary pairs. There $1+\chi^2 = 1+\frac{V^2}{4q_1q_2}$; given
    $V = 2|p_1-q_1|$ the smallest value is at $q_1 q_2$ largest: 1/4 if V <= 1, then $D = \log(1+V^2) \ge V^2\log2$ by
    concavity in $V^2$; else p is a vertex, $q_1 = 1 - V/2$ and $D = -\log q_1$, whose ratio to $V^2$ is least at x.
    """
    return LARGE_ORDER_CONSTANT * l1_distance(y, z) ** 2, divergence(y, z, alpha)


@pinsker_from_order_2.identity
def least_ratio_at_a_point_mass(eight: sp.Expr = 8 * ONE) -> list[sp.Expr]:
    x, log_x = sp.Symbol("x", positive=True), sp.Symbol("L", real=True)
    ratio = -sp.log(x) / (4 * (1 - x) ** 2)
    root = (x - 1) / (2 * x)  # log x at the stationary point
    slope = sp.diff(ratio, x).subs(sp.log(x), log_x).subs(log_x, root)
    return [slope, ratio.subs(sp.log(x), log_x).subs(log_x, root) - 1 / (eight * x * (1 - x))]


@theorem("C2", given=PAIR | dict(alpha=Order(1, 2)), source=OURS)
def pinsker_from_order_1(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\frac12\|p-q\|_1^2 \le D_\alpha(p\|q)$ for $\alpha\ge1$: valid, best at order 1 only.

    Proof: Pinsker's inequality and A3.
    """
    return l1_distance(y, z) ** 2 / 2, divergence(y, z, alpha)


@theorem("C2", given=PAIR | dict(alpha=Order()), source=f"{VAN_ERVEN}, Thms 3 and 6", status="cited")
def bounded_by_the_largest_ratio(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$D_\alpha(p\|q) \le \max_i\log(p_i/q_i)$ for every order: what bounded logits do for every constant above.

    Proof: A3 and A1 at order inf.
    """
    return divergence(y, z, alpha), log_ratio(y, z).max(axis=-1)
