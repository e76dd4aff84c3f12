r"""Shelf G5, the proved part: the ensemble's best inverse temperature tells the phase, and early stopping has the same
phases."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp
from scipy.linalg import expm
from scipy.special import expit

from theory.cohorts.phases import early_stopping_threshold
from theory.cohorts.sequence_model import first_order_gains, inverse_temperature, risks
from theory.divergence.arguments import Array
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair
from theory.theorems.symbols import ONE, TWO

MODES: dict[str, Any] = dict(odds=Reals(3, "C", scale=3), truth=Reals(3, scale=3), noise=Interval(0.01, 10))
FEW: dict[str, Any] = dict(source=OURS, classes=(2, 3), resolution=1e-2)
TWO_STUDENTS: dict[str, Any] = FEW | dict(classes=(2,))


@theorem("G5", given=MODES, relation="==", **FEW)
def inverse_temperature_is_the_mean_omega(odds: Array, truth: Array, noise: Array) -> Pair:
    r"""$\beta^* = \arg\min_\beta E\|y'-\beta\bar f\|^2$ of the independent ensemble on fresh data y' is
    $\frac{\sum_iw_i\omega_i}{\sum_iw_i}$ with $w_i = \bar s_i^2Ey_i^2$ and $\omega_i = s_{opt,i}/\bar s_i$.

    Checked as the normal equation $E\langle y',\bar f\rangle = \beta^*E\|\bar f\|^2$ over noises of random sign. Proof:
    $E\langle y',\bar f\rangle = \sum_i\bar s_ib_i^2$ and $b_i^2 = \omega_i\bar s_iEy_i^2$.
    """
    mean, deviation = expit(odds).mean(axis=-1), np.sqrt(noise)[:, None]
    data = [truth + sign * deviation for sign in (-1, 1)]
    product = np.mean([mean * y * fresh for y in data for fresh in data], axis=0).sum(axis=-1)
    length = np.mean([(mean * y) ** 2 for y in data], axis=0).sum(axis=-1)
    power = truth**2 + noise[:, None]
    weights, omega = mean**2 * power, truth**2 / power / mean
    chosen = inverse_temperature(expit(odds), truth**2, noise[:, None])
    weighted = (weights * omega).sum(axis=-1) / weights.sum(axis=-1)
    return np.stack([product, chosen], -1), np.stack([weighted * length, weighted], -1)


@theorem("G5", given=dict(odds=Reals(3, 2, scale=3), truth=Reals(3, scale=3), noise=Interval(0.01, 10)),
         relation="==", **FEW)  # fmt: skip
def signs_are_weighted_means_of_omega(odds: Array, truth: Array, noise: Array) -> Pair:
    r"""To first order in $\kappa$ the ensemble gains $2\kappa\sum_iu_i(1-\omega_i)$ and the mean of two students
    $2\kappa\sum_iu_i(2-\omega_i)$, $u_i = \bar s_iV_iEy_i^2$. So where all $\omega_i$ agree, or $u_i\propto w_i$, the
    ensemble gains iff $\beta^*<1$ and the students iff $\beta^*<2$.

    Proof: G4 summed over modes.
    """
    s, wide = expit(odds), noise[:, None]
    gains = [gain.sum(axis=-1) for gain in first_order_gains(s, truth**2, wide)]
    power, mean = truth**2 + wide, s.mean(axis=-1)
    omega, u = truth**2 / power / mean, mean * s.var(axis=-1) * power
    claimed = [2 * (u * (edge - omega)).sum(axis=-1) for edge in (2, 1)]
    return np.stack(gains, -1), np.stack(claimed, -1)


SHARED: dict[str, Any] = dict(odds=Reals(3, "C", scale=3), size=Reals(3), share=Interval(0, 1), kappa=Interval(0))


def _weakly_coupled(t: float) -> dict[str, Any]:
    return dict(odds=np.array([[-1.0, 1.0], [-2, -1], [-3, -2]]), size=np.ones(3), share=0.5, kappa=t)


@theorem("G5", given=SHARED, tight=_weakly_coupled, **FEW)
def from_1_on_the_ensemble_loses_at_every_coupling(odds: Array, size: Array, share: Array, kappa: Array) -> Pair:
    r"""If all modes share one $\omega$, which then is $\beta^*$, and $\beta^*\ge1$, the ensemble loses at every
    $\kappa\ge0$, not to first order only.

    Drawn with any powers $Ey_i^2$ and $\omega$ from 1 to its largest value, $1/\max_i\bar s_i$. Proof: G4, mode by
    mode.
    """
    s = expit(odds)
    return _before_and_after(s, 1.0, size, share, kappa)[1]


@theorem("G5", given=SHARED, tight=_weakly_coupled, **TWO_STUDENTS)
def from_2_on_two_students_lose_at_every_coupling(odds: Array, size: Array, share: Array, kappa: Array) -> Pair:
    r"""If all modes share one $\omega$, which then is $\beta^*$, and $\beta^*\ge2$, two students lose on average at
    every $\kappa\ge0$.

    Drawn with $s_k\le\frac12$, so that such $\omega$ exist. Proof: G4, mode by mode.
    """
    s = expit(odds) / 2
    return _before_and_after(s, 2.0, size, share, kappa)[0]


def _before_and_after(s: Array, least: float, size: Array, share: Array, kappa: Array) -> tuple[Pair, Pair]:
    """Total risks of (students, ensemble), each at coupling 0 and at kappa."""
    most = 1 / s.mean(axis=-1).max(axis=-1)
    omega = least + share * (most - least)
    best, power = np.minimum(omega[:, None] * s.mean(axis=-1), 1.0), size**2
    pairs = [risks(s, best, 1 - best, c[:, None]) for c in (np.zeros_like(kappa), kappa)]
    (student, ensemble), (later, together) = ([(power * r).sum(axis=-1) for r in pair] for pair in pairs)
    return (student, later), (ensemble, together)


FLOW: dict[str, Any] = dict(shape=Reals("C"), width=Interval(0, 0.2), progress=Interval(0, 6))


def _early_stopped(t: float) -> dict[str, Any]:
    return dict(shape=np.array([-1.0, 1.0]), width=t, progress=np.array([0.1, 1.0, 2.0]))


@theorem("G5", given=FLOW, source=OURS, classes=(2, 3), resolution=0.1, cost=20, tight=_early_stopped)
def early_stopping_to_first_order(shape: Array, width: Array, progress: Array) -> Pair:
    r"""Gradient flow $\dot f_k = h_k[(y-f_k)+\kappa(\bar f-f_k)]$ of one mode from 0 with rates $h_k = h(1+e_k)$, $v =
    \mathrm{Var}(e)$, stopped at $x = ht$: at $\kappa=0$, $\frac{d\bar f}{d\kappa} =
    -ve^{-x}\frac{x^2}2(1-\frac x3)y$ and $\frac{d\mathrm{Var}f_k}{d\kappa} = -vx^3e^{-2x}y^2$, up to
    $v\delta e^{-(1-\delta)x}[\frac{x^3}3+\frac{(2+\delta)x^4}{24}+\frac\delta4(\frac{x^4}6+\frac{(1+\delta)x^5}{30})]$
    and $v\delta e^{-2(1-\delta)x}[x^3+(\frac{5(1+\delta)}6+\frac13)x^4]$ for $|e_k|\le\delta$.

    Checked both ways, the flow by matrix exponentials. Proof: in units of h and y, $g_k = df_k/d\kappa$ is
    $\int_0^xh_ke^{-h_k(x-u)}(\bar f-f_k)(u)\,du$ and $f_k = 1-e^{-h_ku}$, so $\bar g =
    \int_0^x\mathrm{Cov}_k(h_ke^{-h_k(x-u)},e^{-h_ku})\,du$; expand in $e_k$, bound the second derivatives over
    $[-\delta,\delta]$ and use Cauchy-Schwarz; likewise $2\,\mathrm{Cov}_k(f_k,g_k)$.
    """
    bent = np.tanh(shape)
    e = width[:, None] / 2 * (bent - bent.mean(axis=-1, keepdims=True))
    v, delta, x = e.var(axis=-1), np.abs(e).max(axis=-1), progress
    f, g = _flow(1 + e, x)
    slopes = np.stack([-g.mean(axis=-1), -2 * ((f - f.mean(axis=-1, keepdims=True)) * g).mean(axis=-1)], -1)
    law = np.stack([v * np.exp(-x) * x**2 / 2 * (1 - x / 3), v * x**3 * np.exp(-2 * x)], -1)
    slow = np.exp(-(1 - delta) * x)
    late = delta / 4 * (x**4 / 6 + (1 + delta) * x**5 / 30)
    mean = v * delta * slow * (x**3 / 3 + (2 + delta) * x**4 / 24 + late)
    spread = v * delta * slow**2 * (x**3 + (5 * (1 + delta) / 6 + 1 / 3) * x**4)
    room = np.stack([mean, spread], -1)
    return np.concatenate([slopes, law], -1), np.concatenate([law + room, slopes + room], -1)


def _flow(rates: Array, x: Array) -> Pair:
    """f_k(x) and df_k/dkappa at kappa = 0: the flow and its variational equation as one linear system."""
    n, count = rates.shape
    diagonal = rates[..., None] * np.eye(count)
    system = np.zeros((n, 2 * count + 1, 2 * count + 1))
    system[:, :count, :count] = system[:, count:-1, count:-1] = -diagonal
    system[:, :count, -1] = rates
    system[:, count:-1, :count] = rates[..., None] / count - diagonal
    end = np.asarray(expm(x[:, None, None] * system)[..., -1], np.float64)
    return end[:, :count], end[:, count:-1]


@early_stopping_to_first_order.identity
def integrals_over_the_flow(half: sp.Expr = ONE / 2) -> list[sp.Expr]:
    x, u = sp.symbols("x u", positive=True)
    mean = sp.integrate(sp.expand((1 - (x - u)) * u), (u, 0, x))
    return [sp.expand(mean - half * x**2 * (1 - x / 3)), sp.expand(x * sp.integrate(u, (u, 0, x)) - half * x**3)]


@theorem("G5", given=dict(progress=Interval(0, 2.149)), source=OURS, tight=lambda t: dict(progress=t))
def students_threshold_under_early_stopping(progress: Array) -> Pair:
    r"""By these laws, for x < 3 the ensemble gains iff $\omega<1$ and the mean student iff $\omega < \omega^*(x) =
    1+\frac{x}{(e^x-1)(1-x/3)}$, and $1.8589 \le \omega^*(x) \le 2$ for $x\le2.149$.

    Proof: with $s = 1-e^{-x}$ the student's risk has the slope $-v[2(s-s_{opt})e^{-x}\frac{x^2}2(1-\frac
    x3)+x^3e^{-2x}]$. $\omega^*\ge1+c$ iff $h = x-c(e^x-1)(1-\frac x3)\ge0$, and $h'' = -\frac c3e^x(1-x)$, $h(0)=0$,
    $h'(0)=1-c$. At c = 1 h falls to a minimum and rises through its only zero, 2.14912...; at c = 0.8589 h rises,
    falls, and rises again from its minimum at x = 1.3605..., where it is positive.
    """
    edge = early_stopping_threshold(progress)
    return np.stack([np.full_like(edge, 1.8589), edge], -1), np.stack([edge, np.full_like(edge, 2.0)], -1)


@students_threshold_under_early_stopping.identity
def threshold_where_the_students_slope_vanishes(two: sp.Expr = TWO) -> list[sp.Expr]:
    x = sp.Symbol("x", positive=True)
    s, edge = 1 - sp.exp(-x), 1 + x / ((sp.exp(x) - 1) * (1 - x / 3))
    slope = two * s * (1 - edge) * sp.exp(-x) * x**2 / 2 * (1 - x / 3) + x**3 * sp.exp(-2 * x)
    return [slope, sp.limit(edge, x, 0) - two]
