r"""Two small students on two inputs, on which the statements about SGD can be evaluated exactly.

Student k has one parameter and logits $a_{k,x} + b_{k,x}\sin(\omega\theta)/\omega$ on input x (b theta at omega = 0),
so $R = \max_x\|b_{k,x}\|_2$ and $R_2 = \omega R$. Each step draws one of the two inputs for each student (its
mini-batch); expectations are sums over all draws. Arrays have the shape (points, branches, inputs, classes), parameters
(points, branches).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from theory.divergence.arguments import Array
from theory.divergence.gradients import peer_gradient, student_gradient

from .quantities import divergence, dot, oscillation

Two = tuple[Array, Array]
CHOICES = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
STEPS = 2


@dataclass(frozen=True)
class Students:
    """Two students: labels e, offsets and slopes of their logits, order, weight, and the bend omega."""

    labels: Array
    offset: Two
    slope: Two
    alpha: Array
    lam: Array
    omega: Array

    def logits(self, k: int, theta: Array) -> Array:
        """Logits of student k, (points, branches, inputs, classes)."""
        return self.offset[k] + self.slope[k] * self._wave(theta)[..., None, None]

    def derivative(self, k: int, theta: Array) -> Array:
        """Their derivative in the parameter."""
        return self.slope[k] * np.cos(self.omega[:, None] * theta)[..., None, None]

    def _wave(self, theta: Array) -> Array:
        return theta * np.sinc(self.omega[:, None] * theta / np.pi)

    @property
    def order(self) -> Array:
        """The order, ready for (points, branches, inputs)."""
        return self.alpha[:, None, None]

    def pulls(self, k: int, thetas: Two) -> Array:
        """d/dtheta_k of cross-entropy and lam D on each input."""
        own, peer = self.logits(k, thetas[k]), self.logits(1 - k, thetas[1 - k])
        whole = student_gradient(np.broadcast_to(self.labels, own.shape), own, 1.0)
        whole = whole + self.lam[:, None, None, None] * student_gradient(peer, own, self.order)
        return dot(self.derivative(k, thetas[k]), whole)

    def dropped(self, k: int, thetas: Two) -> Array:
        """d/dtheta_j of the mean D(p_j||p_k), j the peer of k: what detaching drops."""
        own, peer = self.logits(k, thetas[k]), self.logits(1 - k, thetas[1 - k])
        return dot(self.derivative(1 - k, thetas[1 - k]), peer_gradient(peer, own, self.order)).mean(axis=-1)

    def loss(self, k: int, thetas: Two) -> Array:
        """L_k up to the entropy of the labels: KL(e||p_k) + lam D(p_j||p_k), averaged over the inputs."""
        own, peer = self.logits(k, thetas[k]), self.logits(1 - k, thetas[1 - k])
        fit = divergence(np.broadcast_to(self.labels, own.shape), own, 1.0)
        return (fit + self.lam[:, None, None] * divergence(peer, own, self.order)).mean(axis=-1)

    @property
    def jacobian(self) -> Array:
        """R, over students and inputs."""
        return np.max([np.linalg.norm(slope, axis=-1).max(axis=(-1, -2)) for slope in self.slope], axis=0)

    def width(self, thetas: Two, reach: Array) -> Array:
        """A bound on osc log(p_j/p_k) while each parameter moves by at most `reach`."""
        here = oscillation(self.logits(0, thetas[0]), self.logits(1, thetas[1])).max(axis=(-1, -2))
        slopes = sum((np.ptp(slope, axis=-1).max(axis=(-1, -2)) for slope in self.slope), np.zeros(1))
        return here + reach * slopes


@dataclass(frozen=True)
class Step:
    """One step of SGD: full gradients, mean of the squared mini-batch noise, drift and dropped gradient (per
    branch)."""

    gradient: Two
    noise: Two
    drift: Two
    dropped: Two


@dataclass(frozen=True)
class Path:
    """All branches of a few steps: the steps, and the mean losses of both students before and after."""

    steps: Sequence[Step]
    first: Two
    last: Two

    def mean(self, values: Sequence[Array]) -> Array:
        """Average over steps of the expectation over branches."""
        return np.mean([v.mean(axis=1) for v in values], axis=0)


def run(students: Students, start: Two, eta: Array, noisy: bool = True) -> Path:
    """Two steps of both students at once, every outcome of the mini-batch draws followed."""
    thetas: Two = (start[0][:, None], start[1][:, None])
    first, steps = _losses(students, thetas), []
    for _ in range(STEPS):
        step, thetas = _step(students, thetas, eta, noisy)
        steps.append(step)
    return Path(steps, first, _losses(students, thetas))


def _losses(students: Students, thetas: Two) -> Two:
    return students.loss(0, thetas).mean(axis=1), students.loss(1, thetas).mean(axis=1)


def _step(students: Students, thetas: Two, eta: Array, noisy: bool) -> tuple[Step, Two]:
    pulls = students.pulls(0, thetas), students.pulls(1, thetas)
    gradient = pulls[0].mean(axis=-1), pulls[1].mean(axis=-1)
    noise = pulls[0].var(axis=-1) * noisy, pulls[1].var(axis=-1) * noisy
    drawn = [
        pull[..., CHOICES[:, k]] if noisy else g[..., None]
        for k, (pull, g) in enumerate(zip(pulls, gradient, strict=True))
    ]
    branches = drawn[0].shape[-1]
    old = tuple(np.repeat(theta, branches, axis=1) for theta in thetas)
    new = tuple(o - eta[:, None] * d.reshape(len(d), -1) for o, d in zip(old, drawn, strict=True))
    after = (new[0], new[1])
    drift = (
        students.loss(0, after) - students.loss(0, (new[0], old[1])),
        students.loss(1, after) - students.loss(1, (old[0], new[1])),
    )
    dropped = students.dropped(0, thetas), students.dropped(1, thetas)
    return Step(gradient, noise, drift, dropped), after
