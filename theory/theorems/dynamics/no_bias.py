r"""Shelf N1 and N3: no bias. The lemma behind E5, and complementary orders, which have a potential."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.divergence.gradients import peer_gradient, student_gradient, student_hessian
from theory.dynamics.tempering import complementary_orders
from theory.statements.domains import Interval, Logits, Reals, Simplex
from theory.statements.theorem import theorem
from theory.theorems.quantities import (
    OURS,
    PAIR,
    Pair,
    divergence,
    dot,
    integral,
    oscillation,
    per_class,
    tilted_logits,
)
from theory.theorems.symbols import ONE, a, expectation, renyi_of_logits, y, z

HEADS = (1 - 1 / np.sqrt(3)) / 2
"""The coin with the largest third cumulant, 1/(6 sqrt 3)."""


@theorem(
    "N1",
    given=dict(weights=Simplex(), values=Reals("C")),
    source=OURS,
    resolution=1e-6,
    tight=lambda t: dict(weights=np.array([[HEADS, 1 - HEADS], [1 - HEADS, HEADS]]), values=np.array([0.0, 1.0])),
)
def spread_of_the_squared_deviation(weights: Array, values: Array) -> Pair:
    r"""$E|(X-EX)^2-\mathrm{Var}X| \le \frac{(\max X-\min X)^2}{3\sqrt3}$ for every X that takes finitely many values;
    attained by coins with heads $\frac12(1\pm\frac1{\sqrt3})$.

    Proof: let X lie in [0, 1]. The left side is $2\sup_AE[1_A((X-EX)^2-\mathrm{Var}X)]$. With $\pi = P(A)$ and the
    means a, b and variances $s^2, r^2$ of X given A and its complement, that expectation is
    $\pi(1-\pi)[s^2-r^2+(1-2\pi)(a-b)^2]$, and $s^2 \le a(1-a)$. For $\pi\ge\frac12$ it is at most
    $\frac{\pi(1-\pi)}4\le\frac1{16}$. Else reflect X so that $a\ge\frac12$; then $(a-b)^2\le a^2$ and it is at most
    $\pi(1-\pi)(a-2\pi a^2)$: for $\pi\le\frac14$ largest at a = 1, $\pi(1-\pi)(1-2\pi)\le\frac1{6\sqrt3}$; beyond at
    $a = \frac1{4\pi}$, $\frac{1-\pi}8 \le \frac3{32} < \frac1{6\sqrt3}$.
    """
    weights = weights / weights.sum(axis=-1, keepdims=True)
    deviation = values - per_class(dot(weights, values))
    variance = dot(weights, deviation**2)
    spread = np.abs(deviation**2 - per_class(variance))
    return dot(weights, spread), np.ptp(values, axis=-1) ** 2 / (3 * np.sqrt(3))


@spread_of_the_squared_deviation.identity
def share_of_a_set(two: sp.Expr = 2 * ONE) -> sp.Expr:
    """E[1_A((X-EX)^2 - Var X)] by the moments on A and off it."""
    share, mean_a, mean_b, s2, r2 = sp.symbols("pi a b s2 r2")
    mean = share * mean_a + (1 - share) * mean_b
    inside, outside = s2 + (mean_a - mean) ** 2, r2 + (mean_b - mean) ** 2
    variance = share * inside + (1 - share) * outside
    return share * (inside - variance) - share * (1 - share) * (s2 - r2 + (1 - two * share) * (mean_a - mean_b) ** 2)


@spread_of_the_squared_deviation.identity
def largest_shares(scale: sp.Expr = ONE, eighth: sp.Expr = ONE / 8) -> list[sp.Expr]:
    share, mean = sp.symbols("pi a", positive=True)
    value = share * (1 - share) * (mean - 2 * share * mean**2)
    best = (1 - 1 / sp.sqrt(3)) / 2
    corner: Any = value.subs(mean, 1)
    inner: Any = value.subs(mean, 1 / (4 * share))
    slope: Any = sp.diff(corner, share)
    return [slope.subs(share, best), corner.subs(share, best) - scale / (6 * sp.sqrt(3)),
            inner - eighth * (1 - share)]  # fmt: skip


COHORT: dict[str, Any] = dict(label=Logits(), y=Logits(), z=Logits(), first=Reals("C"), second=Reals("C"))


@theorem("N3", given=COHORT | dict(alpha=Interval(1e-3, 0.999), mu=Interval(0, 100)), source=OURS, relation="==",
         classes=(2, 3, 10), cost=10, tolerance=1e-8, resolution=1.0)  # fmt: skip
def complementary_orders_descend_a_potential(
    label: Array, y: Array, z: Array, first: Array, second: Array, alpha: Array, mu: Array
) -> Pair:
    r"""Student 1 at order $\alpha$ and weight $\mu/\alpha$, student 2 at order $1-\alpha$ and weight $\mu/(1-\alpha)$:
    the detached updates are the gradient of $\mathrm{CE}_1+\mathrm{CE}_2+\frac\mu\alpha D_\alpha(p_2\|p_1)$, so there
    is no bias at any order in (0, 1), and near agreement both feel the stiffness $\mu$.

    Checked as the work along a joint step. Proof: A4, $\frac1{1-\alpha}D_{1-\alpha}(p_1\|p_2) =
    \frac1\alpha D_\alpha(p_2\|p_1)$. At other positive weights there is no bias either, see below; this ratio makes the
    joint field a gradient. As $\alpha\to1$ one student uses the forward and the other the reverse KL. For K
    students the orders belong to ordered pairs, $\alpha_{jk}+\alpha_{kj} = 1$.
    """
    orders, weights = complementary_orders(alpha, mu)
    steps = np.tanh(first), np.tanh(second)
    scale = 1 + per_class(weights.sum(axis=-1))  # both sides in units of the loss

    def power(t: float) -> Array:
        one, two = y + t * steps[0], z + t * steps[1]
        pulls = student_gradient(two, one, orders[:, 0]), student_gradient(one, two, orders[:, 1])
        fits = student_gradient(label, one, 1.0), student_gradient(label, two, 1.0)
        forces = [fit + per_class(weights[:, k]) * pull for k, (fit, pull) in enumerate(zip(fits, pulls, strict=True))]
        return dot(steps[0], forces[0]) + dot(steps[1], forces[1])

    def potential(one: Array, two: Array) -> Array:
        return divergence(label, one, 1.0) + divergence(label, two, 1.0) + weights[:, 0] * divergence(two, one, alpha)

    end, start = potential(y + steps[0], z + steps[1]), potential(y, z)
    return end / scale[:, 0], (start + integral(power, 20)) / scale[:, 0]


@complementary_orders_descend_a_potential.identity
def skew_symmetry_of_complementary_orders(sign: sp.Expr = ONE) -> sp.Expr:
    forward = renyi_of_logits(a, z[:2], y[:2]) / a
    backward = renyi_of_logits(1 - a, y[:2], z[:2]) / (1 - a)
    return forward - sign * backward


@theorem("N3", given=PAIR | dict(alpha=Interval(1e-3, 0.999), first=Interval(1e-3, 100), second=Interval(1e-3, 100)),
         source=OURS, relation="==", resolution=1e-6)  # fmt: skip
def complementary_orders_at_any_weights(y: Array, z: Array, alpha: Array, first: Array, second: Array) -> Pair:
    r"""Orders $\alpha$ and $1-\alpha$ with any positive weights: student 1 descends $\Psi =
    \mathrm{CE}_1+\frac1r\mathrm{CE}_2+\lambda_1D_\alpha(p_2\|p_1)$ and student 2 the same function at r times the rate,
    $r = \frac{(1-\alpha)\lambda_2}{\alpha\lambda_1}$, the ratio of their stiffnesses. So no bias is left, at equal
    weights as little as at others; the joint field is a gradient for r = 1 only.

    Checked as $\lambda_2\nabla_zD_{1-\alpha}(p_1\|p_2) = r\lambda_1\nabla_zD_\alpha(p_2\|p_1)$, y and z the logits of
    students 1 and 2. Proof: A4, so $\mathrm{CE}_2+\lambda_2D_{1-\alpha}(p_1\|p_2) = r\Psi-r\,\mathrm{CE}_1$, in which
    the last term is not student 2's; $\Psi$ falls along both updates.
    """
    ratio = (1 - alpha) * second / (alpha * first)
    scale = per_class(second)
    own = scale * student_gradient(y, z, 1 - alpha)
    return own / scale, per_class(ratio * first) * peer_gradient(z, y, alpha) / scale


def apart_or_not_complementary(t: float) -> dict[str, Any]:
    """Unequal stiffness at the fair coin; equal stiffness and orders that don't add to 1 near the skewed coin."""
    skewed = np.array([np.log(HEADS), np.log1p(-HEADS)])
    z = np.stack([np.zeros(2), skewed, skewed])
    return dict(y=z + np.array([[0, 0], [t / 8, 0], [t / 8, 0]]), z=z, first=np.array([0.7, 0.75, 2.0]),
                second=np.array([0.3, 0.75, 0.5]), stiffness=np.array([1.0, 1.0, 2.0]),
                other=np.array([2.0, 1.0, 2.0]))  # fmt: skip


