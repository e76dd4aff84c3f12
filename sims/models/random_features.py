r"""Ridge students on random features of their own, solved exactly; a replica is a data set with its students.

Inputs $x\in\mathbb R^{12}$ are Gaussian, the truth is linear plus quadratic, labels have Gaussian noise on training and
held-out inputs alike. Student k has features $\phi_k(x) = \max(0, W_k^\top x+c_k)/\sqrt p$ and ridge $\rho$.
"""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from theory.cohorts.coregularisation import dual_coefficients, first_order_duals

INPUTS, EXAMPLES, FEATURES, HELD_OUT, STUDENTS, CURVED = 12, 60, 40, 300, 3, 0.7
Matrix = NDArray[np.float64]


class Cohorts(NamedTuple):
    """R cohorts of K students, each with n training and m held-out inputs.

    Attributes:
        kernels, cross: of every student, training by training (R, K, n, n) and held-out by training (R, K, m, n).
        targets, held_out: noisy labels (R, n) and (R, m).
        truth: without noise on the held-out inputs (R, m).
        ridge: of every cohort (R,).
    """

    kernels: Matrix
    cross: Matrix
    targets: Matrix
    held_out: Matrix
    truth: Matrix
    ridge: Matrix

    def trained(self, kappa: float) -> Matrix:
        """The students' outputs on the held-out inputs after mutual learning (R, K, m)."""
        return self._at(dual_coefficients(self.kernels, self.ridge, self.targets, kappa))

    def response(self) -> Matrix:
        """Their derivative in kappa at 0, from independent students (first-order law, G3), (R, K, m)."""
        return self._at(first_order_duals(self.kernels, self.ridge, self.targets))

    def _at(self, duals: Matrix) -> Matrix:
        return (self.cross @ duals[..., None])[..., 0]


def cohorts(rng: Generator, replicas: int, noise: float, ridge: ArrayLike) -> Cohorts:
    """So many data sets with their students; the ridge is one number or one a replica."""
    drawn = [_cohort(rng, noise) for _ in range(replicas)]
    kernels, cross, targets, held_out, truth = (np.stack(part) for part in zip(*drawn, strict=True))
    ridges = np.broadcast_to(np.asarray(ridge, np.float64), replicas)
    return Cohorts(kernels, cross, targets, held_out, truth, ridges)


def risks(outputs: Matrix, truth: Matrix) -> tuple[Matrix, Matrix]:
    """Mean squared errors of the mean student and of the ensemble, each (R,)."""
    ensemble = outputs.mean(axis=1)
    return ((outputs - truth[:, None]) ** 2).mean(axis=(1, 2)), ((ensemble - truth) ** 2).mean(axis=-1)


def _cohort(rng: Generator, noise: float) -> tuple[Matrix, ...]:
    linear, quadratic = rng.standard_normal(INPUTS), rng.standard_normal((INPUTS, INPUTS)) / INPUTS
    x = rng.standard_normal((EXAMPLES + HELD_OUT, INPUTS))
    truth = x @ linear / np.sqrt(INPUTS) + CURVED * ((x @ quadratic) * x).sum(axis=-1)
    labels = truth + noise * rng.standard_normal(len(x))
    features = np.stack([relu_features(rng, x, FEATURES) for _ in range(STUDENTS)])
    seen, new = features[:, :EXAMPLES], features[:, EXAMPLES:]
    kernels, cross = (part @ np.swapaxes(seen, -1, -2) for part in (seen, new))
    return kernels, cross, labels[:EXAMPLES], labels[EXAMPLES:], truth[EXAMPLES:]


def relu_features(rng: Generator, inputs: Matrix, count: int) -> Matrix:
    """Random features of inputs (n, d), (n, count)."""
    weights = rng.standard_normal((inputs.shape[-1], count)) / np.sqrt(inputs.shape[-1])
    return np.maximum(inputs @ weights + rng.standard_normal(count), 0) / np.sqrt(count)
