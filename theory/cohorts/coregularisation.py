r"""Mutual learning of squared-error students, solved exactly: what couples students also regularises their ensemble.

Student k of K has a regulariser $\frac12f^\top A_kf$ on its values f at the n training inputs and minimises
$\frac12\|y-f_k\|^2+\frac12f_k^\top A_kf_k+\frac{\mu}{2(K-1)}\sum_{j\ne k}\|f_j-f_k\|^2$ with detached peers, $\mu =
\alpha\lambda$. A kernel student has $A_k=\rho K_k^{-1}$; the functions below take its kernel matrix $K_k$, which may
be singular. Only $\kappa=\mu\frac{K}{K-1}$ matters: -1 is joint training of the ensemble, 0 independent students, inf
one function that all must represent. (Shelf G; resolvent average: Bauschke, Moffat & Wang 2010.)
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.divergence.arguments import Array, as_floats, as_order, refuse_where

ROUNDING = 1e-10


def coupling(alpha: ArrayLike, lam: ArrayLike, students: ArrayLike) -> Array:
    r"""$\kappa = \alpha\lambda\frac{K}{K-1}$, the one parameter of mutual learning near agreement (G1, G2).

    2 alpha lam for two students, alpha lam for many. A negative weight repels (negative correlation learning).
    All arguments broadcast.

    Raises:
        ValueError: an order that is not finite and non-negative, a weight that is not finite, fewer than two students
            or infinitely many.
    """
    order, weight, count = as_order(alpha), as_floats(lam, "lam"), as_floats(students, "students")
    refuse_where(order == np.inf, "alpha", order, "be finite")
    refuse_where(~np.isfinite(weight), "lam", weight, "be finite")
    refuse_where(~(count >= 2), "students", count, "be at least 2")
    refuse_where(count == np.inf, "students", count, "be finite")
    return order * weight * count / (count - 1)


def resolvent_average(penalties: ArrayLike, kappa: ArrayLike) -> Array:
    r"""$A_\kappa = \big[\frac1K\sum_k(A_k+(1+\kappa)I)^{-1}\big]^{-1}-(1+\kappa)I$: the ensemble's regulariser (G2).

    The mean of mutually trained students is the single ridge fit $(I+A_\kappa)^{-1}y$. It rises from the harmonic
    mean of the $A_k$ at kappa = -1 to their arithmetic mean at inf, and keeps its digits at both ends.

    Args:
        penalties: $A_k$, symmetric positive semidefinite (definite at kappa = -1), shape (..., K, n, n).
        kappa: the coupling in [-1, inf], broadcasts against the batch shape.

    Returns:
        Matrices of shape (..., n, n).

    Raises:
        ValueError: penalties that are not such matrices, a coupling below -1 or NaN.
    """
    a, share = as_penalties(penalties), _share(kappa)
    resolvents = _resolvents(a, share)
    average = np.linalg.solve(resolvents.mean(axis=-3), (a @ resolvents).mean(axis=-3))
    return (average + np.swapaxes(average, -1, -2)) / 2


def coupled_smoothers(penalties: ArrayLike, kappa: ArrayLike) -> Array:
    r"""$T_k$ with $f_k = T_ky$: the students' values at the training inputs after mutual learning (G2).

    $T_k = (A_k+(1+\kappa)I)^{-1}(I+\kappa\bar T)$, whose mean is $\bar T = (I+A_\kappa)^{-1}$; all are $\bar T$ at
    kappa = inf. Arguments and errors as `resolvent_average`.

    Returns:
        Matrices of shape (..., K, n, n).
    """
    a = as_penalties(penalties)
    resolvents = _resolvents(a, _share(kappa))
    ensemble = np.linalg.inv(np.eye(a.shape[-1]) + resolvent_average(a, kappa))
    return resolvents @ np.linalg.solve(resolvents.mean(axis=-3), ensemble)[..., None, :, :]


def dual_coefficients(kernels: ArrayLike, ridge: ArrayLike, targets: ArrayLike, kappa: ArrayLike) -> Array:
    r"""$a_k$ with $f_k(x) = k_k(x,X)\,a_k$ for kernel students after mutual learning, at any input x (G2).

    $a_k = G_k(y+\kappa\bar f)$ with $G_k = (\rho I+(1+\kappa)K_k)^{-1}$ and $\bar f = (\sum_k(\rho
    I+K_k)G_k)^{-1}\sum_kK_kG_k\,y$; kernels may have finite rank (random features).

    Args:
        kernels: $K_k$ on the training inputs, symmetric positive semidefinite, shape (..., K, n, n).
        ridge: $\rho > 0$, the weight of $\frac12\|f\|^2$ in the student's own space; broadcasts against the batch.
        targets: y, shape (..., n).
        kappa: the coupling, finite and at least -1; broadcasts against the batch.

    Returns:
        Coefficients of shape (..., K, n).

    Raises:
        ValueError: kernels that are not such matrices, a ridge that is not positive, a coupling out of range.
    """
    k, rho, c = as_penalties(kernels, "kernels"), _positive_ridge(ridge), _finite_coupling(kappa)
    y, eye = as_floats(targets, "targets"), np.eye(k.shape[-1])
    own = _matrix(rho) * eye
    duals = np.linalg.inv(own + _matrix(1 + c) * k)
    fit = (k @ duals).mean(axis=-3) @ y[..., None]
    ensemble = np.linalg.solve(((own + k) @ duals).mean(axis=-3), fit)
    pulled = y[..., None] + c[..., None, None] * ensemble
    return (duals @ pulled[..., None, :, :])[..., 0]


def first_order_duals(kernels: ArrayLike, ridge: ArrayLike, targets: ArrayLike) -> Array:
    r"""$(K_k+\rho I)^{-1}[\bar f-f_k](X)$: dual coefficients of $\frac{df_k}{d\kappa}$ at 0 (first-order law, G3).

    So $\frac{df_k(x)}{d\kappa} = k_k(x,X)(K_k+\rho I)^{-1}[\bar f-f_k](X)$: a student fits the disagreement on the
    training set with its own smoother. Independent students suffice to evaluate it. Arguments and errors as
    `dual_coefficients`.

    Returns:
        Coefficients of shape (..., K, n).
    """
    k, rho = as_penalties(kernels, "kernels"), _positive_ridge(ridge)
    alone = dual_coefficients(k, rho, targets, 0.0)
    values = (k @ alone[..., None])[..., 0]
    disagreement = values.mean(axis=-2, keepdims=True) - values
    return np.linalg.solve(k + _matrix(rho) * np.eye(k.shape[-1]), disagreement[..., None])[..., 0]


def first_order_effect(risk_gradient: ArrayLike, hessian: ArrayLike, mutual_gradient: ArrayLike) -> Array:
    r"""$\frac{d\,\mathrm{Risk}}{d\lambda}\big|_0 = -\nabla\mathrm{Risk}^\top H_k^{-1}\nabla\bar D$ for smooth students
    (G3).

    Negative: a small weight lowers the risk. The three are taken at the independent student: the risk's gradient (on
    held-out data, say), the Hessian of the training loss, and the gradient of the mean divergence
    $\frac1{K-1}\sum_jD_\alpha(p_j\|p_k)$ on the training set in $\theta_k$, peers detached.

    Args:
        risk_gradient, mutual_gradient: shape (..., d).
        hessian: symmetric positive definite, shape (..., d, d).

    Returns:
        The derivative, shape (...).

    Raises:
        ValueError: a Hessian that is not symmetric positive definite.
    """
    h = as_penalties(hessian, "hessian")
    least = _least_eigenvalue(h)
    refuse_where(~(least > 0), "the least eigenvalue of hessian", least, "be positive")
    move = np.linalg.solve(h, as_floats(mutual_gradient, "mutual_gradient")[..., None])[..., 0]
    return -(as_floats(risk_gradient, "risk_gradient") * move).sum(axis=-1)


def as_penalties(matrices: ArrayLike, name: str = "penalties") -> Array:
    """Symmetric positive semidefinite matrices in the two last axes, symmetrised to the last bit.

    Raises:
        ValueError: not square, not finite, asymmetric beyond 1e-10 of the largest entry, or an eigenvalue below -1e-10
        of the largest one.
    """
    a = as_floats(matrices, name)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"{name} must be square matrices in the two last axes, got shape {a.shape}")
    refuse_where(~np.isfinite(a), name, a, "be finite")
    size = np.abs(a).max(axis=(-1, -2))
    skew = np.abs(a - np.swapaxes(a, -1, -2)).max(axis=(-1, -2))
    refuse_where(skew > ROUNDING * size, f"the asymmetry of {name}", skew, "vanish")
    symmetric = (a + np.swapaxes(a, -1, -2)) / 2
    least = _least_eigenvalue(symmetric)
    refuse_where(least < -ROUNDING * size, f"the least eigenvalue of {name}", least, "be non-negative")
    return symmetric


def as_coupling(kappa: ArrayLike) -> Array:
    """The coupling(s) as float64; refuses NaN and values below -1, where the students' game has no minimum."""
    value = as_floats(kappa, "kappa")
    refuse_where(~(value >= -1), "kappa", value, "be in [-1, inf]")
    return value


