r"""Descent of mutual-learning students at a constant rate: smoothness, the rates that it allows, and the bound of SGD.

Setting and arguments: see `theory.dynamics`. Labels are those of `theory.theorems`. (This project.)
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.divergence.arguments import Array, as_order, refuse_where

from .arguments import ROUNDING, non_negative


def gradient_bound(jacobian: ArrayLike, lam: ArrayLike) -> Array:
    r"""$G = \sqrt2(1+\lambda)R \ge \|\nabla_\theta L_k\|$, for every mini-batch too (D2).

    Raises:
        ValueError: negative arguments.
    """
    return np.sqrt(2) * (1 + non_negative("lam", lam)) * non_negative("jacobian", jacobian)


def smoothness(jacobian: ArrayLike, curvature: ArrayLike, alpha: ArrayLike, lam: ArrayLike) -> Array:
    r"""$\beta = \frac{R^2}{2}(1+\lambda\max(1,\alpha)) + \sqrt2(1+\lambda)R_2 \ge \|\nabla^2_\theta L_k\|$ (D2, D4).

    Raises:
        ValueError: negative arguments.
    """
    order, weight = as_order(alpha), non_negative("lam", lam)
    bend = non_negative("jacobian", jacobian) ** 2 / 2 * (1 + weight * np.maximum(1, order))
    return bend + np.sqrt(2) * (1 + weight) * non_negative("curvature", curvature)


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
    return sure / (2 * (1 + non_negative("noise_growth", noise_growth)))


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
    beta, kept = smoothness(jacobian, curvature, alpha, lam), non_negative("momentum", momentum)
    refuse_where(beta == 0, "the smoothness constant", beta, "be positive (jacobian and curvature are both 0)")
    refuse_where(~(kept < 1), "momentum", kept, "be below 1")
    return 2 * (1 - kept) / beta, 2 * (1 + kept) / beta


def biased_sgd_bound(
    lost: ArrayLike, eta: ArrayLike, steps: ArrayLike, beta: ArrayLike, variance: ArrayLike, bias: ArrayLike
) -> Array:
    r"""$\frac{2F}{\eta T}+\eta\beta\sigma^2+\zeta^2$, a bound on $\frac1T\sum E\|\nabla f\|^2$ of biased SGD (E5).

    Transient, noise floor and bias; all three are attained by a quadratic at eta beta = 1. `lost` is F = f(start) -
    inf f, `variance` $\sigma^2 = E\|n\|^2$ and `bias` $\zeta^2 = \|b\|^2$ of the oracle grad f + b + n.

    Raises:
        ValueError: negative arguments, or eta beta > 1, for which it does not hold.
    """
    rate, step = non_negative("eta", eta), non_negative("eta", eta) * non_negative("beta", beta)
    refuse_where(~(step <= 1 + ROUNDING), "eta * beta", step, "be at most 1, where the bound holds")
    transient = 2 * non_negative("lost", lost) / (rate * non_negative("steps", steps))
    return transient + step * non_negative("variance", variance) + non_negative("bias", bias)
