r"""Shelf G1: students that predict Gaussians, for which the order is nothing but a weight."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array, Mask
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair, dot, log_sum_exp, per_class
from theory.theorems.symbols import ONE, a

STEP = 0.25
NODES = STEP * np.arange(-48, 49)
"""Standard deviations from the mixture's mean: the trapezoidal rule is exact to rounding for a Gaussian."""


def _log_densities(f: Array, g: Array, width: Array, alpha: Array) -> tuple[Array, Array, Array]:
    """Nodes around the mean of the mixture and log p, log q there, p = N(f, width^2), q = N(g, width^2); last axis."""
    s = width[:, None, None]
    x = (per_class(alpha) * f + (1 - per_class(alpha)) * g)[..., None] + s * NODES
    log_p, log_q = (-(((x - mean[..., None]) / s) ** 2) / 2 - np.log(s * np.sqrt(2 * np.pi)) for mean in (f, g))
    return x, log_p, log_q


def _divergence(f: Array, g: Array, width: Array, alpha: Array) -> Array:
    """D_alpha by its definition, summed over independent coordinates."""
    _, log_p, log_q = _log_densities(f, g, width, alpha)
    order = alpha[:, None, None]
    step = np.log(STEP * width)[:, None]
    mass = (log_sum_exp(order * log_p + (1 - order) * log_q) + step).sum(axis=-1)
    kl = (np.exp(log_p + step[..., None]) * (log_p - log_q)).sum(axis=(-1, -2))
    return np.where(alpha == 1, kl, mass / np.where(alpha == 1, 1.0, alpha - 1))


def _pull(f: Array, g: Array, width: Array, alpha: Array) -> Array:
    """The gradient of D_alpha in the student's mean g: minus the score of q, averaged over the mixture."""
    x, log_p, log_q = _log_densities(f, g, width, alpha)
    logits = alpha[:, None, None] * log_p + (1 - alpha[:, None, None]) * log_q
    mixture = np.exp(logits - log_sum_exp(logits)[..., None])
    return -dot(mixture, x - g[..., None]) / width[:, None] ** 2


def _off_one(f: Array, g: Array, width: Array, alpha: Array) -> Mask:
    return (np.abs(alpha - 1) > 0.01) | (alpha == 1)  # in between the definition loses its digits


@theorem("G1", given=dict(f=Reals(3, scale=3), g=Reals(3, scale=3), width=Interval(0.1, 10), alpha=Interval(0, 8)),
         source="Gil, Alajaji & Linder 2013, Table 2 (no. unconfirmed)", status="cited", relation="==", where=_off_one,
         tolerance=1e-8, resolution=1e-3,
         tight=lambda t: dict(f=np.ones(3), g=np.zeros(3), width=1.0, alpha=np.array([0.5, 1.0, 2.0])))  # fmt: skip
def order_of_gaussian_heads_is_a_weight(f: Array, g: Array, width: Array, alpha: Array) -> Pair:
    r"""$D_\alpha(N(f,s^2I)\|N(g,s^2I)) = \frac{\alpha}{2s^2}\|f-g\|^2$, with the gradient $\frac\alpha{s^2}(g-f)$ in g.

    Left: the definition by quadrature. Proof: $\alpha\|x-f\|^2+(1-\alpha)\|x-g\|^2 =
    \|x-m\|^2+\alpha(1-\alpha)\|f-g\|^2$ with $m = \alpha f+(1-\alpha)g$, so $\int p^\alpha q^{1-\alpha} =
    e^{-\alpha(1-\alpha)\|f-g\|^2/(2s^2)}$. For softmax heads it is the leading order near agreement, with the Fisher
    matrix in the place of $1/s^2$ (E7).
    """
    pull = _pull(f, g, width, alpha)
    closed = per_class(alpha / width**2)
    value = _divergence(f, g, width, alpha)
    return _joined(value, pull), _joined(alpha / (2 * width**2) * dot(f - g, f - g), closed * (g - f))


@order_of_gaussian_heads_is_a_weight.identity
def completing_the_square(coefficient: sp.Expr = ONE) -> sp.Expr:
    x, f, g = sp.symbols("x f g", real=True)
    mean = a * f + (1 - a) * g
    return a * (x - f) ** 2 + (1 - a) * (x - g) ** 2 - (x - mean) ** 2 - coefficient * a * (1 - a) * (f - g) ** 2


RUN: dict[str, Any] = dict(
    start=Reals(3, 2, scale=3),
    target=Reals(2, scale=3),
    alpha=Interval(0, 8),
    lam=Interval(0, 8),
    rate=Interval(0.01, 1.9),
)


@theorem("G1", given=RUN, source=OURS, relation="==", cost=20, tolerance=1e-8, resolution=1.0)
def gaussian_students_run_alike_at_equal_products(
    start: Array, target: Array, alpha: Array, lam: Array, rate: Array
) -> Pair:
    r"""With Gaussian heads RDML$(\alpha,\lambda)$ is DML$(1,\alpha\lambda)$: the same losses, gradients and runs.

    Checked for three students of unit width along four steps of size $\eta = \mathrm{rate}/(1+\kappa)$, the pulls
    by quadrature. Proof: the gradient above depends on $\alpha\lambda$ only.
    """
    one = np.ones_like(alpha)
    eta = rate / (1 + 1.5 * alpha * lam)
    ours, theirs = (_run(start, target, order, weight, eta) for order, weight in ((alpha, lam), (one, alpha * lam)))
    return ours, theirs


def _run(students: Array, target: Array, alpha: Array, lam: Array, eta: Array) -> Array:
    path, peers, own = [], [1, 2, 0, 2, 0, 1], [0, 0, 1, 1, 2, 2]
    each, width = np.repeat(alpha, 6), np.ones(6 * len(alpha))
    for _ in range(4):
        pulls = _pull(students[:, peers].reshape(-1, 2), students[:, own].reshape(-1, 2), width, each)
        gradient = students - target[:, None] + lam[:, None, None] / 2 * pulls.reshape(-1, 3, 2, 2).sum(axis=2)
        students = students - eta[:, None, None] * gradient
        path.append(students)
    return np.stack(path, 1)


def _joined(value: Array, vector: Array) -> Array:
    return np.concatenate([per_class(value), vector], -1)
