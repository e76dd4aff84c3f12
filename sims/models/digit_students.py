r"""Two students with a layer of rectified units on handwritten digits, under SGD with momentum; R replicas at once.

Each replica has its own learning rate, order and weight, so that a search for the largest rate that it survives runs
for all of them together. Arrays: (R, student, example or row, unit or class).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.engine.backend import Array, Backend, array_namespace

TRAINED, BATCH, UNITS, MOMENTUM = 1200, 50, 32, 0.9
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Rules:
    """Order and weight of each replica, (R,)."""

    order: Numbers
    weight: Numbers


@cache
def digits() -> tuple[Numbers, NDArray[np.int64]]:
    """scikit-learn's 1797 images (n, 64) between 0 and 1 and their digits (n,), shuffled."""
    from sklearn.datasets import load_digits

    loaded: Any = load_digits(return_X_y=True)
    images, labels = loaded
    order = np.random.default_rng(0).permutation(len(labels))
    return images[order] / 16, labels[order]


def accuracy_after(rates: Numbers, rules: Rules, steps: int, seed: int, place: Backend) -> Numbers:
    """The mean accuracy of both students on the images that were not trained on, (R,).

    Replicas with the same number modulo `len(rates) / 2` (half of them) have the same start and the same batches.
    """
    rng, twins = np.random.default_rng(seed), len(rates) // 2
    weights = [place.asarray(np.concatenate([w, w])) for w in _start(rng, twins)]
    speeds: list[Any] = [0 * w for w in weights]
    eta, order, weight = (place.asarray(v[:, None, None, None]) for v in (rates, rules.order, rules.weight))
    for batch in _batches(rng, twins, steps):
        x, y = _examples(np.concatenate([batch, batch]), place)
        speeds = [MOMENTUM * v + g for v, g in zip(speeds, _gradient(weights, x, y, order, weight), strict=True)]
        weights = [w - eta * v for w, v in zip(weights, speeds, strict=True)]
    return _accuracy(weights, place)


def _start(rng: np.random.Generator, replicas: int) -> Iterator[Numbers]:
    """Uniform weights of torch's size, and biases of 0."""
    for rows, columns in ((64, UNITS), (UNITS, 10)):
        yield rng.uniform(-1, 1, (replicas, 2, rows, columns)) / np.sqrt(rows)
        yield np.zeros((replicas, 2, 1, columns))


def _batches(rng: np.random.Generator, replicas: int, steps: int) -> Iterator[NDArray[np.int64]]:
    for _ in range(steps):
        yield rng.integers(0, TRAINED, (replicas, BATCH))


def _examples(which: NDArray[np.int64], place: Backend) -> tuple[Array, Array]:
    images, labels = digits()
    return place.asarray(images[which][:, None]), place.asarray(np.eye(10)[labels[which]][:, None])


def _gradient(weights: list[Any], x: Any, y: Any, order: Any, weight: Any) -> list[Any]:
    """Gradients of each student's own loss; the batch is shared and the peer detached."""
    xp = array_namespace(x)
    hidden, z = _layers(weights, x)
    q, peer = _softmax(z), xp.flip(z, axis=1)
    pull = (q - y + weight * (q - _softmax(z + order * (peer - z)))) / BATCH
    back = (pull @ xp.matrix_transpose(weights[2])) * (hidden > 0)
    across = xp.matrix_transpose
    return [across(x) @ back, _total(back), across(hidden) @ pull, _total(pull)]


def _layers(weights: list[Any], x: Any) -> tuple[Any, Any]:
    """Hidden units and logits."""
    before = x @ weights[0] + weights[1]
    hidden = before * (before > 0)
    return hidden, hidden @ weights[2] + weights[3]


def _total(values: Any) -> Any:
    return array_namespace(values).sum(values, axis=2, keepdims=True)


def _softmax(z: Any) -> Any:
    xp = array_namespace(z)
    powers = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
    return powers / xp.sum(powers, axis=-1, keepdims=True)


def _accuracy(weights: list[Any], place: Backend) -> Numbers:
    images, labels = digits()
    x = place.asarray(images[TRAINED:][None, None])
    xp = array_namespace(x)
    chosen = np.asarray(xp.argmax(_layers(weights, x)[1], axis=-1).tolist())
    return (chosen == labels[TRAINED:]).mean(axis=(1, 2))


def survived_rate(
    rules: Rules, bracket: tuple[float, float], halvings: int, steps: int, seed: int, place: Backend, least: float
) -> Numbers:
    """The largest rate at which each replica's accuracy stays above `least`, by bisection of its logarithm, (R,)."""
    low, high = (np.full(len(rules.order), np.log(end)) for end in bracket)
    for _ in range(halvings):
        middle = (low + high) / 2
        alive = accuracy_after(np.exp(middle), rules, steps, seed, place) > least
        low, high = np.where(alive, middle, low), np.where(alive, high, middle)
    return np.exp((low + high) / 2)
