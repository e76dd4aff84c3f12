r"""Shelf G4: the phase diagram. When the students gain, when the ensemble loses, and the best weight.

Setting of `theory.cohorts.sequence_model`: one mode, K shrinkers (the number of classes of a search stands for K),
drawn by their log-odds; risks in units of $Ey^2$, so that the signal is $s_{opt}$ and the noise $1-s_{opt}$.
"""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp
from scipy.special import expit

from theory.cohorts.sequence_model import coupled_shrinkers, first_order_gains, risks
from theory.divergence.arguments import Array
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair
from theory.theorems.symbols import ONE

from .ensembles import solved

ODDS = Reals("C", scale=3)
MODE: dict[str, Any] = dict(odds=ODDS, best=Interval(0, 1))
PLAIN: dict[str, Any] = dict(source=OURS, classes=(2, 3, 5), resolution=1e-3)
COUPLING = Interval(0)


def unit_risks(shrinkers: Array, best: Array, kappa: Array) -> tuple[Array, Array]:
    """Risks of student and ensemble in units of E y^2."""
    return risks(shrinkers, best, 1 - best, kappa)


@theorem("G4", given=MODE | dict(kappa=Interval(-0.9, 1e3)), relation="==", tolerance=1e-8, **PLAIN)
def risks_of_coupled_shrinkers(odds: Array, best: Array, kappa: Array) -> Pair:
    r"""Exactly, at every $\kappa$: ensemble risk $s_{opt}(1-s_{opt})+(\bar T-s_{opt})^2$, mean student's risk
    $\mathrm{Var}_k(T_k)$ more, in units of $Ey^2$; $\bar T = 1/(1+a_\kappa)$ with the resolvent average of the $a_k$.

    Left: $E(T_ky-b)^2$ over noise of random sign, the $T_k$ from the coupled equations. Proof: G2 with numbers for
    matrices; the risk is a parabola in T with its vertex at $s_{opt}$.
    """
    s = expit(odds)
    students = _solved(s, kappa)
    noises = np.sqrt(1 - best) * np.array([-1.0, 1.0])[:, None, None]
    truth = np.sqrt(best)[:, None]
    errors = students * (truth + noises[..., 0, :, None]) - truth
    together = errors.mean(axis=-1)
    left = np.stack([(errors**2).mean(axis=(0, -1)), (together**2).mean(axis=0)], -1)
    return left, np.stack(unit_risks(s, best, kappa), -1)


def _solved(shrinkers: Array, kappa: Array) -> Array:
    count = shrinkers.shape[-1]
    system = (1 / shrinkers + kappa[:, None])[..., None] * np.eye(count) - kappa[:, None, None] / count
    return solved(system, np.ones_like(shrinkers))


def _nearly_no_coupling(t: float) -> dict[str, Any]:
    return dict(odds=np.array([-1.0, 1.0]), share=0.5, kappa=0.0, more=t)


PHASE: dict[str, Any] = dict(odds=ODDS, share=Interval(0, 0.999), kappa=COUPLING, more=COUPLING)


@theorem("G4", given=PHASE, tight=_nearly_no_coupling, **PLAIN)
def an_underfitting_ensemble_loses_at_every_coupling(odds: Array, share: Array, kappa: Array, more: Array) -> Pair:
    r"""If $\bar s\le s_{opt}$, the ensemble's risk is nondecreasing in $\kappa\ge0$: mutual learning costs an ensemble
    that underfits.

    Drawn as $s_{opt} = \bar s+\mathrm{share}\,(1-\bar s)$ and $\kappa' = \kappa+\mathrm{more}$. Proof: $\bar T$ falls
    from $\bar s$, away from $s_{opt}$ (G2).
    """
    s = expit(odds)
    mean = s.mean(axis=-1)
    return _earlier_and_later(s, mean + share * (1 - mean), kappa, more)


def _earlier_and_later(shrinkers: Array, best: Array, kappa: Array, more: Array) -> Pair:
    return unit_risks(shrinkers, best, kappa)[1], unit_risks(shrinkers, best, kappa + more)[1]


@theorem("G4", given=PHASE, tight=_nearly_no_coupling, **PLAIN)
def an_overfitting_ensemble_gains_at_every_coupling(odds: Array, share: Array, kappa: Array, more: Array) -> Pair:
    r"""If the harmonic mean h of the $s_k$ is at least $s_{opt}$, the ensemble's risk is nonincreasing in
    $\kappa\ge0$.

    Drawn as $s_{opt} = \mathrm{share}\cdot h$. Proof: $\bar T$ falls to h, which is still beyond $s_{opt}$.
    """
    s = expit(odds)
    later, earlier = _earlier_and_later(s, share / (1 / s).mean(axis=-1), kappa, more)[::-1]
    return later, earlier


