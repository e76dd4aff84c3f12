r"""Shelf A2-A3: $D_\alpha = K(\alpha-1)/(\alpha-1)$ as a function of its order; $K(s) = \log E_p e^{sl}$."""
# ruff: noqa: C408  (given=dict(y=..., z=...) reads like the statement)

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.statements.domains import Interval, Logits, Order
from theory.statements.theorem import theorem
from theory.theorems.quantities import (
    COARSE,
    OURS,
    PAIR,
    VAN_ERVEN,
    Pair,
    divergence,
    dot,
    integral,
    kl,
    log_ratio,
    oscillation,
    per_class,
    probabilities,
    tilted_logits,
)
from theory.theorems.symbols import HALF, TWO, a, expectation, l, log_power_sum, mixture, p, relative_entropy, renyi, s


@theorem("A2", given=PAIR | dict(u=Interval(-1, 1)), source=OURS, classes=(2, 3, 10), resolution=1e-15)
def cumulants_to_fourth_order(y: Array, z: Array, u: Array) -> Pair:
    r"""$|D_\alpha - \sum_{n=1}^4 \kappa_n\frac{(\alpha-1)^{n-1}}{n!}| \le \frac{M\,x^5}{|\alpha-1|(1-x)}$, with
    $x = |\alpha-1|\,\mathrm{osc}\,l/2 < 1$, $M^2 = (1-\log\cos1)^2+1$ and $\kappa_n$ the cumulants of l under p.

    Drawn as $\alpha = 1 + 1.8u/\max(1.8, \mathrm{osc})$, so that x <= 0.9. Proof: with l centred in its range,
    $|s|\,\mathrm{osc}\le2$ gives $E e^{sl}$ a modulus between $e^{-1}\cos 1$ and $e$ and an argument within 1, so
    $|K(s)| \le M$ on the circle of radius 2/osc, and Cauchy's estimate bounds the tail of its power series.
    """
    osc = oscillation(y, z)
    alpha = 1 + 1.8 * u / np.maximum(osc, 1.8)
    step = alpha - 1
    x = np.abs(step) * osc / 2
    series = sum(k * step**n / f for n, (k, f) in enumerate(zip(_cumulants(y, z), (1, 2, 6, 24), strict=True)))
    room = np.hypot(1 - np.log(np.cos(1.0)), 1.0) * x**4 / (1 - x) * osc / 2
    value = divergence(y, z, alpha)
    return np.stack([value, series - room], -1), np.stack([series + room, value], -1)


def _cumulants(y: Array, z: Array) -> list[Array]:
    p, deviation = probabilities(y), log_ratio(y, z)
    mean = kl(y, z)
    m2, m3, m4 = (dot(p, (deviation - per_class(mean)) ** n) for n in (2, 3, 4))
    return [mean, m2, m3, m4 - 3 * m2**2]


@cumulants_to_fourth_order.identity
def taylor_series_of_the_cumulant_function(
    second: sp.Expr = HALF, third: sp.Expr = HALF / 3, fourth: sp.Expr = HALF / 12
) -> list[sp.Expr]:
    m = sp.symbols("m1:5", real=True)  # raw moments of l: all that K's Taylor coefficients depend on
    moments = 1 + sum(m[n - 1] * s**n / sp.factorial(n) for n in range(1, 5))
    taylor = sp.series(sp.log(moments), s, 0, 5).removeO()
    k2, k3 = m[1] - m[0] ** 2, m[2] - 3 * m[1] * m[0] + 2 * m[0] ** 3
    k4 = m[3] - 4 * m[2] * m[0] - 3 * m[1] ** 2 + 12 * m[1] * m[0] ** 2 - 6 * m[0] ** 4
    written = m[0] * s + second * k2 * s**2 + third * k3 * s**3 + fourth * k4 * s**4
    return [sp.expand(taylor - written).coeff(s, n) for n in range(1, 5)]


@cumulants_to_fourth_order.identity
def second_term_is_half_the_variance(half: sp.Expr = HALF) -> sp.Expr:
    slope = sp.diff(log_power_sum(a), a, 2).subs(a, 1) / 2  # of D at order 1: K'' / 2
    mean = expectation(p, l)
    return slope - half * expectation(p, [(x - mean) ** 2 for x in l])


