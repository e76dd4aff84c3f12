r"""Enclosures of the best constant $c(\alpha) = \inf D_\alpha/V^2$ at orders between its closed forms.

From above by a witness pair. From below, where the log-odds of q are in [-4, 4] and the log odds ratio is at most 8, by
bisection (`prove`); for the other p > q on rectangles of the unit square (`square`). Between these orders c does not
decrease and c/alpha does not increase (C3), so that it is enclosed everywhere (`theory.pinsker_enclosure`).
"""

from fractions import Fraction
from typing import Any

from flint import ctx
from scipy.special import expit

from theory.constants import nearest_coins, pinsker_constant

from .balls import PRECISION, ball
from .prove import prove, rest_of_the_square, with_rest
from .square import divergence

NARROW = "1.2", "1.25", "1.3", "1.35"
"""Orders at which the enclosure is much narrower than its neighbours need."""


def enclose(name: str, progress: bool = True) -> dict[str, Any]:
    """The certificate of c at the order of a statement such as "c-1.2", with `lower`, `upper` and the witness pair."""
    order = name.removeprefix("c-")
    below, width = room(order)
    lower = _decimal(float(pinsker_constant(float(order)))) - below
    certificate = prove(name, lower, progress)
    with ctx.workprec(PRECISION):
        certificate = with_rest(certificate, rest_of_the_square(Fraction(order), lower))
    p, q = (_decimal(float(expit(logit))) for logit in nearest_coins(float(order)))
    ends = {"order": order, "lower": str(lower), "upper": str(lower + width), "witness": [str(p), str(q)]}
    certificate |= ends
    if certificate["status"] == "certified" and not witness_holds(certificate):
        certificate |= {"status": "not certified", "failed": "the witness"}
    return certificate


def room(order: str) -> tuple[Fraction, Fraction]:
    """How far below the float the lower end lies, and the width."""
    below = Fraction(4, 10**7) if order in NARROW else Fraction(2, 10**5)
    return below, below * 5 / 2 if order in NARROW else below + Fraction(1, 10**7)


def witness_holds(certificate: dict[str, Any]) -> bool:
    """Whether the witness lies below `upper`."""
    order, upper = Fraction(certificate["order"]), Fraction(certificate["upper"])
    p, q = map(Fraction, certificate["witness"])
    with ctx.workprec(PRECISION):
        p, q, order, upper = (ball(x, x) for x in (p, q, order, upper))
        return bool(divergence(p, q, order) <= 4 * upper * (p - q) ** 2)


def _decimal(value: float) -> Fraction:
    return Fraction(round(value * 10**9), 10**9)
