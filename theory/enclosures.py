r"""Rigorous enclosures of the best constants at every order, from the saved interval proofs.

$c(\alpha)$ is known at both ends (C3), enclosed at 21 orders between them (`theory.certificates.orders_between`), does
not decrease and $c(\alpha)/\alpha$ does not increase beyond order 1 (C3). So if $c(\beta)$ is in [l, u], then $l \le
c(\alpha) \le \frac\alpha\beta u$ for $\alpha\ge\beta$ and $\frac\alpha\beta l \le c(\alpha) \le u$ for $1\le\alpha\le
\beta$. Every float is rounded outward.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.certificates import load
from theory.divergence.arguments import Array, as_order, refuse_where

Ends = tuple[Array, Array]


class Known(NamedTuple):
    """An order, between two floats, and bounds of c there and of c over the order, as floats."""

    order: tuple[float, float]
    constant: tuple[float, float]
    slope: tuple[float, float]


def pinsker_enclosure(alpha: ArrayLike) -> Ends:
    r"""Proved bounds (low, high) of the best Pinsker constant: $low \le c(\alpha) \le high$ (C3, C4).

    Both are $\alpha/2$ up to order 1.17082. From order 1.39795 on they are the two neighbouring floats around
    $c_\infty = 0.6138518\ldots$ (C3). Between these orders they are at most 0.001 apart (C4); computer-assisted:
    `python -m theory.certificates verify` checks the proof.

    Args:
        alpha: orders in (0, inf], any shape.

    Returns:
        Two arrays of the shape of alpha.

    Raises:
        ValueError: an order that is 0 (no constant exists), negative or NaN.
    """
    order = as_order(alpha)
    refuse_where(order == 0, "alpha", order, "be positive: no constant exists at order 0")
    first, *_, last = known()
    low, high = _between(order)
    half = order / 2  # exact, but for the smallest floats
    below, above = _outward(half, 2 * half != order)
    golden, vertex = order <= first.order[0], order >= last.order[1]
    low = np.where(golden, below, np.where(vertex, last.constant[0], low))
    high = np.where(golden, above, np.where(vertex, last.constant[1], high))
    return low[()], high[()]


def self_bounding_enclosure(alpha: ArrayLike) -> Ends:
    r"""Proved bounds of $\kappa(\alpha) = 1/c(1/\alpha)$, the least kappa with $\|q-w\|_1^2 \le \kappa D_\alpha(p\|q)$.

    Both are $2\alpha$ from order 0.85410 on (inf at order inf); up to order 0.71533 they enclose $8x(1-x) =
    1.62905\ldots$ to 1e-15; between these orders they are at most 0.003 apart (C3, C4 by A5).

    Raises:
        ValueError: as `pinsker_enclosure`.
    """
    order = as_order(alpha)
    refuse_where(order == 0, "alpha", order, "be positive: both sides are 0 at order 0")
    exact, rounded = order >= _dual_of_golden(), np.full(order.shape, True)
    with np.errstate(over="ignore"):  # 1/order of the smallest floats and twice the largest
        twice, dual = 2 * order, _outward(1 / np.where(exact, 1.0, order), rounded)
    low = _outward(1 / pinsker_enclosure(dual[1])[1], rounded)[0]
    high = _outward(1 / pinsker_enclosure(dual[0])[0], rounded)[1]
    finite = np.where(order < np.inf, np.minimum(twice, np.finfo(float).max), np.inf)
    return np.where(exact, finite, low)[()], np.where(exact, twice, high)[()]


def _between(order: Array) -> Ends:
    """The sharpest of all bounds that the known orders give at orders from 1 on."""
    column, nodes = order[..., None], known()
    at, constant, slope = (np.array([node[field] for node in nodes]).T for field in range(3))
    with np.errstate(invalid="ignore", over="ignore"):
        below, above = np.nextafter(slope[0] * column, 0), np.nextafter(slope[1] * column, np.inf)
    low = np.where(column >= at[1], constant[0], below).max(axis=-1)
    high = np.where(column <= at[0], constant[1], above).min(axis=-1)
    return low, high


@cache
def known() -> tuple[Known, ...]:
    """The orders at which c is proved to be known or enclosed, in increasing order."""
    golden, vertex = load("C3-low")["C3-low"], load("C3-high")["C3-high"]
    a = [Fraction(end) for end in golden["box"]["a"]]
    nodes = [_known(a, [end / 2 for end in a], [Fraction(1, 2)] * 2)]
    for certificate in load("c-*").values():
        if certificate["status"] != "certified":
            continue
        order, lower, upper = (Fraction(certificate[key]) for key in ("order", "lower", "upper"))
        nodes.append(_known([order] * 2, [lower, upper], [lower / order, upper / order]))
    order, constant = ([Fraction(end) for end in vertex[key]] for key in ("order", "constant"))
    nodes.append(_known(order, constant, [constant[0] / order[1], constant[1] / order[0]]))
    return tuple(sorted(nodes))


def _known(*ends: list[Fraction]) -> Known:
    return Known(*((_rounded(low, -np.inf), _rounded(high, np.inf)) for low, high in ends))


def _rounded(value: Fraction, towards: float) -> float:
    """The nearest float on that side, or the value itself."""
    near = float(value)
    beyond: Callable[[Fraction, Fraction], bool] = Fraction.__gt__ if towards < 0 else Fraction.__lt__
    return float(np.nextafter(near, towards)) if beyond(Fraction(near), value) else near


def _dual_of_golden() -> float:
    """The least float that is not below the inverse of the golden order."""
    return _rounded(1 / Fraction(load("C3-low")["C3-low"]["box"]["a"][0]), np.inf)


def _outward(values: Array, rounded: Array) -> Ends:
    """The neighbouring floats below (0 at least) and above, where the values are rounded."""
    low, high = np.nextafter(values, 0), np.nextafter(values, np.inf)
    return np.where(rounded, low, values), np.where(rounded, high, values)