def _share(kappa: ArrayLike) -> Array:
    """c/(1+c) for c = 1 + kappa: 0 at -1 and 1 at inf, so that no formula below has a special case."""
    c = 1 + as_coupling(kappa)
    with np.errstate(invalid="ignore"):
        return _matrix(np.where(c == np.inf, 1.0, c / (1 + c)))


def _resolvents(a: Array, share: Array) -> Array:
    """(1+c)(A_k + c)^{-1}, finite for every c in [0, inf]; refuses singular penalties at c = 0."""
    if (share == 0).any():
        least = _least_eigenvalue(a)
        refuse_where(~(least > 0), "the least eigenvalue of penalties", least, "be positive at kappa = -1")
    return np.asarray(np.linalg.inv(share * np.eye(a.shape[-1]) + (1 - share) * a), np.float64)


def _least_eigenvalue(a: Array) -> Array:
    return np.asarray(np.linalg.eigvalsh(a)[..., 0], np.float64)


def _matrix(values: Array) -> Array:
    return np.asarray(values, np.float64)[..., None, None, None]


def _positive_ridge(ridge: ArrayLike) -> Array:
    rho = as_floats(ridge, "ridge")
    refuse_where(~((rho > 0) & (rho < np.inf)), "ridge", rho, "be positive and finite")
    return rho


def _finite_coupling(kappa: ArrayLike) -> Array:
    c = as_coupling(kappa)
    refuse_where(c == np.inf, "kappa", c, "be finite")
    return c
