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
    """Two students: amplitudes, frequencies and shifts of their logits, each (2, n) or (R, 2, n)."""

    amplitude: Constants
    frequency: Constants
    shift: Constants

    def __call__(self, state: Array) -> tuple[Array, Array]:
        """Logits of each student and their derivatives at its parameter, both (R, 2, n)."""
        xp = array_namespace(state)
        a, omega, b = (like(v, state) for v in (self.amplitude, self.frequency, self.shift))
        wave = xp.tanh(omega * state[:, :, None] + b)
        return a * wave, a * omega * (1 - wave**2)


@dataclass(frozen=True)
class ScalarPair:
    """Both students, the probability of the first class at each point (n,) or (R, 1, n), order and weight."""

    students: Curves
    labels: Constants
    order: float
    weight: float

    def gradient(self, state: Array) -> Array:
        """Gradients of L_1 in the first parameter and of L_2 in the second, (R, 2); peers detached."""
        xp = array_namespace(state)
        z, dz = self.students(state)
        return xp.mean(self._pull(z, xp.flip(z, axis=1)) * dz, axis=-1)

    def dropped(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        """What detaching drops: D(p_2||p_1) by the second parameter, D(p_1||p_2) by the first, (R, 2)."""
        z, dz = self.students(state)
        own = _two_classes(z)
        pulls: Any = peer_gradient(own[:, ::-1], own, self.order)[..., 0] * dz[:, ::-1]
        return pulls.mean(axis=-1)

    def losses(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        """L_1 and L_2 (R, 2), with cross-entropy to the soft labels."""
        z, _ = self.students(state)
        own = _two_classes(z)
        fits: Any = np.logaddexp(0, z) - self.labels * z
        return (fits + self.weight * renyi_divergence_from_logits(own[:, ::-1], own, self.order)).mean(axis=-1)

    def curl(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        r"""$\partial_2\nabla_1L_1 - \partial_1\nabla_2L_2 = -\lambda\alpha\,E[(w(1-w)-w'(1-w'))z'y']$ (R,)."""
        (z, y), (dz, dy) = (np.moveaxis(np.asarray(values), 1, 0) for values in self.students(state))
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


def _two_classes(logit: Array) -> NDArray[np.float64]:
    return np.stack([logit, np.zeros_like(logit)], axis=-1)


def expit(logit: Array) -> Array:
    """The probability of the first class; scipy's knows NumPy only."""
    return 0.5 + 0.5 * array_namespace(logit).tanh(logit / 2)
