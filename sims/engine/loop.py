"""The loop: constant-rate SGD, vectorised over replicas; only running moments are kept."""

import math
from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from theory.divergence.arguments import as_floats
from theory.typed import check_arguments, shown

from .accumulator import Accumulator
from .backend import Array, Backend, Random, array_namespace
from .gradient_check import check_gradient
from .moments import Moments, Record
from .shapes import check_shapes
from .simulation import Simulation, biased, descended, floor_of

if TYPE_CHECKING:
    from .compiled_blocks import Blocks

PLACE = ("backend", "device", "dtype", "compiled")
"""The keywords that say where and how a simulation runs, and not what it is."""
FLUSH_EVERY = 64  # steps between two looks for tiny numbers in a run without noise


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

    >>> from sims import Problem, Schedule, gaussian
    >>> bowl = Problem(lambda x: x, lambda rng, replicas: rng.standard_normal((replicas, 1)), beta=1.0)
    >>> plateau = 0.1 / (2 - 0.1)  # eta sigma^2 / (2 - eta), see theory.dynamics.stationary.noise_floor
    >>> found = run(Simulation(bowl, gaussian(1.0), Schedule(0.1, 2000, 200), plateau), replicas=50, seed=0)
    >>> abs(found.mean - plateau) < 4 * found.standard_error
    True
    """
    check_arguments(run, locals())
    check_sizes(replicas, seed)
    _keep_freed_memory()
    place, rng = Backend(backend, device, dtype, compiled), np.random.default_rng(seed)
    check_gradient(simulation.problem)
    state = place.asarray(as_floats(simulation.problem.start(rng, replicas), "start"))
    if state.ndim != 2 or state.shape[0] != replicas or not state.shape[1]:
        raise ValueError(f"start must give states of shape ({replicas}, d), got {tuple(state.shape)}")
    check_shapes(simulation, record, state, place.random(np.random.default_rng(seed), seed))
    return _run(simulation, state, place.random(rng, seed), record, compiled).moments()


def check_sizes(replicas: int, seed: int) -> None:
    """Raise ValueError unless there are 2 replicas and the seed is one that NumPy takes."""
    if not isinstance(replicas, Integral) or not 2 <= replicas < 2**31:
        raise ValueError(f"replicas must be a whole number, at least 2, got {shown(replicas)}")
    if not isinstance(seed, Integral) or seed < 0:
        raise ValueError(f"seed must be a whole number that is not negative, got {shown(seed)}")


def check_where(where: Mapping[str, Any]) -> None:
    """Refuse keywords of `run` that it does not have, or of another type."""
    if strange := sorted(where.keys() - set(PLACE)):
        raise ValueError(f"where must be among {', '.join(PLACE)}, got {strange[0]!r}")
    check_arguments(run, where)


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
    from .compiled_blocks import Blocks  # imports torch

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


def _is_tiny(gradient: Array) -> bool:
    """Whether a square is anywhere near subnormal."""
    xp = array_namespace(gradient)
    size = xp.abs(gradient)
    return bool(xp.any((size > 0) & (size < 1e10 * math.sqrt(floor_of(gradient)))))


def _stride(steps: int, record: Record) -> int:
    """How many measured steps lie between two points of the trace."""
    return math.ceil(math.ceil(steps / record.every) / record.trace) if record.trace else 1
