r"""A checker of trees of rectangles (`square`): with the geometric mixture w in the place of powers of p and q.

$D_\alpha = \mathrm{KL}(w\|q) - \frac\alpha{\alpha-1}\mathrm{KL}(w\|p)$ (A5), $\partial_qD = -\frac{w-q}{q(1-q)}$,
$\partial_pD = \frac\alpha{\alpha-1}\frac{w-p}{p(1-p)}$ and $\partial_p^2D = \frac\alpha{p^2(1-p)^2}
\big[w(1-w) - \frac{(w-p)^2}{\alpha-1}\big]$; the log-odds $\alpha y + (1-\alpha)z$ of w grow in p and fall in q.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from flint import arb

from theory.certificates.balls import ball
from theory.certificates.ends import vertex

DEPTH = 10
"""A leaf on which this evaluation is less sharp than that of the search is halved so many times at most."""
Rectangle = tuple[Fraction, Fraction, Fraction, Fraction]
"""Ends of q, then of p."""


def covers(tree: str, order: arb, constant: arb, allowed: str) -> bool:
    """Whether the tree's leaves cover the square and each is settled; `allowed` are the kinds of leaves, of ecidmt:
    i only if the box inside is proved elsewhere, t only at the vertex order and its constant."""
    return all(
        leaf is not None and leaf[0] in allowed and holds(*leaf, order, constant) for leaf in rectangles_of(tree)
    )


def vertex_order_holds(certificate: dict[str, Any], strength: Fraction) -> bool:
    r"""Whether the certificate's tree proves $D \ge strength\,c_\infty\|p-q\|_1^2$ at the vertex order on the whole
    square, and its decimals enclose both numbers."""
    x = root()
    order, constant = 1 / (1 - x), 1 / (8 * x * (1 - x))
    enclosed = _lies_in(order, certificate["order"]) and _lies_in(constant, certificate["constant"])
    kinds = "ecdmt" if strength == 1 else "ecdm"
    return enclosed and covers(certificate["tree"], order, _ball(strength) * constant, kinds)


def _lies_in(number: arb, ends: list[str]) -> bool:
    low, high = map(Fraction, ends)
    return bool(_ball(low) < number) and bool(number < _ball(high))


def rectangles_of(tree: str) -> Iterator[tuple[str, Rectangle] | None]:
    """The leaves of the bisection of the unit square that the tree describes in preorder; None where it isn't one."""
    waiting: list[Rectangle] = [(Fraction(0), Fraction(1), Fraction(0), Fraction(1))]
    for letter in tree:
        if not waiting or letter not in "01ecidmt":
            yield None
            return
        rectangle = waiting.pop()
        if letter in "01":
            waiting += reversed(_halves(rectangle, int(letter)))
        else:
            yield letter, rectangle
    if waiting:
        yield None


def holds(kind: str, rectangle: Rectangle, order: arb, constant: arb) -> bool:
    """Whether $D \\ge 4c(p-q)^2$ follows on the rectangle where p > q, in the way that the kind names."""
    q0, q1, p0, p1 = rectangle
    if kind == "e":  # no p > q, or x(1-x) <= 7/64 between them, so that KL >= 32/7 (p-q)^2
        return p1 <= q0 or (not (p1 > Fraction(1, 8) and q0 < Fraction(7, 8)) and bool(constant < 1))
    if kind == "i":
        log_odds = _log_odds(q0), _log_odds(q1), _log_odds(p1)
        return bool(log_odds[0] >= -4 and log_odds[1] <= 4 and log_odds[2] - log_odds[0] <= 8)
    if kind == "t":
        return p0 > 0 and vertex(ball(q0, q1), 1 - p0)
    if kind == "d":
        return q0 > 0 and p1 < 1 and _bends((q0, q1, q0, p1), order, constant, DEPTH)
    if not q1 < p0:
        return False
    if kind == "c":
        return bool(divergence(p0, q1, order) >= 4 * constant * _ball(p1 - q0) ** 2)
    return q0 > 0 and _near(rectangle, order, constant, DEPTH)


def _halves(rectangle: Rectangle, axis: int) -> tuple[Rectangle, Rectangle]:
    q0, q1, p0, p1 = rectangle
    q, p = (q0 + q1) / 2, (p0 + p1) / 2
    return ((q0, q, p0, p1), (q, q1, p0, p1)) if axis == 0 else ((q0, q1, p0, p), (q0, q1, p, p1))


