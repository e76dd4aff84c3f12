r"""Mutual learning of shrinkers in the Gaussian sequence model: exact risks of student and ensemble at every coupling.

One mode: truth b, data $y = b + \epsilon$; student k alone estimates $s_ky$, $s_k = 1/(1+a_k)\in(0,1]$. Everywhere
`signal` is $b^2$ and `noise` is $E\epsilon^2$, so $Ey^2$ = signal + noise; `kappa` in (-1, inf] is the coupling of
`theory.cohorts.coregularisation.coupling`. Modes add: sum the results over an axis of modes. (Shelf G; this project.)
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.divergence.arguments import Array, as_floats, refuse_where

from .coregularisation import as_coupling


def best_shrinker(signal: ArrayLike, noise: ArrayLike) -> Array:
    r"""$s_{opt} = \frac{b^2}{b^2+\sigma^2}$: the risk of s is $Ey^2(s-s_{opt})^2$ above $\frac{b^2\sigma^2}{Ey^2}$
    (G4).

    Raises:
        ValueError: a negative argument, or both 0.
    """
    power, variance = _moments(signal, noise)
    return power / (power + variance)


def coupled_shrinkers(shrinkers: ArrayLike, kappa: ArrayLike) -> Array:
    r"""$T_k = \frac{s_k}{1+\kappa s_k}\Big/\frac1K\sum_j\frac1{1+\kappa s_j}$: the students after mutual learning (G2,
    G4).

    Their mean falls from the arithmetic mean of the $s_k$ at kappa = 0 to the harmonic one at inf, where all agree.

    Args:
        shrinkers: $s_k\in(0,1]$, students in the last axis, shape (..., K).
        kappa: the coupling in (-1, inf], broadcasts against the batch shape.

    Returns:
        Shrinkers of shape (..., K).

    Raises:
        ValueError: a shrinker or a coupling out of range.
    """
    s, c = as_shrinkers(shrinkers), as_coupling(kappa)
    refuse_where(c == -1, "kappa", c, "be above -1")
    share = (1 / (1 + c))[..., None]  # 0 at kappa = inf
    weights = 1 / (share * (1 - s) + s)
    return s * weights / weights.mean(axis=-1, keepdims=True)


def risks(shrinkers: ArrayLike, signal: ArrayLike, noise: ArrayLike, kappa: ArrayLike) -> tuple[Array, Array]:
    r"""(mean risk of the students, risk of the ensemble $\bar f$) after mutual learning, exactly (G4).

    $\frac{b^2\sigma^2}{Ey^2}+Ey^2(\bar T-s_{opt})^2$ for the ensemble, $Ey^2\,\mathrm{Var}_k(T_k)$ more for the mean
    student.

    Args:
        shrinkers, kappa: as `coupled_shrinkers`.
        signal, noise: $b^2$ and $\sigma^2$, broadcast against the batch shape.

    Returns:
        Two arrays of the broadcast batch shape.

    Raises:
        ValueError: as `coupled_shrinkers` and `best_shrinker`.
    """
    power, variance = _moments(signal, noise)
    students = coupled_shrinkers(shrinkers, kappa)
    total, best = power + variance, best_shrinker(power, variance)
    ensemble = power * variance / total + total * (students.mean(axis=-1) - best) ** 2
    return ensemble + total * students.var(axis=-1), ensemble


def first_order_gains(shrinkers: ArrayLike, signal: ArrayLike, noise: ArrayLike) -> tuple[Array, Array]:
    r"""Minus the derivatives in kappa at 0 of `risks`: (mean student's gain, ensemble's gain), exactly (G4).

    Ensemble $2Ey^2\,\mathrm{Var}(s)(\bar s-s_{opt})$, mean student $2[Ey^2\,\mathrm{Cov}(s,s^2)-b^2\mathrm{Var}(s)]$,
    which for two students is $2Ey^2\,\mathrm{Var}(s)(2\bar s-s_{opt})$. Arguments and errors as `risks`.
    """
    power, variance = _moments(signal, noise)
    s, total = as_shrinkers(shrinkers), power + variance
    ensemble = 2 * total * s.var(axis=-1) * (s.mean(axis=-1) - best_shrinker(power, variance))
    spread = s - s.mean(axis=-1, keepdims=True)
    return ensemble + 2 * total * (s * spread**2).mean(axis=-1), ensemble


def second_order_risks(
    shrinker: ArrayLike, dispersion: ArrayLike, signal: ArrayLike, noise: ArrayLike, kappa: ArrayLike
) -> tuple[Array, Array]:
    r"""(student, ensemble) risks to first order in the dispersion v of the $a_k$, for any number of students (G4).

    With $x = 1/(1+a+\kappa)$: $Ey^2[(s-s_{opt})^2+s^2v(2(s-s_{opt})x+x^2)]$ and $Ey^2[(s-s_{opt})^2+2s^2v(s-s_{opt})x]$
    above $\frac{b^2\sigma^2}{Ey^2}$.

    Args:
        shrinker: $s = 1/(1+a)$, a the mean of the $a_k$: the *harmonic* mean of the $s_k$.
        dispersion: $v = \mathrm{Var}_k(a_k)$.
        signal, noise, kappa: as `risks`; all broadcast.

    Raises:
        ValueError: as `risks`, or a negative dispersion.
    """
    s, v, c = as_shrinkers(shrinker), as_floats(dispersion, "dispersion"), as_coupling(kappa)
    refuse_where(~(v >= 0), "dispersion", v, "be non-negative")
    power, variance = _moments(signal, noise)
    total, off = power + variance, s - best_shrinker(power, variance)
    with np.errstate(divide="ignore"):
        x = 1 / (1 / s + c)
    ensemble = power * variance / total + total * (off**2 + 2 * s**2 * v * off * x)
    return ensemble + total * s**2 * v * x**2, ensemble


def inverse_temperature(shrinkers: ArrayLike, signal: ArrayLike, noise: ArrayLike) -> Array:
    r"""$\beta^* = \arg\min_\beta E\|y'-\beta\bar f\|^2$ of the independent ensemble on fresh data y' (G5).

    $\frac{\sum_i\bar s_ib_i^2}{\sum_i\bar s_i^2Ey_i^2}$: the mean of the modes' $\omega_i = s_{opt,i}/\bar s_i$ with
    weights $\bar s_i^2Ey_i^2$. Below 1 the ensemble is overconfident.

    Args:
        shrinkers: shape (..., modes, K).
        signal, noise: per mode, broadcast against (..., modes).

    Returns:
        Shape (...).

    Raises:
        ValueError: as `risks`.
    """
    power, variance = _moments(signal, noise)
    mean = as_shrinkers(shrinkers).mean(axis=-1)
    return (mean * power).sum(axis=-1) / (mean**2 * (power + variance)).sum(axis=-1)


def as_shrinkers(shrinkers: ArrayLike) -> Array:
    """Shrinkers as float64; refuses what is not in (0, 1]."""
    s = as_floats(shrinkers, "shrinkers")
    refuse_where(~((s > 0) & (s <= 1)), "shrinkers", s, "be in (0, 1]")
    return s


def _moments(signal: ArrayLike, noise: ArrayLike) -> tuple[Array, Array]:
    power, variance = as_floats(signal, "signal"), as_floats(noise, "noise")
    for name, value in (("signal", power), ("noise", variance)):
        refuse_where(~((value >= 0) & (value < np.inf)), name, value, "be non-negative and finite")
    refuse_where(power + variance == 0, "signal + noise", power + variance, "be positive")
    return power, variance
