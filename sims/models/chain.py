r"""SGD with Gaussian noise in one or two coordinates as a Markov chain: exact laws at a finite learning rate.

A step from x is $N(x-\eta g(x), s^2)$, a smooth kernel: quadrature finds what the chain does to about ten digits.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigs
from scipy.special import ndtr

Matrix = NDArray[np.float64]
Gradient = Callable[[Matrix], Matrix]
LOW, HIGH = -2.5, 2.5  # beyond them the wells are so steep that the density is negligible
GAUSS = 3.0  # nodes of Gauss and Legendre's rule in a standard deviation of a step


def escape_time(gradient: Gradient, eta: float, spread: float, steps: int) -> float:
    r"""Time to go from -1 to 1 or beyond: time at risk in so many steps over the chance of escape in them.

    $\eta\sum_{n<N}P(\tau>n)/P(\tau<N)$, with $P(\tau>n)$ from powers of the transition operator on $x<1$.
    """
    nodes, weights = np.polynomial.legendre.leggauss(math.ceil(GAUSS * (1 - LOW) / spread))
    points, weights = LOW + (1 - LOW) * (nodes + 1) / 2, (1 - LOW) / 2 * weights
    start = np.array([-1.0])
    first, move = (weights * _density(points, at - eta * gradient(at), spread) for at in (start, points))
    ones = np.ones(len(points))
    alive = np.linalg.matrix_power(move, steps - 2) @ ones
    total = np.linalg.solve(np.eye(len(points)) - move, ones - alive)  # the sum of all lower powers
    return float(eta * (1 + first[0] @ total) / (1 - first[0] @ alive))


def same_well(gradient: Gradient, eta: float, spread: float) -> float:
    """The stationary probability that two coordinates have the same sign; steps of both are independent.

    The trapezoidal rule on a lattice as wide as a step's standard deviation errs by 2 exp(-2 pi^2) of the density.
    """
    points = np.linspace(LOW, HIGH, math.ceil((HIGH - LOW) / spread) + 1)
    states = np.stack(np.meshgrid(points, points, indexing="ij"), axis=-1).reshape(-1, 2)
    centres = states - eta * gradient(states)
    first, second = ((points[1] - points[0]) * _density(points, centres[:, k], spread) for k in (0, 1))

    def step(law: Matrix) -> Matrix:
        return ((first * law.reshape(-1, 1)).T @ second).reshape(-1)

    operator: Any = LinearOperator((len(states), len(states)), matvec=step, dtype=np.float64)  # pyright: ignore
    found: Any = eigs(operator, k=1, v0=np.ones(len(states)))
    law = found[1][:, 0].real / found[1][:, 0].real.sum()
    right = ndtr(centres / spread)  # one more step, to a side
    return float(law @ (right.prod(axis=-1) + (1 - right).prod(axis=-1)))


def _density(points: Matrix, centres: Matrix, spread: float) -> Matrix:
    """Density of a step to the points (n,) from each centre (m,), (m, n)."""
    return np.exp(-(((points - centres[:, None]) / spread) ** 2) / 2) / (spread * math.sqrt(2 * math.pi))
