r"""Shelf G2: mutual learning is co-regularisation; the ensemble is one ridge fit, the more regularised the stronger it
couples.

Setting of `theory.cohorts.coregularisation`: K students (the number of classes of a search stands for K here) with
values $f_k$ at three inputs, penalties $A_k$ and coupling $\kappa$.
"""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from theory.cohorts.coregularisation import coupled_smoothers, dual_coefficients, resolvent_average
from theory.divergence.arguments import Array
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair, dot, integral
from theory.theorems.symbols import ONE, TWO

EVERY_COUPLING = Interval(-1)
RESOLVENT = "Bauschke, Moffat & Wang 2010, sec. 4; for mutual learning this project"
ROOTS = Reals("C", 3, 3, scale=3)
FEW: dict[str, Any] = dict(classes=(2, 3), cost=4, tolerance=1e-8)
SIGNS = np.array(list(product([-1.0, 1.0], repeat=3)))
SOME = np.random.default_rng(0).normal(size=(2, 3, 3))
"""Two students for the witnesses."""


def definite(root: Array) -> Array:
    """A symmetric positive definite matrix of moderate condition from any square one."""
    gram = root @ np.swapaxes(root, -1, -2)
    size = np.trace(gram, axis1=-2, axis2=-1)[..., None, None]
    return gram + (1e-2 + 1e-3 * size) * np.eye(root.shape[-1])


def apply(matrices: Array, vectors: Array) -> Array:
    """Matrices times vectors in the last axes."""
    return (matrices @ vectors[..., None])[..., 0]


def solved(matrices: Array, vectors: Array) -> Array:
    """Inverse matrices times vectors in the last axes."""
    return np.asarray(np.linalg.solve(matrices, vectors[..., None])[..., 0], np.float64)


def uncoupled_mean(students: Array) -> Array:
    """The ensemble, repeated for each student: shape (..., K, n)."""
    return np.broadcast_to(students.mean(axis=-2, keepdims=True), students.shape)


@theorem("G2", given=dict(roots=ROOTS, students=Reals("C", 3, scale=3), moves=Reals("C", 3, scale=3), target=Reals(3),
                          kappa=Interval(-1, 100)),
         source=OURS, relation="==", resolution=1.0, **FEW)  # fmt: skip
def coupled_students_descend_a_potential(
    roots: Array, students: Array, moves: Array, target: Array, kappa: Array
) -> Pair:
    r"""The detached updates of $\frac12\|y-f_k\|^2+R_k(f_k)+\frac{\mu}{2(K-1)}\sum_{j\ne k}\|f_j-f_k\|^2$ are the
    gradient of $\Phi = \frac K2\|y-\bar f\|^2+\sum_k[R_k(f_k)+\frac{1+\kappa}2\|f_k-\bar f\|^2]$,
    $\kappa=\frac{\mu K}{K-1}$: the students weigh their own regularisers against the ensemble's fit.

    Checked along a joint move, $R_k(f) = \frac12f^\top A_kf+\frac14\sum f^4$. Proof: $\sum_{j\ne k}(f_k-f_j) =
    K(f_k-\bar f)$, the coupling is symmetric, and $\sum_k\|y-f_k\|^2 = K\|y-\bar f\|^2+\sum_k\|f_k-\bar f\|^2$.
    """
    penalties = definite(roots)

    def power(t: float) -> Array:
        return (moves * _updates(penalties, students + t * moves, target, kappa)).sum(axis=(-1, -2))

    start, end = (_potential(penalties, f, target, kappa) for f in (students, students + moves))
    return end, start + integral(power, 4)


def _updates(penalties: Array, students: Array, target: Array, kappa: Array) -> Array:
    count = students.shape[1]
    weight = (kappa * (count - 1) / count)[:, None, None] / (count - 1)  # mu/(K-1), one for each peer
    pulls = (students[:, :, None] - students[:, None]).sum(axis=2)
    return students - target[:, None] + apply(penalties, students) + students**3 + weight * pulls


def _potential(penalties: Array, students: Array, target: Array, kappa: Array) -> Array:
    mean = uncoupled_mean(students)
    misfit = ((target - mean[:, 0]) ** 2).sum(axis=-1) * students.shape[1] / 2
    own = dot(students, apply(penalties, students)) / 2 + (students**4).sum(axis=-1) / 4
    spread = (1 + kappa)[:, None] / 2 * ((students - mean) ** 2).sum(axis=-1)
    return misfit + (own + spread).sum(axis=-1)


@coupled_students_descend_a_potential.identity
def misfit_splits_into_ensemble_and_spread(three: sp.Expr = 3 * ONE) -> list[sp.Expr]:
    y, *f = sp.symbols("y f1:4", real=True)
    mean = sum(f, sp.Integer(0)) / 3
    split = sum((y - v) ** 2 for v in f) - three * (y - mean) ** 2 - sum((v - mean) ** 2 for v in f)
    return [sp.expand(split), sp.expand(sum(f[0] - v for v in f) - three * (f[0] - mean))]


