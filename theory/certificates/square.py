r"""Proofs of $D_\alpha \ge 4c(p-q)^2$ for coins $p > q$ on rectangles of the unit square, vertices included; order > 1.

A rectangle is settled
- e, elsewhere: where p <= q; and where p <= 1/8 or q >= 7/8, as $D_\alpha \ge \mathrm{KL} =
  \int_q^p\frac{p-x}{x(1-x)}dx \ge \frac{(p-q)^2}{2\max x(1-x)} > 4(p-q)^2$;
- i, inside: where the log-odds of q are within 4 and those of p above by 8 at most, if that box has been bisected;
- c, at a corner: D falls in q and grows in p while q < p;
- t, where both sides touch, at p = 1 and q = x (`ends.vertex`), if they do;
- d, near the diagonal: $D = \int_q^p (p-s)\,\partial_s^2D_\alpha(s\|q)\,ds$ and the integrand's derivative is above 8c;
- m, by the mean-value form.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from flint import arb

from .balls import ball
from .ends import vertex
from .statements import Box

EDGE = Fraction(1, 8)


@dataclass(frozen=True)
class Proof:
    """An order above 1 and a constant below 1, as balls; whether the box of i is bisected elsewhere, and whether these
    are the vertex order and its constant, so that t is allowed."""

    order: arb
    constant: arb
    bisected: bool = False
    touches: bool = False

    def settle(self, rectangle: Box) -> str | int:
        """The kind of the leaf if the inequality holds on the whole rectangle, else the axis (0: q, 1: p) to halve."""
        for kind, settles in SETTLES.items():
            if settles(self, rectangle):
                return kind
        (q0, q1), (p0, p1) = rectangle
        return 0 if q1 - q0 > p1 - p0 else 1


UNIT: Box = (Fraction(0), Fraction(1)), (Fraction(0), Fraction(1))


def elsewhere(proof: Proof, rectangle: Box) -> bool:
    (q0, _), (_, p1) = rectangle
    return p1 <= q0 or ((p1 <= EDGE or q0 >= 1 - EDGE) and bool(proof.constant < 1))


def inside(proof: Proof, rectangle: Box) -> bool:
    """0.018 > 1/(1+e^4), and 2980 < e^8."""
    (q0, q1), (_, p1) = rectangle
    narrow = Fraction(18, 1000) <= q0 and q1 <= Fraction(982, 1000)
    return proof.bisected and narrow and p1 * (1 - q0) <= 2980 * q0 * (1 - p1)


def at_a_corner(proof: Proof, rectangle: Box) -> bool:
    (q0, q1), (p0, p1) = rectangle
    if not q1 < p0:
        return False
    width = _ball(p1 - q0)
    return bool(divergence(_ball(p0), _ball(q1), proof.order) >= 4 * proof.constant * width * width)


def touching(proof: Proof, rectangle: Box) -> bool:
    q, (p0, _) = rectangle
    return proof.touches and p0 > 0 and vertex(ball(*q), 1 - p0)


def near_the_diagonal(proof: Proof, rectangle: Box) -> bool:
    (q0, q1), (p0, p1) = rectangle
    if not (q0 > 0 and p1 < 1 and p0 - q1 < Fraction(2, 5)):
        return False
    s, q, a = ball(q0, p1), ball(q0, q1), proof.order
    heads, tails = _powers(s, q, a)
    mass = s * heads + (1 - s) * tails
    bend = a * (heads / s + tails / (1 - s)) / mass - (a * (heads - tails) / mass) ** 2 / (a - 1)
    return bool(bend > 8 * proof.constant)


def by_mean_value(proof: Proof, rectangle: Box) -> bool:
    (q0, q1), (p0, p1) = rectangle
    if not 0 < q0 <= q1 < p0:
        return False
    centre, radii = (_ball((p0 + p1) / 2), _ball((q0 + q1) / 2)), (_ball((p1 - p0) / 2), _ball((q1 - q0) / 2))
    gap = divergence(*centre, proof.order) - 4 * proof.constant * (centre[0] - centre[1]) ** 2
    by_p, by_q = _slopes(proof, ball(p0, p1), ball(q0, q1))
    return bool(gap > by_p.abs_upper() * radii[0] + by_q.abs_upper() * radii[1])


def _slopes(proof: Proof, p: arb, q: arb) -> tuple[arb, arb]:
    a, heads_tails = proof.order, _powers(p, q, proof.order)
    heads, tails = heads_tails
    mass, pull = p * heads + (1 - p) * tails, 8 * proof.constant * (p - q)
    by_q = ((1 - p) * tails / (1 - q) - p * heads / q) / mass
    return a / (a - 1) * (heads - tails) / mass - pull, by_q + pull


def _powers(p: arb, q: arb, a: arb) -> tuple[arb, arb]:
    """The powers a-1 of p/q and of (1-p)/(1-q)."""
    return power(p / q, a - 1), power((1 - p) / (1 - q), a - 1)


def power(x: arb, exponent: arb) -> arb:
    """Encloses x^exponent for the x >= 0 in the ball, exponent > 0."""
    low = x.lower()
    bottom = (low.log() * exponent).exp() if low > 0 else arb(0)
    return bottom.union((x.upper().log() * exponent).exp())


def divergence(p: arb, q: arb, order: arb) -> arb:
    """Encloses the divergence of two coins, 0 < q < 1, order > 1, as in its definition."""
    return (power(p, order) * q ** (1 - order) + power(1 - p, order) * (1 - q) ** (1 - order)).log() / (order - 1)


def _ball(value: Fraction) -> arb:
    return ball(value, value)


SETTLES: dict[str, Callable[[Proof, Box], bool]] = {
    "e": elsewhere,
    "i": inside,
    "c": at_a_corner,
    "t": touching,
    "d": near_the_diagonal,
    "m": by_mean_value,
}