def root() -> arb:
    """x, by the sign of 2x log x - x + 1, which falls there."""
    low, high = (_ball(Fraction(2846681370408384616802256767697191 + k, 10**34)) for k in (0, 1))
    if not (_excess(low) > 0 and _excess(high) < 0):
        raise ArithmeticError("the root of 2x log x = x - 1 is not where it is said to be")
    return low.union(high)


def _excess(x: arb) -> arb:
    return 2 * x * x.log() - x + 1


def _bends(rectangle: Rectangle, order: arb, constant: arb, depth: int) -> bool:
    """Whether the second derivative by p is above 8c for all p and q of the rectangle."""
    q0, q1, p0, p1 = rectangle
    p, w = ball(p0, p1), mixture(rectangle, order)
    bend = order * (_spread(w) - (w - p) ** 2 / (order - 1)) / _spread(p) ** 2
    if bend > 8 * constant:
        return True
    halves = _halves(rectangle, 0 if q1 - q0 > p1 - p0 else 1)
    return depth > 0 and all(_bends(half, order, constant, depth - 1) for half in halves)


def _spread(x: arb) -> arb:
    """Encloses x(1-x), which is 1/4 - (x-1/2)^2."""
    far = (x - arb(1) / 2).abs_upper() ** 2, (x - arb(1) / 2).abs_lower() ** 2
    return arb(1) / 4 - far[0].union(far[1])


def _near(rectangle: Rectangle, order: arb, constant: arb, depth: int) -> bool:
    """Whether the mean-value form proves the inequality, on the rectangle or on its halves."""
    q0, q1, p0, p1 = rectangle
    p, q, w = ball(p0, p1), ball(q0, q1), mixture(rectangle, order)
    pull, centre = 8 * constant * (p - q), ((p0 + p1) / 2, (q0 + q1) / 2)
    by_p, by_q = _by_p(rectangle, w, order) - pull, (q - w) / (q * (1 - q)) + pull
    changes = by_q.abs_upper() * _ball((q1 - q0) / 2), by_p.abs_upper() * _ball((p1 - p0) / 2)
    gap = divergence(*centre, order) - 4 * constant * _ball(centre[0] - centre[1]) ** 2
    if gap > changes[0] + changes[1]:
        return True
    halves = _halves(rectangle, 0 if changes[0] > changes[1] else 1)
    return depth > 0 and all(_near(half, order, constant, depth - 1) for half in halves)


def _by_p(rectangle: Rectangle, w: arb, order: arb) -> arb:
    """D's derivative by p, $\\frac\\alpha{\\alpha-1}\\frac{1-t}p$ with $t = \\frac{1-w}{1-p} \\le
    (\\frac{1-p}{1-q})^{\\alpha-1}$ at p = 1."""
    _, q1, p0, p1 = rectangle
    p = ball(p0, p1)
    if p1 < 1:
        return order / (order - 1) * (w - p) / _spread(p)
    most = (_ball((1 - p0) / (1 - q1)).log() * (order - 1)).exp()
    return order / (order - 1) * (1 - arb(0).union(most)) / p


def mixture(rectangle: Rectangle, order: arb) -> arb:
    """Encloses w over the rectangle."""
    q0, q1, p0, p1 = rectangle
    least = _mixture(p0, q1, order)
    return least.union(arb(1) if p1 == 1 else _mixture(p1, q0, order))


def _mixture(p: Fraction, q: Fraction, order: arb) -> arb:
    return 1 / (1 + (-order * _log_odds(p) - (1 - order) * _log_odds(q)).exp())


def divergence(p: Fraction, q: Fraction, order: arb) -> arb:
    """Encloses the divergence of two coins, 0 < q < p < 1, order > 1."""
    w = _mixture(p, q, order)
    return _kl(w, _ball(q)) - order / (order - 1) * _kl(w, _ball(p))


def _kl(w: arb, q: arb) -> arb:
    return w * (w / q).log() + (1 - w) * ((1 - w) / (1 - q)).log()


def _log_odds(p: Fraction) -> arb:
    return _ball(p / (1 - p)).log() if 0 < p < 1 else arb("nan")


def _ball(value: Fraction) -> arb:
    return ball(value, value)
