r"""Shelf G3: independent students determine the effect of a small coupling; it is 0 where they interpolate."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np

from theory.cohorts.coregularisation import coupled_smoothers, dual_coefficients, first_order_duals
from theory.divergence.arguments import Array
from theory.divergence.gradients import student_gradient
from theory.statements.domains import Interval, Logits, Order, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair

from .ensembles import FEW, ROOTS, apply, solved, uncoupled_mean

KERNELS: dict[str, Any] = dict(features=Reals("C", 5, 4, scale=3), target=Reals(3, scale=3), ridge=Interval(0.05, 10))
"""Features at three training inputs and two others."""
FINE: dict[str, Any] = FEW | dict(tolerance=1e-10)


def _split(features: Array) -> tuple[Array, Array]:
    """Kernel matrices on the training inputs, and from all five inputs to them."""
    train = np.swapaxes(features[..., :3, :], -1, -2)
    return features[..., :3, :] @ train, features @ train


def _lengths(vectors: Array) -> Array:
    """The norm of all students' vectors together."""
    return np.sqrt((vectors**2).sum(axis=(-1, -2)))


@theorem("G3", given=KERNELS | dict(kappa=Interval(0, 100)), source=OURS, relation="==", resolution=1.0, **FEW)
def a_student_fits_the_disagreement_with_its_own_smoother(
    features: Array, target: Array, ridge: Array, kappa: Array
) -> Pair:
    r"""At every coupling and every input x: $f_k(x) = f_k(x)|_0+\kappa\,k_k(x,X)(K_k+\rho I)^{-1}[\bar f-f_k](X)$, the
    disagreement being the one at $\kappa$.

    Its derivative at 0 is the first-order law, with the disagreement of independent students. Proof: stationarity is
    $(K_k+\rho I)a_k = y+\kappa(\bar f-f_k)(X)$ with $f_k = k_k(\cdot,X)a_k$.
    """
    kernels, everywhere = _split(features)
    after, alone = (dual_coefficients(kernels, ridge, target, c) for c in (kappa, np.zeros_like(kappa)))
    values = apply(kernels, after)
    disagreement = kappa[:, None, None] * (uncoupled_mean(values) - values)
    moves = solved(kernels + ridge[:, None, None, None] * np.eye(3), disagreement)
    return apply(everywhere, after), apply(everywhere, alone + moves)


def _nearly_interpolating(t: float) -> dict[str, Any]:
    features = np.zeros((2, 5, 4))
    features[:, 0, 0], features[:, 3, 0] = (1.0, 1.2), (0.5, 0.6)
    return dict(features=features / t ** (1 / 6), target=np.array([1.0, 0, 0]), ridge=1.0, kappa=t ** (1 / 3))


@theorem("G3", given=KERNELS | dict(kappa=Interval(0, 10)), source=OURS, resolution=1e-2, tight=_nearly_interpolating,
         **FEW)  # fmt: skip
def first_order_law_of_kernel_students(features: Array, target: Array, ridge: Array, kappa: Array) -> Pair:
    r"""$\|f(\kappa)-f(0)-\kappa f'\| \le \kappa^2\|\bar f-f(0)\|$ on the training set for $\kappa\ge0$, with $f_k'(x) =
    k_k(x,X)(K_k+\rho I)^{-1}[\bar f-f_k](X)$ of the independent students; elsewhere $\max_k\|k_k(x,X)(K_k+\rho
    I)^{-1}\|_2$ times as much.

    Norms over all students together. Proof: by the theorem above the rest is $\kappa S_kQ(f(\kappa)-f(0))_k$, Q
    removing the mean; $S_k\preceq I$, and $\|f(\kappa)-f(0)\| \le \kappa\|Qf(\kappa)\| \le \kappa\|Qf(0)\|$ since
    disagreement falls (G2).
    """
    kernels, everywhere = _split(features)
    after, alone = (dual_coefficients(kernels, ridge, target, c) for c in (kappa, np.zeros_like(kappa)))
    rest = apply(everywhere, after - alone - kappa[:, None, None] * first_order_duals(kernels, ridge, target))
    start = apply(kernels, alone)
    room = kappa**2 * _lengths(start - uncoupled_mean(start))
    smoothers = everywhere[..., 3:, :] @ np.linalg.inv(kernels + ridge[:, None, None, None] * np.eye(3))
    gain = np.linalg.norm(smoothers, 2, axis=(-1, -2)).max(axis=-1)
    return np.stack([_lengths(rest[..., :3]), _lengths(rest[..., 3:])], -1), np.stack([room, gain * room], -1)


