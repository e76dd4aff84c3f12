r"""Shelf A1: the orders 0, 1/2, 1, 2 and inf, where $D_\alpha$ has a name or needs a limit."""

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.statements.theorem import theorem
from theory.theorems.quantities import (
    COARSE,
    VAN_ERVEN,
    ZEROS,
    Pair,
    divergence,
    log_probabilities,
    log_sum_exp,
    probabilities,
)
from theory.theorems.symbols import ONE, TWO, a, log_power_sum, p, q, relative_entropy, renyi, s


@theorem("A1", given=ZEROS, source=f"{VAN_ERVEN}, Thm 4", status="cited", relation="==", **COARSE)
def limit_at_order_0(y: Array, z: Array) -> Pair:
    r"""$D_0(p\|q) = -\log q(p>0)$, the limit as $\alpha\to0$."""
    occurring = np.where(np.isneginf(y), -np.inf, z)
    return divergence(y, z, 0.0), log_sum_exp(z) - log_sum_exp(occurring)


@limit_at_order_0.identity
def limit_where_p_excludes_a_class(coefficient: sp.Expr = ONE) -> sp.Expr:
    e = sp.Symbol("e", positive=True)  # p = (e, 1 - e, 0)
    value = sp.log(e**a * q[0] ** (1 - a) + (1 - e) ** a * q[1] ** (1 - a)) / (a - 1)
    return sp.limit(value, a, 0) + coefficient * sp.log(q[0] + q[1])


@theorem("A1", given=ZEROS, source=f"{VAN_ERVEN}, eq. (6) (no. unconfirmed)", status="cited", relation="==", **COARSE)
def value_at_order_half(y: Array, z: Array) -> Pair:
    r"""$D_{1/2}(p\|q) = -2\log\sum_i\sqrt{p_iq_i}$, symmetric in p and q."""
    log_p, log_q = (log_probabilities(v) for v in (y, z))
    return divergence(y, z, 0.5), -2 * log_sum_exp((log_p + log_q) / 2)


@value_at_order_half.identity
def twice_the_bhattacharyya_distance(coefficient: sp.Expr = TWO) -> sp.Expr:
    overlap = sum(sp.sqrt(x * v) for x, v in zip(p, q, strict=True))
    return renyi(sp.Rational(1, 2)) + coefficient * sp.log(overlap)


@theorem("A1", given=ZEROS, source=f"{VAN_ERVEN}, Thm 5", status="cited", relation="==", **COARSE)
def limit_at_order_1(y: Array, z: Array) -> Pair:
    r"""$D_1(p\|q) = \mathrm{KL}(p\|q)$, the limit as $\alpha\to1$; inf if p is not absolutely continuous w.r.t. q."""
    leaves = (np.isneginf(z) & ~np.isneginf(y)).any(axis=-1)
    with np.errstate(invalid="ignore"):
        log_p, log_q = (log_probabilities(v) for v in (y, z))
        terms = np.where(np.isneginf(y), 0.0, probabilities(y) * (log_p - log_q))
    return divergence(y, z, 1.0), np.where(leaves, np.inf, terms.sum(axis=-1))


@limit_at_order_1.identity
def rule_of_l_hopital(coefficient: sp.Expr = ONE) -> list[sp.Expr]:
    numerator = log_power_sum(a)  # D = numerator/(alpha - 1) and the numerator is 0 at order 1
    slope = sp.diff(numerator, a).subs(a, 1)
    return [numerator.subs(a, 1), slope - coefficient * relative_entropy(p, q)]


@theorem("A1", given=ZEROS, source=f"{VAN_ERVEN}, eq. (7) (no. unconfirmed)", status="cited", relation="==", **COARSE)
def value_at_order_2(y: Array, z: Array) -> Pair:
    r"""$D_2(p\|q) = \log(1+\chi^2(p\|q))$ with $\chi^2 = \sum_i (p_i-q_i)^2/q_i$; inf unless p << q."""
    leaves = (np.isneginf(z) & ~np.isneginf(y)).any(axis=-1)
    log_p, log_q = (log_probabilities(v) for v in (y, z))
    with np.errstate(invalid="ignore", divide="ignore"):  # log 1 + chi2 = log sum p^2/q, kept in logs: chi2 overflows
        right = log_sum_exp(np.where(np.isneginf(y), -np.inf, 2 * log_p - log_q))
    return divergence(y, z, 2.0), np.where(leaves, np.inf, right)


@value_at_order_2.identity
def log_of_one_plus_chi_square(coefficient: sp.Expr = ONE) -> sp.Expr:
    chi_square = sum((x - v) ** 2 / v for x, v in zip(p, q, strict=True))
    return sp.exp(log_power_sum(2)) - 1 - coefficient * chi_square


@theorem("A1", given=ZEROS, source=f"{VAN_ERVEN}, Thm 6", status="cited", relation="==", **COARSE)
def limit_at_order_infinity(y: Array, z: Array) -> Pair:
    r"""$D_\infty(p\|q) = \log\max_{p_i>0} p_i/q_i$, the limit as $\alpha\to\infty$."""
    log_p, log_q = (log_probabilities(v) for v in (y, z))
    with np.errstate(invalid="ignore"):
        ratio = np.where(np.isneginf(y), -np.inf, log_p - log_q)
    return divergence(y, z, np.inf), ratio.max(axis=-1)


@limit_at_order_infinity.identity
def largest_ratio_survives(coefficient: sp.Expr = ONE) -> sp.Expr:
    d2, d3 = sp.symbols("d2 d3", positive=True)  # l = (l1, l1 - d2, l1 - d3)
    l1 = sp.Symbol("l1", positive=True)
    rest = sp.log(p[0] + p[1] * sp.exp(-s * d2) + p[2] * sp.exp(-s * d3)) / s
    return sp.limit(rest, s, sp.oo) + l1 - coefficient * l1
