r"""K softmax students on a small data set, R replicas at once: linear, or with one hidden layer of tanh units.

Student k descends $L_k = \mathrm{mean}_x[\mathrm{CE}(y,p_k)+\frac{\lambda}{K-1}\sum_{j\ne k}D_\alpha(p_j\|p_k)]
+\frac\mu2\|\theta_k\|^2$, peers detached. States (R, d) are the students' parameters, student after student; data have
the axes (replica or 1, student whose mini-batch it is or 1, example, feature or class).
"""

import math
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
from array_api_compat import array_namespace
from numpy.random import Generator
from numpy.typing import NDArray

from .backend import Random, like
from .oracles import Oracle
from .simulation import Array, Problem

EXAMPLES, CLASSES, FEATURES = 200, 3, 3


class Data(NamedTuple):
    """Inputs (..., n, F), the last feature constant, and one-hot labels (..., n, C)."""

    inputs: Array
    labels: Array


def overlapping_classes(seed: int = 0) -> Data:
    """Three Gaussian clouds in the plane that overlap, so that cross-entropy has a finite minimiser."""
    rng = np.random.default_rng(seed)
    label = np.arange(EXAMPLES) % CLASSES
    angle = 2 * np.pi * label / CLASSES
    plane = np.stack([np.cos(angle), np.sin(angle)], -1) + 0.9 * rng.standard_normal((EXAMPLES, 2))
    return Data(np.concatenate([plane, np.ones((EXAMPLES, 1))], -1), np.eye(CLASSES)[label])