@theorem(
    "A2",
    given=PAIR | dict(u=Interval(-1, 1)),
    source=OURS,
    resolution=1e-5,
    tight=lambda t: dict(y=np.zeros(2), z=np.array([4.0, 0.0]), u=np.array([0.3, 0.6, 0.9])),
)
def no_zero_within_the_radius(y: Array, z: Array, u: Array) -> Pair:
    r"""$\cos(t\,\mathrm{osc}\,l/2) \le |E_p e^{itl}|$ for $|t|\,\mathrm{osc}\le\pi$, so the cumulant series of
    $D_\alpha$ converges at least for $|\alpha-1| < \pi/\mathrm{osc}$; equality for p = (1/2, 1/2).

    Drawn as $t = \pi u/\mathrm{osc}$. Proof: centre l in its range; every $e^{itl}$ then has real part
    >= cos(t osc/2). (A real part of s multiplies the weights by positive numbers and changes nothing.)
    """
    deviation, osc = log_ratio(y, z), oscillation(y, z)
    angle = np.pi * u / np.where(osc > 0, osc, 1.0)
    modulus = np.abs(dot(probabilities(y), np.exp(1j * per_class(angle) * deviation)))
    return np.cos(np.minimum(np.abs(angle) * osc / 2, np.pi / 2)), modulus


@no_zero_within_the_radius.identity
def fair_coin_has_its_first_zero_at_the_radius(half: sp.Expr = HALF) -> sp.Expr:
    osc = sp.Symbol("osc", positive=True)
    modes = [half * sp.exp(sp.I * sp.pi / osc * side * osc) for side in (HALF, -HALF)]
    return sp.expand_complex(modes[0] + modes[1] + half - HALF)


@theorem(
    "A3",
    given=PAIR | dict(alpha=Order(), beta=Order()),
    source=f"{VAN_ERVEN}, Thm 3",
    status="cited",
    tight=lambda t: dict(y=np.zeros(2), z=np.array([1.0, 0.0]), alpha=1.0, beta=1 + t),
)
def nondecreasing_in_order(y: Array, z: Array, alpha: Array, beta: Array) -> Pair:
    r"""$D_\alpha(p\|q) \le D_\beta(p\|q)$ for $\alpha\le\beta$: learning the order by descending the loss drives
    it to 0."""
    return divergence(y, z, np.minimum(alpha, beta)), divergence(y, z, np.maximum(alpha, beta))


@theorem(
    "A3",
    given=dict(y=Logits(scale=12), z=Logits(scale=12), alpha=Interval(0, 10), u=Interval(0, 1)),
    where=lambda y, z, alpha, u: (1 + alpha) * oscillation(y, z) <= 12,  # what the quadrature resolves
    source=OURS,
    relation="==",
    classes=(2, 3, 5),
    **COARSE,
)
def derivative_in_order(y: Array, z: Array, alpha: Array, u: Array) -> Pair:
    r"""$\frac{dD_\alpha}{d\alpha} = \frac{\mathrm{KL}(w\|p)}{(1-\alpha)^2} = \int_0^1 t\,
    \mathrm{Var}_{w(1+t(\alpha-1))}(l)\,dt$, at order 1 $\frac12\mathrm{Var}_p(l)$.

    Checked in integrated form, between $\alpha$ and $\alpha+u/\max(1, \mathrm{osc})$. Proof: with s = alpha-1, $D
    = K(s)/s$ gives $D' = (sK'-K)/s^2$; $sK'-K = \mathrm{KL}(w\|p)$, and it is $\int_0^s r K''(r)dr$.
    """
    osc = oscillation(y, z)
    width = u / np.maximum(1, osc)
    rate = integral(lambda r: _rate(y, z, alpha + r * width), 8)
    return divergence(y, z, alpha + width), divergence(y, z, alpha) + width * rate


def _rate(y: Array, z: Array, alpha: Array) -> Array:
    def variance(t: float) -> Array:
        w = probabilities(tilted_logits(y, z, 1 + t * (alpha - 1)))
        return t * dot(w, (deviation - per_class(dot(w, deviation))) ** 2)

    deviation = log_ratio(y, z)
    return integral(variance, 32)


@derivative_in_order.identity
def derivative_is_kl_over_square(power: sp.Expr = TWO) -> sp.Expr:
    return sp.diff(renyi(a), a) - relative_entropy(mixture(a), p) / sp.Abs(1 - a) ** power