@theorem("G2", given=dict(roots=ROOTS, target=Reals(3), kappa=Interval(-1, 1e3, open_low=True)), source=RESOLVENT,
         relation="==", resolution=1e-3, **FEW)  # fmt: skip
def ensemble_is_one_ridge_fit(roots: Array, target: Array, kappa: Array) -> Pair:
    r"""Where all updates vanish $\bar f = (I+A_\kappa)^{-1}y$ and $f_k = (A_k+(1+\kappa)I)^{-1}(y+\kappa\bar f)$
    with the resolvent average $A_\kappa = [\frac1K\sum_k(A_k+(1+\kappa)I)^{-1}]^{-1}-(1+\kappa)I$.

    Left: the coupled system solved directly. Proof: stationarity is $(A_k+(1+\kappa)I)f_k = y+\kappa\bar f$; average,
    and solve for $\bar f$.
    """
    penalties = definite(roots)
    students = _fixed_point(penalties, target, kappa)
    one_fit = solved(np.eye(3) + resolvent_average(penalties, kappa), target)
    each = apply(coupled_smoothers(penalties, kappa), target[:, None])
    left = np.concatenate([students.mean(axis=1, keepdims=True), students], 1)
    return left, np.concatenate([one_fit[:, None], each], 1)


def _fixed_point(penalties: Array, target: Array, kappa: Array) -> Array:
    n, count = penalties.shape[:2]
    eye, wide = np.eye(3), kappa[:, None, None]
    system = np.zeros((n, count, 3, count, 3))
    for k, j in product(range(count), repeat=2):
        system[:, k, :, j] = -wide / count * eye
        if j == k:
            system[:, k, :, j] += penalties[:, k] + (1 + wide) * eye
    return solved(system.reshape(n, 3 * count, 3 * count), np.tile(target, count)).reshape(n, count, 3)


@ensemble_is_one_ridge_fit.identity
def two_students_by_hand(two: sp.Expr = TWO) -> sp.Expr:
    a1, a2, kappa, y = sp.symbols("a1 a2 kappa y", positive=True)
    f1, f2 = sp.symbols("f1 f2")
    mean = (f1 + f2) / two
    solved: Any = sp.solve([(a + 1 + kappa) * f - y - kappa * mean for a, f in ((a1, f1), (a2, f2))], [f1, f2])
    average = 1 / ((1 / (a1 + 1 + kappa) + 1 / (a2 + 1 + kappa)) / 2) - 1 - kappa
    return sp.cancel(sp.together((solved[f1] + solved[f2]) / 2 - y / (1 + average)))


FEATURES: dict[str, Any] = dict(features=Reals("C", 3, 2, scale=3), target=Reals(3), ridge=Interval(0.05, 10))


@theorem("G2", given=FEATURES | dict(kappa=Interval(-1, 100)), source=OURS, relation="==", resolution=1.0, **FEW)
def kernel_students_are_stationary(features: Array, target: Array, ridge: Array, kappa: Array) -> Pair:
    r"""With $f_k = \Phi_k\theta_k$ and $R_k = \frac\rho2\|\theta_k\|^2$ the fixed point is $\theta_k =
    \Phi_k^\top a_k$, $a_k = (\rho I+(1+\kappa)K_k)^{-1}(y+\kappa\bar f)$, $K_k = \Phi_k\Phi_k^\top$ of any rank:
    $\rho\theta_k+(1+\kappa)\Phi_k^\top f_k = \Phi_k^\top(y+\kappa\bar f)$.

    At $\kappa=-1$ the ensemble is the ridge fit of the mean kernel (one wide model). Proof: $f_k = K_ka_k$ and
    $(\rho I+(1+\kappa)K_k)a_k = y+\kappa\bar f$; the mean of $f_k$ determines $\bar f$.
    """
    kernels = features @ np.swapaxes(features, -1, -2)
    duals = dual_coefficients(kernels, ridge, target, kappa)
    f, wide = apply(kernels, duals), kappa[:, None, None]
    sides = ridge[:, None, None] * duals + (1 + wide) * f, target[:, None] + wide * uncoupled_mean(f)
    left, right = (apply(np.swapaxes(features, -1, -2), side) for side in sides)
    joint = dual_coefficients(kernels, ridge, target, -1.0)
    mean = kernels.mean(axis=1)
    wide_model = apply(mean, solved(mean + ridge[:, None, None] * np.eye(3), target))
    ensemble = apply(kernels, joint).mean(axis=1, keepdims=True)
    return _stacked(left, ensemble), _stacked(right, wide_model[:, None])


def _stacked(first: Array, second: Array) -> Array:
    return np.concatenate([first.reshape(len(first), -1), second.reshape(len(second), -1)], -1)
