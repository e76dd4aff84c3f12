r"""Two students on a circle (theorem E6), each with a rule of its own.

Inputs u lie on a circle, labels are fair coins, student 1 has the logits (f(u - x), 0) and student 2 (g(u - y), 0), one
scalar parameter each. Both losses depend on the phase x - y only.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from array_api_compat import device
from numpy.random import Generator
from numpy.typing import NDArray

from sims.engine import Problem
from sims.engine.backend import Array, array_namespace

from .scalar import expit

INPUTS = 192  # on so many inputs exact values have ten digits up to order 2.5: their waves are smooth
NEAREST, LOCKED = 1e-6, 1e-11  # of a start to the unstable phase (one in three million is nearer); to the locked phase


@dataclass(frozen=True)
class Wave:
    """The logit $a_1\\cos u + a_2\\cos(2u + \\phi)$ of the first class against the second."""

    first: float
    second: float = 0.0
    phase: float = 0.0

    def __call__(self, u: Array) -> Array:
        xp = array_namespace(u)
        return self.first * xp.cos(u) + self.second * xp.cos(2 * u + self.phase)

    def slope(self, u: Array) -> Array:
        """The derivative."""
        xp = array_namespace(u)
        return -self.first * xp.sin(u) - 2 * self.second * xp.sin(2 * u + self.phase)


F, G = Wave(5.208), Wave(5.549, 4.028, 2.531)


@dataclass(frozen=True)
class Rule:
    r"""A student's rule: $\lambda D(p\|q)$, by its slope in the student's logit; p is the peer, q the student.

    `slope` takes the logits (own, peer); `value` the probabilities ((p, 1 - p), (q, 1 - q)), for theory.
    """

    name: str
    slope: Callable[[Array, Array], Array]
    value: Callable[..., Any]
    weight: float = 1.0


def circle(inputs: int = INPUTS) -> Array:
    """Equidistant inputs: a periodic function's mean over them is its integral, up to an exponentially small error."""
    return 2 * np.pi * np.arange(inputs) / inputs


def circle_gradient(state: Array, rules: tuple[Rule, Rule], inputs: int = INPUTS) -> Array:
    """Gradients of L_1 in x and of L_2 in y at the states (x, y), shape (R, 2); the peer is detached."""
    xp = array_namespace(state)
    u = xp.asarray(circle(inputs), dtype=state.dtype, device=device(state))
    at_f, at_g = u - state[:, :1], u - state[:, 1:]
    f, g = F(at_f), G(at_g)
    pulls = [_pull(f, g, rules[0]) * -F.slope(at_f), _pull(g, f, rules[1]) * -G.slope(at_g)]
    return xp.stack([xp.mean(pull, axis=-1) for pull in pulls], axis=-1)


def _pull(own: Array, peer: Array, rule: Rule) -> Array:
    """Derivative of CE (labels are fair coins) and of the rule in the own logit."""
    return (expit(own) - 0.5) + rule.weight * rule.slope(own, peer)


def circle_problem(rules: tuple[Rule, Rule]) -> Problem:
    """Both parameters start uniformly on the circle."""

    def start(rng: Generator, replicas: int) -> Array:
        return rng.uniform(-np.pi, np.pi, (replicas, 2))

    return Problem(lambda state: circle_gradient(state, rules), start, students=2)


def locking_steps(rules: tuple[Rule, Rule], eta: float) -> int:
    r"""Steps until $\varphi = x-y$ is locked, by the rates of $\dot\varphi=-T(\varphi)$ at its two fixed points.

    A step multiplies a small distance to the unstable phase by $1+\eta|T'|$, to the locked phase by $|1-\eta T'|$.

    Raises:
        ValueError: the rate is too large for the locked phase to attract, or there is more than one.
    """
    away, towards = _rates(rules)
    if not eta * towards < 2:
        raise ValueError(f"eta must be below {2 / towards:.4g}, where the pair of {rules[0].name} locks, got {eta}")
    contraction = max(abs(1 - eta * towards), 0.5)  # farther off than where the linear rate holds it may be slower
    return math.ceil(
        math.log(math.pi / NEAREST) / math.log1p(eta * away) - math.log(math.pi / LOCKED) / math.log(contraction)
    )


@cache
def _rates(rules: tuple[Rule, Rule]) -> tuple[float, float]:
    """|T'| at the unstable phase and T' at the locked one."""
    phase = circle()
    gradient = circle_gradient(np.stack([phase, 0 * phase], axis=-1), rules)
    torque = gradient[:, 0] - gradient[:, 1]
    rise = (np.roll(torque, -1) - torque) / phase[1]
    crosses = np.signbit(torque) != np.signbit(np.roll(torque, -1))
    if crosses.sum() != 2:
        raise ValueError(f"the pair of {rules[0].name} must have one locked phase, got {crosses.sum() // 2}")
    return -float(rise[crosses].min()), float(rise[crosses].max())


def lasting_bias(rules: tuple[Rule, Rule]) -> float:
    r"""$X$ of the locked pair from values of the divergences only, by Fourier series in the phase $\varphi=x-y$.

    With $V_1$ and $V_2$ the means over inputs of $\lambda_1D_1(p_2\|p_1)$ and $\lambda_2D_2(p_1\|p_2)$ (cross-entropy
    to fair coins does not depend on x and y) the pair locks where $V_1+V_2$ is least, and $X=V_1'^2=V_2'^2$ there.
    """
    u, phases = circle(), circle()
    first, second = F(u - phases[:, None]), G(u)[None]
    values = [_mean_value(rules[0], first, second), _mean_value(rules[1], second, first)]
    series = [np.fft.rfft(value) / len(phases) for value in values]
    locked = _locked(series[0] + series[1], float(phases[np.argmin(values[0] + values[1])]))
    return float(np.mean([_derivative(one, locked, 1) ** 2 for one in series]))


def _mean_value(rule: Rule, own: Array, peer: Array) -> Array:
    p, q = ((expit(logit), expit(-logit)) for logit in (peer, own))
    return rule.weight * rule.value(p, q).mean(axis=-1)


def _locked(series: NDArray[np.complex128], phase: float) -> float:
    """The stationary phase of a Fourier series near a start, by Newton."""
    for _ in range(30):
        phase -= _derivative(series, phase, 1) / _derivative(series, phase, 2)
    return phase


def _derivative(series: NDArray[np.complex128], phase: float, times: int) -> float:
    wave = 1j * np.arange(len(series))
    return float((2 * series[1:] * wave[1:] ** times * np.exp(wave[1:] * phase)).real.sum())