def _nearly_saturated(t: float) -> dict[str, Any]:
    small = t ** (1 / 3)
    return dict(roots=np.sqrt(small) * np.array([np.zeros((3, 3)), np.eye(3)]), target=10 * np.ones(3), kappa=small)


@theorem("G3", given=dict(roots=ROOTS, target=Reals(3), kappa=Interval(0, 10)), source=OURS, resolution=0.1,
         tight=_nearly_saturated, **FINE)  # fmt: skip
def ensemble_loses_the_students_variance(roots: Array, target: Array, kappa: Array) -> Pair:
    r"""$\|\bar f(\kappa)-\bar f(0)+\kappa Vy\| \le \kappa^2\|V\|^{1/2}(y^\top Vy)^{1/2}$ for $\kappa\ge0$, with $V =
    \frac1K\sum_kS_k^2-\bar S^2 \succeq 0$: to first order the ensemble's smoother loses exactly the variance of the
    students' smoothers.

    Proof: as above the rest is $\frac\kappa K\sum_k(S_k-\bar S)Q(f(\kappa)-f(0))_k$, and by Cauchy-Schwarz at most
    $\kappa\|V\|^{1/2}$ times the root mean square of $Q(f(\kappa)-f(0))_k$, which is at most $\kappa(y^\top
    Vy)^{1/2}$.
    """
    penalties = roots @ np.swapaxes(roots, -1, -2)
    alone, after = (coupled_smoothers(penalties, c) for c in (np.zeros_like(kappa), kappa))
    spread = alone - alone.mean(axis=1, keepdims=True)
    variance = (spread @ spread).mean(axis=1)
    lost = apply(variance, target)
    rest = apply(after.mean(axis=1) - alone.mean(axis=1), target) + kappa[:, None] * lost
    room = np.linalg.norm(variance, 2, axis=(-1, -2)) * np.maximum((target * lost).sum(axis=-1), 0)
    return np.linalg.norm(rest, axis=-1), kappa**2 * np.sqrt(room)


@theorem("G3", given=dict(y=Logits(), shift=Reals(scale=10), alpha=Order(0, 1e3)), source=OURS, relation="==",
         resolution=1.0)  # fmt: skip
def no_pull_between_equal_predictions(y: Array, shift: Array, alpha: Array) -> Pair:
    r"""Students that predict equally on the training set ($p_j = p_k$) are not moved by mutual learning at any order
    or weight: $\nabla_zD_\alpha(p\|q) = 0$.

    So where independent students interpolate, their optimum remains one. (The logits may differ by a shift, whose
    rounding a large order magnifies: drawn up to $10^3$; at inf the gradient is 0 by convention.)
    Proof: w = p = q in D1.
    """
    pull = student_gradient(y, y + shift[:, None], alpha)
    return pull, np.zeros_like(pull)


@theorem("G3", given=dict(roots=ROOTS, target=Reals(3), kappa=Interval(0, 1e6)), source=OURS, resolution=1e-2,
         tight=_nearly_saturated, **FEW)  # fmt: skip
def no_effect_at_interpolation(roots: Array, target: Array, kappa: Array) -> Pair:
    r"""With all $A_k\preceq aI$ the students' root-mean-square move on the training set is at most
    $\frac{\kappa a}{2(1+a)}\|y\|$ and at most $2a\|y\|$ at every coupling: with $a = \rho/\lambda_{\min}(K)\to0$
    mutual learning has no effect.

    Proof: the move is at most $\kappa\|Qf(0)\|$ as above, and the $S_k$ lie in $[\frac1{1+a},1]$, so their variance
    is at most $(\frac{a}{2(1+a)})^2$. Also $y-f_k = (A_k+(1+\kappa)I)^{-1}[A_ky+\kappa(y-\bar f)]$ has norm at most
    $\frac{a}{1+\kappa}\|y\|+\frac\kappa{1+\kappa}a\|y\|$, at 0 as well.
    """
    penalties = roots @ np.swapaxes(roots, -1, -2)
    alone, after = (apply(coupled_smoothers(penalties, c), target[:, None]) for c in (np.zeros_like(kappa), kappa))
    most = np.linalg.eigvalsh(penalties)[..., -1].max(axis=-1)
    size = np.linalg.norm(target, axis=-1)
    move = np.sqrt(((after - alone) ** 2).sum(axis=-1).mean(axis=-1))
    return np.stack([move, move], -1), np.stack([kappa * most / (2 * (1 + most)), 2 * most], -1) * size[:, None]
