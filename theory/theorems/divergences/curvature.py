r"""Shelf D4: the Hessian in the student's logits, $H = J_q + (\alpha-1)J_w$ with $J_q = \mathrm{diag}(q)-qq^\top$."""
# ruff: noqa: C408  (given=dict(y=..., z=...) reads like the statement)

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.divergence.gradients import student_gradient, student_hessian
from theory.statements.domains import Interval, Logits, Order, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import COARSE, OURS, PAIR, Pair, dot, integral, per_class, probabilities
from theory.theorems.symbols import ONE, a, covariance, mixture_of_logits, renyi_of_logits, softmax, y, z

HIGH = PAIR | dict(alpha=Order(1, open_high=True))
LOW = PAIR | dict(alpha=Order(0, 1, open_low=True, open_high=True))
FEW: dict[str, Any] = dict(classes=(2, 3, 5, 10))
BELOW_1 = np.array([0.1, 0.5, 0.9])


def fair_coins(t: float) -> dict[str, Any]:
    """Agreement at (1/2, 1/2), where the curvature is largest for orders from 1 on."""
    return dict(y=np.zeros(2), z=np.zeros(2), alpha=np.array([1.0, 1.5, 2.0, 100.0]))


def student_at_a_vertex(t: float) -> dict[str, Any]:
    """q nearly a point mass and w = (1/2, 1/2): J_q vanishes and J_w is largest."""
    far = np.full(3, -2 * np.log(t))
    return dict(
        y=np.stack([-(1 - BELOW_1) / BELOW_1 * far, 0 * far], -1), z=np.stack([far, 0 * far], -1), alpha=BELOW_1
    )


def peer_at_a_vertex(t: float) -> dict[str, Any]:
    """p, and with it w, nearly a point mass and q = (1/2, 1/2): J_w vanishes and J_q is largest."""
    return dict(y=np.stack([-2 * np.log(t) / BELOW_1, 0 * BELOW_1], -1), z=np.zeros(2), alpha=BELOW_1)


@theorem(
    "D4",
    given=PAIR | dict(alpha=Interval(0, 1e3), step=Reals("C")),
    source=OURS,
    relation="==",
    classes=(2, 3, 10),
    cost=8,
    **COARSE,
)
def hessian_is_a_sum_of_covariances(y: Array, z: Array, alpha: Array, step: Array) -> Pair:
    r"""$\nabla_z^2 D_\alpha(p\|\mathrm{softmax}\,z) = J_q + (\alpha-1)J_w$ for $\alpha\in[0,\infty)$.

    Checked in integrated form along a step v in z: $\nabla D(z+v) = \nabla D(z) + \int_0^1 H v\,dt$. Proof:
    differentiate q - w (D1): $dq = J_q dz$ and $dw = (1-\alpha)J_w dz$.
    """
    v = np.tanh(step) / (1 + per_class(np.abs(1 - alpha)))
    change = integral(lambda t: np.einsum("...ij,...j->...i", student_hessian(y, z + t * v, alpha), v))
    return student_gradient(y, z + v, alpha), student_gradient(y, z, alpha) + change


@hessian_is_a_sum_of_covariances.identity
def second_derivatives_for_two_and_three_classes(coefficient: sp.Expr = ONE) -> list[sp.Expr]:
    steps = []
    for n in (2, 3):
        value = renyi_of_logits(a, y[:n], z[:n])
        q, w = covariance(softmax(z[:n])), covariance(mixture_of_logits(a, y[:n], z[:n]))
        pairs = combinations_with_replacement(range(n), 2)
        steps += [sp.diff(value, z[i], z[j]) - (q[i, j] + coefficient * (a - 1) * w[i, j]) for i, j in pairs]
    return steps


