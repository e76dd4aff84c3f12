r"""Shelf S: constant-rate SGD with weight decay stays in a bounded scope and forgets where it began."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.divergence.gradients import student_gradient, student_hessian
from theory.dynamics.scope import (
    contraction_factor,
    field_lipschitz,
    pair_expansion,
    pair_norm,
    scope_bound,
    stationary_spread,
)
from theory.statements.domains import Interval, Order, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, PAIR, Pair, per_class, tilted_logits
from theory.theorems.students import CHOICES, Students
from theory.theorems.symbols import ONE

from .descent import GIVEN, two_students

SHAPES: dict[str, Any] = {name: GIVEN[name] for name in ("labels", "offsets", "slopes", "alpha", "lam", "omega")}


def pushed_out(t: float) -> dict[str, Any]:
    """The first student is surely wrong, label and peers surely right: the largest gradient, step after step."""
    side = np.array([[1.0, -1.0]] * 2) / t
    return dict(labels=side, offsets=np.array([-side, side, side]), slopes=np.full((3, 2, 2, 2), [[1.0, 0], [-1, 0]]),
                alpha=np.array([1.0, 2.0, np.inf]), lam=1.0, start=np.zeros((3, 2)), stream=np.ones(8), decay=1.0,
                rate=0.25)  # fmt: skip


@theorem("S1", given=dict(labels=Reals(2, "C"), offsets=Reals(3, 2, "C", scale=30), slopes=Reals(3, 2, "C", 2),
                          alpha=Order(), lam=Interval(0, 100), start=Reals(3, 2, scale=100), stream=Reals(8),
                          decay=Interval(1e-3, 10), rate=Interval(1e-3, 1)),
         source=OURS, classes=(2, 3, 5), cost=8, tight=pushed_out)  # fmt: skip
def bounded_scope(
    labels: Array, offsets: Array, slopes: Array, alpha: Array, lam: Array, start: Array, stream: Array, decay: Array,
    rate: Array,
) -> Pair:  # fmt: skip
    r"""$\|\theta_k^t\| \le r+(1-\eta\rho)^t(\|\theta_k^0\|-r)$, $r = \frac{\sqrt2(1+\lambda)R}\rho$, for $\theta_k^+ =
    (1-\eta\rho)\theta_k-\eta g_k$, $\eta\rho\le1$: surely, for every order in $[0,\infty]$, every stream of batches,
    every K and C, and whatever the peers do. The iterates enter twice the radius and stay.

    Drawn for K = 3 linear students, two inputs, eight steps, $\eta\rho$ = rate. Proof: $\|g_k\| \le \sqrt2(1+\lambda)R$
    for each example (D2), and the geometric series. Attained while label and peers pull one way.
    """
    theta, lengths, eta = start, [], (rate / decay)[:, None, None]
    for step in range(stream.shape[1]):
        x = (stream[:, step] > 0).astype(int)
        rows = np.arange(len(x))
        b = slopes[rows, :, x]
        z = offsets[rows, :, x] + np.einsum("nkcd,nkd->nkc", b, theta)
        g = np.einsum("nkcd,nkc->nkd", b, _whole_gradient(labels[rows, x], z, alpha, lam))
        theta = (1 - rate[:, None, None]) * theta - eta * g
        lengths.append(np.linalg.norm(theta, axis=-1))
    reach = np.linalg.norm(slopes, 2, axis=(-2, -1)).max(axis=-1)[:, None]
    first, steps = np.linalg.norm(start, axis=-1)[:, None], np.arange(1, stream.shape[1] + 1)[:, None]
    wide = [v[:, None, None] for v in (rate / decay, lam, decay)]
    return np.stack(lengths, 1), scope_bound(first, wide[0], steps, reach, wide[1], wide[2])


def _whole_gradient(label: Array, z: Array, alpha: Array, lam: Array) -> Array:
    """CE and lam times the mean pull of the two peers, in the logits of three students (n, 3, C)."""
    pulls = [student_gradient(np.roll(z, shift, axis=1), z, alpha[:, None]) for shift in (1, 2)]
    return student_gradient(label[:, None], z, 1.0) + lam[:, None, None] * (pulls[0] + pulls[1]) / 2


@bounded_scope.identity
def geometric_series(one: sp.Expr = ONE) -> sp.Expr:
    """A step of the bound: r + s^t (a - r) becomes r + s^(t+1) (a - r) by s (.) + (1 - s) r."""
    s, r, x = sp.symbols("s r x")  # x = s^t (start - r)
    return s * (r + x) + (one - s) * r - (r + s * x)


def run_apart(t: float) -> dict[str, Any]:
    """Order 1/2: opposite vertices with a fair mixture. Order 1: fair coins on classes 1, 3 and 1, 2."""
    far = -2 * np.log(t)
    return dict(y=np.array([[far, 0, -4 * far], [0, -far, 0]]), z=np.array([[-far, 0, -4 * far], [0, 0, -far]]),
                alpha=np.array([0.5, 1.0]))  # fmt: skip


@theorem("S2", given=PAIR | dict(alpha=Interval(0, 20)), source=OURS, classes=(2, 3, 5), tight=run_apart,
         resolution=1e-4)  # fmt: skip
def pair_runs_apart_at_most(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$-\lambda_{\min}(\frac{M+M^\top}2) \le \mu_\alpha$ for the Jacobian M of the detached updates of a pair in
    logits: $\mu_1 = \frac18$, $\frac12$ at other orders below 2, $\frac{\alpha^2}{8(\alpha-1)}$ from 2 on. Best at
    orders 1/2 (two classes) and 1 (three).

    Proof: $M = \begin{pmatrix}J_q+(\alpha-1)J_1&-\alpha J_1\\-\alpha J_2&J_p+(\alpha-1)J_2\end{pmatrix}$, $0\preceq
    J\preceq\frac12$. $\alpha u^\top J_1v \le \frac\alpha2(s\,u^\top J_1u+\frac1sv^\top J_1v)$ and its mirror image
    leave $(\alpha-1-\frac{\alpha s}2)J_1-\frac\alpha{2s}J_2$ on u: s = 1 for $\alpha<2$, else $s = 2(\alpha-1)/\alpha$.
    Order 1: $\|J_q^{1/2}(u-\frac v2)\|^2-\frac14v^\top J_qv$ and its mirror image. For K students average over the
    pairs.
    """
    m = pair_jacobian(y, z, alpha)
    values = np.linalg.eigvalsh((m + np.swapaxes(m, -1, -2)) / 2)
    return -np.asarray(values[..., 0], np.float64), pair_expansion(alpha)


