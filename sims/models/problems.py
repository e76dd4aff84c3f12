"""Nonconvex problems in d coordinates whose smoothness and least value are known: (f, grad, beta, inf f)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sims.engine import Problem
from sims.engine.backend import Array, array_namespace, like

DIMENSION = 10
ROWS = 30


Function = Callable[[Array], Array]


@dataclass(frozen=True)
class Known:
    """A problem of which theory knows everything: started at one point, `lost` = f(start) - inf f (or more)."""

    name: str
    problem: Problem
    lost: float

    @property
    def beta(self) -> float:
        """The problem's smoothness."""
        assert self.problem.beta is not None
        return self.problem.beta


def _from(at: float, name: str, value: Function, gradient: Function, beta: float, least: float = 0.0) -> Known:
    """The sum over coordinates, every coordinate started at `at`."""
    start = np.full((1, DIMENSION), at)
    problem = Problem(gradient, lambda _rng, replicas: np.repeat(start, replicas, axis=0), 1, value, beta)
    return Known(name, problem, float(value(start)[0]) - least)


def _total(values: Array) -> Array:
    return array_namespace(values).sum(values, axis=-1)


def quadratic() -> Known:
    r"""$x^2/2$."""
    return _from(0.9, "quadratic", lambda x: _total(x**2) / 2, lambda x: x, 1.0)


def saturating() -> Known:
    r"""$x^2/2$ for $|x|\le1$, then $\frac32-e^{1-|x|}$: exactly a quadratic near the optimum, flat far away."""

    def value(x: Array) -> Array:
        xp = array_namespace(x)
        far = xp.abs(x) > 1
        return _total(xp.where(far, 1.5 - xp.exp(xp.where(far, 1 - xp.abs(x), 0 * x)), x**2 / 2))

    def gradient(x: Array) -> Array:
        xp = array_namespace(x)
        far = xp.abs(x) > 1
        return xp.where(far, xp.sign(x) * xp.exp(xp.where(far, 1 - xp.abs(x), 0 * x)), x)

    return _from(0.9, "saturating quadratic", value, gradient, 1.0)


def cauchy() -> Known:
    r"""$x^2/(1+x^2)$; slopes are at most 0.65, so a larger bias would carry x away for ever."""
    value, gradient = lambda x: _total(x**2 / (1 + x**2)), lambda x: 2 * x / (1 + x**2) ** 2
    return _from(1.5, r"$x^2/(1+x^2)$", value, gradient, 2.0)


def ripples() -> Known:
    r"""$1-\cos x+x^2/20$: many valleys."""

    def value(x: Array) -> Array:
        return _total(1 - array_namespace(x).cos(x) + x**2 / 20)

    return _from(8.0, r"$1-\cos x+x^2/20$", value, lambda x: array_namespace(x).sin(x) + x / 10, 1.1)


def two_wells() -> Known:
    r"""$x^2/2+2e^{-x^2/2}$: wells at $\pm\sqrt{2\log2}$, curvature $1+4e^{-3/2}$ where it is largest."""

    def value(x: Array) -> Array:
        return _total(x**2 / 2 + 2 * array_namespace(x).exp(-(x**2) / 2))

    def gradient(x: Array) -> Array:
        return x * (1 - 2 * array_namespace(x).exp(-(x**2) / 2))

    return _from(0.1, "two wells", value, gradient, 1 + 4 * math.exp(-1.5), DIMENSION * (math.log(2) + 1))


def logistic(weight: float = 0.1) -> Known:
    r"""Mean of $\log(1+e^{-a_i^\top x})$ plus $0.1\sum x^2/(1+x^2)$; inf f is replaced by 0, which is less."""
    rows: NDArray[np.float64] = np.random.default_rng(0).standard_normal((ROWS, DIMENSION))
    beta = float(np.linalg.eigvalsh(rows.T @ rows / ROWS)[-1]) / 4 + 2 * weight

    def value(x: Array) -> Array:
        xp = array_namespace(x)
        margin = x @ like(rows.T, x)
        return xp.mean(xp.logaddexp(0 * margin, -margin), axis=-1) + weight * _total(x**2 / (1 + x**2))

    def gradient(x: Array) -> Array:
        xp, a = array_namespace(x), like(rows, x)
        pull = (xp.tanh(x @ a.T / 2) - 1) / 2
        return pull @ a / ROWS + weight * 2 * x / (1 + x**2) ** 2

    return _from(1.0, "logistic, nonconvex penalty", value, gradient, beta)


KNOWN = (quadratic, saturating, cauchy, ripples, two_wells, logistic)
