r"""Two-class logistic students at the fixed points of mutual learning, found by Newton's method.

Student k has features $\phi_k(x)$ and labels $y_k$, and descends $\mathrm{mean}_x[\mathrm{CE}(y_k,
q_k)+\frac\lambda{K-1}\sum_{j\ne k}D_\alpha(p_j\|q_k)]+\frac\rho2\|\theta_k\|^2$ with detached peers: its field is
$\mathrm{mean}_x\phi_k[q_k-y_k+\frac\lambda{K-1}\sum_j(q_k-w_{jk})]+\rho\theta_k$ with the mixtures $w_{jk} =
\sigma(z_k+\alpha(z_j-z_k))$.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import expit

from .random_features import relu_features

Array = NDArray[np.float64]
PRECISE, ROUNDS = 1e-11, 60
INPUTS, EXAMPLES, FEATURES, HELD_OUT, CURVED = 15, 100, 40, 1500, 1.5
OWN_INPUTS, OWN_EXAMPLES = 12, 400


@dataclass(frozen=True)
class Logistic:
    """K students on n examples.

    Attributes:
        features: of every student on the training inputs (K, n, p).
        labels: 0 or 1, of every student (K, n).
        unseen: features on m held-out inputs (K, m, p).
        chances: of label 1, label noise included, on the held-out inputs (m,).
        held_out: labels drawn with these chances (m,).
        decay: rho > 0.
    """

    features: Array
    labels: Array
    unseen: Array
    chances: Array
    held_out: Array
    decay: float

    def fixed_point(self, order: float = 1.0, weight: float = 0.0, start: Array | None = None) -> Array:
        """Parameters (K, p) at which every student's field vanishes, nearest along Newton's damped path from `start`.

        Raises:
            FloatingPointError: Newton's method did not arrive.
        """
        theta = np.zeros((len(self.features), self.features.shape[-1])) if start is None else start
        field = self.field(theta, order, weight)
        for _ in range(ROUNDS):
            if np.abs(field).max() < PRECISE:
                return theta
            move = np.linalg.solve(self._jacobian(theta, order, weight), field.ravel()).astype(np.float64)
            move = move.reshape(theta.shape)
            theta, field = self._damped(theta, move, np.abs(field).max(), order, weight)
        raise FloatingPointError(f"no fixed point within {ROUNDS} steps at order {order:g} and weight {weight:g}")

    def field(self, theta: Array, order: float, weight: float) -> Array:
        """Gradients of the students' own losses, peers detached (K, p)."""
        z = self.logits(theta)
        pull = expit(z) - self.labels + weight * self._mutual(z, order)
        return (pull[:, None] @ self.features)[:, 0] / z.shape[-1] + self.decay * theta

    def logits(self, theta: Array) -> Array:
        """Logits on the training inputs (K, n)."""
        return (self.features @ theta[..., None])[..., 0]

    def predict(self, theta: Array) -> Array:
        """Logits on the held-out inputs (K, m)."""
        return (self.unseen @ theta[..., None])[..., 0]

    def mutual_gradient(self, theta: Array, order: float) -> Array:
        """Gradient of the mean divergence to the peers, in each student's parameters (K, p)."""
        z = self.logits(theta)
        return (self._mutual(z, order)[:, None] @ self.features)[:, 0] / z.shape[-1]

    def hessians(self, theta: Array) -> Array:
        """Hessian of every student's own loss without peers (K, p, p)."""
        q = expit(self.logits(theta))
        return self._products(q * (1 - q)) + self.decay * np.eye(theta.shape[-1])

    def _mutual(self, z: Array, order: float) -> Array:
        mixed = expit(z[:, None] + order * (z[None] - z[:, None]))  # [k, j]
        return (expit(z)[:, None] - mixed).sum(axis=1) / (len(z) - 1)

    def _products(self, weights: Array) -> Array:
        """Mean over examples of weights times outer products of a student's features (K, p, p)."""
        return np.swapaxes(self.features * weights[..., None], -1, -2) @ self.features / weights.shape[-1]

    def _jacobian(self, theta: Array, order: float, weight: float) -> Array:
        """Jacobian of the coupled field, (K p, K p)."""
        z, (count, size) = self.logits(theta), theta.shape
        q, w = expit(z), expit(z[:, None] + order * (z[None] - z[:, None]))
        share, slope = weight / (count - 1), w * (1 - w)
        others = 1 - np.eye(count)[..., None]
        own = q * (1 - q) * (1 + weight) - share * (1 - order) * (others * slope).sum(axis=1)
        blocks = -share * order * others * slope + np.eye(count)[..., None] * own[:, None]
        pairs = np.swapaxes(self.features[:, None] * blocks[..., None], -1, -2) @ self.features  # (k, j, p, p)
        joint = np.swapaxes(pairs, 1, 2).reshape(count * size, -1) / z.shape[-1]
        return joint + self.decay * np.eye(count * size)

    def _damped(self, theta: Array, move: Array, size: float, order: float, weight: float) -> tuple[Array, Array]:
        """The longest of Newton's step, its half, ... after which the field is smaller."""
        step = 1.0
        while True:
            ahead = theta - step * move
            field = self.field(ahead, order, weight)
            if np.abs(field).max() < size or step < 1e-6:
                return ahead, field
            step /= 2


def random_feature_students(rng: Generator, flips: float, decay: float) -> Logistic:
    """Two students, each with random features of its own, on the same labels, of which a share is flipped."""
    n = EXAMPLES
    x, chances = _inputs(rng, INPUTS, n + HELD_OUT, flips, CURVED)
    drawn = (rng.random(len(x)) < chances).astype(np.float64)
    features = np.stack([relu_features(rng, x, FEATURES) for _ in range(2)])
    return Logistic(features[:, :n], np.tile(drawn[:n], (2, 1)), features[:, n:], chances[n:], drawn[n:], decay)


def students_of_own_labels(rng: Generator, count: int, flips: float, decay: float) -> Logistic:
    """K linear students on the same inputs, each with labels drawn for it, of which a share is flipped."""
    n = OWN_EXAMPLES
    x, chances = _inputs(rng, OWN_INPUTS, n + HELD_OUT, flips, curved=0.0)
    labels = (rng.random((count, n)) < chances[:n]).astype(np.float64)
    held_out = (rng.random(HELD_OUT) < chances[n:]).astype(np.float64)
    same = np.repeat(x[None], count, axis=0)
    return Logistic(same[:, :n], labels, same[:, n:], chances[n:], held_out, decay)


def _inputs(rng: Generator, size: int, count: int, flips: float, curved: float) -> tuple[Array, Array]:
    """Gaussian inputs and the chance of label 1 after flips."""
    x, direction = rng.standard_normal((count, size)), rng.standard_normal(size)
    score = 2 * x @ direction / np.sqrt(size)
    if curved:
        score += curved * ((x @ rng.standard_normal((size, size))) * x).sum(axis=-1) / size
    return x, flips + (1 - 2 * flips) * expit(2 * score)
