r"""Shelf P1: where a student's gain comes from, and a bound on it that needs no labels."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np

from theory.cohorts.accounting import ambiguity
from theory.divergence.arguments import Array
from theory.statements.domains import Interval, Logits, Reals, Simplex
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair, divergence, dot, kl, log_probabilities

HESKES = "Heskes 1998 (logarithmic opinion pools; no. unconfirmed)"
COHORT = Reals(3, "C")
"""Logits of three students."""


def _losses(label: Array, students: Array) -> tuple[Array, Array]:
    """Cross-entropies to the label: the mean student's and that of the mean logits."""
    each = -dot(label[:, None], log_probabilities(students)).mean(axis=-1)
    return each, -dot(label, log_probabilities(students.mean(axis=1)))


def _ambiguity(students: Array) -> Array:
    return ambiguity(np.moveaxis(students, 1, 0))


@theorem("P1", given=dict(label=Simplex(), students=COHORT), source=HESKES, status="cited", relation="==",
         resolution=1e-3, tight=lambda t: dict(label=np.array([1.0, 0, 0]), students=np.diag([1.0, 2, 3])))  # fmt: skip
def students_loss_is_the_ensembles_plus_ambiguity(label: Array, students: Array) -> Pair:
    r"""$\frac1K\sum_k\mathrm{CE}(y,p_k) = \mathrm{CE}(y,\hat p)+A$, $\hat p\propto\prod_kp_k^{1/K}$ (mean logits), with
    the ambiguity $A = \frac1K\sum_k\mathrm{KL}(\hat p\|p_k)$, in which no label occurs.

    Proof: $\log\hat p = \frac1K\sum_k\log p_k-\log Z$; averaged over y it gives the first, averaged over $\hat p$ it
    gives $-\log Z = A$.
    """
    each, together = _losses(label, students)
    mean = np.broadcast_to(students.mean(axis=1, keepdims=True), students.shape)
    direct, closed = kl(mean, students).mean(axis=-1), _ambiguity(students)
    return np.stack([each, direct], -1), np.stack([together + closed, closed], -1)


def _mutual_learning_that_ends_in_agreement(t: float) -> dict[str, Any]:
    before = np.diag([1.0, 2, 3])
    return dict(label=np.array([1.0, 0, 0]), before=before, after=np.diag([2.0, 0, 0])[[0, 0, 0]] + t * before)


@theorem("P1", given=dict(label=Simplex(), before=COHORT, after=COHORT), source=OURS, resolution=1.0,
         tight=_mutual_learning_that_ends_in_agreement)  # fmt: skip
def ambiguity_bounds_what_a_student_gains(label: Array, before: Array, after: Array) -> Pair:
    r"""The mean student's gain in loss is the ensemble's gain plus $A_0-A_\lambda$, so at most the ensemble's gain plus
    the ambiguity $A_0$ of the independent students: a student can gain more only where the ensemble gains.

    Proof: the theorem above for both cohorts, and $A_\lambda\ge0$. Attained where the students end in agreement.
    """
    gains = [first - last for first, last in zip(_losses(label, before), _losses(label, after), strict=True)]
    return gains[0], gains[1] + _ambiguity(before)


def _nearly_agreeing(t: float) -> dict[str, Any]:
    return dict(z=np.array([0.5, 0.0, -1.0]), moves=t * np.diag([1.0, 2, -1]), alpha=np.array([0.5, 1.0, 2.0]))


@theorem("P1", given=dict(z=Logits(), moves=Reals(3, "C", scale=1), alpha=Interval(0, 8)), source=OURS,
         resolution=1e-8, cost=4, tight=_nearly_agreeing)  # fmt: skip
def mutual_term_is_ambiguity_near_agreement(z: Array, moves: Array, alpha: Array) -> Pair:
    r"""$|\bar D-\frac{2\alpha K}{K-1}A| \le \frac{1+(\alpha-1)^2+5\alpha}{24}O^3$, $\bar D$ the mean of
    $D_\alpha(p_j\|p_k)$ over ordered pairs and O the largest $\mathrm{osc}\log(p_j/p_k)$.

    So the mean loss with halved mutual terms, the potential of G2, is near agreement $\mathrm{CE}(\hat p)+(1+\kappa)A$:
    $\kappa=-1$ trains the ensemble. Checked for K = 3, both ways. Proof: E7's expansion around $p_j$ and around $\hat
    p$, whose variances differ by at most $\frac14O\,\mathrm{osc}^2$; $\sum_{j\ne k}\|z_j-z_k\|^2 =
    2K\sum_k\|z_k-\bar z\|^2$, and $\mathrm{osc}(z_k-\bar z)\le\frac{K-1}KO$.
    """
    students = z[:, None] + moves
    peers, own = [1, 2, 0, 2, 0, 1], [0, 0, 1, 1, 2, 2]
    mutual = divergence(students[:, peers], students[:, own], alpha[:, None]).mean(axis=-1)
    widest = np.ptp(moves[:, peers] - moves[:, own], axis=-1).max(axis=-1)
    law = 3 * alpha * kl(np.broadcast_to(students.mean(axis=1, keepdims=True), students.shape), students).mean(axis=-1)
    room = (1 + (alpha - 1) ** 2 + 5 * alpha) / 24 * widest**3
    return np.stack([mutual, law], -1), np.stack([law + room, mutual + room], -1)
