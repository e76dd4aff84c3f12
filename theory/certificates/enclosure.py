r"""Enclosures of the best constant $c(\alpha) = \inf D_\alpha/V^2$ at orders between 1 and 2, of width 1e-6 at most.

From above by a witness pair. From below, where the log-odds of q are in [-4, 4] and the log odds ratio is at most 8, by
bisection (`prove`); for the other p > q on rectangles of the unit square, vertices included, by three bounds:

- D falls in q and grows in p while q < p, so that it is least at a corner;
- where $\frac{\alpha}{(\alpha-1)p}$, a bound on dD/dp, is below 2D/(p-q) up to p = 1, the ratio falls towards the point
  mass, where it is at least $c_\infty$ (C2);
- $D_\alpha \ge \mathrm{KL} = \int_q^p\frac{p-x}{x(1-x)}dx \ge \frac{(p-q)^2}{2\max x(1-x)}$, so that
  $D_\alpha/V^2 > 1$ if p <= 1/8 or q >= 7/8.
"""

from fractions import Fraction
from typing import Any

from flint import arb, ctx
from scipy.special import expit

from theory.constants import GOLDEN_ORDER, POINT_MASS_ROOT, VERTEX_ORDER, nearest_coins, pinsker_constant

from .balls import PRECISION, ball
from .prove import prove

BELOW, WIDTH = Fraction(4, 10**7), Fraction(1, 10**6)
POINT_MASS = Fraction("0.613851870571")
"""A little less than c_inf."""
RECTANGLES = 50_000
Rectangle = tuple[Fraction, Fraction, Fraction, Fraction]
"""Ends of p, then of q."""


def enclose(name: str, progress: bool = True) -> dict[str, Any]:
    """The certificate of c at the order of a statement such as "c-1.2", with `lower`, `upper` and the witness pair."""
    order = name.removeprefix("c-")
    lower = _decimal(float(pinsker_constant(float(order))) - float(BELOW))
    p, q = witness(float(order))
    certificate = prove(name, lower, progress)
    upper = lower + WIDTH
    certificate |= {"order": order, "lower": str(lower), "upper": str(upper), "witness": [str(p), str(q)]}
    if certificate["status"] == "certified" and not ends_hold(certificate):
        certificate |= {"status": "not certified", "failed": "the witness or the pairs outside the box"}
    return certificate


def ends_hold(certificate: dict[str, Any]) -> bool:
    """Whether the witness lies below `upper`, and no pair outside the bisected box lies below `lower`."""
    order, lower, upper = (Fraction(certificate[key]) for key in ("order", "lower", "upper"))
    p, q = map(Fraction, certificate["witness"])
    with ctx.workprec(PRECISION):
        met = divergence(p, q, order) <= 4 * _ball(upper) * _ball(p - q) * _ball(p - q)
        same = certificate["strength"] == certificate["lower"] and upper - lower <= WIDTH
        return bool(met) and same and outside_holds(order, lower)


def witness(order: float) -> tuple[Fraction, Fraction]:
    """A pair (p, q) whose ratio is nearly the least, found in floats and rounded to decimals."""
    if order >= VERTEX_ORDER:
        return Fraction(1), _decimal(POINT_MASS_ROOT)
    if order <= GOLDEN_ORDER:
        return _decimal(0.50005), _decimal(0.49995)
    p, q = (_decimal(float(expit(logit))) for logit in nearest_coins(order))
    return p, q


def _decimal(value: float) -> Fraction:
    return Fraction(round(value * 10**9), 10**9)


def divergence(p: Fraction, q: Fraction, order: Fraction) -> arb:
    """Encloses the divergence of two coins, 0 < q < 1, order > 1, as in its definition."""
    a, mass = _ball(order), arb(0)
    for up, down in ((p, q), (1 - p, 1 - q)):
        if up > 0:
            mass += _ball(down) * (a * _ball(up / down).log()).exp()
    return mass.log() / (a - 1)


def _ball(value: Fraction) -> arb:
    return ball(value, value)


def outside_holds(order: Fraction, lower: Fraction) -> bool:
    """Whether every pair p > q outside the bisected box has D >= lower V^2."""
    waiting: list[Rectangle] = [(Fraction(0), Fraction(1), Fraction(0), Fraction(1))]
    for _ in range(RECTANGLES):
        if not waiting:
            return True
        rectangle = waiting.pop()
        if not _settled(rectangle, order, lower):
            waiting += _quarters(rectangle)
    return False


def _settled(rectangle: Rectangle, order: Fraction, lower: Fraction) -> bool:
    p0, p1, q0, q1 = rectangle
    elsewhere = p1 <= q0 or p1 <= Fraction(1, 8) or q0 >= Fraction(7, 8)
    return elsewhere or _in_box(p1, q0, q1) or (q1 < p0 and _bounded(rectangle, order, lower))


def _in_box(p1: Fraction, q0: Fraction, q1: Fraction) -> bool:
    """Log-odds of q within 4, as 0.018 > 1/(1+e^4), and p's above q's by at most 8, as 2980 < e^8."""
    return Fraction(18, 1000) <= q0 and q1 <= Fraction(982, 1000) and p1 * (1 - q0) <= 2980 * q0 * (1 - p1)


def _bounded(rectangle: Rectangle, order: Fraction, lower: Fraction) -> bool:
    p0, p1, q0, q1 = rectangle
    least = divergence(p0, q1, order)
    steepest = order / ((order - 1) * p0)
    to_point_mass = p1 == 1 and lower < POINT_MASS and bool(2 * least > _ball(steepest * (1 - q0)))
    return to_point_mass or bool(least >= _ball(4 * lower * (p1 - q0) ** 2))


def _quarters(rectangle: Rectangle) -> list[Rectangle]:
    p0, p1, q0, q1 = rectangle
    p, q = (p0 + p1) / 2, (q0 + q1) / 2
    return [(p0, p, q0, q), (p0, p, q, q1), (p, p1, q0, q), (p, p1, q, q1)]
