r"""Shelf E1, with momentum: the energy that a heavy ball loses beside fixed peers."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.divergence.arguments import Array
from theory.dynamics.descent import smoothness, stability_limits
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair
from theory.theorems.symbols import HALF, ONE

from .descent import GIVEN, two_students


def steady_ball(t: float) -> dict[str, Any]:
    """A ball that keeps its speed until it stops at agreement on the fair coin, where the curvature is beta."""
    return dict(labels=np.zeros((2, 2)), offsets=np.zeros((2, 2, 2)), slopes=np.full((2, 2, 2), [1.0, -1.0]),
                alpha=np.array([1.0, 2.0, 5.0]), lam=1.0, omega=0.0, start=np.array([t, 0.0]),
                before=np.full(3, 2 * t), momentum=0.5, rate=0.5)  # fmt: skip


@theorem("E1", given=GIVEN | dict(before=Reals(scale=3), momentum=Interval(0, 0.99)), source=OURS, classes=(2, 3),
         cost=10, resolution=1e-3, tight=steady_ball)  # fmt: skip
def heavy_ball_loses_energy(
    labels: Array, offsets: Array, slopes: Array, alpha: Array, lam: Array, omega: Array, start: Array, rate: Array,
    before: Array, momentum: Array,
) -> Pair:  # fmt: skip
    r"""$\theta^+ = \theta-\eta\nabla L_k+m(\theta-\theta^-)$ beside fixed peers: $L_k(\theta^+)+\frac m{2\eta}\|d^+\|^2
    \le L_k(\theta)+\frac m{2\eta}\|d\|^2-\big(\frac{1-m}\eta-\frac\beta2\big)\|d^+\|^2$, d the last step: the energy
    falls for $\eta < \frac{2(1-m)}\beta$, $\beta = \frac{R^2}2(1+\lambda\max(1,\alpha))+\ldots$ of E1.

    Drawn with $\eta$ = rate $\cdot\frac{2(1-m)}\beta$. Proof: $\nabla L = (md-d^+)/\eta$ in the descent lemma, and
    $d\cdot d^+ \le \frac12(\|d\|^2+\|d^+\|^2)$.
    """
    students = two_students(labels, offsets, slopes, alpha, lam, omega)
    reach = np.maximum(students.jacobian, 1e-6)
    eta = rate * stability_limits(reach, omega * reach, alpha, lam, momentum)[0]
    here, peer = start[:, :1], start[:, 1:]
    step = here[:, 0] - before
    gradient = students.pulls(0, (here, peer)).mean(axis=-1)[:, 0]
    moved = momentum * step - eta * gradient
    after = students.loss(0, (here + moved[:, None], peer))[:, 0]
    energy = eta * students.loss(0, (here, peer))[:, 0] + momentum / 2 * step**2
    room = 1 - momentum - eta * smoothness(reach, omega * reach, alpha, lam) / 2
    return eta * after + momentum / 2 * moved**2 + room * moved**2, energy


@heavy_ball_loses_energy.identity
def energy_of_a_step(half: sp.Expr = HALF, one: sp.Expr = ONE) -> sp.Expr:
    """The descent lemma with d d+ at its largest, |d| = |d+| allowed to differ by the square that is dropped."""
    d, step, eta, beta, m = sp.symbols("d d_plus eta beta m", positive=True)
    lemma = (m * d - step) / eta * step + beta / 2 * step**2
    bound = m / (2 * eta) * d**2 - m / (2 * eta) * step**2 - ((one - m) / eta - beta / 2) * step**2
    return sp.expand(bound - lemma - half * m / eta * (d - step) ** 2)
