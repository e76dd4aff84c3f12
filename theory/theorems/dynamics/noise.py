r"""Shelf E7: the noise floor of constant-rate SGD, and what the order does to the stationary distribution."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.dynamics.stationary import coupled_hessian, coupled_noise, noise_floor, stationary_covariance
from theory.statements.domains import Integer, Interval, Logits, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair, divergence, dot, per_class, probabilities
from theory.theorems.symbols import HALF, ONE, a, expectation, renyi_of_logits, softmax, z

MATRICES: dict[str, Any] = dict(root=Reals(3, 3, scale=2), noise_root=Reals(3, 3, scale=2), rate=Interval(0.01, 1.9))
COSTLY: dict[str, Any] = dict(cost=15)
GIVEN_SOLVER: dict[str, Any] = dict(cost=8, tolerance=1e-8)


def _definite(root: Array) -> Array:
    """A symmetric positive definite matrix of condition at most 1e4 or so from any square matrix."""
    gram = root @ np.swapaxes(root, -1, -2)
    size = np.trace(gram, axis1=-2, axis2=-1)[..., None, None] + 1e-3
    return gram / size + 1e-3 * np.eye(root.shape[-1])


def _largest(matrix: Array) -> Array:
    return np.asarray(np.linalg.eigvalsh(matrix)[..., -1], np.float64)


@theorem("E7", given=MATRICES, source="Mandt, Hoffman & Blei 2017, exact discrete form of this project", relation="==",
         **GIVEN_SOLVER)  # fmt: skip
def stationary_covariance_of_sgd(root: Array, noise_root: Array, rate: Array) -> Pair:
    r"""Near an optimum with Hessian A and gradient noise C, $\theta^+ = \theta-\eta(A\theta+\xi)$ has the stationary
    covariance S with $AS+SA-\eta ASA = \eta C$.

    Proof: $S = (I-\eta A)S(I-\eta A)+\eta^2C$; the map is a contraction for $\eta\|A\|<2$.
    """
    hessian, noise = _definite(root), _definite(noise_root)
    eta = rate / _largest(hessian)
    s = np.array([stationary_covariance(h, c, e) for h, c, e in zip(hessian, noise, eta, strict=True)])
    wide = eta[:, None, None]
    return hessian @ s + s @ hessian, wide * (hessian @ s @ hessian + noise)


@stationary_covariance_of_sgd.identity
def scalar_fixed_point(two: sp.Expr = 2 * ONE) -> sp.Expr:
    curvature, noise, eta = sp.symbols("A C eta", positive=True)
    s = eta * noise / (curvature * (two - eta * curvature))
    return sp.cancel((1 - eta * curvature) ** 2 * s + eta**2 * noise - s)


@theorem("E7", given=dict(eta=Interval(0.01, 10), step=Interval(1e-3, 1.999), variance=Interval(0, 100)), source=OURS,
         relation="==", cost=4)  # fmt: skip
def noise_floor_of_a_quadratic(eta: Array, step: Array, variance: Array) -> Pair:
    r"""$E\|\nabla f\|^2 = \frac{\eta\beta\sigma^2}{2-\eta\beta}$ at stationarity on a quadratic of curvature $\beta$.

    Drawn as $\beta = \mathrm{step}/\eta$. Proof: $\beta^2S$ with S from the scalar case above.
    """
    beta = step / eta
    s = [stationary_covariance([[b]], [[v]], e)[0, 0] for b, v, e in zip(beta, variance, eta, strict=True)]
    return beta**2 * np.array(s), noise_floor(eta, beta, variance)


@theorem("E7", given=MATRICES | dict(fisher_root=Reals(3, 3), alpha=Interval(0, 4), lam=Interval(0, 4),
                                      students=Integer(2, 4)),
         source=OURS, relation="==", **(GIVEN_SOLVER | COSTLY))  # fmt: skip
def order_leaves_the_mean_student_alone(
    root: Array, noise_root: Array, rate: Array, fisher_root: Array, alpha: Array, lam: Array, students: Array
) -> Pair:
    r"""K students near agreement have the Hessian $A = I\otimes H + \frac{\lambda\alpha
    K}{K-1}(I-\frac1K11^\top)\otimes F$: the order acts on the K-1 disagreement modes; the mean student's covariance is
    that of one student divided by K (own mini-batches) or undivided (a shared one), whatever $\alpha$ and $\lambda$.

    Proof: the pull on student k is $\frac{\lambda\alpha}{K-1}\sum_jF(\theta_k-\theta_j) = \frac{\lambda\alpha
    K}{K-1}F(\theta_k-\bar\theta)$, which has mean 0 over k, so $\bar\theta$ obeys the uncoupled recursion.
    """
    drawn = zip(_definite(root), _definite(noise_root), _definite(fisher_root), alpha, lam, students, rate, strict=True)
    both = [_mean_student(*row) for row in drawn]
    return np.array([left for left, _ in both]), np.array([right for _, right in both])


def _mean_student(h: Array, c: Array, f: Array, alpha: float, lam: float, students: float, rate: float) -> Pair:
    k = int(students)
    coupled = coupled_hessian(h, f, alpha, lam, k)
    eta = rate / float(_largest(coupled))
    mean = np.kron(np.full((1, k), 1 / k), np.eye(len(h)))
    own, shared = (mean @ stationary_covariance(coupled, coupled_noise(c, k, s), eta) @ mean.T for s in (False, True))
    alone = stationary_covariance(h, c, eta)
    return np.stack([k * own, shared]), np.stack([alone, alone])


@theorem("E7", given=dict(root=Reals(3, 3, scale=2), factor=Interval(0.01, 10), rate=Interval(0.01, 1.9)), source=OURS,
         relation="==", **GIVEN_SOLVER)  # fmt: skip
def no_effect_of_the_order_if_noise_follows_curvature(root: Array, factor: Array, rate: Array) -> Pair:
    r"""If the noise is proportional to the Hessian, C = fA, then $S = \eta f(2I-\eta A)^{-1}$, which is $\frac{\eta
    f}2I$ for small $\eta$: the 1/$\alpha$ effect disappears.

    Proof: insert; everything commutes.
    """
    hessian = _definite(root)
    eta = rate / _largest(hessian)
    drawn = zip(hessian, factor, eta, strict=True)
    s = np.array([stationary_covariance(h, f * h, e) for h, f, e in drawn])
    wide = eta[:, None, None]
    return s @ (2 * np.eye(3) - wide * hessian), wide * factor[:, None, None] * np.eye(3)


@theorem("E7", given=dict(z=Logits(), step=Reals("C", scale=1), alpha=Interval(0, 8)), source=OURS, resolution=1e-8)
def gaussian_prior_near_agreement(z: Array, step: Array, alpha: Array) -> Pair:
    r"""$|D_\alpha(p\|\mathrm{softmax}(y+v)) - \frac\alpha2v^\top J_pv| \le
    \frac{1+(\alpha-1)^2}{24}(\mathrm{osc}\,v)^3$, $p=\mathrm{softmax}\,y$: $e^{-nD_\alpha}$ is near agreement a
    Gaussian prior of precision $n\alpha F$, so its variance goes as 1/$\alpha$.

    Proof: $D = \int_0^1(1-t)\,v^\top H(y+tv)v\,dt$ with $H=J_q+(\alpha-1)J_w$; the variance of v changes by at most
    $(\mathrm{osc}\,v)^3/4$ per unit of tilt by v, q is tilted by t, w by $(1-\alpha)t$, and
    $\int_0^1(1-t)t\,dt=\frac16$.
    """
    value, p = divergence(z, z + step, alpha), probabilities(z)
    spread = step - per_class(dot(p, step))
    quadratic = alpha / 2 * dot(p, spread**2)
    room = (1 + (alpha - 1) ** 2) / 24 * np.ptp(step, axis=-1) ** 3
    return np.stack([value, quadratic], -1), np.stack([quadratic + room, value + room], -1)


@gaussian_prior_near_agreement.identity
def second_order_term_in_the_students_move(half: sp.Expr = HALF) -> sp.Expr:
    t, v = sp.Symbol("t", real=True), sp.symbols("v1:4", real=True)
    value = renyi_of_logits(a, z, [u + t * x for u, x in zip(z, v, strict=True)])
    p = softmax(z)
    variance = expectation(p, [x**2 for x in v]) - expectation(p, v) ** 2
    return sp.diff(value, t, 2).subs(t, 0) / 2 - half * a * variance
