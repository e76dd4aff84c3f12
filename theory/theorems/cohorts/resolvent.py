r"""Shelf G2, continued: the resolvent average $A_\kappa$ rises with the coupling, and the ensemble's capacity falls."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np

from theory.cohorts.coregularisation import coupled_smoothers, resolvent_average
from theory.divergence.arguments import Array
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair, dot

from .ensembles import EVERY_COUPLING, FEW, RESOLVENT, ROOTS, SIGNS, SOME, apply, definite, uncoupled_mean

RISE: dict[str, Any] = dict(roots=ROOTS, kappa=Interval(-1, 100), more=Interval(0))


def _largest_ratio(smaller: Array, larger: Array) -> Array:
    """The largest eigenvalue of larger^(-1/2) smaller larger^(-1/2): at most 1 iff smaller <= larger as matrices."""
    root = np.linalg.cholesky(larger)
    half = np.linalg.solve(root, smaller)
    return np.asarray(np.linalg.eigvalsh(np.linalg.solve(root, np.swapaxes(half, -1, -2)))[..., -1], np.float64)


@theorem("G2", given=RISE, source=RESOLVENT, tight=lambda t: dict(roots=SOME, kappa=1.0, more=t), **FEW)
def regulariser_rises_with_the_coupling(roots: Array, kappa: Array, more: Array) -> Pair:
    r"""$A_\kappa \preceq A_{\kappa'}$ for $-1\le\kappa\le\kappa'\le\infty$: the largest eigenvalue of
    $A_{\kappa'}^{-1/2}A_\kappa A_{\kappa'}^{-1/2}$ is at most 1.

    Drawn as $\kappa' = \kappa+\mathrm{more}$. Proof: $f^\top A_\kappa f$ is twice the proximal average (below), the
    minimum of an objective that rises with $\kappa$.
    """
    penalties = definite(roots)
    ratio = _largest_ratio(resolvent_average(penalties, kappa), resolvent_average(penalties, kappa + more))
    return ratio, np.ones_like(ratio)


def _nearly_joint(t: float) -> dict[str, Any]:
    return dict(roots=SOME, kappa=t**2 - 1)


def _nearly_one_function(t: float) -> dict[str, Any]:
    return dict(roots=SOME, kappa=t**-2)


@theorem("G2", given=dict(roots=ROOTS, kappa=EVERY_COUPLING), source=RESOLVENT, tight=_nearly_joint, **FEW)
def regulariser_is_at_least_the_harmonic_mean(roots: Array, kappa: Array) -> Pair:
    r"""$(\frac1K\sum_kA_k^{-1})^{-1} \preceq A_\kappa$ for $\kappa\ge-1$ (largest relative eigenvalue), with equality
    at -1.

    Proof: the limit of the theorem above; $\kappa=-1$ leaves the infimal convolution of the $R_k$, which is joint
    training of one wide model.
    """
    penalties = definite(roots)
    harmonic = np.linalg.inv(np.linalg.inv(penalties).mean(axis=1))
    ratio = _largest_ratio((harmonic + np.swapaxes(harmonic, -1, -2)) / 2, resolvent_average(penalties, kappa))
    return ratio, np.ones_like(ratio)


@theorem("G2", given=dict(roots=ROOTS, kappa=EVERY_COUPLING), source=RESOLVENT, tight=_nearly_one_function, **FEW)
def regulariser_is_at_most_the_arithmetic_mean(roots: Array, kappa: Array) -> Pair:
    r"""$A_\kappa \preceq \frac1K\sum_kA_k$ for $\kappa\ge-1$ (largest relative eigenvalue), with equality as
    $\kappa\to\infty$.

    Proof: take all $f_k = f$ in the proximal average: one function that all students must represent.
    """
    penalties = definite(roots)
    ratio = _largest_ratio(resolvent_average(penalties, kappa), penalties.mean(axis=1))
    return ratio, np.ones_like(ratio)


def _at_the_minimiser(t: float) -> dict[str, Any]:
    penalties, ensemble = definite(SOME), np.array([1.0, -2.0, 0.5])
    pull = (resolvent_average(penalties, 2.0) + 3 * np.eye(3)) @ ensemble
    best = np.linalg.solve(penalties + 3 * np.eye(3), pull)
    return dict(roots=SOME, students=best + t * np.array([[1.0, 2, 0], [-1, -2, 0]]), kappa=2.0)


@theorem("G2", given=dict(roots=ROOTS, students=Reals("C", 3, scale=3), kappa=Interval(-1, 1e3)), source=RESOLVENT,
         resolution=1e-6, tight=_at_the_minimiser, **FEW)  # fmt: skip
def regulariser_is_the_proximal_average(roots: Array, students: Array, kappa: Array) -> Pair:
    r"""$\frac12\bar f^\top A_\kappa\bar f \le \frac1K\sum_k[\frac12f_k^\top A_kf_k+\frac{1+\kappa}2\|f_k-\bar f\|^2]$
    for all students, with equality for the best ones of that mean.

    So the ensemble minimises $\frac12\|y-f\|^2+R_\kappa(f)$, $R_\kappa$ the proximal average: the least right side at
    mean f; for any $R_k$ (of a network, $\min\{\frac\rho2\|\theta\|^2:f_\theta=f\}$) it rises with $\kappa$ as the
    objective does. Proof: with multiplier g the minimiser is $f_k = (A_k+(1+\kappa)I)^{-1}g$, $g =
    (A_\kappa+(1+\kappa)I)\bar f$; insert.
    """
    penalties, mean = definite(roots), uncoupled_mean(students)
    own = dot(students, apply(penalties, students)) / 2
    spread = (1 + kappa)[:, None] / 2 * dot(students - mean, students - mean)
    average = resolvent_average(penalties, kappa)
    return dot(mean[:, 0], apply(average, mean[:, 0])) / 2, (own + spread).mean(axis=-1)


@theorem("G2", given=RISE | dict(target=Reals(3)), source=OURS, resolution=1e-6,
         tight=lambda t: dict(roots=SOME, kappa=1.0, more=t, target=np.array([1.0, -2.0, 0.5])), **FEW)  # fmt: skip
def disagreement_falls_with_the_coupling(roots: Array, kappa: Array, more: Array, target: Array) -> Pair:
    r"""$\sum_k\|f_k-\bar f\|^2$ after mutual learning is nonincreasing in $\kappa\ge-1$ (for any students that minimise
    $\Phi$).

    Proof: $\Phi = G+\frac\kappa2P$ with P the sum; add the two inequalities that the minimisers at $\kappa$ and
    $\kappa'$ are better than each other.
    """
    penalties = definite(roots)
    left, right = (_spread(penalties, target, c) for c in (kappa + more, kappa))
    return left, right


def _spread(penalties: Array, target: Array, kappa: Array) -> Array:
    students = apply(coupled_smoothers(penalties, kappa), target[:, None])
    return ((students - uncoupled_mean(students)) ** 2).sum(axis=(-1, -2))


@theorem("G2", given=RISE, source=OURS, tight=lambda t: dict(roots=SOME, kappa=0.0, more=t), **FEW)
def capacity_falls_with_the_coupling(roots: Array, kappa: Array, more: Array) -> Pair:
    r"""The ensemble's degrees of freedom $\mathrm{tr}(I+A_\kappa)^{-1}$ and the Rademacher complexity
    $\frac rnE\sqrt{\epsilon^\top A_\kappa^{-1}\epsilon} \le \frac rn\sqrt{\mathrm{tr}A_\kappa^{-1}}$ of the ball
    $f^\top A_\kappa f\le r^2$ are nonincreasing in $\kappa$.

    Proof: $A\mapsto A^{-1}$ reverses the order of $A_\kappa\preceq A_{\kappa'}$; Jensen.
    """
    penalties = definite(roots)
    weak, strong = (resolvent_average(penalties, c) for c in (kappa, kappa + more))
    eye = np.eye(3)
    freedom = [np.trace(np.linalg.inv(eye + a), axis1=-2, axis2=-1) for a in (strong, weak)]
    inverse = [np.linalg.inv(a) for a in (strong, weak)]
    complexity = [np.sqrt(np.einsum("si,nij,sj->ns", SIGNS, a, SIGNS)).mean(axis=-1) for a in inverse]
    jensen = np.sqrt(np.trace(inverse[1], axis1=-2, axis2=-1))
    return np.stack([freedom[0], *complexity], -1), np.stack([freedom[1], complexity[1], jensen], -1)


@theorem("G2", given=dict(roots=ROOTS, ridge=Interval(0.05, 10)), source=OURS, relation="==", resolution=1e-3, **FEW)
def ensembles_add_kernels_and_mutual_learning_intersects_them(roots: Array, ridge: Array) -> Pair:
    r"""Seen as a kernel, $\rho A_\kappa^{-1}$ goes from the mean $\frac1K\sum K_k$ at $\kappa=-1$ to the harmonic mean
    $(\frac1K\sum K_k^{-1})^{-1}$ (parallel sum) at $\infty$, for $A_k = \rho K_k^{-1}$.

    Proof: the two ends above, inverted.
    """
    kernels, wide = definite(roots), ridge[:, None, None, None]
    inverse = np.linalg.inv(kernels)
    penalties = wide * (inverse + np.swapaxes(inverse, -1, -2)) / 2
    ends = [wide[:, 0] * np.linalg.inv(resolvent_average(penalties, c)) for c in (-1.0, np.inf)]
    return np.stack(ends, 1), np.stack([kernels.mean(axis=1), np.linalg.inv(inverse.mean(axis=1))], 1)
