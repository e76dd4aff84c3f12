r"""Shelf O, continued: what the order does to whole runs, and to where the mean student ends."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.dynamics.descent import gradient_bound, smoothness
from theory.dynamics.tempering import order_against_weight, tempering_force
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair, per_class, probabilities
from theory.theorems.students import Students, Two
from theory.theorems.symbols import HALF, TWO, a

from .descent import two_students
from .no_bias import HEADS

ORDERS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
POSITIVE = Interval(1e-2, 8)


def one_step_beside_the_skewed_coin(t: float) -> dict[str, Any]:
    """Two students near the coin with the largest third cumulant, whose parameter is its log-odds."""
    coin = np.array([np.log(HEADS), np.log1p(-HEADS)])
    near = coin + np.array([t / 4, 0.0])
    return dict(labels=np.stack([coin, coin]), offsets=np.array([[coin, coin], [near, near]]), omega=0.0, mu=1.0,
                slopes=np.full((2, 2, 2), [1.0, -1.0]), alpha=ORDERS[:4], beta=ORDERS[1:], rate=0.5,
                start=np.zeros(2), stream=np.ones((4, 2)))  # fmt: skip


@theorem("O1", given=dict(labels=Reals(2, "C", scale=3), offsets=Reals(2, 2, "C", scale=3), slopes=Reals(2, 2, "C"),
                          alpha=POSITIVE, beta=POSITIVE, mu=Interval(0, 8), omega=Interval(0, 3),
                          rate=Interval(1e-3, 1), start=Reals(2, scale=3), stream=Reals(4, 2)),
         source=OURS, classes=(2, 3), cost=20, resolution=1e-2, tight=one_step_beside_the_skewed_coin)  # fmt: skip
def runs_at_one_stiffness(
    labels: Array, offsets: Array, slopes: Array, alpha: Array, beta: Array, mu: Array, omega: Array, rate: Array,
    start: Array, stream: Array,
) -> Pair:  # fmt: skip
    r"""Two runs at orders $\alpha > \beta$ with one product $\mu = \alpha\lambda = \beta\lambda_\beta$, one start and
    the same batches differ after t steps, in each student's parameters, by at most $\eta c\sum_{s<t}
    (1+\eta L)^{t-1-s}o_s \le \eta t\,c\,\bar o\,e^{\eta tL}$ with $c = \mu R\frac{|\alpha-\beta|}{6\sqrt6}$, $o_s$ the
    largest over students of the mean $\mathrm{osc}^2$ of the logit gaps to the peers on the batch of step s in run
    $\beta$, $\bar o$ its mean over the steps, and $L = \frac{R^2}2\max(\mu,\lambda)+\sqrt2(1+\lambda)R_2$, for
    $\eta\le2/S$, S the smoothness of E1 at order $\alpha$ and weight $\lambda$. For linear students and $\alpha\ge1$,
    $L = \mu R^2/2$. The constant c is the best.

    Drawn for two students, four steps, $\eta$ = rate $\cdot2/S$; both sides times R. Proof: the fields at
    one point differ by at most $\frac{\mu R}{\sqrt2}\|\frac{\nabla D_\alpha}\alpha-\frac{\nabla D_\beta}\beta\|_1$, so
    by $c\,o_s$ (O1). A step of run $\alpha$ stretches the largest distance of a student by at most $1+\eta L$: the own
    block of its Jacobian is symmetric, at least $-\frac{\lambda(1-\alpha)_+}2R^2-\sqrt2(1+\lambda)R_2$ and at most
    $S\le2/\eta$, and the peers' blocks together have norm at most $\frac{\lambda\alpha}2R^2$ (D4, D5).
    """
    high, low = np.maximum(alpha, beta), np.minimum(alpha, beta)
    runs = [two_students(labels, offsets, slopes, order, mu / order, omega) for order in (high, low)]
    reach, weight = runs[0].jacobian, mu / high
    eta = 2 * rate / np.maximum(smoothness(reach, omega * reach, high, weight), 1e-12)
    paths = [_followed(students, start, stream, eta) for students in runs]
    apart = np.abs(paths[0] - paths[1]).max(axis=-1)
    gaps = _squared_widths(runs[1], paths[1], stream)
    room = eta * mu * reach / np.sqrt(2) * order_against_weight(high, low, 1.0)
    growth = eta * (reach**2 / 2 * np.maximum(mu, weight) + gradient_bound(omega * reach, weight))
    summed, rough, total = np.zeros_like(apart[:, 1:]), np.zeros_like(apart[:, 1:]), np.zeros_like(eta)
    for t in range(stream.shape[1]):
        before = summed[:, t - 1] if t else np.zeros_like(eta)
        summed[:, t], total = (1 + growth) * before + room * gaps[:, t], total + gaps[:, t]
        rough[:, t] = room * total * np.exp((t + 1) * growth)
    scale = per_class(reach)
    return scale * np.concatenate([apart[:, 1:], summed], -1), scale * np.concatenate([summed, rough], -1)


def _followed(students: Students, start: Array, stream: Array, eta: Array) -> Array:
    """The parameters before and after each step, (n, steps + 1, 2)."""
    theta, path = start, [start]
    for step in range(stream.shape[1]):
        thetas: Two = theta[:, :1], theta[:, 1:]
        pulls = [students.pulls(k, thetas)[np.arange(len(eta)), 0, _input(stream, step, k)] for k in (0, 1)]
        theta = theta - eta[:, None] * np.stack(pulls, -1)
        path.append(theta)
    return np.stack(path, 1)


def _input(stream: Array, step: int, k: int) -> Any:
    return (stream[:, step, k] > 0).astype(int)


def _squared_widths(students: Students, path: Array, stream: Array) -> Array:
    """At each step the larger of the students' squared oscillations on the inputs that they draw, (n, steps)."""
    gap = students.logits(0, path[..., 0]) - students.logits(1, path[..., 1])
    square = np.ptp(gap, axis=-1) ** 2
    rows = np.arange(len(path))
    drawn = [[square[rows, s, _input(stream, s, k)] for k in (0, 1)] for s in range(stream.shape[1])]
    return np.max(drawn, axis=1).T


