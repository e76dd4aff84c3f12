r"""What gradient descent at a finite rate follows exactly: the modified equation of Euler's method, and its cycles.

Steps $\theta^+=\theta+\eta f(\theta)$ lie on the paths of $\dot\theta =
f-\frac\eta2f'f+\eta^2(\frac1{12}f''(f,f)+\frac13f'f'f)+O(\eta^3)$ (Hairer, Lubich and Wanner, Geometric Numerical
Integration, IX.1). The last term kept says how much is left out.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

Vector = NDArray[np.float64]
Field = Callable[[Vector], Vector]
"""States (R, d) to velocities (R, d)."""

STEP = 1e-3  # of central differences along the field
ACCURACY: dict[str, Any] = {"method": "DOP853", "rtol": 1e-7, "atol": 1e-9}
AT_REST, BACK = 1e-3, 1e-3  # speed below which a state rests; distance that counts as having come back


def modified(gradient: Field, eta: float, order: int) -> Field:
    """The modified equation of descent, to so high a power of eta: 0, 1 or 2."""
    corrected = _corrected(gradient, eta, order)
    return lambda at: corrected(at, -gradient(at))


def _corrected(gradient: Field, eta: float, order: int) -> Callable[[Vector, Vector], Vector]:
    """States and their plain velocities to velocities by the modified equation."""

    def along(at: Vector, way: Vector) -> tuple[Vector, Vector]:
        both = -gradient(np.concatenate([at + STEP * way, at - STEP * way]))
        ahead, behind = both[: len(at)], both[len(at) :]
        return (ahead - behind) / (2 * STEP), ahead + behind

    def velocity(at: Vector, plain: Vector) -> Vector:
        if order == 0:
            return plain
        turned, both = along(at, plain)
        first = plain - eta / 2 * turned
        if order == 1:
            return first
        return first + eta**2 * ((both - 2 * plain) / (12 * STEP**2) + along(at, turned)[0] / 3)

    return velocity


class Cycle(NamedTuple):
    """Mean squared gradient over students round a cycle and its period; 0 and infinite at rest."""

    square: float
    period: float


def settled(gradient: Field, start: Sequence[float], time: float) -> Vector:
    """Where the plain equation is after a time (d,)."""
    return solve_ivp(lambda _, at: -gradient(at[None])[0], (0, time), start, **ACCURACY).y[:, -1]


def cycle(gradient: Field, eta: float, order: int, near: Vector, within: float) -> Cycle:
    """The cycle of the modified equation, of a period below `within`, from a point near it.

    Where the plain equation comes to rest the modified one does, too: f = 0 makes all of its terms 0.
    """
    if np.linalg.norm(gradient(near[None])) < AT_REST:
        return Cycle(0.0, np.inf)
    corrected = _corrected(gradient, eta, order)

    def moving(_time: float, state: Vector) -> Vector:
        at = state[None, :-1]
        plain = -gradient(at)
        return np.append(corrected(at, plain)[0], (plain**2).mean())

    begin = solve_ivp(moving, (0, 2 * within), [*near, 0.0], **ACCURACY).y[:-1, -1]
    heading = moving(0, np.append(begin, 0))[:-1]
    centre = begin + 1e-2 * heading  # the section is a little ahead of the start, so that the start is not on it

    def section(_time: float, state: Vector) -> float:
        return float(heading @ (state[:-1] - centre))

    section.direction = 1.0  # type: ignore[attr-defined]
    found = solve_ivp(moving, (0, 1.5 * within), [*begin, 0.0], events=section, **ACCURACY)
    return _round(found.t_events[0], found.y_events[0])


def _round(times: Vector, states: Vector) -> Cycle:
    again = np.flatnonzero(np.linalg.norm(states[:, :-1] - states[0, :-1], axis=-1) < BACK)
    time, square = times[again[1]] - times[0], states[again[1], -1] - states[0, -1]
    return Cycle(float(square / time), float(time))


def follow(field: Field, states: Vector, time: float, step: float) -> Vector:
    """States after a time, by Runge and Kutta's method of fourth order."""
    for _ in range(round(time / step)):
        first = field(states)
        second = field(states + step / 2 * first)
        third = field(states + step / 2 * second)
        states = states + step / 6 * (first + 2 * second + 2 * third + field(states + step * third))
    return states
