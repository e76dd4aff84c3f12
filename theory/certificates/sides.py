r"""The two sides of the certified two-class statements, as averages of $f = \mathrm{sech}^2$.

Let z and y = z+d be half the log-odds of q and of p, d >= 0 (renaming the classes turns d into -d), and $\omega = z+ad$
that of w, a the order. With $M(u,e) = \int_0^1 f(u+se)\,ds$ and $T(u,e) = \int_0^1 2s f(u+se)\,ds$

$$\|p-q\|_1 = dM(z,d),\quad \|q-w\|_1 = ad\,M(z,ad),\quad \|p-w\|_1 = |1-a|d\,M(y,(a-1)d),\quad
D_a = \tfrac{ad^2}2\Phi,$$

$\Phi = aT(z,ad) + (1-a)T(y,(a-1)d)$ for a <= 1, $a\Phi = T(z,d) + (a-1)T(\omega,(1-a)d)$ for a >= 1: D is the Jensen
gap of log cosh over 1-a, written with its kernel. So $d^2$ cancels from both sides, and order 1 is like any other.

A function takes the averages f (mean, tilt, rise) and z, d, a, and returns the larger and the smaller side over a
common factor.
"""

from typing import Any

Pair = tuple[Any, Any]


def settled_in_factored_form(*_: Any) -> Pair:
    """The sides of a statement that needs no bisection."""
    raise ValueError("this statement is settled in factored form on any box, and not by the mean-value form")


def phi_low(f: Any, z: Any, d: Any, a: Any) -> Any:
    """Phi for a <= 1."""
    return a * f.tilt(z, a * d) + (1 - a) * f.tilt(z + d, (a - 1) * d)


def phi_high(f: Any, z: Any, d: Any, a: Any) -> Any:
    """a Phi for a >= 1."""
    return f.tilt(z, d) + (a - 1) * f.tilt(z + a * d, (1 - a) * d)


def _square(x: Any) -> Any:
    return x * x


def pinsker(f: Any, z: Any, d: Any, a: Any) -> Pair:
    return phi_low(f, z, d, a), _square(f.mean(z, d))


def pinsker_from_order_2(f: Any, z: Any, d: Any, a: Any) -> Pair:
    return phi_high(f, z, d, a) * 5_000_000_000, _square(f.mean(z, d)) * 6_138_518_706


def self_bounding_below_1(f: Any, z: Any, d: Any, a: Any) -> Pair:
    return phi_low(f, z, d, a), a * _square(f.mean(z, a * d))


def self_bounding_above_1(f: Any, z: Any, d: Any, a: Any) -> Pair:
    return phi_high(f, z, d, a), a * _square(f.mean(z, a * d))


def self_bounding_below_half(f: Any, z: Any, d: Any, a: Any) -> Pair:
    return phi_low(f, z, d, a) * 16_290_575_103, a * _square(f.mean(z, a * d)) * 20_000_000_000


def peer_below_1(f: Any, z: Any, d: Any, a: Any) -> Pair:
    return phi_low(f, z, d, a), (1 - a) * _square(f.mean(z + d, (a - 1) * d))


def peer_at_1(f: Any, z: Any, d: Any, a: Any) -> Pair:
    return f.tilt(z, d) * (2 + d - f.rise(z, d)), 2 * _square(f.mean(z + d, 0 * d))


def peer_above_1(f: Any, z: Any, d: Any, a: Any) -> Pair:
    return phi_high(f, z, d, a), (a - 1) * _square(f.mean(z + d, (a - 1) * d))


def pinsker_ratio(f: Any, z: Any, d: Any, a: Any) -> Pair:
    return phi_high(f, z, d, a), 2 * _square(f.mean(z, d))


def pinsker_at_the_golden_order(f: Any, w: Any, d: Any, a: Any) -> Pair:
    z = w + (a + -2) * d
    return phi_high(f, z, d, a), a * _square(f.mean(z, d))
