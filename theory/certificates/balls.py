r"""Ball arithmetic on boxes: numbers with three partial derivatives, and averages of $\mathrm{sech}^2$ along segments.

With half log-odds z of q, z+d of p and z+ad of w, every two-class statement of the shelves C and D is one about
averages of $f = \mathrm{sech}^2$ on these segments (`statements`), without removable singularities. Over a box an
average is enclosed by a sum of pieces, whose derivatives are enclosed too; at a point by its closed form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from flint import arb, fmpq

PRECISION = 128
PIECES = 4
SEGMENTS = [arb(2 * i + 1, 1) / (2 * PIECES) for i in range(PIECES)]
EVEN = [arb(1) / PIECES] * PIECES
RISING = [arb(2 * i + 1) / PIECES**2 for i in range(PIECES)]
"""Weights of the pieces of s for the uniform weight and for 2s."""
Ends = tuple[Fraction, Fraction]


def ball(low: Fraction, high: Fraction) -> arb:
    """A ball that contains [low, high]."""
    return arb(fmpq(low.numerator, low.denominator)).union(arb(fmpq(high.numerator, high.denominator)))


def square_of_sech(x: arb) -> arb:
    """Encloses the range of f over the ball: f falls with |x|."""
    far, near = x.abs_upper().cosh(), x.abs_lower().cosh()
    return (1 / (far * far)).union(1 / (near * near))


def tanh(x: arb) -> arb:
    """Encloses the range of the increasing tanh, sharper than arb's own on wide balls."""
    return x.lower().tanh().union(x.upper().tanh())


class Dual:
    """A number over a box with its partial derivatives, all enclosed by balls."""

    __slots__ = ("slopes", "value")

    def __init__(self, value: arb, slopes: Sequence[arb]) -> None:
        self.value, self.slopes = value, slopes

    def __add__(self, other: Dual | arb | int) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value + other.value, [x + y for x, y in zip(self.slopes, other.slopes, strict=True)])
        return Dual(self.value + other, self.slopes)

    def __mul__(self, other: Dual | arb | int) -> Dual:
        if isinstance(other, Dual):
            pairs = zip(self.slopes, other.slopes, strict=True)
            return Dual(self.value * other.value, [x * other.value + self.value * y for x, y in pairs])
        return Dual(self.value * other, [x * other for x in self.slopes])

    def __neg__(self) -> Dual:
        return self * -1

    def __sub__(self, other: Dual | arb | int) -> Dual:
        return self + -other

    def __rsub__(self, other: arb | int) -> Dual:
        return -self + other

    __radd__, __rmul__ = __add__, __mul__


def variables(box: Sequence[Ends]) -> list[Dual]:
    """The coordinates over the box."""
    unit = [[arb(int(i == k)) for k in range(len(box))] for i in range(len(box))]
    return [Dual(ball(*ends), unit[i]) for i, ends in enumerate(box)]


class OverBox:
    """Averages over [0, 1] of f(u + se), by pieces of s and by the closed forms; arguments are Duals."""

    @staticmethod
    def mean(u: Dual, e: Dual) -> Dual:
        """The average with the uniform weight."""
        return _chain(_mean(u.value, e.value), u, e)

    @staticmethod
    def tilt(u: Dual, e: Dual) -> Dual:
        """The average with the weight 2s."""
        return _chain(_tilt(u.value, e.value), u, e)

    @staticmethod
    def rise(u: Dual, e: Dual) -> Dual:
        """log cosh(u+e) - log cosh(u)."""
        end = u + e
        value = end.value.cosh().log() - u.value.cosh().log()
        pairs = zip(end.slopes, u.slopes, strict=True)
        return Dual(value, [tanh(end.value) * x - tanh(u.value) * y for x, y in pairs])


Jet = tuple[arb, arb, arb]
"""An average over a box of (u, e), and its derivatives by u and by e."""


def _chain(jet: Jet, u: Dual, e: Dual) -> Dual:
    return Dual(jet[0], [jet[1] * x + jet[2] * y for x, y in zip(u.slopes, e.slopes, strict=True)])


def _mean(u: arb, e: arb) -> Jet:
    jet = _centred(_pieces(u, e, EVEN), u, e, AtPoint.mean)
    if e.contains(0):
        return jet
    end = square_of_sech(u + e)
    return _sharpened(jet, (end - square_of_sech(u)) / e, (end - jet[0]) / e)


def _tilt(u: arb, e: arb) -> Jet:
    jet = _centred(_pieces(u, e, RISING), u, e, AtPoint.tilt)
    if e.contains(0):
        return jet
    end = square_of_sech(u + e)
    return _sharpened(jet, 2 * (end - _mean(u, e)[0]) / e, 2 * (end - jet[0]) / e)


def _sharpened(jet: Jet, by_u: arb, by_e: arb) -> Jet:
    return jet[0], jet[1].intersection(by_u), jet[2].intersection(by_e)


def _centred(jet: Jet, u: arb, e: arb, closed: Callable[[arb, arb], arb]) -> Jet:
    """The jet with its value sharpened by the mean-value form around the midpoint."""
    linear = jet[1] * (u - u.mid()) + jet[2] * (e - e.mid())
    return jet[0].intersection(closed(u.mid(), e.mid()) + linear), jet[1], jet[2]


def _pieces(u: arb, e: arb, weights: Sequence[arb]) -> Jet:
    """The average from the range of f on pieces of s, which is sharp where e is short."""
    value = by_u = by_e = arb(0)
    for s, weight in zip(SEGMENTS, weights, strict=True):
        height = weight * square_of_sech(u + s * e)
        slope = -2 * tanh(u + s * e) * height
        value, by_u, by_e = value + height, by_u + slope, by_e + s * slope
    return value, by_u, by_e


class AtPoint:
    """The same averages at a point in closed form; arguments are balls of radius (almost) 0."""

    @staticmethod
    def mean(u: arb, e: arb) -> arb:
        return square_of_sech(u) if e.is_zero() else e.sinh() / (e * u.cosh() * (u + e).cosh())

    @staticmethod
    def tilt(u: arb, e: arb) -> arb:
        return square_of_sech(u) if e.is_zero() else 2 * (e * (u + e).tanh() - AtPoint.rise(u, e)) / (e * e)

    @staticmethod
    def rise(u: arb, e: arb) -> arb:
        return ((u + e).cosh() / u.cosh()).log()
