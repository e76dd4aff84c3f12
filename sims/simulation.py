"""A simulation is data; one loop runs it, vectorised over replicas, and keeps running moments only."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """What is descended; R replicas at once.

    Attributes:
        gradient: states (R, d) to gradients (R, d); for K students the stacked gradients of their own losses.
        start: generator and R to states (R, d).
        students: K, by which the squared gradient norm is divided.
    """

    gradient: Callable[[Array], Array]
    start: Callable[[Generator, int], Array]
    students: int = 1


@dataclass(frozen=True)
class Oracle:
    """The stochastic gradient: gradient + noise, the noise of mean 0; `noise` takes a generator and (R, d)."""

    name: str
    noise: Callable[[Generator, tuple[int, ...]], Array] | None = None


EXACT = Oracle("exact")


def gaussian(sigma: float) -> Oracle:
    """Gaussian noise with E||n||^2 = sigma^2, spread evenly over the coordinates."""
    return Oracle("Gaussian", lambda rng, shape: rng.standard_normal(shape) * (sigma / math.sqrt(shape[-1])))


@dataclass(frozen=True)
class Schedule:
    """A constant learning rate: `burn_in` steps that are not counted, then `steps` that are."""

    eta: float
    steps: int
    burn_in: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.eta < math.inf:
            raise ValueError(f"eta must be positive and finite, got {self.eta}")
        if self.steps < 1 or self.burn_in < 0:
            raise ValueError(f"steps must be at least 1 and burn_in at least 0, got {self.steps} and {self.burn_in}")


@dataclass(frozen=True)
class Simulation:
    """Problem, stochastic gradient, learning rate, and what theory says of X (see `Moments`), exactly or as a bound."""

    problem: Problem
    oracle: Oracle
    schedule: Schedule
    theory: float


@dataclass(frozen=True)
class Moments:
    """What remains of a run.

    Attributes:
        squared_gradient: X of each replica (R,): the mean of ||grad_k L_k||^2 over counted steps and students.
        state_mean, state_variance: of each coordinate (d,), over counted steps and replicas.
    """

    squared_gradient: Array
    state_mean: Array
    state_variance: Array

    @property
    def mean(self) -> float:
        """X averaged over replicas."""
        return float(self.squared_gradient.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of `mean`, from the replicas, which are independent."""
        return float(self.squared_gradient.std(ddof=1) / math.sqrt(len(self.squared_gradient)))


def run(simulation: Simulation, replicas: int, seed: int) -> Moments:
    """Run SGD with a constant rate, all replicas at once; memory does not depend on the number of steps.

    Raises:
        ValueError: fewer than 2 replicas (a standard error needs them).
        FloatingPointError: the iterates diverged; names the step.
    """
    if replicas < 2:
        raise ValueError(f"replicas must be at least 2, got {replicas}")
    problem, schedule, rng = simulation.problem, simulation.schedule, np.random.default_rng(seed)
    state = problem.start(rng, replicas)
    square = np.zeros(replicas)
    mean, spread = np.zeros(state.shape[-1]), np.zeros(state.shape[-1])
    for step in range(-schedule.burn_in, schedule.steps):
        gradient = problem.gradient(state)
        if step >= 0:
            square += np.einsum("rd,rd->r", gradient, gradient)
            mean, spread = _updated(mean, spread, state, step)
        state = state - schedule.eta * _observed(gradient, simulation.oracle, rng)
    if not np.isfinite(state).all():
        raise FloatingPointError(f"the iterates diverged within {schedule.burn_in + schedule.steps} steps")
    return Moments(square / (schedule.steps * problem.students), mean, spread / (schedule.steps * replicas))


def _observed(gradient: Array, oracle: Oracle, rng: Generator) -> Array:
    return gradient if oracle.noise is None else gradient + oracle.noise(rng, gradient.shape)


def _updated(mean: Array, spread: Array, state: Array, step: int) -> tuple[Array, Array]:
    """Mean and sum of squared deviations after one more batch of replicas (Chan, Golub and LeVeque 1983)."""
    replicas, seen = len(state), step * len(state)
    batch = state.mean(axis=0)
    shift = batch - mean
    spread = spread + ((state - batch) ** 2).sum(axis=0) + shift**2 * (seen * replicas / (seen + replicas))
    return mean + shift * (replicas / (seen + replicas)), spread