@runs_at_one_stiffness.identity
def stretch_of_a_step(half: sp.Expr = HALF) -> list[sp.Expr]:
    """Own and peers' blocks add up to lam max(1, alpha)/2, below order 1 and from it on."""
    lam = sp.Symbol("lam", positive=True)
    own, peers = half * lam * (1 - a), half * lam * a
    return [own + peers - lam / 2, peers - a * lam / 2]


DISAGREEMENT = 4e-3
ENDS = DISAGREEMENT * np.array([1.0, -1.0, 0.5, -0.5])
SHARED: dict[str, Any] = dict(design=Reals(3, 3, 2, scale=2), label=Reals(3, 3, scale=2), views=Reals(3, 3, 3),
                              alpha=Interval(0.25, 4), mu=Interval(0, 4), decay=Interval(0.3, 3))  # fmt: skip


@theorem("O2", given=SHARED, source=OURS, relation="==", cost=100, tolerance=1e-5, resolution=0.1)
def order_shifts_the_mean_student(
    design: Array, label: Array, views: Array, alpha: Array, mu: Array, decay: Array
) -> Pair:
    r"""Students with shared features $\Phi$ and labels $y_k = \bar y+\epsilon e_k$, $\sum_ke_k = 0$: at one product
    $\mu = \alpha\lambda$ the mean of their fixed points at order $\alpha$ and that at order 1 differ by
    $H^{-1}E\big[\Phi^\top\mu(\alpha-1)\frac K{K-1}G\big]+O(\epsilon^3)$, G at the disagreement $d_k =
    \epsilon\,\Phi(H+\kappa F)^{-1}E[\Phi^\top e_k]$; $F = E[\Phi^\top J_q\Phi]$, $H = F+\rho$ the Hessian of one
    student's loss at $\epsilon=0$, $\kappa = \frac{\mu K}{K-1}$.

    K = 3 softmax regressions, three inputs, weight decay $\rho$; left half the second difference quotient in
    $\epsilon$ at 0. Proof: with $d_k = z_k-\bar z$, averaged stationarity reads $E\Phi^\top(\frac1K\sum_kq_k-\bar
    y)+\rho\bar\theta = E\Phi^\top f$, f the force of O2, exactly. To first order $d_k$ knows only $\mu$ and
    $\bar\theta$ does not move, so to second order the $q_k$ differ between the orders only by $J_q\Phi\,
    \Delta\bar\theta$. Implicit function theorem; the Jacobian at $\epsilon=0$ is H on the mean and $H+\kappa F$ off it.
    """
    x, middle, bent = np.tanh(design), probabilities(label), np.tanh(views)
    bent = bent - bent.mean(axis=1, keepdims=True)
    errors = middle[:, None] * (bent - (middle[:, None] * bent).sum(axis=-1, keepdims=True))
    start = _minimum(x, middle, decay)
    fisher = _fisher(x, start)
    own = fisher + per_class(per_class(decay)) * np.eye(2)
    metrics = own, own + per_class(per_class(1.5 * mu)) * fisher
    cohort = _logits(x, start + _solved(metrics[1][:, None], _parametric(x, errors)))
    force = tempering_force(cohort.swapaxes(1, 2), per_class(alpha), per_class(mu / alpha))
    law = _solved(own, _parametric(x, force[:, None])[:, 0])
    shifts = []
    for end in ENDS:
        labels = middle[:, None] + end * errors
        means = [_fixed_point(x, labels, start, order, mu, decay, metrics) for order in (alpha, np.ones_like(alpha))]
        shifts.append((means[0] - means[1]).mean(axis=1) / end**2)
    return (2 * (shifts[2] + shifts[3]) - (shifts[0] + shifts[1]) / 2) / 3, law  # Richardson, of fourth order


