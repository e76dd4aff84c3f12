r"""Shelf D5: the peer's gradient $\nabla_yD_\alpha(\mathrm{softmax}\,y\|q)$, which mutual learning drops by
detaching."""
# ruff: noqa: C408  (given=dict(y=..., z=...) reads like the statement)

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.divergence.gradients import peer_gradient, student_hessian
from theory.dynamics.detaching import dropped_gradient_bound
from theory.statements.domains import Interval, Order, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import (
    COARSE,
    OURS,
    PAIR,
    Pair,
    divergence,
    dot,
    integral,
    log_ratio,
    oscillation,
    per_class,
)
from theory.theorems.symbols import ONE, a, covariance, mixture_of_logits, renyi_of_logits, softmax, y, z

FINITE = PAIR | dict(alpha=Order(open_high=True))
ORDERS = np.array([0.1, 0.5, 1.0, 1.5, 3.0])


def mirrored_coins(t: float) -> dict[str, Any]:
    """Two classes with p and w mirror images: log-odds +-(1-alpha) osc/2."""
    osc = np.array([1.0, 4.0, 0.2, 7.0, 2.0])
    shift = (1 - ORDERS) * osc / 2
    return dict(y=np.stack([shift, 0 * osc], -1), z=np.stack([shift - osc, 0 * osc], -1), alpha=ORDERS)


def far_mirrored_coins(t: float) -> dict[str, Any]:
    """The same with osc -> inf, for orders other than 1."""
    orders = np.array([0.3, 0.5, 2.0, 4.0])
    osc = -6 * np.log(t) / np.abs(1 - orders)
    shift = (1 - orders) * osc / 2
    return dict(y=np.stack([shift, 0 * osc], -1), z=np.stack([shift - osc, 0 * osc], -1), alpha=orders)


@theorem(
    "D5",
    given=PAIR | dict(alpha=Interval(0, 1e3), step=Reals("C")),
    source=OURS,
    relation="==",
    classes=(2, 3, 10),
    cost=4,
    **COARSE,
)
def peer_gradient_is_p_minus_w(y: Array, z: Array, alpha: Array, step: Array) -> Pair:
    r"""$\nabla_y D_\alpha(\mathrm{softmax}\,y\|q) = \frac{\alpha}{1-\alpha}(p-w)$, at order 1 $p\,(l-\mathrm{KL})$.

    Checked in integrated form along a step v in y. Proof: $D = \frac{1}{\alpha-1}(\log\sum e^{\alpha y}q^{1-\alpha} -
    \alpha\log\sum e^y)$; the first term contributes $\frac{\alpha}{\alpha-1}w$, the second
    $\frac{\alpha}{1-\alpha}p$.
    """
    v = np.tanh(step) / (1 + per_class(alpha))
    slope = integral(lambda t: dot(v, peer_gradient(y + t * v, z, alpha)))
    return divergence(y + v, z, alpha), divergence(y, z, alpha) + slope


@peer_gradient_is_p_minus_w.identity
def peer_derivatives_for_two_and_three_classes(coefficient: sp.Expr = ONE) -> list[sp.Expr]:
    steps = []
    for n in (2, 3):
        value, p, w = renyi_of_logits(a, y[:n], z[:n]), softmax(y[:n]), mixture_of_logits(a, y[:n], z[:n])
        steps += [sp.diff(value, y[i]) - coefficient * a / (1 - a) * (p[i] - w[i]) for i in range(n)]
    return steps


@peer_gradient_is_p_minus_w.identity
def second_derivatives_in_the_peers_logits(coefficient: sp.Expr = ONE) -> list[sp.Expr]:
    steps = []
    for n in (2, 3):
        value = renyi_of_logits(a, y[:n], z[:n])
        p, w = covariance(softmax(y[:n])), covariance(mixture_of_logits(a, y[:n], z[:n]))
        pairs = combinations_with_replacement(range(n), 2)
        steps += [sp.diff(value, y[i], y[j]) - a / (1 - a) * (p[i, j] - coefficient * a * w[i, j]) for i, j in pairs]
    return steps


@peer_gradient_is_p_minus_w.identity
def mixed_second_derivatives(coefficient: sp.Expr = ONE) -> list[sp.Expr]:
    steps = []
    for n in (2, 3):
        value, w = renyi_of_logits(a, y[:n], z[:n]), covariance(mixture_of_logits(a, y[:n], z[:n]))
        steps += [sp.diff(value, y[i], z[j]) + coefficient * a * w[i, j] for i in range(n) for j in range(n)]
    return steps


