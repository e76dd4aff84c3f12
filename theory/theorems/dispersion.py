r"""Shelf G4, continued: any number of nearly equal shrinkers, to first order in their dispersion, with bounds on the
rest."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from ..arguments import Array
from ..domain import Interval, Reals
from ..phases import best_coupling, gains_at_best_coupling
from ..sequence_model import risks, second_order_risks
from ..theorem import theorem
from .quantities import OURS, Pair
from .symbols import ONE, TWO

NEAR: dict[str, Any] = dict(
    shape=Reals("C"), width=Interval(0, 0.3), s=Interval(0.01, 0.7), best=Interval(0, 1), kappa=Interval(0)
)


def _offsets(shape: Array, width: Array) -> Array:
    """Relative offsets of the 1 + a_k: mean 0, at most `width` in size."""
    bent = np.tanh(shape)
    return width[:, None] / 2 * (bent - bent.mean(axis=-1, keepdims=True))


def _nearly_equal(t: float) -> dict[str, Any]:
    """An overfit mode, and a middle one at a weak coupling: both sides positive."""
    return dict(shape=np.array([-1.0, 1.0]), width=t, s=0.5, best=np.array([0.2, 0.7]), kappa=np.array([1.0, 0.0]))


@theorem("G4", given=NEAR, source=OURS, classes=(2, 3, 5), resolution=1e-3, tight=_nearly_equal)
def risks_to_second_order(shape: Array, width: Array, s: Array, best: Array, kappa: Array) -> Pair:
    r"""$1+a_k = \frac1s(1+\delta_k)$ with mean $\delta$ 0, $|\delta_k|\le\delta$ and $v = \mathrm{Var}(a_k)$: at every
    $\kappa\ge0$, with $x = \frac1{1+a+\kappa}$, student and ensemble have the risks
    $(s-s_{opt})^2+s^2v(2(s-s_{opt})x+x^2)$ and $(s-s_{opt})^2+2s^2v(s-s_{opt})x$ above $s_{opt}(1-s_{opt})$, in units
    of $Ey^2$, up to $s^2vx\,[2|s-s_{opt}|E+s^2vx(1+E)^2+xF]$ (the ensemble without F), $E =
    \frac{\delta+\delta^2/4}{1-\delta-\delta^2/4}$, $F = \frac1{(1-\delta)^2(1-\delta-\delta^2/4)^2}-1$.

    Checked both ways, the constant $(s-s_{opt})^2$ left out. Proof: with $r = x/s$ and $q =
    \overline{\delta_k^2/(1+r\delta_k)}$, $\bar T = s+\frac{srq}{1-r(1-r)q}$ and $T_k =
    \frac{s}{(1+r\delta_k)(1-r(1-r)q)}$ exactly; $|q-\overline{\delta^2}|\le\frac\delta{1-\delta}\overline{\delta^2}$.
    """
    delta = _offsets(shape, width)
    dispersion = delta.var(axis=-1) / s**2
    exact = risks(s[:, None] / (1 + delta), best, 1 - best, kappa)
    law = second_order_risks(s, dispersion, best, 1 - best, kappa)
    base = ((s - best) ** 2 + best * (1 - best))[:, None]
    room = _room(s, dispersion, np.abs(delta).max(axis=-1), np.abs(s - best), 1 / (1 / s + kappa))
    left, right = np.stack(exact, -1) - base, np.stack(law, -1) - base
    return np.concatenate([left, right], -1), np.concatenate([right + room, left + room], -1)


def _room(s: Array, v: Array, delta: Array, off: Array, x: Array) -> Array:
    reach = delta + delta**2 / 4
    mean, spread = reach / (1 - reach), 1 / ((1 - delta) * (1 - reach)) ** 2 - 1
    scale = s**2 * v * x
    ensemble = scale * (2 * off * mean + scale * (1 + mean) ** 2)
    return np.stack([ensemble + scale * x * spread, ensemble], -1)


@risks_to_second_order.identity
def coupled_shrinkers_in_the_offsets(one: sp.Expr = ONE) -> list[sp.Expr]:
    """Two offsets d and -d: the mean and a student, exactly, in units of s."""
    r, d = sp.symbols("r d", positive=True)
    kappa = 1 / r - 1
    weights = [1 / (1 + d + kappa), 1 / (1 - d + kappa)]
    total = 1 - kappa * sum(weights) / 2
    q = (d**2 / (1 + r * d) + d**2 / (1 - r * d)) / 2
    mean = 1 + one * r * q / (1 - r * (1 - r) * q)
    student = 1 / ((1 + r * d) * (one - r * (1 - r) * q))
    return [sp.cancel(sum(weights) / 2 / total - mean), sp.cancel(weights[0] / total - student)]


LAW: dict[str, Any] = dict(s=Interval(0.01, 1), best=Interval(0, 1), dispersion=Interval(0, 1))


def _at_the_best(t: float) -> dict[str, Any]:
    omega = np.array([0.5, 1.5, 1.9])
    kappa = best_coupling(omega, 0.4)
    return dict(s=0.4, best=0.4 * omega, dispersion=0.1, kappa=np.where(np.isinf(kappa), 1 / t, kappa * (1 + t)))


@theorem("G4", given=LAW | dict(kappa=Interval(0)), source=OURS, resolution=1e-3, tight=_at_the_best)
def best_coupling_of_nearly_equal_students(s: Array, best: Array, dispersion: Array, kappa: Array) -> Pair:
    r"""By the second-order law, in units of $Ey^2$, the mean student gains at most $s^4v(3-2\omega)$ if $\omega\le1$
    (at $\kappa = \infty$), $s^4v(2-\omega)^2$ if $1<\omega<2$ (at $\kappa^* = \frac{2-\omega}{s(\omega-1)}$), and
    nothing if $\omega\ge2$.

    Proof: the law is $s^2v$ times a parabola in $x\in(0,s]$ with vertex $x^* = s_{opt}-s$; $\kappa^* =
    \frac1{x^*}-\frac1s$.
    """
    start, coupled = (second_order_risks(s, dispersion, best, 1 - best, c)[0] for c in (np.zeros_like(kappa), kappa))
    return start - coupled, gains_at_best_coupling(best / s, s, dispersion)[0]


@best_coupling_of_nearly_equal_students.identity
def vertex_of_the_parabola(two: sp.Expr = TWO) -> list[sp.Expr]:
    s, omega, x = sp.symbols("s omega x", positive=True)
    off = s - s * omega
    law = two * off * x + x**2
    vertex = omega * s - s
    kappa = 1 / vertex - 1 / s
    return [
        sp.diff(law, x).subs(x, vertex),
        sp.cancel(kappa - (two - omega) / (s * (omega - 1))),
        sp.expand((law.subs(x, s) - law.subs(x, vertex)) - s**2 * (two - omega) ** 2),
    ]


@theorem("G4", given=LAW, source=OURS, relation="==", resolution=1e-3)
def ensembles_share_at_the_best_coupling(s: Array, best: Array, dispersion: Array) -> Pair:
    r"""At the student's best coupling the ensemble gains $2s^4v(1-\omega)$ if $\omega\le1$ and loses
    $2s^4v(\omega-1)(2-\omega)$ if $1<\omega<2$ (second-order law, units of $Ey^2$).

    Proof: insert $x^*$, and x = s for independent students.
    """
    omega = best / s
    couplings = np.zeros_like(s), best_coupling(omega, s)
    before, after = (second_order_risks(s, dispersion, best, 1 - best, c)[1] for c in couplings)
    return before - after, gains_at_best_coupling(omega, s, dispersion)[1]
