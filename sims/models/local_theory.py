"""What theory says of students that stay near a common optimum: joint Hessian, gradient noise, covariance (E7)."""

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from sims.engine import Schedule
from theory.dynamics.stationary import coupled_noise, stationary_covariance

from .students import Data, Students, overlapping_classes

Matrix = NDArray[np.float64]
DATA = overlapping_classes()
STEP = 1e-4


class Optimum(NamedTuple):
    """An optimum of K equal students.

    Parameters (K d,), Hessian (K d, K d), covariance of one example's gradient (d, d).
    """

    parameters: Matrix
    hessian: Matrix
    noise: Matrix

    @property
    def relaxation_time(self) -> float:
        """Relaxation time of the slowest direction, in eta times steps."""
        return 1 / float(np.linalg.eigvalsh(self.hessian)[0])

    def covariance(self, students: int, batch: int, shared: bool, eta: float) -> Matrix:
        """Covariance of the stationary parameters, for mini-batches drawn with replacement."""
        noise = coupled_noise(self.noise / batch, students, shared)
        return stationary_covariance(self.hessian, noise, eta)

    def plateau(self, students: int, batch: int, shared: bool, eta: float) -> float:
        """X = tr(A S A)/K."""
        s = self.covariance(students, batch, shared, eta)
        return float(np.trace(self.hessian @ s @ self.hessian)) / students


def optimum(students: Students) -> Optimum:
    """Where the students agree and their common cross-entropy with decay is least (nearest to a fixed start).

    The joint Hessian holds the derivatives of the detached gradients: symmetric, since the students agree.
    """
    alone = _alone(students.hidden, students.decay)
    at = np.tile(alone, students.count)
    moves = STEP * np.eye(len(at))
    hessian = (students.gradient(at + moves) - students.gradient(at - moves)) / (2 * STEP)
    x, y = DATA
    single = students.gradient(np.tile(at, (len(x), 1)), Data(x.T[:, None, None], y.T[:, None, None]))
    own = single[:, : len(alone)] - single[:, : len(alone)].mean(axis=0)
    return Optimum(at, (hessian + hessian.T) / 2, own.T @ own / len(x))


def steps_for(time: float, eta: float) -> int:
    """Steps that cover eta times steps = time."""
    return math.ceil(time / eta)


def schedule_for(eta: float, counted: float, burn_in: float) -> Schedule:
    """A schedule by its lengths in eta times steps."""
    return Schedule(eta, steps_for(counted, eta), steps_for(burn_in, eta))


@cache
def _alone(hidden: int, decay: float) -> Matrix:
    """One student's parameters at the minimum of its own loss."""
    pair = Students(DATA, 2, 1.0, 0.0, hidden, decay)
    size = sum(rows * columns for rows, columns in pair.shapes)

    def loss(theta: Matrix) -> tuple[float, Matrix]:
        both = np.tile(theta, 2)[None]
        return float(pair.losses(both)[0, 0]), pair.gradient(both)[0, :size]

    start = np.random.default_rng(0).standard_normal(size)
    found: Any = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-7})
    return found.x
