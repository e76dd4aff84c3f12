r"""The bounded scope of constant-rate SGD with weight decay, and how fast it forgets where it began.

Setting: K students, $\theta_k^+ = (1-\eta\rho)\theta_k - \eta g_k$, $g_k$ the gradient of any mini-batch of the
mutual-learning loss with detached peers. Arguments shared by the functions, beside those of `theory.dynamics`:

    decay:       rho, the weight decay
    eta:         the learning rate

All of them broadcast. Labels S1 and S2 are those of `theory.theorems`. (This project.)
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.divergence.arguments import Array, as_order, refuse_where

from .arguments import non_negative, positive, times
from .descent import gradient_bound

ROUNDING = 1e-12


def scope_radius(jacobian: ArrayLike, lam: ArrayLike, decay: ArrayLike) -> Array:
    r"""$\frac{\sqrt2(1+\lambda)R}\rho$: the ball that every student ends in, for every order and every stream of
    batches (S1).

    Raises:
        ValueError: negative arguments, or no decay (then there is no such ball).
    """
    rho = positive("decay", decay)
    return gradient_bound(jacobian, lam) / rho


def scope_bound(
    start: ArrayLike, eta: ArrayLike, steps: ArrayLike, jacobian: ArrayLike, lam: ArrayLike, decay: ArrayLike
) -> Array:
    r"""$r + (1-\eta\rho)^t(\|\theta^0\| - r)$, $r$ the scope's radius: a sure bound on $\|\theta_k^t\|$ (S1).

    `start` is $\|\theta_k^0\|$ and `steps` is t. Attained by a gradient of the largest size and constant direction.

    Raises:
        ValueError: negative arguments, no decay, or eta decay > 1, where a step overshoots 0.
    """
    radius, kept = scope_radius(jacobian, lam, decay), 1 - _shrinkage(eta, decay)
    share = kept ** non_negative("steps", steps)
    away = non_negative("start", start)
    with np.errstate(invalid="ignore"):  # where the radius is inf, which the last line knows
        bound = radius + times(share, away - radius)
    return np.where((radius == np.inf) & (share < 1), np.inf, np.where(radius == np.inf, away, bound))[()]


def settling_steps(start: ArrayLike, eta: ArrayLike, jacobian: ArrayLike, lam: ArrayLike, decay: ArrayLike) -> Array:
    r"""The number of steps after which every student stays within twice the scope's radius, for ever:
    $\frac{\log(\|\theta^0\|/r-1)}{-\log(1-\eta\rho)}$, rounded up (S1).

    Raises:
        ValueError: as `scope_bound`, and eta = 0 or a radius of 0 (it would take for ever).
    """
    radius, step = scope_radius(jacobian, lam, decay), _shrinkage(eta, decay)
    refuse_where(step == 0, "eta * decay", step, "be positive: otherwise nothing settles")
    refuse_where(~(radius > 0), "the scope's radius", radius, "be positive (jacobian is 0)")
    outside = np.maximum(non_negative("start", start) / radius - 1, 1.0)
    with np.errstate(divide="ignore"):  # eta decay = 1 forgets the start in one step
        steps = np.log(outside) / -np.log1p(-step)
    return np.ceil(np.where(outside == 1, 0.0, np.maximum(steps, 1.0)))[()]


def pair_expansion(alpha: ArrayLike) -> Array:
    r"""$\mu_\alpha$: the symmetrised Jacobian of a pair's detached updates in logits is at least $-\mu_\alpha$ (S2).

    $\frac18$ at order 1, $\frac12$ at other orders below 2, $\frac{\alpha^2}{8(\alpha-1)}$ from 2 on, 0 at order 0
    (where the divergence is 0). Best at orders 1/2 and 1: students who disagree run apart at most four times faster at
    order 1/2, and at the same $\alpha\lambda$ eight times.

    Raises:
        ValueError: a negative or NaN order.
    """
    order = as_order(alpha)
    with np.errstate(divide="ignore", invalid="ignore"):  # lanes that np.where does not select
        high = np.where(order == np.inf, np.inf, order / 8 * (order / (order - 1)))
    low = np.where(order == 0, 0.0, np.where(order == 1, 0.125, 0.5))
    return np.where(order < 2, low, high)[()]


def pair_norm(alpha: ArrayLike) -> Array:
    r"""$\frac{\max(1,\alpha)+\alpha}2$, a bound on the norm of that Jacobian; attained from order 1 on (S2).

    Raises:
        ValueError: a negative or NaN order.
    """
    order = as_order(alpha)
    return (np.maximum(1, order) + order) / 2


def contraction_modulus(
    jacobian: ArrayLike, curvature: ArrayLike, alpha: ArrayLike, lam: ArrayLike, decay: ArrayLike
) -> Array:
    r"""$m = \rho - \lambda R^2\mu_\alpha - \sqrt2(1+\lambda)R_2$, the strong monotonicity of the coupled field (S2).

    Positive: two copies on the same batches contract, see `contraction_factor`. The condition is demanding, a decay of
    the order of $\lambda R^2/8$ to $\lambda R^2/2$; where m is not positive nothing is promised.

    Raises:
        ValueError: negative arguments.
    """
    weight, reach = non_negative("lam", lam), non_negative("jacobian", jacobian)
    apart = times(weight * reach**2, pair_expansion(alpha))
    bend = np.sqrt(2) * (1 + weight) * non_negative("curvature", curvature)
    return (non_negative("decay", decay) - apart - bend)[()]


def field_lipschitz(
    jacobian: ArrayLike, curvature: ArrayLike, alpha: ArrayLike, lam: ArrayLike, decay: ArrayLike = 0.0
) -> Array:
    r"""$L = \rho + R^2\big(\frac12+\lambda\frac{\max(1,\alpha)+\alpha}2\big) + \sqrt2(1+\lambda)R_2$, the Lipschitz
    constant of the coupled field of all students, peers moving too (S2).

    Raises:
        ValueError: negative arguments.
    """
    weight, reach = non_negative("lam", lam), non_negative("jacobian", jacobian)
    bend = np.sqrt(2) * (1 + weight) * non_negative("curvature", curvature)
    logits = times(reach**2, 0.5 + times(weight, pair_norm(alpha)))
    return (non_negative("decay", decay) + logits + bend)[()]


def contraction_factor(eta: ArrayLike, modulus: ArrayLike, lipschitz: ArrayLike) -> Array:
    r"""$\sqrt{1-2\eta m+\eta^2L^2}$: the factor by which two copies on the same batches approach each other in a step,
    surely, and the chain its stationary law in every Wasserstein distance (S2).

    Raises:
        ValueError: a modulus that is not positive, above L, or a rate that is not below 2m/L^2.
    """
    m, lip, rate = _contracting(eta, modulus, lipschitz)
    refuse_where(~(rate * lip**2 < 2 * m), "eta", rate, "be below 2 modulus/lipschitz^2, where the copies contract")
    return np.sqrt(1 - 2 * rate * m + (rate * lip) ** 2)


def stationary_spread(eta: ArrayLike, modulus: ArrayLike, lipschitz: ArrayLike, variance: ArrayLike) -> Array:
    r"""$\frac{\eta\sigma^2}{m-\eta L^2}$, a bound on the stationary $E\|\theta-\theta^*\|^2$ around the zero $\theta^*$
    of the mean field (S2).

    `variance` is $\sigma^2 = E\|g_B(\theta^*)\|^2$, decay included: the noise where the mean vanishes. The radius of
    the search is its root, $O(\sqrt\eta)$.

    Raises:
        ValueError: as `contraction_factor`, a rate that is not below m/L^2, or a negative variance.
    """
    m, lip, rate = _contracting(eta, modulus, lipschitz)
    refuse_where(~(rate * lip**2 < m), "eta", rate, "be below modulus/lipschitz^2, where the bound holds")
    return rate * non_negative("variance", variance) / (m - rate * lip**2)


def _contracting(eta: ArrayLike, modulus: ArrayLike, lipschitz: ArrayLike) -> tuple[Array, Array, Array]:
    m, lip = positive("modulus", modulus), non_negative("lipschitz", lipschitz)
    refuse_where(~(lip >= m * (1 - ROUNDING)), "lipschitz", lip, "be at least the modulus")
    return m, lip, non_negative("eta", eta)


def _shrinkage(eta: ArrayLike, decay: ArrayLike) -> Array:
    step = non_negative("eta", eta) * positive("decay", decay)
    refuse_where(~(step <= 1 + ROUNDING), "eta * decay", step, "be at most 1: a step beyond overshoots 0")
    return np.minimum(step, 1.0)