@theorem("G4", given=dict(odds=ODDS, kappa=COUPLING, other=COUPLING), **PLAIN,
         tight=lambda t: dict(odds=np.array([-1.0, 1.0]), kappa=1.0, other=1 + t))  # fmt: skip
def an_ensemble_is_best_where_its_penalty_is_noise_over_signal(odds: Array, kappa: Array, other: Array) -> Pair:
    r"""If $a_\kappa = \sigma^2/b^2$ at some $\kappa$, no other $\kappa'$ is better for the ensemble.

    Such a $\kappa\ge0$ exists iff $h\le s_{opt}\le\bar s$. Proof: there $\bar T = s_{opt}$.
    """
    s = expit(odds)
    best = coupled_shrinkers(s, kappa).mean(axis=-1)
    return unit_risks(s, best, kappa)[1], unit_risks(s, best, other)[1]


@theorem("G4", given=MODE, relation="==", **PLAIN)
def gain_of_students_at_infinite_coupling(odds: Array, best: Array) -> Pair:
    r"""Where all must agree, the mean student gains $\frac1K\sum_k(s_k-s_{opt})^2-(h-s_{opt})^2$: iff
    $|h-s_{opt}|$ is below the root mean square of $s_k-s_{opt}$.

    Proof: all $T_k = h$.
    """
    s, b = expit(odds), best[:, None]
    harmonic = 1 / (1 / s).mean(axis=-1)
    gain = unit_risks(s, best, np.zeros_like(best))[0] - unit_risks(s, best, np.full_like(best, np.inf))[0]
    return gain, ((s - b) ** 2).mean(axis=-1) - (harmonic - best) ** 2


def _weakly_coupled(t: float) -> dict[str, Any]:
    return dict(odds=np.array([1.0, 2.0]), best=0.3, kappa=t)


@theorem("G4", given=MODE | dict(kappa=Interval(0, 10)), tight=_weakly_coupled, **PLAIN)
def first_order_gains_of_student_and_ensemble(odds: Array, best: Array, kappa: Array) -> Pair:
    r"""To first order in $\kappa$ the ensemble gains $2\kappa V(\bar s-s_{opt})$, $V = \mathrm{Var}(s)$, and the mean
    student $2\kappa[\mathrm{Cov}(s,s^2)-s_{opt}V]$; the rests are at most $\kappa^2V(2|\bar s-s_{opt}|+V)$ and
    $\kappa^2V(2|\bar s-s_{opt}|+V+3)$ for $\kappa\ge0$.

    For two students $\mathrm{Cov}(s,s^2) = 2\bar sV$: to first order the student gains iff $\omega = s_{opt}/\bar s <
    2$, the ensemble iff $\omega < 1$. Proof: $T_k = s_k+\kappa s_k(\bar T-T_k)$ (G3), and $\mathrm{Var}_k(T_k)\le V$
    bounds the rests of $\bar T$ and $\mathrm{Var}_k(T_k)$ by $\kappa^2V$ and $3\kappa^2V$, and $|\bar T-\bar s|$ by
    $\kappa V$.
    """
    s, c = expit(odds), kappa[:, None]
    first = np.stack(first_order_gains(s, best, 1 - best), -1)
    gains = np.stack(unit_risks(s, best, np.zeros_like(kappa)), -1) - np.stack(unit_risks(s, best, kappa), -1)
    variance = s.var(axis=-1)
    room = 2 * np.abs(s.mean(axis=-1) - best) + variance
    rest = c**2 * variance[:, None] * np.stack([room + 3, room], -1)
    return np.concatenate([gains, c * first], -1), np.concatenate([c * first + rest, gains + rest], -1)


@first_order_gains_of_student_and_ensemble.identity
def derivative_of_the_mean_and_of_the_variance(one: sp.Expr = ONE) -> list[sp.Expr]:
    kappa = sp.Symbol("kappa", positive=True)
    s = sp.symbols("s1:4", positive=True)
    weights = [1 / (1 + kappa * x) for x in s]
    total = sum(weights, sp.Integer(0)) / 3
    coupled = [x * w / total for x, w in zip(s, weights, strict=True)]
    variance = _mean([x**2 for x in s]) - _mean(s) ** 2
    slope = sp.diff(_mean(coupled), kappa).subs(kappa, 0)
    spread = _mean([x**2 for x in coupled]) - _mean(coupled) ** 2
    skew = _mean([x * (x - _mean(s)) ** 2 for x in s])
    return [slope + one * variance, sp.diff(spread, kappa).subs(kappa, 0) + 2 * one * skew]


def _mean(values: Any) -> sp.Expr:
    return sum(values, sp.Integer(0)) / len(values)
