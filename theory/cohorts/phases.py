r"""Where mutual learning helps: phase boundaries, best couplings, and what they gain.

$\omega = s_{opt}/s$ says how much a mode is underfitted: below 1 the independent ensemble overfits. Three phases: both
gain (omega <= 1), the student gains and the ensemble loses (1 < omega < 2), neither gains (omega >= 2). The held-out
inverse temperature of the independent ensemble stands for omega in practice (G5). (Shelf G; this project.)
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from theory.divergence.arguments import Array, as_floats, refuse_where

from .coregularisation import as_coupling
from .sequence_model import as_shrinkers, best_shrinker

PHASES = ("overfit", "middle", "underfit")


def phase(omega: ArrayLike) -> Any:
    r"""The phase of each $\omega$ (or $\beta^*$): "overfit" up to 1, "middle" below 2, "underfit" from 2 on (G4).

    Returns:
        A string, or an array of strings of omega's shape.

    Raises:
        ValueError: a negative or NaN omega.
    """
    value = _omega(omega)
    return np.array(PHASES)[(value > 1).astype(int) + (value >= 2)]


def best_coupling(omega: ArrayLike, shrinker: ArrayLike) -> Array:
    r"""$\kappa^* = \frac{2-\omega}{s(\omega-1)}$, the mean student's best coupling in [0, inf] (G4).

    inf in the overfit phase, 0 in the underfit one. To leading order in the dispersion of the students; exact for two
    students: `best_coupling_of_two`. Divide by $\frac{K}{K-1}$ for $\alpha\lambda$.

    Args:
        omega: $s_{opt}/s$.
        shrinker: s in (0, 1]; both broadcast.

    Raises:
        ValueError: an argument out of range.
    """
    value, s = _omega(omega), as_shrinkers(shrinker)
    middle = (value > 1) & (value < 2)
    with np.errstate(over="ignore"):  # inf is the right answer beyond 1e308
        inside = (2 - value) / np.where(middle, value - 1, 1.0) / s
    return np.where(middle, inside, np.where(value <= 1, np.inf, 0.0))[()]


def gains_at_best_coupling(
    omega: ArrayLike, shrinker: ArrayLike, dispersion: ArrayLike, power: ArrayLike = 1.0
) -> tuple[Array, Array]:
    r"""(mean student's, ensemble's) fall of the risk from independent students to `best_coupling` (G4).

    Middle phase: $Ey^2s^4v(2-\omega)^2$ and $-2Ey^2s^4v(\omega-1)(2-\omega)$; overfit: $Ey^2s^4v(3-2\omega)$ and
    $2Ey^2s^4v(1-\omega)$; underfit: 0. To first order in the dispersion.

    Args:
        omega, shrinker: as `best_coupling`.
        dispersion: $v = \mathrm{Var}_k(a_k)$, $s_k = 1/(1+a_k)$.
        power: $Ey^2$; all broadcast.

    Raises:
        ValueError: an argument out of range.
    """
    value, s = _omega(omega), as_shrinkers(shrinker)
    v, total = (_non_negative(name, x) for name, x in (("dispersion", dispersion), ("power", power)))
    value = np.minimum(value, 2.0)  # above which nothing is gained
    left = np.clip(value - 1, 0, 1)  # x/s at the best coupling
    scale = total * s**4 * v * (1 - left)
    return scale * (3 - 2 * value + left) + 0.0, scale * 2 * (1 - value) + 0.0  # -0.0 becomes 0.0


def best_coupling_of_two(shrinkers: ArrayLike, signal: ArrayLike, noise: ArrayLike) -> Array:
    r"""The mean student's best coupling in [0, inf] for two students, exactly, however different they are (G4).

    With $z = \frac1{1+\kappa\bar s}$, the mean risk is a parabola in z with its vertex at $z^* =
    \frac{\bar s\,s_{opt}-s_1s_2}{(s_1^2+s_2^2)/2}$: it falls at $\kappa = 0$ iff $\bar s > s_{opt}/2$.

    Args:
        shrinkers: $s_k$, shape (..., 2).
        signal, noise: $b^2$ and $\sigma^2$, broadcast against the batch shape.

    Raises:
        ValueError: not two students, or an argument out of range.
    """
    s = as_shrinkers(shrinkers)
    if s.ndim == 0 or s.shape[-1] != 2:
        raise ValueError(f"shrinkers must be those of two students, got shape {s.shape}")
    mean = s.mean(axis=-1)
    vertex = (mean * best_shrinker(signal, noise) - s.prod(axis=-1)) / (s**2).mean(axis=-1)
    with np.errstate(divide="ignore"):
        return ((1 / np.clip(vertex, 0.0, 1.0) - 1) / mean)[()]


def early_stopping_threshold(progress: ArrayLike) -> Array:
    r"""$1+\frac{x}{(e^x-1)(1-x/3)}$: the $\omega$ below which a student that stops at $x = ht < 3$ gains (G5).

    2 at x = 0, between 1.8589 and 2 up to x = 2.149, then rising without bound: late stopping is no early
    stopping. x is the mode's rate times the training time.

    Raises:
        ValueError: a progress outside [0, 3).
    """
    x = as_floats(progress, "progress")
    refuse_where(~((x >= 0) & (x < 3)), "progress", x, "be in [0, 3)")
    rate = np.where(x == 0, 1.0, x / np.expm1(np.where(x == 0, 1.0, x)))
    return (1 + rate / (1 - x / 3))[()]


def excess_loss_of_students(noises: ArrayLike, kappa: ArrayLike) -> Array:
    r"""$S_k$, the stationary excess losses of students under own mini-batch noise, in units of $\frac\eta2\mathrm{tr}F$
    (G6).

    $S_k = \frac{\bar v}{2K}+\frac{v_k(1-2/K)+\bar v/K}{2(1+\kappa)}+\frac{2(v_k-\bar v)}{K(2+\kappa)}$; $v_k/2$
    without coupling. Small learning rate, well-specified students (Hessian = Fisher matrix F), noise covariance $v_kF$.

    Args:
        noises: $v_k$, students in the last axis, shape (..., K); 1/batch size, say.
        kappa: the coupling, finite or inf, above -1; broadcasts against the batch shape.

    Returns:
        Shape (..., K).

    Raises:
        ValueError: a negative noise, or a coupling out of range.
    """
    v, c = _non_negative("noises", noises), as_coupling(kappa)
    refuse_where(c == -1, "kappa", c, "be above -1")
    if not v.ndim:
        raise ValueError(f"noises must hold those of all students, got the one number {float(v)!r}")
    count, mean, c = v.shape[-1], v.mean(axis=-1, keepdims=True), c[..., None]
    apart = (v * (1 - 2 / count) + mean / count) / (2 * (1 + c))
    return mean / (2 * count) + apart + 2 * (v - mean) / (count * (2 + c))


def noise_ratio_threshold(mu: ArrayLike) -> Array:
    r"""$\frac{\mu}{2+3\mu}$: of two students, the first gains from $\mu=\alpha\lambda$ iff $v_1/v_2$ is above it (G6).

    0 at weak coupling (everybody gains), 1/3 at mu = inf: only a student three times less noisy than its peer loses.

    Raises:
        ValueError: a negative mu.
    """
    value = _non_negative("mu", mu, finite=False)
    with np.errstate(divide="ignore", over="ignore"):  # mu = 0, or below 1e-308
        return (1 / (2 / value + 3))[()]


def _omega(omega: ArrayLike) -> Array:
    return _non_negative("omega", omega, finite=False)


def _non_negative(name: str, value: ArrayLike, finite: bool = True) -> Array:
    number = as_floats(value, name)
    refuse_where(~(number >= 0), name, number, "be non-negative")
    if finite:
        refuse_where(number == np.inf, name, number, "be finite")
    return number
