r"""Shrinkers in the Gaussian sequence model that learn from each other by gradient descent; a replica is a data set.

A mode has the truth b and data $y = b+\epsilon$. Student k descends $\frac12(y-f_k)^2+\frac{a_k}2f_k^2+
\frac\mu{2(K-1)}\sum_{j\ne k}(f_j-f_k)^2$ with detached peers, and reaches $s_ky$, $s_k = 1/(1+a_k)$, on its own. A
state (R, (K + 1) M) holds the data of M equal modes, which do not move, and then the students' values.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sims.engine import EXACT, Problem, Schedule, Simulation
from sims.engine.backend import Array, array_namespace, like

MODES, NOISE = 64, 1.0
LEFT = 1e-9  # of the start, when the students count as arrived


@dataclass(frozen=True)
class Shrinkers:
    r"""K students by what they reach alone, $s_k$, the coupling $\kappa=\mu\frac K{K-1}$ and the signal $b^2$."""

    alone: tuple[float, ...]
    kappa: float
    signal: float

    @property
    def penalties(self) -> NDArray[np.float64]:
        """$a_k$."""
        return 1 / np.array(self.alone) - 1

    def simulation(self, theory: float) -> Simulation:
        """Descent from 0 without noise until the students have arrived; then one step is counted."""
        stiffest, softest = 1 + self.penalties.max() + max(self.kappa, 0), 1 + self.penalties.min()
        steps = math.ceil(math.log(LEFT) / math.log1p(-softest / stiffest))
        problem = Problem(self.gradient, self.start, len(self.alone))
        return Simulation(problem, EXACT, Schedule(1 / stiffest, 1, steps), theory)

    def start(self, rng: Generator, replicas: int) -> NDArray[np.float64]:
        """Data of every replica, and students at 0."""
        data = math.sqrt(self.signal) + math.sqrt(NOISE) * rng.standard_normal((replicas, MODES))
        return np.concatenate([data, np.zeros((replicas, MODES * len(self.alone)))], axis=-1)

    def gradient(self, state: Array) -> Array:
        """Gradients of the students' own losses; 0 for the data."""
        xp, count = array_namespace(state), len(self.alone)
        parts = xp.reshape(state, (len(state), count + 1, MODES))
        data, values = parts[:, :1], parts[:, 1:]
        mu = self.kappa * (count - 1) / count
        apart = count * values - xp.sum(values, axis=1, keepdims=True)  # from all peers together
        pull = values - data + like(self.penalties[:, None], state) * values + mu / (count - 1) * apart
        return xp.reshape(xp.concat([0 * data, pull], axis=1), (len(state), -1))

    def gains(self, states: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How much less the mean student and the ensemble miss b by than independent students on the same data (R,)."""
        parts = states.reshape(len(states), -1, MODES)
        alone = np.array(self.alone)[:, None] * parts[:, :1]
        before, after = (self._misses(values) for values in (alone, parts[:, 1:]))
        return before[0] - after[0], before[1] - after[1]

    def _misses(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        truth = math.sqrt(self.signal)
        return ((values - truth) ** 2).mean(axis=(1, 2)), ((values.mean(axis=1) - truth) ** 2).mean(axis=-1)