@theorem("D4", given=HIGH, source=OURS, tight=fair_coins, **FEW, certificates=("D4-high",))
def largest_curvature_from_order_1(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\lambda_{\max}(\nabla_z^2 D_\alpha) \le \alpha/2$ for $\alpha\ge1$; attained at the fair coin.

    Proof: a covariance $J_q$ has norm at most 1/2: $u^\top J_q u = \mathrm{Var}_q(u) \le (\max u-\min u)^2/4 \le
    \|u\|_2^2/2$.
    """
    return _largest_eigenvalue(y, z, alpha), alpha / 2


@theorem("D4", given=HIGH, source=OURS, resolution=1.0, **FEW, certificates=("D4-high",))
def no_negative_curvature_from_order_1(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$-\lambda_{\min}(\nabla_z^2 D_\alpha) \le 0$ for $\alpha\ge1$ (attained: constant vectors are in the kernel).

    Proof: a sum of covariances. Rounding is allowed relative to $\alpha$.
    """
    return -_smallest_eigenvalue(y, z, alpha) / alpha, np.zeros_like(alpha)


@theorem("D4", given=LOW, source=OURS, tight=peer_at_a_vertex, **FEW, certificates=("D4-low",))
def largest_curvature_below_order_1(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\lambda_{\max}(\nabla_z^2 D_\alpha) \le 1/2$ for $0<\alpha<1$; a supremum.

    Proof: $J_q - (1-\alpha)J_w \le J_q \le 1/2$.
    """
    return _largest_eigenvalue(y, z, alpha), np.full_like(alpha, 0.5)


@theorem("D4", given=LOW, source=OURS, tight=student_at_a_vertex, resolution=1e-4, **FEW, certificates=("D4-low",))
def most_negative_curvature_below_order_1(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$-\lambda_{\min}(\nabla_z^2 D_\alpha) \le (1-\alpha)/2$ for $0<\alpha<1$; a supremum, so $D_\alpha$ isn't convex
    in the logits there.

    Proof: $J_q - (1-\alpha)J_w \ge -(1-\alpha)J_w \ge -(1-\alpha)/2$.
    """
    return -_smallest_eigenvalue(y, z, alpha), (1 - alpha) / 2


@theorem(
    "D4",
    given=dict(z=Logits(), alpha=Interval(0, 1e3)),
    source=OURS,
    relation="==",
    classes=(2, 3, 10),
    resolution=1.0,
)
def curvature_at_agreement(z: Array, alpha: Array) -> Pair:
    r"""$\nabla_z^2 D_\alpha = \alpha J_q$ at p = q: the order is the stiffness of the pull towards agreement.

    Proof: w = q in D4.
    """
    q = probabilities(z)
    fisher = q[..., :, None] * (np.eye(q.shape[-1]) - q[..., None, :])
    return student_hessian(z, z, alpha), alpha[..., None, None] * fisher


@theorem(
    "D4",
    given=HIGH | dict(u=Reals("C")),
    source=OURS,
    tight=lambda t: fair_coins(t) | dict(u=np.array([1.0, -1.0])),
    classes=(2, 3, 5, 10),
)
def curvature_in_the_max_norm(y: Array, z: Array, alpha: Array, u: Array) -> Pair:
    r"""$u^\top\nabla_z^2D_\alpha\,u \le \max(1,\alpha)\|u\|_\infty^2$ in every dimension (drawn for $\alpha\ge1$; below
    order 1 drop the negative term). With a minimum value 0 it gives D3, and by A5 Pinsker's inequality C1.

    Proof: $\mathrm{Var}_q(u) \le \|u\|_\infty^2$, the same for w.
    """
    curvature = dot(u, np.einsum("...ij,...j->...i", student_hessian(y, z, alpha), u))
    return curvature, alpha * np.abs(u).max(axis=-1) ** 2


def _largest_eigenvalue(y: Array, z: Array, alpha: Array) -> Array:
    return np.asarray(np.linalg.eigvalsh(student_hessian(y, z, alpha))[..., -1], np.float64)


def _smallest_eigenvalue(y: Array, z: Array, alpha: Array) -> Array:
    return np.asarray(np.linalg.eigvalsh(student_hessian(y, z, alpha))[..., 0], np.float64)
