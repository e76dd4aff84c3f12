r"""Shelf E6: the O(1) bias is attained. Two students on a circle lock and then rotate for ever.

Two classes, inputs u uniform on a circle, labels fair coins; student 1 has logits (f(u - x), 0), student 2 (g(u - y),
0), one parameter each, $\lambda = 1$. All averages depend on $\varphi = x - y$ only.
"""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp
from scipy.special import expit

from theory.divergence.arguments import Array
from theory.divergence.gradients import peer_gradient, student_gradient
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair
from theory.theorems.symbols import ONE, a

CIRCLE = 2 * np.pi * np.arange(192) / 192
"""Inputs: the trapezoidal rule is exact to rounding on them for waves as large as those below."""

WAVES: dict[str, Any] = dict(first=Reals(2, 2, scale=1), second=Reals(2, 2, scale=1))
NOTE: dict[str, Any] = dict(
    first=np.array([[5.208, 0.0], [0.0, 0.0]]),
    second=np.array([[5.549, 0.0], [4.028 * np.cos(2.531), -4.028 * np.sin(2.531)]]),
)
"""f = 5.208 cos u and g = 5.549 cos u + 4.028 cos(2u + 2.531), as coefficients of cos and sin of u and 2u."""


HARMONIC = np.array([1.0, 2.0])
COS, SIN = (function(HARMONIC[:, None] * CIRCLE) for function in (np.cos, np.sin))  # (2 harmonics, inputs)


def wave(coefficients: Array, shift: Array) -> tuple[Array, Array]:
    """f(u - shift) and its derivative in u on the circle; coefficients (..., 2 harmonics, cos and sin)."""
    angle = HARMONIC * np.asarray(shift)[..., None]
    cos, sin, c, s = coefficients[..., 0], coefficients[..., 1], np.cos(angle), np.sin(angle)
    even, odd = (cos * c - sin * s)[..., None], (cos * s + sin * c)[..., None]
    return (even * COS + odd * SIN).sum(-2), (HARMONIC[:, None] * (odd * COS - even * SIN)).sum(-2)


def slopes(first: Array, second: Array, alpha: Array, phi: Array) -> tuple[Array, Array]:
    r"""(own, dropped): own holds $\partial_xL_1, \partial_yL_2$, dropped $\partial_yD(p_2\|p_1),
    \partial_xD(p_1\|p_2)$; (..., 2)."""
    waves = wave(first, phi), wave(second, np.zeros_like(phi))
    order = np.asarray(alpha)[..., None]
    logits = [np.stack([value, np.zeros_like(value)], -1) for value, _ in waves]
    own, dropped = [], []
    for k, j in ((0, 1), (1, 0)):
        pull = student_gradient(np.zeros(2), logits[k], 1.0) + student_gradient(logits[j], logits[k], order)
        own.append((-waves[k][1] * pull[..., 0]).mean(axis=-1))
        dropped.append((-waves[j][1] * peer_gradient(logits[j], logits[k], order)[..., 0]).mean(axis=-1))
    return np.stack(own, -1), np.stack(dropped, -1)


def locked_phase(first: Array, second: Array, alpha: Array) -> Array:
    r"""$\varphi^*$, the minimiser of $L_1+L_2$: the best of a grid, then a root of the derivative; shape of alpha."""

    def slope(phi: Array) -> Array:
        return _torque(first, second, alpha, phi)

    grid = 2 * np.pi * np.arange(48) / 48
    force = np.stack([slope(np.full(np.shape(alpha), phi)) for phi in grid], -1)
    loss = np.cumsum(force + np.roll(force, 1, axis=-1), axis=-1)  # trapezoidal, up to a factor and a constant
    centre = grid[np.argmin(loss, axis=-1)]
    return _root(slope, centre - grid[1], centre + grid[1])


def _torque(first: Array, second: Array, alpha: Array, phi: Array) -> Array:
    """d(L1 + L2)/dphi by plain sigmoids: far from the regimes that need the stable formulas, and called often."""
    (f, df), (g, dg) = wave(first, phi), wave(second, np.zeros_like(phi))
    order = np.asarray(alpha)[..., None]
    pull_f = expit(f) - expit(order * g + (1 - order) * f)
    pull_g = expit(g) - expit(order * f + (1 - order) * g)
    return (dg * pull_g - df * pull_f).mean(axis=-1)


