r"""Shelf O1, continued: for two classes, the weight of deep mutual learning that an order amounts to."""
# ruff: noqa: C408  (given=dict(...) reads like the statement)

from typing import Any

import numpy as np
import sympy as sp
from scipy.special import expit, logit

from theory.divergence.arguments import Array
from theory.divergence.gradients import student_gradient
from theory.statements.domains import Interval
from theory.statements.theorem import theorem
from theory.theorems.quantities import OURS, Pair
from theory.theorems.symbols import HALF, ONE, a


def ends_of_the_range(t: float) -> dict[str, Any]:
    """A sure student pulled to the class it excludes, then to its own; a far peer of an unsure one."""
    far = -4 * np.log(t)
    return dict(odds=np.array([-far, far, -far, far, 0.0, 0.0]), gap=np.array([1.0, 1, 1, 1, far, far]),
                alpha=np.array([2.0, 2.0, 0.5, 0.5, 2.0, 0.5]))  # fmt: skip


COIN: dict[str, Any] = dict(odds=Interval(-100, 100), gap=Interval(0, 60), alpha=Interval(0, 8))


def _pulls(odds: Array, gap: Array, alpha: Array) -> tuple[Array, Array]:
    """How far the order and order 1 pull the log-odds' first class up: sigma(z + alpha d) - sigma(z), and at 1."""
    z = np.stack([odds, np.zeros_like(odds)], -1)
    y = np.stack([odds + gap, np.zeros_like(odds)], -1)
    return -student_gradient(y, z, alpha)[:, 0], -student_gradient(y, z, 1.0)[:, 0]


@theorem("O1", given=COIN, source=OURS, classes=(2,), tight=ends_of_the_range, resolution=1e-60)
def range_of_the_effective_weight(odds: Array, gap: Array, alpha: Array) -> Pair:
    r"""Two classes, $\alpha>0$ and not 1: order $\alpha$ pulls like DML with the weight $W =
    \frac{\sigma(z+\alpha\delta)-\sigma(z)}{\sigma(z+\delta)-\sigma(z)}$, which at a log-odds gap $\delta>0$ takes
    exactly the values strictly between $\frac{1-e^{-\alpha\delta}}{1-e^{-\delta}}$ and
    $\frac{e^{\alpha\delta}-1}{e^\delta-1}$. Over all gaps it fills $(1,\infty)$ for $\alpha>1$ and (0, 1) below.

    Checked without denominators; $\delta<0$ exchanges the classes. Proof: $\sigma(z+u)-\sigma(z) =
    \frac{q(1-q)(e^u-1)}{1+q(e^u-1)}$, $q = \sigma(z)$, so W is a Möbius function of q: monotone, with these values at
    $q\to1$ and $q\to0$. As $\delta\to\infty$ the first tends to 1 and the second to $\infty$, or to 0 below order 1.
    """
    pull, plain = _pulls(odds, gap, alpha)
    low, high = -np.expm1(-alpha * gap), -np.expm1(-gap)  # numerator and denominator of the value at q = 1
    ends = low * plain, np.exp((alpha - 1) * gap) * low * plain  # both times 1 - e^-gap
    middle, above = high * pull, alpha >= 1
    one = high * plain
    left = [np.where(above, ends[0], ends[1]), middle, np.where(above, one, ends[0])]
    right = [middle, np.where(above, ends[1], ends[0]), np.where(above, ends[0], one)]
    return np.stack(left, -1), np.stack(right, -1)


@range_of_the_effective_weight.identity
def rise_of_the_sigmoid(one: sp.Expr = ONE) -> sp.Expr:
    odds, step = sp.symbols("e_z e_u", positive=True)
    q = odds / (1 + odds)
    rise = odds * step / (1 + odds * step) - q
    return rise - one * q * (1 - q) * (step - 1) / (1 + q * (step - 1))


def small_gaps(t: float) -> dict[str, Any]:
    """To first order the bias of the student decides; of the unsure student the second order."""
    return dict(odds=logit(np.array([0.2, 0.2, 0.5, 0.5])), gap=t, alpha=np.array([2.0, 0.5, 2.0, 0.5]))


@theorem("O1", given=COIN, source=OURS, classes=(2,), tight=small_gaps, resolution=1.0, tolerance=1e-9)
def effective_weight_against_the_order(odds: Array, gap: Array, alpha: Array) -> Pair:
    r"""Two classes, W as above, $\alpha>0$ and not 1: $W-\alpha =
    (\alpha-1)\frac{e^{\alpha\delta}-1}{1+q(e^{\alpha\delta}-1)}(q^*-q)$, q the student's mass of the class that the
    peer pushes towards ($\delta>0$), with $\frac12-\frac{(1+\alpha)\delta}{12} \le q^* < \frac12$.

    So above order 1 the weight exceeds $\alpha$ only if the peer pushes towards the rarer class, and surely if that
    class has less than $\frac12-\frac{(1+\alpha)\delta}{12}$; as $\delta\to0$ exactly then. Below order 1 it falls
    short of $\alpha$ under the same conditions. Checked with both bounds in place of $q^*$. Proof: solve $W = \alpha$,
    linear in q: $q^* = \frac12-\frac{h(\alpha\delta)-h(\delta)}{(\alpha-1)\delta}$, $h(x) = \frac x{e^x-1}+\frac x2-1 =
    \sum_n\frac{2x^2}{x^2+4\pi^2n^2}$, and $0 < h'(x) \le \sum_n\frac{4x}{4\pi^2n^2} = \frac x6$ for $x>0$.
    """
    pull, plain = _pulls(odds, gap, alpha)
    weight = np.where(plain > 0, pull / np.where(plain > 0, plain, 1.0), alpha)
    q, away = expit(odds), expit(-odds)
    shrunk = -np.expm1(-alpha * gap)  # (e^x - 1)/(1 + q (e^x - 1)) without overflow
    slope = np.abs(alpha - 1) * shrunk / (np.exp(-alpha * gap) * away + q)
    most = slope * (0.5 - q)
    excess = np.sign(alpha - 1) * (weight - alpha)
    return np.stack([most - slope * (1 + alpha) * gap / 12, excess], -1), np.stack([excess, most], -1)


@effective_weight_against_the_order.identity
def threshold_of_the_students_mass(one: sp.Expr = ONE) -> sp.Expr:
    far, near, q = sp.symbols("A B q", positive=True)  # e^(alpha d) - 1 and e^d - 1
    threshold = (1 / near - a / far) / (a - 1)
    weight = far * (1 + q * near) / (near * (1 + q * far))
    return weight - a - one * (a - 1) * far / (1 + q * far) * (threshold - q)


@effective_weight_against_the_order.identity
def threshold_by_h(half: sp.Expr = HALF) -> sp.Expr:
    far, near, gap = sp.symbols("A B d", positive=True)
    h = a * gap / far + half * a * gap - (gap / near + half * gap)
    return HALF - h / ((a - 1) * gap) - (1 / near - a / far) / (a - 1)


@effective_weight_against_the_order.identity
def slope_of_the_partial_fractions(four: sp.Expr = 4 * ONE, sixth: sp.Expr = ONE / 6) -> list[sp.Expr]:
    x, pole, n = sp.symbols("x c n", positive=True)  # c = 4 pi^2 n^2
    slope = sp.diff(2 * x**2 / (x**2 + pole), x) - four * x * pole / (x**2 + pole) ** 2
    return [slope, 4 / (4 * sp.pi**2) * sp.summation(1 / n**2, (n, 1, sp.oo)) - sixth]
