r"""K softmax students on a small data set, R replicas at once: linear, or with one hidden layer of tanh units.

Student k descends $L_k = \mathrm{mean}_x[\mathrm{CE}(y,p_k)+\frac{\lambda}{K-1}\sum_{j\ne k}D_\alpha(p_j\|p_k)]
+\frac\mu2\|\theta_k\|^2$, peers detached. States (R, d) are the students' parameters, student after student.

Inside, replicas are the last axis and features or classes the first (`layers`): every operation runs along long
contiguous rows, which on a CPU takes half of the time of products of small matrices. A mini-batch has the axes (feature
or class, student whose it is or 1, example, replica or 1).
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sims.engine import Oracle, Problem
from sims.engine.backend import Array, Random, array_namespace, like

from .layers import columns, in_blocks, products, rows, softmax, through

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
        """Shapes of one student's weight matrices."""
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
            which = rng.integers(0, EXAMPLES, (1 if shared else self.count, batch, len(state)))
            return self.gradient(state, Data(*(columns(like(v.T, state), which) for v in self.data)))

        return Oracle(name, sample=lambda rng, state: in_blocks(partial(sample, rng), state, batch))

    def gradient(self, state: Array, data: Data | None = None) -> Array:
        """Stacked gradients of the students' own losses at states (R, d), on their mini-batches.

        Without data every student sees all examples.
        """
        if data is None:
            return in_blocks(lambda part: self.gradient(part, self._everything(part)), state, len(self.data.inputs))
        xp, (x, y) = array_namespace(state), data
        weights = self._weights(state)
        features = self._features(weights, x)
        last, pull = _own(features), self._pull(through(features, weights[-1]), y) / x.shape[2]
        gradients = [products(last, pull)]
        if self.hidden:
            back = xp.sum(weights[-1][:, :, :, None] * pull, axis=1) * (1 - last**2)
            gradients.insert(0, products(x, back))
        flat = [xp.reshape(xp.permute_dims(g, (2, 0, 1, 3)), (self.count, -1, len(state))) for g in gradients]
        stacked = xp.reshape(xp.concat(flat, axis=1), (-1, len(state)))
        return (stacked + self.decay * rows(state)).T

    def losses(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        """L_k (R, K), on NumPy."""
        return self.losses_between(state, state)

    def losses_between(self, own: NDArray[np.float64], peers: NDArray[np.float64]) -> NDArray[np.float64]:
        """L_k with student k from the first state and its peers from the second (R, K)."""
        z, others = (np.moveaxis(np.asarray(self._logits(state)), (0, 3), (3, 0)) for state in (own, peers))
        fit = (np.logaddexp.reduce(z, axis=-1) - (self.data.labels * z).sum(-1)).mean(-1)
        pairs = _divergence(others[:, None], z[:, :, None], self.order).mean(-1) * (1 - np.eye(self.count))  # (R, k, j)
        size = (own.reshape(len(own), self.count, -1) ** 2).sum(-1)
        return fit + self.weight / (self.count - 1) * pairs.sum(-1) + self.decay / 2 * size

    def _logits(self, state: Array) -> Array:
        """Logits of every student on every example, (C, K, n, R)."""
        weights = self._weights(state)
        return _own(through(self._features(weights, self._everything(state).inputs), weights[-1]))

    def _pull(self, logits: Array, labels: Array) -> Array:
        """Gradient in student k's logits on its mini-batch, (C, K, n, R): (q - y) + lam mean_j (q - w_j)."""
        own, share = _own(logits), self.weight / (self.count - 1)
        pull = (1 + self.weight) * softmax(own) - labels
        for places in range(1, self.count):
            pull -= share * softmax(own + self.order * (_ahead(logits, places) - own))
        return pull

    def _features(self, weights: list[Array], x: Array) -> Array:
        """Inputs of the last layer, (F, student or 1, mini-batch's student or 1, n, R or 1)."""
        wide = x[:, None]
        return array_namespace(x).tanh(through(wide, weights[0])) if self.hidden else wide

    def _everything(self, state: Array) -> Data:
        return Data(*(like(v.T, state)[:, None, :, None] for v in self.data))

    def _weights(self, state: Array) -> list[Array]:
        """Matrices (rows, columns, K, R) of every layer."""
        xp = array_namespace(state)
        flat, matrices, begin = xp.reshape(rows(state), (self.count, -1, len(state))), [], 0
        for inward, outward in self.shapes:
            block = flat[:, begin : begin + inward * outward]
            matrix = xp.reshape(block, (self.count, inward, outward, len(state)))
            matrices.append(xp.permute_dims(matrix, (1, 2, 0, 3)))
            begin += inward * outward
        return matrices


def _ahead(logits: Array, places: int) -> Array:
    """Student k + places (around the circle) on student k's mini-batch, (C, K, n, R)."""
    count, batches = logits.shape[1:3]
    return array_namespace(logits).stack([logits[:, (k + places) % count, k % batches] for k in range(count)], axis=1)


def _own(values: Array) -> Array:
    """Values of student k on mini-batch k, (C, K or 1, n, R), of (C, student or 1, mini-batch's student or 1, n, R)."""
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
