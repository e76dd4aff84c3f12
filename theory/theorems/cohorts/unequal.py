r"""Shelf G6: students whose mini-batches differ. Who gains by averaging noise, and when a good student loses."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp

from theory.cohorts.phases import excess_loss_of_students, noise_ratio_threshold
from theory.divergence.arguments import Array
from theory.statements.domains import Interval, Reals
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair
from theory.theorems.symbols import ONE, TWO

from .ensembles import definite

LOUDNESS = Reals("C", scale=2)
"""Logarithms of the noises v_k; the number of classes of a search stands for the number of students."""


@theorem("G6", given=dict(root=Reals(2, 2, scale=2), loudness=LOUDNESS, kappa=Interval(-0.9, 100)),
         source=OURS, relation="==", classes=(2, 3, 5), cost=10, tolerance=1e-8, resolution=1e-3)  # fmt: skip
def excess_losses_under_own_mini_batches(root: Array, loudness: Array, kappa: Array) -> Pair:
    r"""K well-specified students (Hessian = Fisher matrix F) with gradient noise $v_kF$ and a small rate: the
    stationary excess loss of student k is $\frac{\eta\,\mathrm{tr}F}2S_k$, $S_k = \frac{\bar
    v}{2K}+\frac{v_k(1-2/K)+\bar v/K}{2(1+\kappa)}+\frac{2(v_k-\bar v)}{K(2+\kappa)}$; $v_k/2$ at $\kappa=0$.

    Left: $\frac12\mathrm{tr}(F\Sigma_{kk})$ from the Lyapunov equation $A\Sigma+\Sigma A = \eta C$ with $A =
    (I+\kappa Q)\otimes F$, $C = \mathrm{diag}(v)\otimes F$, $Q = I-\frac1K11^\top$. Proof: $\Sigma = \eta S\otimes I$
    with $S = \frac{PVP}2+\frac{QVQ}{2+2\kappa}+\frac{PVQ+QVP}{2+\kappa}$, $P = I-Q$; take the diagonal.
    """
    fisher, noises = definite(root), np.exp(np.clip(loudness, -5, 5))
    count = noises.shape[-1]
    apart = np.eye(count) - 1 / count
    coupled = np.eye(count) + kappa[:, None, None] * apart
    drift, noise = _kron(coupled, fisher), _kron(noises[..., None] * np.eye(count), fisher)
    covariance = _lyapunov(drift, noise).reshape(-1, count, 2, count, 2)
    own = np.einsum("nkakb->nkab", covariance)
    left = np.einsum("nab,nkba->nk", fisher, own) / 2
    return left, np.trace(fisher, axis1=-2, axis2=-1)[:, None] / 2 * excess_loss_of_students(noises, kappa)


def _kron(first: Array, second: Array) -> Array:
    n, a, b = first.shape[0], first.shape[-1], second.shape[-1]
    return np.einsum("nij,nkl->nikjl", first, second).reshape(n, a * b, a * b)


def _lyapunov(drift: Array, noise: Array) -> Array:
    """S with A S + S A = C for symmetric positive definite A, one a row."""
    values, vectors = np.linalg.eigh(drift)
    turned = np.swapaxes(vectors, -1, -2) @ noise @ vectors
    return vectors @ (turned / (values[..., :, None] + values[..., None, :])) @ np.swapaxes(vectors, -1, -2)


@excess_losses_under_own_mini_batches.identity
def lyapunov_equation_of_two_students(two: sp.Expr = TWO) -> list[sp.Expr]:
    v1, v2, kappa = sp.symbols("v1 v2 kappa", positive=True)
    noise, together = sp.diag(v1, v2), sp.ones(2, 2) / 2
    apart = sp.eye(2) - together
    mixed = together * noise * apart
    s = together * noise * together / two + apart * noise * apart / (2 + 2 * kappa) + (mixed + mixed.T) / (two + kappa)
    drift = sp.eye(2) + kappa * apart
    return [sp.cancel(entry) for entry in drift * s + s * drift - noise]


@theorem("G6", given=dict(loudness=LOUDNESS, kappa=Interval(0, 1e3)), source=OURS, relation="==", classes=(2, 3, 5),
         resolution=1e-3)  # fmt: skip
def who_gains_under_unequal_noise(loudness: Array, kappa: Array) -> Pair:
    r"""$\frac{v_k}2-S_k = v_kc_1-\bar vc_0$ with $c_1 = \frac12-\frac{1-2/K}{2(1+\kappa)}-\frac2{K(2+\kappa)}$ and
    $c_0 = \frac{\kappa^2}{2K(1+\kappa)(2+\kappa)}$: student k gains iff $v_kc_1 > \bar vc_0$.

    As $\kappa\to0$ everybody with $v_k>0$ gains; as $\kappa\to\infty$ everybody whose noise exceeds $\bar v/K$. Proof:
    collect $v_k$ and $\bar v$ in $S_k$.
    """
    v = np.exp(np.clip(loudness, -5, 5))
    c, count = kappa[:, None], v.shape[-1]
    c1 = 1 / 2 - (1 - 2 / count) / (2 * (1 + c)) - 2 / (count * (2 + c))
    c0 = c**2 / (2 * count * (1 + c) * (2 + c))
    return v / 2 - excess_loss_of_students(v, kappa), v * c1 - v.mean(axis=-1, keepdims=True) * c0


RATIO: dict[str, Any] = dict(mu=Interval(0, 1e3), more=Interval(0, 100))


def _at_the_threshold(t: float) -> dict[str, Any]:
    return dict(mu=np.array([0.5, 1.0, 4.0]), more=t)


@theorem("G6", given=RATIO, source=OURS, resolution=1e-3, tight=_at_the_threshold)
def noisier_student_of_two_gains(mu: Array, more: Array) -> Pair:
    r"""Of two students the first gains, $S_1 \le \frac{v_1}2$, whenever $\frac{v_1}{v_2} \ge \frac{\mu}{2+3\mu}$,
    $\mu = \alpha\lambda$: everybody at weak coupling, and at any coupling unless the peer is three times noisier.

    Drawn with $v_2 = 1$ and $v_1 = (1+\mathrm{more})$ times the threshold. Proof: $\frac{v_1}2-S_1 =
    \frac{\kappa}{8(1+\kappa)(2+\kappa)}[(4+3\kappa)v_1-\kappa v_2]$, $\kappa = 2\mu$.
    """
    v = np.stack([(1 + more) * noise_ratio_threshold(mu), np.ones_like(mu)], -1)
    return excess_loss_of_students(v, 2 * mu)[:, 0], v[:, 0] / 2


@theorem("G6", given=RATIO | dict(more=Interval(0, 1)), source=OURS, resolution=1e-3, tight=_at_the_threshold)
def quieter_student_of_two_loses(mu: Array, more: Array) -> Pair:
    r"""The first of two students loses, $\frac{v_1}2 \le S_1$, whenever $\frac{v_1}{v_2} \le \frac{\mu}{2+3\mu}$.

    Drawn with $v_1 = (1-\mathrm{more})$ times the threshold. Proof: as above.
    """
    v = np.stack([(1 - more) * noise_ratio_threshold(mu), np.ones_like(mu)], -1)
    return v[:, 0] / 2, excess_loss_of_students(v, 2 * mu)[:, 0]


@noisier_student_of_two_gains.identity
def gain_of_the_first_of_two(three: sp.Expr = 3 * ONE) -> sp.Expr:
    v1, v2, kappa = sp.symbols("v1 v2 kappa", positive=True)
    mean = (v1 + v2) / 2
    s1 = mean / 4 + mean / (4 * (1 + kappa)) + (v1 - mean) / (2 + kappa)
    return sp.cancel(v1 / 2 - s1 - kappa * ((4 + three * kappa) * v1 - kappa * v2) / (8 * (1 + kappa) * (2 + kappa)))
