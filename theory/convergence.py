r"""Constants of constant-rate SGD on mutual-learning students, from bounds on their Jacobians.

Setting: K students with logits $z_k(\theta_k,x)$; student k minimises $E_x[\mathrm{CE} + \frac{\lambda}{K-1}\sum_{j\ne
k} D_\alpha(p_j\|p_k)]$ with detached peers. The arguments shared by the functions below:

    jacobian:    R, a bound on the spectral norm of dz/dtheta
    curvature:   R2, a bound on the norm of the second derivative of z in theta (0 for linear students)
    alpha, lam:  the order and the weight
    osc:         a bound on max l - min l, l = log(p_j/p_k); inf if none is known

All of them broadcast. Labels E1..E7 are those of `theory.theorems`. (This project.)
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_discrete_lyapunov

from theory.divergence.arguments import Array, as_order, refuse_where

ROUNDING = 1e-10


def dropped_gradient_bound(alpha: ArrayLike, osc: ArrayLike = np.inf) -> Array:
    r"""$\tau = \frac{\alpha}{|1-\alpha|}\tanh\frac{|1-\alpha|\,\mathrm{osc}}{4}$, at order 1 osc/4 (D5).

    Half the largest 1-norm of the gradient in the peer's logits, which detaching drops.

    Raises:
        ValueError: a negative or NaN order or oscillation.
    """
    order, width = as_order(alpha), _non_negative("osc", osc)
    gap = np.abs(1 - order)
    with np.errstate(invalid="ignore", divide="ignore"):  # lanes that np.where does not select
        steep = np.where(gap == np.inf, 1.0, order / gap) * np.tanh(gap * width / 4)
        steep = np.where(width == 0, 0.0, steep)
        return np.where(gap == 0, width / 4, np.minimum(steep, order * width / 4))[()]


def gradient_bound(jacobian: ArrayLike, lam: ArrayLike) -> Array:
    r"""$G = \sqrt2(1+\lambda)R \ge \|\nabla_\theta L_k\|$, for every mini-batch too (D2).

    Raises:
        ValueError: negative arguments.
    """
    return np.sqrt(2) * (1 + _non_negative("lam", lam)) * _non_negative("jacobian", jacobian)


def smoothness(jacobian: ArrayLike, curvature: ArrayLike, alpha: ArrayLike, lam: ArrayLike) -> Array:
    r"""$\beta = \frac{R^2}{2}(1+\lambda\max(1,\alpha)) + \sqrt2(1+\lambda)R_2 \ge \|\nabla^2_\theta L_k\|$ (D2, D4).

    Raises:
        ValueError: negative arguments.
    """
    order, weight = as_order(alpha), _non_negative("lam", lam)
    bend = _non_negative("jacobian", jacobian) ** 2 / 2 * (1 + weight * np.maximum(1, order))
    return bend + np.sqrt(2) * (1 + weight) * _non_negative("curvature", curvature)


def peer_smoothness(jacobian: ArrayLike, curvature: ArrayLike, alpha: ArrayLike, osc: ArrayLike = np.inf) -> Array:
    r"""$\beta_{jj} = R^2\|D_{yy}\| + \sqrt2\tau R_2$, a bound on $\|\nabla^2_{\theta_j}D_\alpha(p_j\|p_k)\|$.

    $\|D_{yy}\| = \frac{\alpha}{|1-\alpha|}\|J_p-\alpha J_w\| \le \min\big(\frac{\alpha\max(1,\alpha)}{2|1-\alpha|},
    \frac\alpha2(1+\alpha\,\mathrm{osc})\big)$: the first since both covariances lie in [0, 1/2]; the second since
    $J_p-\alpha J_w = (1-\alpha)J_p + \alpha(J_p-J_w)$ and $J$ changes along the path from p to w by at most
    $|1-\alpha|\,\mathrm{osc}/2$. inf where neither is finite (order 1 without osc).

    Raises:
        ValueError: negative arguments.
    """
    order, width = as_order(alpha), _non_negative("osc", osc)
    with np.errstate(divide="ignore", invalid="ignore"):
        off_one = np.where(np.isin(order, (1, np.inf)), np.inf, order * np.maximum(1, order) / (2 * np.abs(1 - order)))
    near_one = order / 2 * (1 + _times(order, width))
    bend = _times(_non_negative("jacobian", jacobian) ** 2, np.minimum(off_one, near_one))
    return bend + np.sqrt(2) * _times(_non_negative("curvature", curvature), dropped_gradient_bound(order, width))


def max_learning_rate(
    jacobian: ArrayLike,
    curvature: ArrayLike,
    alpha: ArrayLike,
    lam: ArrayLike,
    noise_growth: ArrayLike = 0.0,
    momentum: ArrayLike = 0.0,
) -> Array:
    r"""$\frac{1-m}{(M+1)\beta}$: without momentum m the largest rate for which E1-E5 hold, M the growth of the noise.

    Below order 1 the *weight* sets the rate, not $\mu = \alpha\lambda$: $\beta \propto 1+\lambda\max(1,\alpha)$ is
    $1+\mu/\alpha$ there, since a student that is unsure beside a sure peer feels the whole $\lambda$ (E1). At one $\mu$
    a low order needs a smaller rate. With momentum it is half the rate up to which the energy falls surely, see
    `stability_limits`. E2 and E3 account for peers that move.

    Raises:
        ValueError: negative arguments, a momentum outside [0, 1), or students that don't depend on their parameters
            (beta = 0).
    """
    sure, _ = stability_limits(jacobian, curvature, alpha, lam, momentum)
    return sure / (2 * (1 + _non_negative("noise_growth", noise_growth)))


def stability_limits(
    jacobian: ArrayLike, curvature: ArrayLike, alpha: ArrayLike, lam: ArrayLike, momentum: ArrayLike = 0.0
) -> tuple[Array, Array]:
    r"""$\frac{2(1-m)}\beta$ and $\frac{2(1+m)}\beta$: where a student's training beside fixed peers may become
    unstable.

    Below the first $L_k+\frac m{2\eta}\|\theta^t-\theta^{t-1}\|^2$ falls in every full-batch step (E1, heavy ball
    $\theta^+ = \theta-\eta\nabla L_k+m(\theta-\theta^-)$). Beyond the second the iteration diverges where the curvature
    is $\beta$, so long as it stays there. Between them it depends on how the curvature changes along the way. To
    estimate a threshold put the root of twice the sharpness of cross-entropy for `jacobian` and 0 for `curvature`.

    Raises:
        ValueError: as `max_learning_rate`.
    """
    beta, kept = smoothness(jacobian, curvature, alpha, lam), _non_negative("momentum", momentum)
    refuse_where(beta == 0, "the smoothness constant", beta, "be positive (jacobian and curvature are both 0)")
    refuse_where(~(kept < 1), "momentum", kept, "be below 1")
    return 2 * (1 - kept) / beta, 2 * (1 + kept) / beta


def squared_dropped_gradient(
    alpha: ArrayLike, jacobian: ArrayLike, osc: ArrayLike = np.inf, divergence: ArrayLike | None = None
) -> Array:
    r"""A bound $R^2\min(2\tau^2, \kappa D)$ on $\gamma^2$, the mean of $\|\nabla_{\theta_j}D_\alpha(p_j\|p_k)\|^2$
    (D5).

    $\kappa D$ is used when `divergence`, the mean of $D_\alpha(p_j\|p_k)$ over time, pairs and inputs, is given:
    $\kappa = \frac{\alpha}{1-\alpha}$ below order 1, $1+\mathrm{osc}/2$ at 1, $\frac{\alpha^2}{\alpha-1}$ above (D5).

    Raises:
        ValueError: negative arguments, or a divergence above osc, which no distributions have.
    """
    order, width = as_order(alpha), _non_negative("osc", osc)
    squared = 2 * dropped_gradient_bound(order, width) ** 2
    if divergence is not None:
        value = _non_negative("divergence", divergence)
        refuse_where(value > width, "divergence", value, "be at most osc, since D_alpha <= max log(p/q)")
        squared = np.minimum(squared, _self_bounding(order, width, value))
    return _times(_non_negative("jacobian", jacobian) ** 2, squared)


def bias_bound(
    alpha: ArrayLike,
    lam: ArrayLike,
    jacobian: ArrayLike,
    osc: ArrayLike = np.inf,
    divergence: ArrayLike | None = None,
) -> Array:
    r"""The O(1) part $\lambda^2\gamma^2$ of the averaged squared gradient, which survives eta -> 0 and T -> inf (E3).

    It is of second order in the weight and vanishes as the students agree (give their mean `divergence`). At order 1/2
    and at 0 there is no bias at all: 0 (E4). Arguments as `squared_dropped_gradient`.

    Raises:
        ValueError: as `squared_dropped_gradient`, and a negative weight.
    """
    order, weight = as_order(alpha), _non_negative("lam", lam)
    none = (order == 0.5) | (order == 0) | (weight == 0)
    bias = _times(weight**2, squared_dropped_gradient(order, jacobian, osc, divergence))
    return np.where(none, 0.0, bias)[()]


def _self_bounding(order: Array, width: Array, value: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        below, above = order / (1 - order), order**2 / (order - 1)
        factor = np.where(order < 1, below, np.where(order == 1, 1 + width / 2, above))
        return np.where(value == 0, 0.0, factor * value)


def noise_floor(eta: ArrayLike, beta: ArrayLike, variance: ArrayLike) -> Array:
    r"""$\frac{\eta\beta\sigma^2}{2-\eta\beta}$: the stationary $E\|\nabla f\|^2$ of SGD on a quadratic of
    curvature beta (E7).

    `variance` is $\sigma^2 = E\|\xi\|^2$ of the gradient noise.

    Raises:
        ValueError: negative arguments, or eta beta >= 2, where the iteration diverges.
    """
    step = _non_negative("eta", eta) * _non_negative("beta", beta)
    refuse_where(~(step < 2), "eta * beta", step, "be below 2, where SGD on a quadratic still converges")
    return step * _non_negative("variance", variance) / (2 - step)


def biased_sgd_bound(
    lost: ArrayLike, eta: ArrayLike, steps: ArrayLike, beta: ArrayLike, variance: ArrayLike, bias: ArrayLike
) -> Array:
    r"""$\frac{2F}{\eta T}+\eta\beta\sigma^2+\zeta^2$, a bound on $\frac1T\sum E\|\nabla f\|^2$ of biased SGD (E5).

    Transient, noise floor and bias; all three are attained by a quadratic at eta beta = 1. `lost` is F = f(start) -
    inf f, `variance` $\sigma^2 = E\|n\|^2$ and `bias` $\zeta^2 = \|b\|^2$ of the oracle grad f + b + n.

    Raises:
        ValueError: negative arguments, or eta beta > 1, for which it does not hold.
    """
    rate, step = _non_negative("eta", eta), _non_negative("eta", eta) * _non_negative("beta", beta)
    refuse_where(~(step <= 1 + ROUNDING), "eta * beta", step, "be at most 1, where the bound holds")
    transient = 2 * _non_negative("lost", lost) / (rate * _non_negative("steps", steps))
    return transient + step * _non_negative("variance", variance) + _non_negative("bias", bias)


def stationary_covariance(hessian: ArrayLike, noise: ArrayLike, eta: float) -> Array:
    r"""S with $AS + SA - \eta ASA = \eta C$: the stationary covariance of $\theta^+ = \theta - \eta(A\theta+\xi)$,
    exact (E7).

    The discrete Lyapunov equation $S = (I-\eta A)S(I-\eta A) + \eta^2C$.

    Args:
        hessian: A, symmetric positive definite, shape (d, d).
        noise: C, the covariance of the gradient noise, symmetric positive semidefinite, shape (d, d).
        eta: the learning rate, below 2 / largest eigenvalue of A.

    Raises:
        ValueError: shapes, symmetry or definiteness are wrong, or the rate diverges.
    """
    a, c = _symmetric("hessian", hessian), _symmetric("noise", noise)
    if a.shape != c.shape:
        raise ValueError(f"hessian and noise must have the same shape, got {a.shape} and {c.shape}")
    values, spread = np.linalg.eigvalsh(a), np.linalg.eigvalsh(c)
    if values[0] <= 0:
        raise ValueError(f"hessian must be positive definite, got the eigenvalue {values[0]!s}")
    if spread[0] < -ROUNDING * max(spread[-1], 0.0):
        raise ValueError(f"noise must be positive semidefinite, got the eigenvalue {spread[0]!s}")
    if not 0 < eta * values[-1] < 2:
        raise ValueError(f"eta must lie in (0, 2/{values[-1]:g}), where the iteration is stable, got {eta}")
    return solve_discrete_lyapunov(np.eye(len(a)) - eta * a, eta**2 * c)


def coupled_hessian(hessian: ArrayLike, fisher: ArrayLike, alpha: float, lam: float, students: int) -> Array:
    r"""$I\otimes H + \frac{\lambda\alpha K}{K-1}(I-\frac1K 11^\top)\otimes F$ of K students near agreement (E7).

    H is the Hessian of one student's cross-entropy and F its Fisher matrix, both of shape (d, d); the result has shape
    (K d, K d). The order acts on the K-1 disagreement modes only.

    Raises:
        ValueError: fewer than two students, wrong shapes, negative order or weight.
    """
    if students < 2:
        raise ValueError(f"students must be at least 2, got {students}")
    h, f = _symmetric("hessian", hessian), _symmetric("fisher", fisher)
    pull = float(as_order(alpha)) * float(_non_negative("lam", lam)) * students / (students - 1)
    disagreement: Array = np.eye(students) - np.full((students, students), 1 / students)
    coupled: Any = np.kron(np.eye(students), h) + pull * np.kron(disagreement, f)
    return coupled


def coupled_noise(noise: ArrayLike, students: int, shared: bool) -> Array:
    """Covariance of the K students' stacked gradient noise: equal noise on a shared mini-batch, independent on own
    ones.

    Raises:
        ValueError: fewer than two students, or a noise covariance that isn't symmetric.
    """
    if students < 2:
        raise ValueError(f"students must be at least 2, got {students}")
    pattern = np.ones((students, students)) if shared else np.eye(students)
    stacked: Any = np.kron(pattern, _symmetric("noise", noise))
    return stacked


def _times(factor: Array, bound: Array) -> Array:
    """The product, 0 where either is: what does not move has no curvature, whatever the bound."""
    with np.errstate(invalid="ignore"):
        return np.where((factor == 0) | (bound == 0), 0.0, factor * bound)[()]


def _non_negative(name: str, value: ArrayLike) -> Array:
    number = np.asarray(value, np.float64)
    refuse_where(~(number >= 0), name, number, "be non-negative")
    return number


def _symmetric(name: str, matrix: ArrayLike) -> Array:
    m = np.asarray(matrix, np.float64)
    if m.ndim != 2 or m.shape[0] != m.shape[1] or not np.isfinite(m).all():
        raise ValueError(f"{name} must be a finite square matrix, got shape {m.shape}")
    if np.abs(m - m.T).max() > ROUNDING * max(np.abs(m).max(), 1e-300):
        raise ValueError(f"{name} must be symmetric, got entries that differ by {np.abs(m - m.T).max():g}")
    return (m + m.T) / 2
