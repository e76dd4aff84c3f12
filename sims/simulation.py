"""A simulation is data; one loop runs it, vectorised over replicas, and keeps running moments only."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import array_namespace
from numpy.random import Generator
from numpy.typing import NDArray

from .accumulator import Accumulator, flushed
from .backend import Array, Backend, Random
from .check import check_gradient
from .moments import Moments, Record
from .oracles import EXACT, Oracle, gaussian

if TYPE_CHECKING:
    from .compiled import Blocks

__all__ = [
    "EXACT",
    "Array",
    "Moments",
    "Oracle",
    "Problem",
    "Record",
    "Schedule",
    "Simulation",
    "gaussian",
    "run",
    "states_along",
]

FLUSH_EVERY = 64  # steps between two looks for tiny numbers in a run without noise


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
    """

    gradient: Callable[[Array], Array]
    start: Callable[[Generator, int], NDArray[np.float64]]
    students: int = 1
    value: Callable[[Array], Array] | None = None
    beta: float | None = None


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
    """Problem, stochastic gradient, learning rate, and what theory says of X (see `Moments`), exactly or as a bound.

    Raises:
        ValueError: a learning rate above 2/beta, where constant-rate SGD diverges at the curvature that is stated.
    """

    problem: Problem
    oracle: Oracle
    schedule: Schedule
    theory: float

    def __post_init__(self) -> None:
        beta, eta = self.problem.beta, self.schedule.eta
        if beta is not None and eta * beta > 2:
            raise ValueError(f"eta must be at most 2/beta = {2 / beta:g}, got {eta}")


def run(
    simulation: Simulation,
    replicas: int,
    seed: int,
    record: Record = Record(),  # noqa: B008 - frozen
    *,
    backend: str = "numpy",
    device: str = "cpu",
    dtype: str = "float64",
    compiled: bool = False,
) -> Moments:
    """Run SGD with a constant rate, all replicas at once; memory does not depend on the number of steps.

    The same seed gives the same bits on NumPy. In a run without noise numbers below 1e-300 count as 0 (1e-33 in single
    precision): subnormal numbers take many times as long as others.

    `compiled` makes one kernel of eight steps, which takes seconds once and then about half of the time: for long runs
    on torch, of a gradient without Python branches on its values and an oracle that adds noise to it.

    Raises:
        ValueError: fewer than 2 replicas (a standard error needs them), a backend, device or dtype that is not there,
            a gradient that disagrees with the problem's value, `compiled` on NumPy or for what torch cannot compile.
        FloatingPointError: the iterates diverged; names the step.
    """
    if replicas < 2:
        raise ValueError(f"replicas must be at least 2, got {replicas}")
    _keep_freed_memory()
    place, rng = Backend(backend, device, dtype, compiled), np.random.default_rng(seed)
    check_gradient(simulation.problem)
    state = place.asarray(simulation.problem.start(rng, replicas))
    return _run(simulation, state, place.random(rng, seed), record, compiled).moments()


def states_along(simulation: Simulation, replicas: int, seed: int, points: int, **where: Any) -> NDArray[np.float64]:
    """States of all replicas at about so many equally spaced counted steps, (points, R, d), on NumPy.

    `where` is the backend, device and dtype of the run.

    Raises:
        ValueError, FloatingPointError: as `run`.
    """
    every = max(1, simulation.schedule.steps // points)
    trace = run(simulation, replicas, seed, Record(every=every, trace=points, paths=replicas), **where).trace
    assert trace is not None
    return trace.states


def _keep_freed_memory() -> None:
    """Let the C library keep memory that a step frees for the next step: fetching it anew took half of the time.

    glibc gives freed memory back once there is more than twice the largest block that it has seen freed, up to 32 MiB.
    """
    np.empty(31 << 20, np.uint8)  # freed at once, never touched


def _run(simulation: Simulation, state: Array, rng: Random, record: Record, compiled: bool) -> Accumulator:
    schedule = simulation.schedule
    kept = Accumulator(record, simulation.problem.students, _stride(schedule.steps, record))
    blocks = _blocks(simulation, kept, state, rng) if compiled else None
    step = -schedule.burn_in
    while step < schedule.steps:
        if blocks is not None and blocks.fits(step):
            state, step = blocks.advance(state, step), step + blocks.steps
        else:
            state, step = _step(simulation, kept, state, step, rng), step + 1
    if not array_namespace(state).isfinite(state).all():
        raise FloatingPointError(f"the iterates diverged within {schedule.burn_in + schedule.steps} steps")
    return kept


def _blocks(simulation: Simulation, kept: Accumulator, state: Array, rng: Random) -> "Blocks":
    from .compiled import Blocks  # imports torch

    return Blocks(simulation, kept, state, rng)


def _step(simulation: Simulation, kept: Accumulator, state: Array, step: int, rng: Random) -> Array:
    oracle, measured = simulation.oracle, kept.asks(step) != "nothing"
    gradient = simulation.problem.gradient(state) if measured or oracle.sample is None else state
    if oracle.is_exact and step % FLUSH_EVERY == 0:
        kept.floor = floor_of(gradient) if _is_tiny(gradient) else 0.0
    if measured:
        kept.add(state, gradient, step)
    seen = biased(gradient if oracle.sample is None else oracle.sample(rng, state), oracle)
    noisy = seen if oracle.noise is None else seen + oracle.noise(rng, tuple(seen.shape))
    return descended(state, noisy, simulation.schedule.eta, kept.floor)


def biased(gradient: Array, oracle: Oracle) -> Array:
    """The gradient with the oracle's bias."""
    return gradient if oracle.bias is None else gradient + oracle.bias(gradient)


def descended(state: Array, gradient: Array, eta: float, floor: float) -> Array:
    """The state after one step; numbers below the floor are 0."""
    return flushed(state - eta * gradient, floor)


def floor_of(array: Array) -> float:
    """A size below which numbers may count as 0: a rate times it is not subnormal yet."""
    return float(array_namespace(array).finfo(array.dtype).smallest_normal) * 1e5


def _is_tiny(gradient: Array) -> bool:
    """Whether a square is anywhere near subnormal."""
    xp = array_namespace(gradient)
    size = xp.abs(gradient)
    return bool(xp.any((size > 0) & (size < 1e10 * math.sqrt(floor_of(gradient)))))


def _stride(steps: int, record: Record) -> int:
    """Of measured steps between two points of the trace."""
    return math.ceil(math.ceil(steps / record.every) / record.trace) if record.trace else 1