def _logits(x: Array, theta: Array) -> Array:
    """Logits (n, K, inputs, classes) of parameters (n, K, 2) on shared features (n, inputs, classes, 2)."""
    return np.einsum("nicp,nkp->nkic", x, theta)


def _parametric(x: Array, pulls: Array) -> Array:
    return np.einsum("nicp,nkic->nkp", x, pulls) / x.shape[1]


def _solved(matrices: Array, vectors: Array) -> Array:
    return np.asarray(np.linalg.solve(matrices, vectors[..., None])[..., 0], np.float64)


def _fisher(x: Array, theta: Array) -> Array:
    q = per_class(probabilities(_logits(x, theta))[:, 0])
    middle = x - (q * x).sum(axis=-2, keepdims=True)
    return np.einsum("nicp,nicq->npq", q * middle, middle) / x.shape[1]


def _minimum(x: Array, label: Array, decay: Array) -> Array:
    """The optimum at the mean labels, where the students agree, shape (n, 1, 2): Newton's method."""
    theta, wide = np.zeros((len(x), 1, 2)), per_class(per_class(decay))
    for _ in range(10):
        gradient = _parametric(x, probabilities(_logits(x, theta)) - label[:, None]) + wide * theta
        theta = theta - _solved((_fisher(x, theta) + wide * np.eye(2))[:, None], gradient)
    return theta


def _fixed_point(
    x: Array, labels: Array, theta: Array, order: Array, mu: Array, decay: Array, metrics: tuple[Array, Array]
) -> Array:
    """Where all three students' detached updates vanish, by chord steps with the Jacobian at agreement."""
    weight, power = (v[:, None, None, None] for v in (mu / order, order))
    for _ in range(14):
        z = _logits(x, theta)
        q = probabilities(z)
        pulls = [q - probabilities(z + power * (np.roll(z, shift, axis=1) - z)) for shift in (1, 2)]
        gradient = _parametric(x, q - labels + weight * (pulls[0] + pulls[1]) / 2) + per_class(per_class(decay)) * theta
        mean = gradient.mean(axis=1, keepdims=True)
        theta = theta - _solved(metrics[0][:, None], mean) - _solved(metrics[1][:, None], gradient - mean)
    return theta


@order_shifts_the_mean_student.identity
def shared_stiffness_of_the_disagreement(two: sp.Expr = TWO) -> sp.Expr:
    """Three students with deviations of sum 0: the mean pull of two peers is K/(K-1) times the own deviation."""
    mu, *d = sp.symbols("mu d1:3")
    third = -d[0] - d[1]
    return mu / two * ((d[0] - d[1]) + (d[0] - third)) - mu * sp.Rational(3, 2) * d[0]
