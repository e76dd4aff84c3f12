"""A simulation is data: problem, stochastic gradient, constant learning rate, and what theory says of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from theory.typed import check_call, check_fields

from .accumulator import flushed
from .backend import Array, array_namespace
from .oracles import EXACT, Oracle


@dataclass(frozen=True)
class Problem:
    """What is descended; R replicas at once.

    Attributes:
        gradient: states (R, d) to gradients (R, d); for K students the stacked gradients of their own losses.
        start: NumPy's generator and R to states (R, d), on every backend.
        students: K, by which the squared gradient norm is divided.
        value: states (R, d) to losses (R,), or (R, K) for K students whose parameters are K equal blocks; None if it
            is not stated, and then nothing checks the gradient.
        beta: a bound on the curvature of every loss; None if it is not stated.

    Raises:
        ValueError: what is no function, no student, a beta that is negative or infinite.

    >>> import numpy as np
    >>> bowl = Problem(lambda x: x, lambda rng, replicas: rng.standard_normal((replicas, 2)), beta=1.0)
    >>> bowl.gradient(np.array([[1.0, 2.0]]))
    array([[1., 2.]])
    """

    gradient: Callable[[Array], Array]
    start: Callable[[Generator, int], NDArray[np.float64]]
    students: int = 1
    value: Callable[[Array], Array] | None = None
    beta: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_call("gradient", self.gradient, "states")
        check_call("start", self.start, "generator", "replicas")
        check_call("value", self.value, "states")
        if self.students < 1:
            raise ValueError(f"students must be a whole number, at least 1, got {self.students!r}")
        if self.beta is not None and not 0 <= self.beta < math.inf:
            raise ValueError(f"beta must be non-negative and finite, or None, got {self.beta}")


@dataclass(frozen=True)
class Schedule:
    """A constant learning rate: `burn_in` steps that are not counted, then `steps` that are.

    Raises:
        ValueError: a rate that is not positive and finite, no counted step, a negative burn-in, a part of a step.

    >>> Schedule(eta=0.1, steps=100, burn_in=20)
    Schedule(eta=0.1, steps=100, burn_in=20)
    """

    eta: float
    steps: int
    burn_in: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 < self.eta < math.inf:
            raise ValueError(f"eta must be positive and finite, got {self.eta}")
        if self.steps < 1 or self.burn_in < 0:
            raise ValueError(f"steps must be at least 1 and burn_in at least 0, got {self.steps} and {self.burn_in}")


@dataclass(frozen=True)
class Simulation:
    """Problem, stochastic gradient, learning rate, and what theory says of X (see `Moments`), exactly or as a bound.

    Raises:
        ValueError: a learning rate above 2/beta, where constant-rate SGD diverges at the curvature that is stated.

    >>> from sims import EXACT
    >>> bowl = Problem(lambda x: x, lambda rng, replicas: rng.standard_normal((replicas, 1)), beta=1.0)
    >>> Simulation(bowl, EXACT, Schedule(eta=3.0, steps=10), theory=0.0)
    Traceback (most recent call last):
    ValueError: eta must be at most 2/beta = 2, got 3.0
    """

    problem: Problem
    oracle: Oracle
    schedule: Schedule
    theory: float

    def __post_init__(self) -> None:
        check_fields(self)
        if math.isnan(self.theory):
            raise ValueError("theory must be a number, got nan")
        beta, eta = self.problem.beta, self.schedule.eta
        if beta is not None and eta * beta > 2:
            raise ValueError(f"eta must be at most 2/beta = {2 / beta:g}, got {eta}")


def solved(theory: float) -> Simulation:
    """A placeholder that holds theory's value for a measure that solves students exactly, on NumPy, without steps."""
    still = Problem(lambda state: 0 * state, lambda _rng, replicas: np.zeros((replicas, 1)))
    return Simulation(still, EXACT, Schedule(1.0, 1), theory)


def biased(gradient: Array, oracle: Oracle) -> Array:
    """The gradient with the oracle's bias."""
    return gradient if oracle.bias is None else gradient + oracle.bias(gradient)


def descended(state: Array, gradient: Array, eta: float, floor: float) -> Array:
    """The state after one step; numbers below the floor are 0."""
    return flushed(state - eta * gradient, floor)


def floor_of(array: Array) -> float:
    """A size below which numbers may count as 0: a rate times it is not subnormal yet."""
    return float(array_namespace(array).finfo(array.dtype).smallest_normal) * 1e5
