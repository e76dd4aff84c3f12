"""Four plausible statements that are wrong; also an example for `rdml theory --search FILE`."""

import numpy as np
from scipy.special import log_softmax

from theory import renyi_divergence_from_logits as divergence
from theory.statements.domains import Interval, Logits, Order
from theory.statements.theorem import conjecture
from theory.theorems.dynamics.rotation import lasting_gradient
from theory.theorems.quantities import l1_distance


def between(first, second):
    """Logits of the mean of two distributions."""
    return np.logaddexp(log_softmax(first, axis=-1), log_softmax(second, axis=-1))


@conjecture(given={"y1": Logits(), "y2": Logits(), "z1": Logits(), "z2": Logits()})
def order_2_is_jointly_convex(y1, y2, z1, z2):
    r"""$D_2$ is jointly convex in $(p, q)$."""
    ends = divergence(y1, z1, 2.0) + divergence(y2, z2, 2.0)
    return divergence(between(y1, y2), between(z1, z2), 2.0), ends / 2


@conjecture(given={"y": Logits(), "z1": Logits(), "z2": Logits()})
def order_half_is_convex_in_the_students_logits(y, z1, z2):
    r"""$D_{1/2}(p\|\mathrm{softmax}\,z)$ is convex in $z$."""
    return divergence(y, (z1 + z2) / 2, 0.5), (divergence(y, z1, 0.5) + divergence(y, z2, 0.5)) / 2


@conjecture(given={"alpha": Interval(0, 3), "time": Interval(0, 1e4)})
def bounded_losses_make_the_drift_telescope(alpha, time):
    r"""The drift of the rotating pair sums to at most the range of its losses, whatever the time $\eta T$.

    Its losses lie in [0, 25]: logits below 10, divergences below 15. The drift a unit of time is $X$ (E6).
    """
    return time * lasting_gradient(alpha), np.full_like(alpha, 25.0)


@conjecture(given={"y": Logits(), "z": Logits(), "alpha": Order(0, 1, open_low=True)})
def pinsker_with_a_larger_constant(y, z, alpha):
    r"""$\frac{\alpha}{1.9}\|p-q\|_1^2 \le D_\alpha(p\|q)$ for $\alpha \le 1$."""
    return alpha / 1.9 * l1_distance(y, z) ** 2, divergence(y, z, alpha)
