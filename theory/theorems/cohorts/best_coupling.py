r"""Shelf G4, continued: the best coupling and what it gains, exactly for two students and to first order in the
dispersion, with bounds on the rest, for any number of nearly equal ones."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp
from scipy.special import expit, logit

from theory.cohorts.phases import best_coupling, best_coupling_of_two, gains_at_best_coupling
from theory.cohorts.sequence_model import risks, second_order_risks
from theory.divergence.arguments import Array
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair
from theory.theorems.symbols import ONE, TWO

from .phases import COUPLING, PLAIN, unit_risks


def _two_at_their_best(t: float) -> dict[str, Any]:
    """Two students in the three phases: omega below 1, between 1 and 2, and just below 2."""
    s, best = np.array([0.4, 0.5]), np.array([0.3, 0.6, 0.88])
    kappa = best_coupling_of_two(s, best, 1 - best)
    return dict(odds=logit(s), best=best, kappa=np.where(np.isinf(kappa), 1 / t, kappa * (1 + t)))


@theorem("G4", given=dict(odds=Reals(2, scale=3), best=Interval(0, 1), kappa=COUPLING), tight=_two_at_their_best,
         **PLAIN)  # fmt: skip
def most_that_two_students_gain(odds: Array, best: Array, kappa: Array) -> Pair:
    r"""Two students, however different, gain by mutual learning at most $V(3-c^2-2\omega)$ if $\omega\le1-c^2$,
    $\frac{V(2-\omega)^2}{1+c^2}$ if $1-c^2<\omega<2$, and nothing if $\omega\ge2$; $\omega = s_{opt}/\bar s$, $c^2 =
    V/\bar s^2$. Attained at `best_coupling_of_two`: at $\kappa = \infty$, between, and at 0.

    Proof: with $z = \frac1{1+\kappa\bar s}$ exactly $\bar T = h+\frac V{\bar s}z$ and $\mathrm{Var}_k(T_k) = Vz^2$, so
    the gain is $V(1+c^2)(1-z)(1+z-2z^*)$, a parabola in $z\in[0,1]$ with vertex $z^* =
    \frac{\omega-1+c^2}{1+c^2}$.
    """
    s = expit(odds)
    mean, variance = s.mean(axis=-1), s.var(axis=-1)
    omega, c = best / mean, variance / mean**2
    middle = np.maximum(2 - omega, 0) ** 2 / (1 + c)
    most = variance * np.where(omega <= 1 - c, 3 - c - 2 * omega, middle)
    return unit_risks(s, best, np.zeros_like(kappa))[0] - unit_risks(s, best, kappa)[0], most


@most_that_two_students_gain.identity
def two_coupled_shrinkers(one: sp.Expr = ONE) -> list[sp.Expr]:
    s1, s2, kappa = sp.symbols("s1 s2 kappa", positive=True)
    mean, variance = (s1 + s2) / 2, (s1 - s2) ** 2 / 4
    z = 1 / (1 + kappa * mean)
    total = (1 / (1 + kappa * s1) + 1 / (1 + kappa * s2)) / 2
    first, second = (s / (1 + kappa * s) / total for s in (s1, s2))
    together = s1 * s2 / mean + one * variance / mean * z
    return [sp.cancel((first + second) / 2 - together), sp.cancel(first - second - one * (s1 - s2) * z)]


@most_that_two_students_gain.identity
def parabola_in_z(two: sp.Expr = TWO) -> list[sp.Expr]:
    z, omega, c = sp.symbols("z omega c", positive=True)  # in units of the mean shrinker, c = V

    def risk(at: sp.Expr) -> sp.Expr:
        return (1 - c + c * at - omega) ** 2 + c * at**2

    vertex = (omega - 1 + c) / (1 + c)
    gain = c * (1 + c) * (1 - z) * (1 + z - two * vertex)
    best = c * (two - omega) ** 2 / (1 + c)
    return [sp.cancel(risk(ONE) - risk(z) - gain), sp.cancel(risk(ONE) - risk(vertex) - best),
            sp.cancel(risk(ONE) - risk(0 * ONE) - c * (3 - c - two * omega))]  # fmt: skip


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
    room = _bound_on_the_rest(s, dispersion, np.abs(delta).max(axis=-1), np.abs(s - best), 1 / (1 / s + kappa))
    left, right = np.stack(exact, -1) - base, np.stack(law, -1) - base
    return np.concatenate([left, right], -1), np.concatenate([right + room, left + room], -1)


def _bound_on_the_rest(s: Array, v: Array, delta: Array, off: Array, x: Array) -> Array:
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