@dataclass(frozen=True)
class Students:
    """K students with their data, order and weight; `hidden` tanh units, 0 for linear students.

    `decay` adds its half times the squared norm of its parameters to each student's loss. Without it tanh students
    sharpen for ever, and classes of linear ones have a common logit that nothing holds.
    """

    data: Data
    count: int
    order: float
    weight: float = 1.0
    hidden: int = 0
    decay: float = 0.02

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Of one student's weight matrices."""
        features, classes = self.data.inputs.shape[-1], self.data.labels.shape[-1]
        return [(features, self.hidden), (self.hidden, classes)] if self.hidden else [(features, classes)]

    def problem(self, start: NDArray[np.float64] | None = None, spread: float = 1.0) -> Problem:
        """Full-batch losses, from a state (d,) or from independent N(0, spread^2) parameters."""
        size = self.count * sum(math.prod(shape) for shape in self.shapes)

        def draw(rng: Generator, replicas: int) -> NDArray[np.float64]:
            return spread * rng.standard_normal((replicas, size)) if start is None else np.tile(start, (replicas, 1))

        return Problem(self.gradient, draw, self.count)  # no value: a test compares gradients and losses

    def minibatches(self, batch: int, shared: bool) -> Oracle:
        """Mini-batches drawn with replacement, one for all students or one for each; a student's peers see its own."""
        name = f"{'shared' if shared else 'own'} mini-batches of {batch}"

        def sample(rng: Random, state: Array) -> Array:
            which = rng.integers(0, EXAMPLES, (len(state), 1 if shared else self.count, batch))
            inputs, labels = (like(v, state)[which] for v in self.data)
            return self.gradient(state, Data(inputs, labels))

        return Oracle(name, sample=sample)

    def gradient(self, state: Array, data: Data | None = None) -> Array:
        """Stacked gradients of the students' own losses at states (R, d), on their mini-batches."""
        xp = array_namespace(state)
        x, y = data or Data(*(like(v, state)[None, None] for v in self.data))
        weights = self._weights(state)
        features = self._features(weights, x)  # (R, student, 1 or batch's student, n, F)
        logits = features @ weights[-1][:, :, None]
        last, pull = _own(features), self._pull(logits, y) / x.shape[-2]
        gradients = [last.mT @ pull]
        if self.hidden:
            gradients.insert(0, x.mT @ ((pull @ weights[-1].mT) * (1 - last**2)))
        blocks = [xp.reshape(g, (len(state), self.count, -1)) for g in gradients]
        return xp.reshape(xp.concat(blocks, axis=-1), state.shape) + self.decay * state

    def logits(self, state: Array) -> Array:
        """Of every student on every example, (R, K, n, C)."""
        weights = self._weights(state)
        return _own(self._features(weights, like(self.data.inputs, state)[None, None])) @ weights[-1]

    def losses(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        """L_k (R, K), on NumPy."""
        return self.losses_between(state, state)

    def losses_between(self, own: NDArray[np.float64], peers: NDArray[np.float64]) -> NDArray[np.float64]:
        """L_k with student k from the first state and its peers from the second (R, K)."""
        z, others = np.asarray(self.logits(own)), np.asarray(self.logits(peers))
        fit = (np.logaddexp.reduce(z, axis=-1) - (self.data.labels * z).sum(-1)).mean(-1)
        pairs = _divergence(others[:, None], z[:, :, None], self.order).mean(-1) * (1 - np.eye(self.count))  # (R, k, j)
        size = (own.reshape(len(own), self.count, -1) ** 2).sum(-1)
        return fit + self.weight / (self.count - 1) * pairs.sum(-1) + self.decay / 2 * size

    def _pull(self, logits: Array, labels: Array) -> Array:
        """Gradient in student k's logits on its mini-batch, (R, K, n, C): (q - y) + lam mean_j (q - w_j)."""
        own, q = _own(logits), _softmax(_own(logits))
        mixed = [_softmax(self.order * _ahead(logits, s) + (1 - self.order) * own) for s in range(1, self.count)]
        return q - labels + self.weight * (q - sum(mixed) / (self.count - 1))

    def _features(self, weights: list[Array], x: Array) -> Array:
        wide = x[:, None]  # (R or 1, 1, student or 1, n, F)
        return array_namespace(x).tanh(wide @ weights[0][:, :, None]) if self.hidden else wide

    def _weights(self, state: Array) -> list[Array]:
        xp = array_namespace(state)
        flat, matrices, begin = xp.reshape(state, (len(state), self.count, -1)), [], 0
        for rows, columns in self.shapes:
            block = flat[:, :, begin : begin + rows * columns]
            matrices.append(xp.reshape(block, (len(state), self.count, rows, columns)))
            begin += rows * columns
        return matrices


def _ahead(logits: Array, places: int) -> Array:
    """Student k + places (around the circle) on student k's mini-batch, (R, K, n, C)."""
    count, batches = logits.shape[1:3]
    return array_namespace(logits).stack([logits[:, (k + places) % count, k % batches] for k in range(count)], axis=1)


def _own(values: Array) -> Array:
    """From (R, student or 1, mini-batch's student or 1, ...) student k on mini-batch k, (R, K or 1, ...)."""
    if 1 in values.shape[1:3]:
        return values[:, :, 0] if values.shape[2] == 1 else values[:, 0]
    xp, count = array_namespace(values), values.shape[1]
    return xp.stack([values[:, k, k] for k in range(count)], axis=1)


def _divergence(peer: NDArray[np.float64], own: NDArray[np.float64], order: float) -> NDArray[np.float64]:
    """The textbook form: its error of 1e-16/|order - 1| matters to no study; theory's takes ten times as long."""
    log_p, log_q = (z - np.logaddexp.reduce(z, axis=-1, keepdims=True) for z in (peer, own))
    if order == 1:
        return (np.exp(log_p) * (log_p - log_q)).sum(-1)
    return np.logaddexp.reduce(order * log_p + (1 - order) * log_q, axis=-1) / (order - 1)


def _softmax(logits: Array) -> Array:
    """One class after the other: several times as fast as NumPy's reductions and broadcasts on a short last axis."""
    xp = array_namespace(logits)
    classes = [logits[..., k] for k in range(logits.shape[-1])]
    largest = reduce(xp.maximum, classes)
    powers = [xp.exp(one - largest) for one in classes]
    share = 1 / reduce(xp.add, powers)
    return xp.stack([power * share for power in powers], axis=-1)
