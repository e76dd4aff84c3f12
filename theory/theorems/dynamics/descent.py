r"""Shelf E1-E3: constant-rate SGD of students that move at the same time, $\theta_k^+ = \theta_k - \eta g_k$.

Every statement is evaluated exactly on two small students (see `students`): two steps, all mini-batch draws followed.
F is replaced by the loss actually lost, which is smaller, so what is checked is stronger than what is stated.
"""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.divergence.gradients import student_gradient, student_hessian
from theory.dynamics.descent import gradient_bound, smoothness
from theory.dynamics.detaching import dropped_gradient_bound, peer_smoothness, squared_dropped_gradient
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair, divergence, dot
from theory.theorems.students import Path, Students, run
from theory.theorems.symbols import HALF, ONE

GIVEN: dict[str, Any] = dict(
    labels=Reals(2, "C", scale=3),
    offsets=Reals(2, 2, "C", scale=3),
    slopes=Reals(2, 2, "C", scale=1),
    alpha=Interval(0, 8),
    lam=Interval(0, 8),
    omega=Interval(0, 3),
    start=Reals(2, scale=3),
    rate=Interval(1e-3, 1),
)
SMALL: dict[str, Any] = dict(
    classes=(2, 3), cost=20, resolution=1e-3
)  # sides times eta, so rounding is that of the losses


def two_students(labels: Array, offsets: Array, slopes: Array, alpha: Array, lam: Array, omega: Array) -> Students:
    """The students of one point or a batch of points, with an axis for branches."""
    wide = [np.asarray(v)[:, None] for v in (labels, offsets[:, 0], offsets[:, 1], slopes[:, 0], slopes[:, 1])]
    return Students(wide[0], (wide[1], wide[2]), (wide[3], wide[4]), alpha, lam, omega)


def _followed(point: dict[str, Array], noisy: bool = True) -> tuple[Students, Path, Array, Array]:
    """The students, their path, the rate eta = rate/beta and beta."""
    shape = {name: point[name] for name in ("labels", "offsets", "slopes", "alpha", "lam", "omega")}
    students = two_students(**shape)
    beta = smoothness(students.jacobian, students.omega * students.jacobian, students.alpha, students.lam)
    eta = point["rate"] / np.maximum(beta, 1e-12)
    return students, run(students, (point["start"][:, 0], point["start"][:, 1]), eta, noisy), eta, beta


def small_steps(t: float) -> dict[str, Any]:
    """eta -> 0 for students far from an optimum: the form with c becomes an equality."""
    return dict(
        labels=np.array([[2.0, 0.0], [1.0, 0.0]]),
        offsets=np.array([[[0.0, 0.0], [0.0, 1.0]], [[0.0, 0.5], [0.2, 0.0]]]),
        slopes=np.array([[[1.0, 0.0], [0.7, 0.0]], [[0.5, 0.0], [1.0, 0.0]]]),
        alpha=np.array([0.5, 1.0, 2.0]),
        lam=1.0,
        omega=0.5,
        start=np.zeros(2),
        rate=t,
    )


def steepest(t: float) -> dict[str, Any]:
    """An unsure student of fair labels: beside a sure peer below order 1 (at one alpha lam), in agreement above it."""
    order, far = np.array([0.25, 0.5, 1.0, 2.0, 5.0]), np.array([1.0, 1.0, 0.0, 0.0, 0.0]) / t
    peer = far[:, None, None] * np.array([1.0, -1.0]) * np.ones((2, 1))
    return dict(labels=np.zeros((2, 2)), offsets=np.stack([0 * peer, peer], 1), theta=np.zeros(2), omega=0.0,
                slopes=np.full((2, 2, 2), [1.0, -1.0]), alpha=order, lam=1 / order)  # fmt: skip


@theorem("E1", given={name: GIVEN[name] for name in list(GIVEN)[:6]} | dict(theta=Reals(2, scale=3)), source=OURS,
         tight=steepest,
         classes=(2, 3), cost=4)  # fmt: skip
