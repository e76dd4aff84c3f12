r"""Shelf E4-E5: order 1/2 descends a potential, the other orders nearly do."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.divergence.gradients import student_gradient, student_hessian
from theory.statements.domains import Interval, Logits, Reals
from theory.statements.theorem import theorem

from .quantities import OURS, PAIR, Pair, divergence, dot, integral, oscillation, per_class, tilted_logits
from .symbols import HALF, ONE, a, covariance, expectation, mixture_of_logits, y, z

FORKS = 4
SIGNS = np.array(np.meshgrid(*[[-1.0, 1.0]] * FORKS, indexing="ij")).reshape(FORKS, -1)


@theorem(
    "E4",
    given=dict(label=Logits(), students=Reals(3, "C"), moves=Reals(3, "C"), lam=Interval(0, 100)),
    source=OURS,
    relation="==",
    classes=(2, 3, 10),
    cost=10,
    tolerance=1e-8,
    resolution=1.0,
)
def order_half_descends_a_potential(label: Array, students: Array, moves: Array, lam: Array) -> Pair:
    r"""At order 1/2 the detached updates are the gradient of $\Phi = \sum_k\mathrm{CE}_k +
    \frac{\lambda}{K-1}\sum_{j<k} D_{1/2}(p_j\|p_k)$: SGD on all students has no bias.

    Checked for K = 3 along a joint step v: $\Phi(z+v) - \Phi(z) = \sum_k\int_0^1 v_k^\top\nabla_{z_k}L_k\,dt$. Proof:
    $D_{1/2}$ is symmetric (A4), so the term of each pair in $\Phi$ has the same gradient in $z_k$ as in $L_k$.
    """
    v = np.tanh(moves)

    def power(t: float) -> Array:
        return np.sum([dot(v[:, k], _update(label, students + t * v, lam, k)) for k in range(3)], axis=0)

    work = integral(power, 12)
    return _potential(label, students + v, lam), _potential(label, students, lam) + work


def _update(label: Array, students: Array, lam: Array, k: int) -> Array:
    pulls = [student_gradient(students[:, j], students[:, k], 0.5) for j in range(3) if j != k]
    return student_gradient(label, students[:, k], 1.0) + per_class(lam) * (pulls[0] + pulls[1]) / 2


def _potential(label: Array, students: Array, lam: Array) -> Array:
    fits = np.sum(
        [divergence(label, students[:, k], 1.0) for k in range(3)], axis=0
    )  # CE up to the entropy of the labels
    pairs = np.sum([divergence(students[:, j], students[:, k], 0.5) for j, k in ((0, 1), (0, 2), (1, 2))], axis=0)
    return fits + lam / 2 * pairs


@order_half_descends_a_potential.identity
def cross_jacobians_agree_at_half(order: sp.Expr = HALF) -> list[sp.Expr]:
    return list(_asymmetry().subs(a, order))


@order_half_descends_a_potential.identity
def asymmetry_of_the_cross_jacobians(sign: sp.Expr = ONE) -> list[sp.Expr]:
    ours, theirs = covariance(mixture_of_logits(a, y[:2], z[:2])), covariance(mixture_of_logits(1 - a, y[:2], z[:2]))
    return list(_asymmetry() + sign * a * (ours - theirs))


@order_half_descends_a_potential.identity
def asymmetry_of_small_logits_vanishes_at_0_and_half_only(coefficient: sp.Expr = ONE / 16) -> sp.Expr:
    """For logits (t u, 0) and (t v, 0) it begins with alpha (2 alpha - 1) (u^2 - v^2) t^2/16: two roots in alpha."""
    t, u, v = sp.symbols("t u v", positive=True)
    corner: Any = _asymmetry()[0, 0]
    first = corner.subs({y[0]: t * u, y[1]: 0, z[0]: t * v, z[1]: 0})
    second: Any = sp.diff(first, t, 2).subs(t, 0)
    return second / 2 - coefficient * a * (2 * a - 1) * (u**2 - v**2)


def _asymmetry() -> sp.Matrix:
    """d(q - w)/dy - (d(p - w')/dz)^T, two classes: the update of z towards y against that of y towards z."""
    pull_z = sp.Matrix([-w for w in mixture_of_logits(a, y[:2], z[:2])])
    pull_y = sp.Matrix([-w for w in mixture_of_logits(a, z[:2], y[:2])])
    return pull_z.jacobian(sp.Matrix(y[:2])) - pull_y.jacobian(sp.Matrix(z[:2])).T


@theorem("E4", given=PAIR | dict(alpha=Interval(0, 20)), source=OURS, resolution=1e-3, classes=(2, 3, 10))
def curl_of_a_pair_of_updates(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|\nabla_y(q-w) - (\nabla_z(p-w'))^\top\|_2 = \alpha\|J_w-J_{w'}\|_2 \le
    \frac\alpha2|2\alpha-1|\,\mathrm{osc}\,l$, w and $w'$ the mixtures on the path from p to q and from q to p: no curl
    at orders 0 and 1/2, and only there in general.

    Proof: $w'$ is w at order $1-\alpha$ and J changes by at most osc/2 per unit of order (its derivative is a third
    cumulant). Elsewhere two classes with $w_1w_2 \ne w_1'w_2'$ have a curl; the field then has no potential.
    """
    ours, theirs = (_fisher(tilted_logits(y, z, order)) for order in (alpha, 1 - alpha))
    return alpha * np.linalg.norm(ours - theirs, 2, axis=(-2, -1)), alpha / 2 * np.abs(2 * alpha - 1) * oscillation(
        y, z
    )


def _fisher(logits: Array) -> Array:
    return student_hessian(logits, logits, 1.0)


def skewed_coin(t: float) -> dict[str, Any]:
    """p -> q = the coin with the largest third cumulant, heads with probability (1 - 1/sqrt 3)/2."""
    heads = (1 - 1 / np.sqrt(3)) / 2
    logits = np.array([np.log(heads), np.log1p(-heads)])
    return dict(y=logits + np.array([t, 0.0]), z=logits, alpha=np.array([0.25, 1.0, 2.0]))


@theorem("E5", given=PAIR | dict(alpha=Interval(0, 20)), source=OURS, resolution=1e-6, tight=skewed_coin)  # fmt: skip
def near_potential(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|\nabla_zD_\alpha - 2\alpha\nabla_zD_{1/2}\|_2^2 \le
    \frac{\alpha^2(\alpha-\frac12)^2}{216}(\mathrm{osc}\,l)^4$: the updates of order $\alpha$ are those of the potential
    $\sum\mathrm{CE} + \frac{2\alpha\lambda}{K-1}\sum D_{1/2}$ up to a small bias, $\zeta^2 =
    \lambda^2R^2\alpha^2(\alpha-\frac12)^2\,\mathrm{mean}(\mathrm{osc}^4)/216$ in parameters.

    Proof: with $w_s \propto p^sq^{1-s}$ the left vector is the error $-\frac{\alpha(\alpha-1/2)}{2}w''$ (w'' averaged)
    of interpolating $w_s$ at s = 0, 1/2; $w''_i = w_i((l_i-m)^2-\mathrm{Var})$, so $\|w''\|_1 \le
    \mathrm{osc}^2/(3\sqrt3)$ (N1), and $\|x\|_2^2\le\|x\|_1^2/2$ for vectors of sum 0. The constant
    is the best as osc -> 0.
    """
    bias = student_gradient(y, z, alpha) - 2 * per_class(alpha) * student_gradient(y, z, 0.5)
    return dot(bias, bias), alpha**2 * (alpha - 0.5) ** 2 / 216 * oscillation(y, z) ** 4


@near_potential.identity
def second_derivative_along_the_path(coefficient: sp.Expr = ONE) -> list[sp.Expr]:
    w = mixture_of_logits(a, y[:2], z[:2])
    shift = [u - v for u, v in zip(y[:2], z[:2], strict=True)]
    mean = expectation(w, shift)
    variance = expectation(w, [(v - mean) ** 2 for v in shift])
    return [sp.diff(w[i], a, 2) - w[i] * ((shift[i] - mean) ** 2 - coefficient * variance) for i in (0, 1)]


@near_potential.identity
def largest_third_cumulant_of_a_coin(scale: sp.Expr = ONE) -> list[sp.Expr]:
    heads = sp.Symbol("h", positive=True)
    third = heads * (1 - heads) * (1 - 2 * heads)
    best = (1 - 1 / sp.sqrt(3)) / 2
    return [sp.diff(third, heads).subs(heads, best), 2 * third.subs(heads, best) - scale / (3 * sp.sqrt(3))]


BIASED: dict[str, Any] = dict(
    curvatures=Reals(3, scale=1),
    start=Reals(3),
    direction=Reals(3),
    zeta=Interval(0, 5),
    share=Interval(0, 0.9),
    growth=Interval(0, 3),
    sigma=Interval(0, 5),
    rate=Interval(1e-3, 1),
)


def saturated_quadratic(t: float) -> dict[str, Any]:
    """A quadratic at eta beta = 1: transient, bias and noise are each met exactly."""
    return dict(
        curvatures=np.ones(3), start=np.array([[5.0, 0, 0], [-2.0, 0, 0], [0, 0, 0]]),
        direction=np.array([1.0, 0.0, 0.0]), zeta=np.array([0.0, 2.0, 0.0]), share=0.0, growth=0.0,
        sigma=np.array([0.0, 0.0, 3.0]), rate=1.0,
    )  # fmt: skip


@theorem("E5", given=BIASED, source="Ajalloeian & Stich 2020, Thm 2 (no. unconfirmed)", status="cited", cost=4,
         resolution=1e-3, tight=saturated_quadratic)  # fmt: skip
def biased_sgd(
    curvatures: Array,
    start: Array,
    direction: Array,
    zeta: Array,
    share: Array,
    growth: Array,
    sigma: Array,
    rate: Array,
) -> Pair:
    r"""Oracle $\nabla f+b+n$ with $\|b\|^2\le m\|\nabla f\|^2+\zeta^2$, $E\|n\|^2\le M\|\nabla f+b\|^2+\sigma^2$,
    $\eta\le\frac{1}{(M+1)\beta}$: $\frac1T\sum E\|\nabla f\|^2 \le \frac{1}{1-m}\big(\frac{2F}{\eta
    T}+\eta\beta\sigma^2+\zeta^2\big)$.

    Evaluated exactly on quadratics with curvatures of either sign, four steps of Rademacher noise, both inequalities
    met with equality, F the loss actually lost. Proof: with $u=\nabla f+b$ the descent lemma gives $-\eta\nabla f^\top
    u+\frac\eta2\|u\|^2+\frac{\eta^2\beta\sigma^2}2 = \frac\eta2(\|b\|^2-\|\nabla f\|^2)+\ldots$; sum over t.
    """
    beta = np.maximum(np.abs(curvatures).max(axis=-1), 1e-6)
    eta = rate / ((1 + growth) * beta)
    length = np.linalg.norm(direction, axis=-1, keepdims=True)
    unit = np.where(length > 0, direction / np.where(length > 0, length, 1.0), np.array([1.0, 0.0, 0.0]))[:, None]
    h, x = curvatures[:, None], np.repeat(start[:, None], SIGNS.shape[1], axis=1)
    first, squares = (h * x**2).sum(axis=-1).mean(axis=-1) / 2, []
    for signs in SIGNS:
        gradient = h * x
        size = dot(gradient, gradient)
        pull = gradient + unit * np.sqrt(share[:, None] * size + zeta[:, None] ** 2)[..., None]
        noise = np.sqrt(growth[:, None] * dot(pull, pull) + sigma[:, None] ** 2) * signs
        x = x - eta[:, None, None] * (pull + noise[..., None] * unit)
        squares.append(size.mean(axis=-1))
    lost = first - (h * x**2).sum(axis=-1).mean(axis=-1) / 2
    bound = 2 * lost / FORKS + eta * (eta * beta * sigma**2 + zeta**2)
    return eta * (1 - share) * np.mean(squares, axis=0), bound


@biased_sgd.identity
def completing_the_square(half: sp.Expr = HALF) -> sp.Expr:
    g, b, eta = sp.symbols("g b eta", real=True)
    return -eta * g * (g + b) + eta / 2 * (g + b) ** 2 - half * eta * (b**2 - g**2)