@theorem("D5", given=FINITE, source=OURS, tight=mirrored_coins, certificates=("D5-tau",))
def peer_gradient_l1(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|\nabla_yD_\alpha\|_1 \le 2\tau$, $\tau = \frac{\alpha}{|1-\alpha|}\tanh\frac{|1-\alpha|\,\mathrm{osc}\,l}{4}$
    (at order 1 $\mathrm{osc}/4$); attained for C = 2.

    Proof: $\log(p/w)$ has oscillation $|1-\alpha|\,\mathrm{osc}\,l$, and distributions whose log-ratio oscillates by d
    have distance at most $2\tanh(d/4)$ (merge $\{p>w\}$ and its complement; mirrored coins are extremal).
    """
    lhs = np.abs(peer_gradient(y, z, alpha)).sum(axis=-1)
    return lhs, 2 * dropped_gradient_bound(alpha, oscillation(y, z))


@peer_gradient_l1.identity
def distance_of_mirrored_coins(quarter: sp.Expr = ONE / 4) -> sp.Expr:
    d = sp.Symbol("d", positive=True)
    heads = 1 / (1 + sp.exp(-d / 2))
    return (2 * (2 * heads - 1) - 2 * sp.tanh(quarter * d)).rewrite(sp.exp)


@theorem(
    "D5",
    given=PAIR | dict(alpha=Order(open_high=True)),
    source=OURS,
    tight=far_mirrored_coins,
)
def peer_gradient_is_bounded_off_order_1(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|\nabla_yD_\alpha\|_1 \le 2\min\big(\frac{\alpha}{4}\mathrm{osc}\,l, \frac{\alpha}{|1-\alpha|}\big)$: KL is
    the only order whose dropped gradient is unbounded.

    Proof: $\tanh x \le \min(x, 1)$.
    """
    with np.errstate(divide="ignore"):
        ceiling = np.where(alpha == 1, np.inf, alpha / np.abs(1 - alpha))
    lhs = np.abs(peer_gradient(y, z, alpha)).sum(axis=-1)
    return lhs, 2 * np.minimum(alpha / 4 * oscillation(y, z), ceiling)


@theorem("D5", given=PAIR | dict(alpha=Order(0, 1, open_high=True)), source=OURS, certificates=("D5-low",))
def peer_self_bounding_below_1(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|\nabla_yD_\alpha\|_1^2 \le \frac{2\alpha}{1-\alpha}D_\alpha(p\|q)$ for $\alpha<1$.

    Proof: $D_\alpha \ge \frac{\alpha}{1-\alpha}\mathrm{KL}(w\|p)$ by A5, and Pinsker's inequality for the pair w, p.
    """
    lhs = np.abs(peer_gradient(y, z, alpha)).sum(axis=-1) ** 2
    return lhs, 2 * alpha / (1 - alpha) * divergence(y, z, alpha)


@theorem("D5", given=PAIR, source=OURS, certificates=("D5-one",))
def peer_self_bounding_at_1(y: Array, z: Array) -> Pair:
    r"""$\|\nabla_y\mathrm{KL}(p\|q)\|_1^2 \le (2+\max l)\,\mathrm{KL}(p\|q)$.

    Proof: $\|p(l-\mathrm{KL})\|_1^2 \le \mathrm{Var}_p(l) \le E_pl^2$, and $\mathrm{KL} = E_p(e^{-l}-1+l)$ with
    $e^{-x}-1+x \ge x^2/(2+\max(x,0))$.
    """
    lhs = np.abs(peer_gradient(y, z, 1.0)).sum(axis=-1) ** 2
    return lhs, (2 + log_ratio(y, z).max(axis=-1)) * divergence(y, z, 1.0)


@theorem("D5", given=PAIR | dict(alpha=Order(1, open_low=True, open_high=True)), source=OURS, certificates=("D5-high",))
def peer_self_bounding_above_1(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|\nabla_yD_\alpha\|_1^2 \le \frac{2\alpha^2}{\alpha-1}D_\alpha(p\|q)$ for $\alpha>1$.

    Proof: A6 at r = p gives $D_\alpha = \mathrm{KL}(p\|q) + \frac{1}{\alpha-1}\mathrm{KL}(p\|w)$; Pinsker for the
    pair p, w.
    """
    lhs = np.abs(peer_gradient(y, z, alpha)).sum(axis=-1) ** 2
    return lhs, 2 * alpha**2 / (alpha - 1) * divergence(y, z, alpha)


@theorem(
    "D5",
    given=PAIR | dict(alpha=Order(0, 1, open_low=True)),
    source=OURS,
    classes=(2, 3, 5, 10),
    tight=lambda t: dict(y=np.zeros(2), z=np.zeros(2), alpha=np.array([0.2, 0.5, 1.0])),
)
def mixed_curvature(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|\nabla_y\nabla_zD_\alpha\|_2 \le \alpha/2$, since it is $-\alpha J_w$ (drawn up to order 1); attained at
    the fair coin.

    Proof: a covariance has norm at most 1/2. $J_w$ is read off the Hessians D4 of orders $\alpha$ and at agreement.
    """
    w = alpha[..., None] * y + (1 - alpha[..., None]) * z
    return alpha * np.linalg.eigvalsh(student_hessian(w, w, 1.0))[..., -1], alpha / 2
