r"""Two students of one parameter each, on a few points with two classes: logit $A_i\tanh(\omega_i\theta+b_i)$ on point
i.

The smallest students whose detached updates can go round for ever. R replicas at once; the constants may differ from
replica to replica, for a search over systems.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sims.engine import Problem
from sims.engine.backend import Array, array_namespace, like
from theory import peer_gradient, renyi_divergence_from_logits

Constants = NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """A student: amplitudes, frequencies and shifts of its logits, each (n,) or (R, n)."""

    amplitude: Constants
    frequency: Constants
    shift: Constants

    def __call__(self, theta: Array) -> tuple[Array, Array]:
        """Logits and their derivatives at parameters (R,), both (R, n)."""
        xp = array_namespace(theta)
        a, omega, b = (like(v, theta) for v in (self.amplitude, self.frequency, self.shift))
        wave = xp.tanh(omega * theta[:, None] + b)
        return a * wave, a * omega * (1 - wave**2)


@dataclass(frozen=True)
class ScalarPair:
    """Both students, the probability of the first class at each point (n,) or (R, n), order and weight."""

    students: tuple[Curves, Curves]
    labels: Constants
    order: float
    weight: float

    def gradient(self, state: Array) -> Array:
        """Gradients of L_1 in the first parameter and of L_2 in the second, (R, 2); peers detached."""
        xp = array_namespace(state)
        (z, dz), (y, dy) = (student(state[:, k]) for k, student in enumerate(self.students))
        return xp.stack([xp.mean(self._pull(z, y) * dz, axis=-1), xp.mean(self._pull(y, z) * dy, axis=-1)], axis=-1)

    def dropped(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        """What detaching drops: D(p_2||p_1) by the second parameter, D(p_1||p_2) by the first, (R, 2)."""
        curves: Any = [student(state[:, k]) for k, student in enumerate(self.students)]
        two = [np.stack([z, np.zeros_like(z)], axis=-1) for z, _ in curves]
        pulls = [peer_gradient(two[1 - k], two[k], self.order)[..., 0] * curves[1 - k][1] for k in (0, 1)]
        return np.stack([pull.mean(axis=-1) for pull in pulls], axis=-1)

    def losses(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        """L_1 and L_2 (R, 2), with cross-entropy to the soft labels."""
        logits: Any = [student(state[:, k])[0] for k, student in enumerate(self.students)]
        two = [np.stack([z, np.zeros_like(z)], axis=-1) for z in logits]
        fits = [np.logaddexp(0, z) - self.labels * z for z in logits]
        pulls = [renyi_divergence_from_logits(two[1 - k], two[k], self.order) for k in (0, 1)]
        return np.stack([(fit + self.weight * d).mean(axis=-1) for fit, d in zip(fits, pulls, strict=True)], axis=-1)

    def curl(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        r"""$\partial_2\nabla_1L_1 - \partial_1\nabla_2L_2 = -\lambda\alpha\,E[(w(1-w)-w'(1-w'))z'y']$ (R,)."""
        (z, dz), (y, dy) = (student(state[:, k]) for k, student in enumerate(self.students))
        w, other = (expit(a * y + (1 - a) * z) for a in (self.order, 1 - self.order))
        bend: Any = (w * (1 - w) - other * (1 - other)) * dz * dy
        return -self.weight * self.order * bend.mean(axis=-1)

    def problem(self, mean: tuple[float, float], spread: float) -> Problem:
        """The pair as a problem, started from independent normal parameters."""

        def draw(rng: Generator, replicas: int) -> NDArray[np.float64]:
            return np.array(mean) + spread * rng.standard_normal((replicas, 2))

        return Problem(self.gradient, draw, students=2)

    def _pull(self, own: Array, peer: Array) -> Array:
        q = expit(own)
        mixture = expit(self.order * peer + (1 - self.order) * own)
        return q - like(self.labels, own) + self.weight * (q - mixture)


def expit(logit: Array) -> Array:
    """The probability of the first class; scipy's knows NumPy only."""
    return 0.5 + 0.5 * array_namespace(logit).tanh(logit / 2)