def smoothness_of_a_students_loss(
    labels: Array, offsets: Array, slopes: Array, alpha: Array, lam: Array, omega: Array, theta: Array
) -> Pair:
    r"""$\|\nabla^2_{\theta_k}L_k\| \le \beta = \frac{R^2}{2}(1+\lambda\max(1,\alpha)) + \sqrt2(1+\lambda)R_2$; attained
    on the fair coin by linear students, at agreement for $\alpha\ge1$, beside a sure peer below: there the weight
    counts, not $\alpha\lambda$.

    Proof: $\nabla^2_\theta L = J^\top\nabla_z^2L\,J + \sum_i(\nabla_zL)_i\nabla^2_\theta z_i$, with D4 and D2.
    """
    students = two_students(labels, offsets, slopes, alpha, lam, omega)
    thetas = (theta[:, :1], theta[:, 1:])
    own, peer = students.logits(0, thetas[0]), students.logits(1, thetas[1])
    weight, label = lam[:, None, None, None], np.broadcast_to(students.labels, own.shape)
    pull = student_gradient(label, own, 1.0) + weight * student_gradient(peer, own, students.order)
    bend = student_hessian(label, own, 1.0) + weight[..., None] * student_hessian(peer, own, students.order)
    slope = students.derivative(0, thetas[0])
    curve = -(omega**2)[:, None, None, None] * (own - students.offset[0])
    second = np.einsum("...i,...ij,...j->...", slope, bend, slope) + dot(pull, curve)
    reach = students.jacobian
    return np.abs(second.mean(axis=-1)).max(axis=-1), smoothness(reach, omega * reach, alpha, lam)


@theorem("E1", given=GIVEN, source=OURS, tight=small_steps, **SMALL)
def descent_with_drifting_peers(
    labels: Array, offsets: Array, slopes: Array, alpha: Array, lam: Array, omega: Array, start: Array, rate: Array
) -> Pair:
    r"""$\frac1T\sum_tE\|\nabla_kL_k\|^2 \le \frac1c\Big(\frac{F}{\eta T} + \frac{\eta\beta\sigma^2}{2} + \frac{1}{\eta
    T}\sum_t\mathrm{drift}_t\Big)$, $c = 1-\eta\beta/2$, for $\eta\le1/\beta$ (then $1/c\le2$); an equality as
    $\eta\to0$. $\mathrm{drift}_t = E[L_k(\theta_k^{t+1};\theta_{-k}^{t+1}) - L_k(\theta_k^{t+1};\theta_{-k}^t)]$.

    Proof: the descent lemma for $L_k(\cdot;\theta_{-k}^t)$ and unbiasedness give $\eta c\,E\|g\|^2 \le E[L_k^t -
    L_k(\theta_k^{t+1};\theta_{-k}^t)] + \eta^2\beta\sigma^2/2$; add the drift and sum over t.
    """
    _, path, eta, beta = _followed(dict(locals()))
    c, length = 1 - eta * beta / 2, len(path.steps)
    square = path.mean([step.gradient[0] ** 2 for step in path.steps])
    noise = path.mean([step.noise[0] for step in path.steps])
    drift = path.mean([step.drift[0] for step in path.steps])
    lost = (path.first[0] - path.last[0]) / length
    return eta * c * square, lost + eta**2 * beta * noise / 2 + drift


@descent_with_drifting_peers.identity
def descent_lemma_with_noise(half: sp.Expr = HALF) -> sp.Expr:
    eta, beta, g2, noise = sp.symbols("eta beta g2 sigma2", positive=True)
    bound = -eta * g2 + beta * eta**2 / 2 * (g2 + noise)
    return bound + eta * (1 - half * eta * beta) * g2 - half * eta**2 * beta * noise


@theorem("E2", given=GIVEN, source=OURS, **SMALL)
def worst_case_drift(
    labels: Array, offsets: Array, slopes: Array, alpha: Array, lam: Array, omega: Array, start: Array, rate: Array
) -> Pair:
    r"""$\mathrm{drift}_t/\eta \le 2\lambda(1+\lambda)R^2\tau$: an O(1) bias that survives $\eta\to0$ and $T\to\infty$.
    It beats the trivial bound $G^2$ only if $2\lambda\tau < 1+\lambda$.

    Proof: the peers move by at most $\eta G = \eta\sqrt2(1+\lambda)R$ and $\|\nabla_{\theta_j}D\| \le R\|\nabla_yD\|_2
    \le \sqrt2R\tau$ (D5, for vectors of sum 0).
    """
    students, path, eta, _ = _followed(dict(locals()))
    drift = np.max([step.drift[0].mean(axis=1) for step in path.steps], axis=0)
    tau = dropped_gradient_bound(alpha, _width(students, start, eta))
    return drift, 2 * eta * lam * (1 + lam) * students.jacobian**2 * tau


def _width(students: Students, start: Array, eta: Array) -> Array:
    reach = 2 * eta * gradient_bound(students.jacobian, students.lam)
    return students.width((start[:, :1], start[:, 1:]), reach)


