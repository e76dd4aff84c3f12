r"""Shelf A4-A6: how $D_\alpha$, $D_{1-\alpha}$ and $D_{1/\alpha}$ determine one another; w is the geometric mixture."""
# ruff: noqa: C408  (given=dict(y=..., z=...) reads like the statement)

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.statements.domains import Interval, Logits, Order, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import (
    COARSE,
    OURS,
    PAIR,
    VAN_ERVEN,
    ZEROS,
    Pair,
    divergence,
    kl,
    log_sum_exp,
    probabilities,
    tilted_logits,
)
from theory.theorems.symbols import ONE, a, mixture, p, q, relative_entropy, renyi, renyi_of_logits, y, z


@theorem("A4", given=ZEROS | dict(alpha=Interval(1e-6, 1 - 1e-6)), source=f"{VAN_ERVEN}, Prop. 2", status="cited",
         relation="==", **COARSE)  # fmt: skip
def skew_symmetry(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$(1-\alpha)D_\alpha(p\|q) = \alpha D_{1-\alpha}(q\|p)$ for $0<\alpha<1$."""
    return (1 - alpha) * divergence(y, z, alpha), alpha * divergence(z, y, 1 - alpha)


@skew_symmetry.identity
def exponents_trade_places(coefficient: sp.Expr = ONE) -> sp.Expr:
    return (1 - a) * renyi(a) - coefficient * a * renyi(1 - a, q, p)


@theorem("A4", given=PAIR | dict(alpha=Interval(0, 1), beta=Interval(0, 1), t=Interval(0, 1)),
         source=f"{VAN_ERVEN}, Cor. 2", status="cited", resolution=1e-2,
         tight=lambda t: dict(y=np.zeros(2), z=np.array([1.0, 0.0]), alpha=0.5, beta=0.5 + t, t=0.5))  # fmt: skip
def concave_in_order(y: Array, z: Array, alpha: Array, beta: Array, t: Array) -> Pair:
    r"""$\alpha\mapsto(1-\alpha)D_\alpha$ is concave; above order 1, where it is negative, $(\alpha-1)D_\alpha$ is
    convex.

    Checked for $\alpha, \beta$ in [0, 1] and for $1+10\alpha, 1+10\beta$. Proof: $(1-\alpha)D_\alpha =
    -K(\alpha-1)$, and K is a cumulant function, hence convex.
    """
    high = [10 * order * divergence(y, z, 1 + 10 * order) for order in (t * alpha + (1 - t) * beta, alpha, beta)]
    low = [(1 - order) * divergence(y, z, order) for order in (t * alpha + (1 - t) * beta, alpha, beta)]
    return (
        np.stack([t * low[1] + (1 - t) * low[2], high[0]], -1),
        np.stack([low[0], t * high[1] + (1 - t) * high[2]], -1),
    )


@theorem("A4", given=PAIR | dict(y2=Logits(2), z2=Logits(2), alpha=Order()), source=f"{VAN_ERVEN}, Thm 28",
         status="cited", relation="==", classes=(2, 3, 10), **COARSE)  # fmt: skip
def additive_over_products(y: Array, z: Array, y2: Array, z2: Array, alpha: Array) -> Pair:
    r"""$D_\alpha(p\otimes p'\|q\otimes q') = D_\alpha(p\|q) + D_\alpha(p'\|q')$ for every order in $[0,\infty]$."""
    joint = [(v[..., :, None] + v2[..., None, :]).reshape(*v.shape[:-1], -1) for v, v2 in ((y, y2), (z, z2))]
    return divergence(joint[0], joint[1], alpha), divergence(y, z, alpha) + divergence(y2, z2, alpha)


@theorem("A4", given=PAIR | dict(channel=Reals("C", 3), alpha=Order()), source=f"{VAN_ERVEN}, Thm 9", status="cited",
         classes=(2, 3, 10), resolution=1e-2,
         tight=lambda t: dict(y=np.zeros(2), z=np.array([1.0, 0.0]), channel=np.array([[0, -9, -9], [-9, 0, -9]]) / t,
                              alpha=np.array([0.0, 0.5, 1.0, 3.0, np.inf])))  # fmt: skip
def data_processing(y: Array, z: Array, channel: Array, alpha: Array) -> Pair:
    r"""$D_\alpha(pW\|qW) \le D_\alpha(p\|q)$ for every channel W (here softmax of its rows) and order in
    $[0,\infty]$."""
    log_channel = channel - log_sum_exp(channel)[..., None]
    through = [log_sum_exp(v[..., None] + log_channel, axis=-2) for v in (y, z)]
    return divergence(through[0], through[1], alpha), divergence(y, z, alpha)


ORDERS = np.array([0.1, 0.5, 0.9])
DUALITY = PAIR | dict(alpha=Interval(1e-3, 1e3))  # w is rounded, and the dual order 1/alpha multiplies its error


@theorem("A5", given=DUALITY, source=OURS, relation="==", **COARSE)
def escort_duality(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$D_\alpha(p\|q) = D_{1/\alpha}(w\|q)$ for $\alpha\in(0,\infty)$, w the geometric mixture.

    Proof: $w^{1/\alpha}q^{1-1/\alpha} = Z^{-1/\alpha}p$ with $Z=\sum p^\alpha q^{1-\alpha}$, so
    $D_{1/\alpha}(w\|q) = \frac{-\frac1\alpha\log Z}{\frac1\alpha-1} = \frac{\log Z}{\alpha-1}$.
    """
    return divergence(y, z, alpha), divergence(tilted_logits(y, z, alpha), z, 1 / alpha)


@escort_duality.identity
def dual_order_is_the_inverse(exponent: sp.Expr = ONE) -> sp.Expr:
    h = [sp.expand(a * u + (1 - a) * v) for u, v in zip(y, z, strict=True)]  # logits of w
    return renyi_of_logits(a**-exponent, h, z) - renyi_of_logits(a, y, z)


@theorem("A5", given=DUALITY, source=OURS, relation="==", **COARSE)
def escort_decomposition(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$D_\alpha(p\|q) = \mathrm{KL}(w\|q) + \frac{\alpha}{1-\alpha}\mathrm{KL}(w\|p)$ for $\alpha\in(0,\infty)$,
    $\alpha\ne1$, w the geometric mixture.

    Checked times $|1-\alpha|$, with every term on the side where it is positive. Proof: A6 at r = w.
    """
    w, gap = tilted_logits(y, z, alpha), np.abs(1 - alpha)
    to_p = alpha * kl(w, y)
    lhs = gap * divergence(y, z, alpha) + np.where(alpha > 1, to_p, 0.0)
    return lhs, gap * kl(w, z) + np.where(alpha < 1, to_p, 0.0)


@escort_decomposition.identity
def mixture_splits_the_divergence(coefficient: sp.Expr = ONE) -> sp.Expr:
    w = mixture(a)
    return (1 - a) * renyi(a) - (1 - a) * relative_entropy(w, q) - coefficient * a * relative_entropy(w, p)


@theorem("A5", given=DUALITY, source=OURS, relation="==", **COARSE)
def escort_involution(y: Array, z: Array, alpha: Array) -> Pair:
    r"""At fixed q the map $(p, \alpha) \mapsto (w, 1/\alpha)$ is its own inverse, for $\alpha\in(0,\infty)$.

    Proof: $w^{1/\alpha}q^{1-1/\alpha} \propto p$.
    """
    back = tilted_logits(tilted_logits(y, z, alpha), z, 1 / alpha)
    return probabilities(back), probabilities(y)


@theorem("A6", given=PAIR | dict(r=Logits(), alpha=Interval(0, 1e3)), source=f"{VAN_ERVEN}, Thm 30; {OURS}",
         relation="==", **COARSE)  # fmt: skip
def variational_identity(y: Array, z: Array, r: Array, alpha: Array) -> Pair:
    r"""$\alpha\mathrm{KL}(r\|p) + (1-\alpha)\mathrm{KL}(r\|q) = (1-\alpha)D_\alpha(p\|q) + \mathrm{KL}(r\|w)$ for every
    r and $\alpha\ge0$, so $(1-\alpha)D_\alpha$ is the minimum over r for $\alpha<1$ (for $\alpha>1$ the maximum of
    $\mathrm{KL}(r\|q)-\frac{\alpha}{\alpha-1}\mathrm{KL}(r\|p)$ is $D_\alpha$), both at r = w.

    Checked with every term on the side where it is positive. Proof: $\log w = \alpha\log p + (1-\alpha)\log q - \log Z$
    with $\log Z = (\alpha-1)D_\alpha$; take the mean under r.
    """
    above, below = np.maximum(alpha - 1, 0.0), np.maximum(1 - alpha, 0.0)
    value, to_q = divergence(y, z, alpha), kl(r, z)
    lhs = alpha * kl(r, y) + below * to_q + above * value
    return lhs, below * value + above * to_q + kl(r, tilted_logits(y, z, alpha))


@variational_identity.identity
def means_under_r(coefficient: sp.Expr = ONE) -> sp.Expr:
    v1, v2 = sp.symbols("v1 v2", positive=True)
    r = (v1 / (1 + v1 + v2), v2 / (1 + v1 + v2), 1 / (1 + v1 + v2))
    left = a * relative_entropy(r, p) + (1 - a) * relative_entropy(r, q)
    return left - coefficient * (1 - a) * renyi(a) - relative_entropy(r, mixture(a))


@theorem("A6", given=PAIR | dict(r=Logits(), alpha=Interval(0, 1, False, True)), source=f"{VAN_ERVEN}, Thm 30; {OURS}",
         resolution=1e-6,
         tight=lambda t: dict(y=np.array([2.0, 0]), z=np.zeros(2), r=np.stack([ORDERS * 2, 0 * ORDERS], -1),
         alpha=ORDERS))  # fmt: skip
def variational_minimum(y: Array, z: Array, r: Array, alpha: Array) -> Pair:
    r"""$(1-\alpha)D_\alpha(p\|q) \le \alpha\mathrm{KL}(r\|p)+(1-\alpha)\mathrm{KL}(r\|q)$ for $\alpha<1$; equality
    at r = w.

    Proof: the identity above, and $\mathrm{KL}(r\|w)\ge0$.
    """
    return (1 - alpha) * divergence(y, z, alpha), alpha * kl(r, y) + (1 - alpha) * kl(r, z)


@theorem("A6", given=PAIR | dict(r=Logits(), alpha=Interval(1, 1e3, True)), source=OURS, resolution=1e-6,
         tight=lambda t: dict(y=np.array([2.0, 0]), z=np.zeros(2), r=np.array([[4.0, 0], [8.0, 0]]),
         alpha=np.array([2.0, 4])))  # fmt: skip
def variational_maximum(y: Array, z: Array, r: Array, alpha: Array) -> Pair:
    r"""$(\alpha-1)\mathrm{KL}(r\|q) \le (\alpha-1)D_\alpha(p\|q) + \alpha\mathrm{KL}(r\|p)$ for $\alpha>1$;
    equality at r = w.

    Proof: as for the minimum.
    """
    return (alpha - 1) * kl(r, z), (alpha - 1) * divergence(y, z, alpha) + alpha * kl(r, y)
