r"""What constant-rate SGD settles into on a quadratic, and near a common optimum of students: noise floor, covariance.

Labels are those of `theory.theorems`. (This project.)
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_discrete_lyapunov

from theory.divergence.arguments import Array, as_order, refuse_where

from .arguments import ROUNDING, check_students, non_negative, symmetric


def noise_floor(eta: ArrayLike, beta: ArrayLike, variance: ArrayLike) -> Array:
    r"""$\frac{\eta\beta\sigma^2}{2-\eta\beta}$: the stationary $E\|\nabla f\|^2$ of SGD on a quadratic of
    curvature beta (E7).

    `variance` is $\sigma^2 = E\|\xi\|^2$ of the gradient noise.

    Raises:
        ValueError: negative arguments, or eta beta >= 2, where the iteration diverges.
    """
    step = non_negative("eta", eta) * non_negative("beta", beta)
    refuse_where(~(step < 2), "eta * beta", step, "be below 2, where SGD on a quadratic still converges")
    return step * non_negative("variance", variance) / (2 - step)


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
    a, c = symmetric("hessian", hessian), symmetric("noise", noise)
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
    check_students(students)
    h, f = symmetric("hessian", hessian), symmetric("fisher", fisher)
    pull = float(as_order(alpha)) * float(non_negative("lam", lam)) * students / (students - 1)
    disagreement: Array = np.eye(students) - np.full((students, students), 1 / students)
    coupled: Any = np.kron(np.eye(students), h) + pull * np.kron(disagreement, f)
    return coupled


def coupled_noise(noise: ArrayLike, students: int, shared: bool) -> Array:
    """Covariance of the K students' stacked gradient noise: equal noise on a shared mini-batch, independent on own
    ones.

    Raises:
        ValueError: fewer than two students, or a noise covariance that isn't symmetric.
    """
    check_students(students)
    pattern = np.ones((students, students)) if shared else np.eye(students)
    stacked: Any = np.kron(pattern, symmetric("noise", noise))
    return stacked