@theorem("E3", given={name: GIVEN[name] for name in list(GIVEN)[:6]} | dict(theta=Reals(2, scale=3)), source=OURS,
         classes=(2, 3), cost=4, resolution=1e-12)  # fmt: skip
def bias_vanishes_as_students_agree(
    labels: Array, offsets: Array, slopes: Array, alpha: Array, lam: Array, omega: Array, theta: Array
) -> Pair:
    r"""$\gamma^2 \le R^2\min\big(2\tau^2, \kappa\,\overline{D_\alpha}\big)$, $\kappa = \frac{\alpha}{1-\alpha}$ for
    $\alpha<1$, $1+\frac{\mathrm{osc}}2$ at 1, $\frac{\alpha^2}{\alpha-1}$ above: the bias of E3 is at most
    $2\lambda^2R^2\tau^2$ and vanishes with the mean divergence $\overline{D_\alpha}$ of the students.

    Proof: D5, $\|x\|_2^2\le\|x\|_1^2/2$ for vectors of sum 0, and Jensen over the inputs.
    """
    students, thetas = two_students(labels, offsets, slopes, alpha, lam, omega), (theta[:, :1], theta[:, 1:])
    own, peer = students.logits(0, thetas[0]), students.logits(1, thetas[1])
    mean = divergence(peer, own, students.order).mean(axis=(-1, -2))
    osc = students.width(thetas, np.zeros(1))
    mean = np.minimum(mean, osc)  # D <= max l <= osc; rounding may exceed it in the last digit
    return students.dropped(0, thetas)[:, 0] ** 2, squared_dropped_gradient(alpha, students.jacobian, osc, mean)


@theorem("E3", given=GIVEN, source=OURS, **SMALL)
def bias_of_second_order_in_the_weight(
    labels: Array, offsets: Array, slopes: Array, alpha: Array, lam: Array, omega: Array, start: Array, rate: Array
) -> Pair:
    r"""$X \le \frac{\lambda^2\gamma^2}{c^2} + \frac{2\varepsilon}{c}$, $\varepsilon = \frac{F}{\eta T} +
    \frac{\eta\beta\sigma^2}{2} + \eta\lambda G^2\big(\frac{\beta_{jj}}2 + \frac{\alpha R^2}2\big)$: X and $\gamma^2$
    average $E\|\nabla_kL_k\|^2$ and $E\|\nabla_{\theta_j}D(p_j\|p_k)\|^2$ over time and students. The constant 1 is
    optimal (E6).

    Proof: E1 for each student; the drift to second order is $-\eta\lambda E\langle\nabla_{\theta_j}D, g_j\rangle$
    (unbiased steps) plus $\eta^2\lambda G^2(\beta_{jj}/2 + \alpha R^2/2)$, the last for student k's own move (D5:
    $\|D_{yz}\|\le\alpha/2$). Cauchy-Schwarz over time and students: $cX \le \varepsilon + \lambda\gamma\sqrt X$. Solve.
    """
    students, path, eta, beta = _followed(dict(locals()))
    c, bend = 1 - eta * beta / 2, omega * students.jacobian
    x = sum(path.mean([step.gradient[k] ** 2 for step in path.steps]) for k in (0, 1)) / 2
    gamma = sum(path.mean([step.dropped[k] ** 2 for step in path.steps]) for k in (0, 1)) / 2
    noise = sum(path.mean([step.noise[k] for step in path.steps]) for k in (0, 1)) / 2
    lost = sum(path.first[k] - path.last[k] for k in (0, 1)) / 2 / len(path.steps)
    moved = peer_smoothness(students.jacobian, bend, alpha, _width(students, start, eta)) + alpha * students.jacobian**2
    eps = lost + eta**2 * (beta * noise + lam * gradient_bound(students.jacobian, lam) ** 2 * moved) / 2
    return eta * x, eta * lam**2 * gamma / c**2 + 2 * eps / c


@bias_of_second_order_in_the_weight.identity
def solved_quadratic_is_below_the_bound(two: sp.Expr = 2 * ONE) -> sp.Expr:
    c, eps, b = sp.symbols("c epsilon b", positive=True)  # b = lam gamma
    root = sp.sqrt(b**2 + 4 * c * eps)
    largest = ((b + root) / (2 * c)) ** 2
    return sp.expand(b**2 / c**2 + two * eps / c - largest - ((b - root) / (2 * c)) ** 2)