def _root(slope: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Where a function that rises through 0 between `low` and `high` does so: secants, kept in by bisection
    (ITP-like)."""
    below, above = slope(low), slope(high)
    for turn in range(24):
        flat = above - below == 0
        secant = low - below * (high - low) / np.where(flat, 1.0, above - below)
        inside = (secant > low) & (secant < high) & (turn % 3 != 2)
        middle = np.where(inside, secant, (low + high) / 2)
        value = slope(middle)
        low, below = np.where(value < 0, middle, low), np.where(value < 0, value, below)
        high, above = np.where(value < 0, high, middle), np.where(value < 0, above, value)
    return np.where(np.abs(below) < np.abs(above), low, high)


def lasting_gradient(alpha: Array | float, first: Array = NOTE["first"], second: Array = NOTE["second"]) -> Array:
    r"""$X = \frac12\sum_k\|\nabla_kL_k\|^2$ of the locked pair, for every small learning rate."""
    order = np.asarray(alpha, np.float64)
    own, _ = slopes(first, second, order, locked_phase(first, second, order))
    return (own**2).mean(axis=-1)


@theorem("E6", given=WAVES | dict(alpha=Interval(0, 3), phi=Reals()), source=OURS, relation="==", cost=20,
         tolerance=1e-8, resolution=1e-3)  # fmt: skip
def rotating_pair_feels_what_detaching_drops(first: Array, second: Array, alpha: Array, phi: Array) -> Pair:
    r"""$\partial_xL_1 = -\lambda\,\partial_yD_\alpha(p_2\|p_1)$ and $\partial_yL_2 =
    -\lambda\,\partial_xD_\alpha(p_1\|p_2)$ at every angle.

    Proof: the circle looks the same from every angle, so the cross-entropy to fair coins does not depend on x or y and
    $D_\alpha(p_2\|p_1)$ depends on $x-y$ only.
    """
    own, dropped = slopes(first, second, alpha, phi)
    return own, -dropped


@rotating_pair_feels_what_detaching_drops.identity
def difference_of_the_divergences_to_fourth_order(coefficient: sp.Expr = ONE / 96) -> list[sp.Expr]:
    f, g = sp.symbols("f g", real=True)
    parts = [_log_cosh_part(f, g, n) - _log_cosh_part(g, f, n) for n in (2, 4)]
    return [parts[0], parts[1] - coefficient * a * (2 * a - 1) * (f - g) ** 3 * (f + g)]


def _log_cosh_part(f: sp.Expr, g: sp.Expr, n: int) -> sp.Expr:
    """Terms of degree n of D_alpha(p_g||p_f) for small logits: log 2cosh(x/2) = log 2 + x^2/8 - x^4/192 + ..."""
    factor = {2: sp.Rational(1, 8), 4: -sp.Rational(1, 192)}[n]
    return factor * ((a * g + (1 - a) * f) ** n - a * g**n - (1 - a) * f**n) / (a - 1)


@theorem("E6", given=WAVES | dict(alpha=Interval(0, 3)), source=OURS, relation="==", cost=60,
         tolerance=1e-6, resolution=1e-3,
         tight=lambda t: NOTE | dict(alpha=np.array([0.75, 1.0, 2.0])))  # fmt: skip
def locked_pair_attains_the_bias(first: Array, second: Array, alpha: Array) -> Pair:
    r"""At the locked angle $X = \|\nabla_1L_1\|^2 = \|\nabla_2L_2\|^2 = \lambda^2\gamma^2$: E3 with $\varepsilon =
    0$, c = 1, for ever.

    Proof: $\varphi$ descends $L_1+L_2$ and locks where $L_1' = -L_2'$; then x and y move at the same speed
    $\eta\|\nabla_kL_k\|$, no loss changes, and $\gamma$ is given by the theorem above.
    """
    own, dropped = slopes(first, second, alpha, locked_phase(first, second, alpha))
    x = (own**2).mean(axis=-1, keepdims=True)
    return np.concatenate([own**2, x], -1), np.concatenate([x, x, (dropped**2).mean(axis=-1, keepdims=True)], -1)


@locked_pair_attains_the_bias.identity
def rotation_at_fourth_order(coefficient: sp.Expr = 3 * ONE / 4) -> list[sp.Expr]:
    """Slope at phi = 0 of the mean of (f-g)^3(f+g) for f = A cos u, g = B cos(u-phi) + b cos(3(u-phi)+gamma).

    To second order the pair locks at phi = 0, so at small amplitudes it rotates unless alpha (2 alpha - 1) = 0.
    """
    e, turn, phase = sp.symbols("e turn phase", positive=True)  # e^(iu), e^(i phi), e^(i gamma)
    f_size, g_size, b = sp.symbols("A B b", positive=True)

    def cosine(power: int, shift: sp.Expr) -> sp.Expr:
        return (e**power * shift + e**-power / shift) / 2

    f = f_size * cosine(1, ONE)
    g = g_size * cosine(1, 1 / turn) + b * cosine(3, phase / turn**3)
    mean = sp.expand((f - g) ** 3 * (f + g)).coeff(e, 0)
    slope = (sp.I * turn * sp.diff(mean, turn)).subs(turn, 1)
    sine = (phase - 1 / phase) / (2 * sp.I)
    return [sp.expand(slope + coefficient * f_size * b * (f_size**2 - g_size**2) * sine)]


@theorem("E6", given=WAVES, source=OURS, relation="==", cost=60, tolerance=1e-8, resolution=1e-2)
def no_rotation_at_orders_0_and_half(first: Array, second: Array) -> Pair:
    r"""At orders 0 and 1/2 the locked pair stands still: $\nabla_kL_k = 0$.

    Proof: at order 1/2 $L_1 = L_2$ by symmetry (A4), so $L_1'+L_2' = 0$ makes both 0; at order 0 the divergence is 0.
    """
    orders = [np.full(len(first), order) for order in (0.0, 0.5)]
    own = np.concatenate([slopes(first, second, o, locked_phase(first, second, o))[0] for o in orders], -1)
    return own, np.zeros_like(own)