def pair_jacobian(y: Array, z: Array, alpha: Array) -> Array:
    """M of shape (n, 2C, 2C): student q (logits z) first, its peer p (logits y) second."""
    order = alpha[:, None, None]
    j_q, j_p, j_1, j_2 = (
        student_hessian(v, v, 1.0) for v in (z, y, tilted_logits(y, z, alpha), tilted_logits(z, y, alpha))
    )
    return np.block([[j_q + (order - 1) * j_1, -order * j_1], [-order * j_2, j_p + (order - 1) * j_2]])


@pair_runs_apart_at_most.identity
def completed_squares(quarter: sp.Expr = ONE / 4, eighth: sp.Expr = ONE / 8) -> list[sp.Expr]:
    """Order 1, and what s = 2(alpha-1)/alpha leaves of J_2, with J_2 at most 1/2."""
    u, v, order = sp.symbols("u v alpha", positive=True)
    share = 2 * (order - 1) / order
    left = order / (2 * share) / 2 - eighth * order**2 / (order - 1)
    return [u**2 - u * v - ((u - v / 2) ** 2 - quarter * v**2), left, order - 1 - order * share / 2]


@theorem("S2", given=PAIR | dict(alpha=Interval(0, 20)), source=OURS, classes=(2, 3, 5),
         tight=lambda t: dict(y=np.zeros(2), z=np.zeros(2), alpha=np.array([1.0, 2.0, 8.0])))  # fmt: skip
def norm_of_the_pair(y: Array, z: Array, alpha: Array) -> Pair:
    r"""$\|M\|_2 \le \frac{\max(1,\alpha)+\alpha}2$; attained at agreement on the fair coin from order 1 on.

    Proof: the diagonal blocks have norm at most $\frac{\max(1,\alpha)}2$ (D4), the others $\frac\alpha2$ (D5).
    """
    return np.linalg.norm(pair_jacobian(y, z, alpha), 2, axis=(-2, -1)), pair_norm(alpha)


CHAIN: dict[str, Any] = SHAPES | dict(margin=Interval(1e-2, 5), rate=Interval(1e-3, 0.99))


def _modulus(students: Students, margin: Array) -> tuple[Array, Array]:
    """The decay that makes the modulus `margin`, and the Lipschitz constant."""
    reach, bend = students.jacobian, np.sqrt(2) * (1 + students.lam) * students.omega * students.jacobian
    decay = margin + students.lam * reach**2 * pair_expansion(students.alpha) + bend
    return decay, field_lipschitz(reach, students.omega * reach, students.alpha, students.lam, decay)


@theorem("S2", given=CHAIN | dict(start=Reals(2, 2, scale=3), stream=Reals(4, 2)), source=OURS, classes=(2, 3), cost=10,
         resolution=1e-2)  # fmt: skip
