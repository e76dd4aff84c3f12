"""Whether what a problem, an oracle and a record compute has the shapes that the loop needs, asked once before it."""

from typing import Any

import numpy as np

from .backend import Array, Random, array_namespace, as_numpy
from .moments import Record
from .simulation import Simulation


def check_shapes(simulation: Simulation, record: Record, state: Array, rng: Random) -> None:
    """Refuse what would broadcast to wrong numbers, such as one noise for all replicas; draws from `rng`.

    Raises:
        ValueError: names the function and the shape or type that it gave.
    """
    before = as_numpy(state).copy()
    gradient, oracle, shape = simulation.problem.gradient(state), simulation.oracle, tuple(state.shape)
    _refuse_other("gradient", gradient, state)
    if oracle.sample is not None:
        _refuse_other("sample", oracle.sample(rng, state), state)
    if oracle.noise is not None:
        _refuse_other("noise", oracle.noise(rng, shape), state)
    if oracle.bias is not None:
        _refuse_other("gradient + bias", _sum(gradient, oracle.bias(gradient)), state)
    if record.basin is not None:
        label = record.basin(state)
        if tuple(getattr(label, "shape", ())) != shape[:1]:
            raise ValueError(f"basin must give a number of each of the {shape[0]} replicas, got {_described(label)}")
    if not np.array_equal(before, as_numpy(state), equal_nan=True):
        raise ValueError(
            "gradient, sample and basin must leave the states as they are, got a function that changes them"
        )


def _refuse_other(name: str, found: Any, state: Array) -> None:
    shape = getattr(found, "shape", None)
    if not isinstance(found, type(state)) or tuple(shape or ()) != tuple(state.shape):
        told = None if shape is None else tuple(shape)
        raise ValueError(f"{name} must have the states' shape {tuple(state.shape)}, got {told}")
    if not array_namespace(state).isdtype(found.dtype, "real floating"):
        raise ValueError(f"{name} must be floating point, got {found.dtype}")


def _sum(gradient: Array, bias: Any) -> Any:
    try:
        return gradient + bias
    except (TypeError, ValueError, RuntimeError):
        shape = tuple(gradient.shape)
        raise ValueError(f"bias must be what can be added to gradients {shape}, got {_described(bias)}") from None


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" if shape is None else f"shape {tuple(shape)}"
