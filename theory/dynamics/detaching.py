r"""What detaching the peers drops from a student's gradient, and the bias of order 1 that this can leave.

Setting and arguments: see `theory.dynamics`. Labels are those of `theory.theorems`. (This project.)
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.divergence.arguments import Array, as_order, refuse_where

from .arguments import non_negative, times


def dropped_gradient_bound(alpha: ArrayLike, osc: ArrayLike = np.inf) -> Array:
    r"""$\tau = \frac{\alpha}{|1-\alpha|}\tanh\frac{|1-\alpha|\,\mathrm{osc}}{4}$, at order 1 osc/4 (D5).

    Half the largest 1-norm of the gradient in the peer's logits, which detaching drops.

    Raises:
        ValueError: a negative or NaN order or oscillation.
    """
    order, width = as_order(alpha), non_negative("osc", osc)
    gap = np.abs(1 - order)
    with np.errstate(invalid="ignore", divide="ignore"):  # lanes that np.where does not select
        steep = np.where(gap == np.inf, 1.0, order / gap) * np.tanh(gap * width / 4)
        steep = np.where(width == 0, 0.0, steep)
        return np.where(gap == 0, width / 4, np.minimum(steep, order * width / 4))[()]


def peer_smoothness(jacobian: ArrayLike, curvature: ArrayLike, alpha: ArrayLike, osc: ArrayLike = np.inf) -> Array:
    r"""$\beta_{jj} = R^2\|D_{yy}\| + \sqrt2\tau R_2$, a bound on $\|\nabla^2_{\theta_j}D_\alpha(p_j\|p_k)\|$.

    $\|D_{yy}\| = \frac{\alpha}{|1-\alpha|}\|J_p-\alpha J_w\| \le \min\big(\frac{\alpha\max(1,\alpha)}{2|1-\alpha|},
    \frac\alpha2(1+\alpha\,\mathrm{osc})\big)$: the first since both covariances lie in [0, 1/2]; the second since
    $J_p-\alpha J_w = (1-\alpha)J_p + \alpha(J_p-J_w)$ and $J$ changes along the path from p to w by at most
    $|1-\alpha|\,\mathrm{osc}/2$. inf where neither is finite (order 1 without osc).

    Raises:
        ValueError: negative arguments.
    """
    order, width = as_order(alpha), non_negative("osc", osc)
    with np.errstate(divide="ignore", invalid="ignore"):
        off_one = np.where(np.isin(order, (1, np.inf)), np.inf, order * np.maximum(1, order) / (2 * np.abs(1 - order)))
    near_one = order / 2 * (1 + times(order, width))
    bend = times(non_negative("jacobian", jacobian) ** 2, np.minimum(off_one, near_one))
    return bend + np.sqrt(2) * times(non_negative("curvature", curvature), dropped_gradient_bound(order, width))


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
    order, width = as_order(alpha), non_negative("osc", osc)
    squared = 2 * dropped_gradient_bound(order, width) ** 2
    if divergence is not None:
        value = non_negative("divergence", divergence)
        refuse_where(value > width, "divergence", value, "be at most osc, since D_alpha <= max log(p/q)")
        squared = np.minimum(squared, _self_bounding(order, width, value))
    return times(non_negative("jacobian", jacobian) ** 2, squared)


def _self_bounding(order: Array, width: Array, value: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        below, above = order / (1 - order), np.where(order == np.inf, np.inf, order**2 / (order - 1))
        factor = np.where(order < 1, below, np.where(order == 1, 1 + width / 2, above))
        return np.where(value == 0, 0.0, factor * value)


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
    order, weight = as_order(alpha), non_negative("lam", lam)
    none = (order == 0.5) | (order == 0) | (weight == 0)
    bias = times(weight**2, squared_dropped_gradient(order, jacobian, osc, divergence))
    return np.where(none, 0.0, bias)[()]