def two_copies_approach_each_other(
    labels: Array, offsets: Array, slopes: Array, alpha: Array, lam: Array, omega: Array, margin: Array, rate: Array,
    start: Array, stream: Array,
) -> Pair:  # fmt: skip
    r"""$\|\theta^t-\tilde\theta^t\| \le (1-2\eta m+\eta^2L^2)^{t/2}\|\theta^0-\tilde\theta^0\|$ for two copies on the
    same batches, $m = \rho-\lambda R^2\mu_\alpha-\sqrt2(1+\lambda)R_2 > 0$ and $\eta < 2m/L^2$: so there is one
    stationary law, reached in every Wasserstein distance at that rate.

    Drawn with m = margin and $\eta$ = rate $\cdot2m/L^2$. Proof: each batch's field is m-monotone (CE is convex in
    logits, the pair as above, the curvature of the students at most $\|\nabla_zL\|R_2$) and L-Lipschitz.
    """
    students = two_students(labels, offsets, slopes, alpha, lam, omega)
    decay, lipschitz = _modulus(students, margin)
    eta = rate * 2 * margin / lipschitz**2
    thetas, far = (start[:, 0], start[:, 1]), []  # each (n, copies)
    first = np.hypot(*(theta[:, 0] - theta[:, 1] for theta in thetas))
    for step in range(stream.shape[1]):
        drawn = [students.pulls(k, thetas)[np.arange(len(eta)), :, (stream[:, step, k] > 0) * 1] for k in (0, 1)]
        moved = [t - eta[:, None] * (g + decay[:, None] * t) for t, g in zip(thetas, drawn, strict=True)]
        thetas = moved[0], moved[1]
        far.append(np.hypot(*(theta[:, 0] - theta[:, 1] for theta in thetas)))
    factor = contraction_factor(eta, margin, lipschitz)[:, None] ** np.arange(1, stream.shape[1] + 1)
    return np.stack(far, -1), factor * first[:, None]


@theorem("S2", given=CHAIN | dict(start=Reals(2, scale=3), zero=Reals(2, scale=3)), source=OURS, classes=(2, 3),
         cost=10, resolution=1e-2)  # fmt: skip
def search_around_the_zero_of_the_mean_field(
    labels: Array, offsets: Array, slopes: Array, alpha: Array, lam: Array, omega: Array, margin: Array, rate: Array,
    start: Array, zero: Array,
) -> Pair:  # fmt: skip
    r"""$E\|\theta^t-\theta^*\|^2 \le \frac{\eta\sigma^2}{m-\eta L^2}+(1-2\eta
    m+2\eta^2L^2)^t\Big(\|\theta^0-\theta^*\|^2- \frac{\eta\sigma^2}{m-\eta L^2}\Big)$ for $\eta < m/L^2$, $\theta^*$
    the zero of the mean field and $\sigma^2 = E\|g_B(\theta^*)\|^2$: near it after $O(\frac1{\eta
    m}\log\frac1\epsilon)$ steps, then a search of radius $O(\sqrt\eta)$.

    Two steps, all draws followed; the decay pulls to the point that makes `zero` the zero, a shift of the parameters.
    Proof: $E\|\theta^+-\theta^*\|^2 \le d^2-2\eta md^2+\eta^2E\|g_B(\theta)\|^2$, $\|g_B(\theta)\|^2 \le 2L^2d^2+
    2\|g_B(\theta^*)\|^2$.
    """
    students = two_students(labels, offsets, slopes, alpha, lam, omega)
    decay, lipschitz = _modulus(students, margin)
    eta = rate * margin / lipschitz**2
    rest, thetas = (zero[:, :1], zero[:, 1:]), (start[:, :1], start[:, 1:])
    at_rest = [students.pulls(k, rest) for k in (0, 1)]
    spread = stationary_spread(eta, margin, lipschitz, sum(g[:, 0].var(axis=-1) for g in at_rest))
    first, far = ((start - zero) ** 2).sum(axis=-1), []
    for _ in range(2):
        pulls, moved = [students.pulls(k, thetas) for k in (0, 1)], []
        for k in (0, 1):
            field = pulls[k][..., CHOICES[:, k]] - at_rest[k].mean(axis=-1)[..., None]
            field = field + decay[:, None, None] * (thetas[k] - rest[k])[..., None]
            moved.append((thetas[k][..., None] - eta[:, None, None] * field).reshape(len(eta), -1))
        thetas = moved[0], moved[1]
        far.append(sum(((thetas[k] - rest[k]) ** 2).mean(axis=-1) for k in (0, 1)))
    kept = per_class(1 - 2 * eta * margin + 2 * (eta * lipschitz) ** 2) ** np.array([1, 2])
    return np.stack(far, -1), per_class(spread) + kept * per_class(first - spread)