RULES: dict[str, Any] = dict(
    first=Interval(0, 8), second=Interval(0, 8), stiffness=Interval(0, 10), other=Interval(0, 10)
)


@theorem("N3", given=PAIR | RULES, source=OURS, resolution=1e-4, classes=(2, 3, 10), tight=apart_or_not_complementary)
def only_complementary_orders(y: Array, z: Array, first: Array, second: Array, stiffness: Array, other: Array) -> Pair:
    r"""$\|\mu_1J_{w_1}-\mu_2J_{w_2}\|_2 \le \frac{|\mu_1-\mu_2|}2 +
    \min(\mu_1,\mu_2)\frac{|\alpha_1+\alpha_2-1|}{3\sqrt3}\mathrm{osc}\,l$ for the curl of two students with orders
    $\alpha_k$ and weights $\mu_k/\alpha_k$. Both terms are attained, so the joint field of
    Rényi students is a gradient only with complementary orders and equal stiffness; with complementary orders and
    unequal stiffness they still descend one function, at two speeds.

    Proof: the cross Jacobians are $-\mu_kJ_{w_k}$, and $w_1, w_2$ lie on one path at the shares $\alpha_1$ and
    $1-\alpha_2$ of the peer. Along it $\frac{d}{ds}u^\top J u = E[(x^2-\sigma^2)l]$, $x = u-Eu$, at most
    $\frac{\mathrm{osc}\,l}2E|x^2-\sigma^2| \le \frac{\mathrm{osc}\,l}2\frac{2\|u\|_2^2}{3\sqrt3}$ (N1). The first term
    is met at the fair coin, the second near the coin with heads $\frac12(1-\frac1{\sqrt3})$.
    """
    w = student_hessian_of(tilted_logits(y, z, first)), student_hessian_of(tilted_logits(y, z, 1 - second))
    curl = stiffness[:, None, None] * w[0] - other[:, None, None] * w[1]
    turned = np.minimum(stiffness, other) * np.abs(first + second - 1) / (3 * np.sqrt(3)) * oscillation(y, z)
    return np.linalg.norm(curl, 2, axis=(-2, -1)), np.abs(stiffness - other) / 2 + turned


@only_complementary_orders.identity
def change_of_the_variance_along_the_path(two: sp.Expr = 2 * ONE) -> sp.Expr:
    """Two classes: along l the mass w of class 1 has the derivative w(1-w)(l_1-l_2)."""
    w, (u1, u2), gap = sp.Symbol("w"), sp.symbols("u1 u2"), sp.symbols("l1 l2")
    masses = (w, 1 - w)
    mean = expectation(masses, (u1, u2))
    variance = expectation(masses, [u1**2, u2**2]) - mean**2
    moved = expectation(masses, [((u - mean) ** 2 - variance) * d for u, d in zip((u1, u2), gap, strict=True)])
    return sp.diff(variance, w) * w * (1 - w) * (gap[0] - gap[1]) - two / 2 * moved


def student_hessian_of(logits: Array) -> Array:
    """J of softmax(logits)."""
    return student_hessian(logits, logits, 1.0)
