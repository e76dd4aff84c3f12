"""Whether a problem's gradient is the derivative of its value."""

import numpy as np
from numpy.typing import NDArray

from theory.divergence.arguments import as_floats
from theory.typed import check_arguments

from .simulation import Problem

POINTS, STEP, TOLERANCE = 3, 1e-3, 1e-6


def check_gradient(problem: Problem) -> None:
    r"""Refuse a gradient that is not the derivative of the value, at three starts; does nothing without a value.

    The derivative is the central difference with step $h = 10^{-3}\max(1, |x|)$, extrapolated to $h \to 0$ from h and
    h/2; what the last extrapolation changed, and rounding of the value, are allowed for.

    Raises:
        ValueError: they differ; names the two, the coordinate and the size of the mismatch.

    >>> import numpy as np
    >>> wrong = Problem(lambda x: x, lambda rng, r: np.ones((r, 1)), value=lambda x: (x**2).sum(axis=-1))
    >>> check_gradient(wrong)
    Traceback (most recent call last):
    ValueError: the gradient disagrees with the value by 1: coordinate 0 is 1 where the derivative is 2
    """
    check_arguments(check_gradient, locals())
    if problem.value is None:
        return
    at = as_floats(problem.start(np.random.default_rng(0), POINTS), "start")
    if at.ndim != 2:
        raise ValueError(f"start must give states of shape ({POINTS}, d), got {at.shape}")
    stated = as_floats(problem.gradient(at), "gradient")
    if stated.shape != at.shape:
        raise ValueError(f"the gradient must have the states' shape {at.shape}, got {stated.shape}")
    derivative, error = _derivative(problem, at)
    excess = np.abs(stated - derivative) - error
    worst = np.unravel_index(np.argmax(np.where(np.isnan(excess), np.inf, excess)), excess.shape)
    if not excess[worst] <= TOLERANCE * np.abs(derivative).max():
        raise ValueError(
            f"the gradient disagrees with the value by {abs(stated[worst] - derivative[worst]):.3g}: coordinate "
            f"{worst[1]} is {stated[worst]:.6g} where the derivative is {derivative[worst]:.6g}"
        )


def _derivative(problem: Problem, at: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Derivatives (R, d) of each student's value in its own coordinates, with a bound on their error."""
    wide, size = _difference(problem, at, STEP)
    narrow, _ = _difference(problem, at, STEP / 2)
    return (4 * narrow - wide) / 3, np.abs(narrow - wide) + 8 * np.finfo(np.float64).eps * size / STEP


def _difference(problem: Problem, at: NDArray[np.float64], step: float) -> tuple[NDArray[np.float64], float]:
    count, dimension = at.shape
    assert problem.value is not None
    h = step * np.maximum(1, np.abs(at))
    moves = h[:, None, :] * np.eye(dimension)  # one coordinate a row
    ahead, behind = (problem.value((at[:, None, :] + s * moves).reshape(-1, dimension)) for s in (1, -1))
    if len(np.atleast_1d(ahead)) != count * dimension:
        raise ValueError(f"value must give a loss of each of {count * dimension} states, got shape {np.shape(ahead)}")
    values = [np.asarray(v, np.float64).reshape(count, dimension, -1) for v in (ahead, behind)]
    owner = np.arange(dimension) * values[0].shape[-1] // dimension
    own = [v[:, np.arange(dimension), owner] for v in values]
    return (own[0] - own[1]) / (2 * h), float(np.abs(values[0]).max())
