"""Checks what a certificate claims beyond its box: the upper bound by a witness, and all pairs outside the box."""

from fractions import Fraction
from typing import Any

from theory.certificates.balls import ball
from theory.certificates.statements import STATEMENTS, Statement

from .squares import covers, divergence


def witness_holds(certificate: dict[str, Any]) -> bool:
    """Whether the witness lies below `upper`, so that c does."""
    order, upper = (Fraction(certificate[key]) for key in ("order", "upper"))
    p, q = map(Fraction, certificate["witness"])
    value = divergence(p, q, ball(order, order))
    return 0 < q < p < 1 and bool(value <= ball(4 * upper * (p - q) ** 2, 4 * upper * (p - q) ** 2))


def rest_holds(certificate: dict[str, Any]) -> bool:
    """Whether the pairs outside the box are settled, if the statement covers them."""
    name, statement = certificate["name"], STATEMENTS[certificate["name"]]
    between = (certificate["order"], certificate["lower"]) if name.startswith("c-") else statement.rest
    if between is None:
        return "rest" not in certificate
    order, constant = map(Fraction, between)
    fits = _box_is_large_enough(statement) and (name.startswith("c-") or _golden(statement, order, constant))
    return fits and covers(certificate.get("rest", ""), ball(order, order), ball(constant, constant), "ecidm")


def _box_is_large_enough(statement: Statement) -> bool:
    """Whether it contains all z within 2 and d up to 4, so that leaves of the kind i lie inside."""
    (low, high), (near, far), orders = statement.box
    slopes = [(order - 2) / 3 if statement.skewed else Fraction(0) for order in orders]
    corners = [z - slope * d for z in (-2, 2) for d in (0, 4) for slope in slopes]
    return low <= min(corners) and max(corners) <= high and near <= 0 and far >= 4


def _golden(statement: Statement, order: Fraction, constant: Fraction) -> bool:
    """Whether the golden order lies in the box, not below `order`, and half of it not above `constant` (A3)."""
    low, high = statement.box[2]
    return 5 * low * (low - 1) <= 1 <= 5 * high * (high - 1) and 1 < order <= low and high <= 2 * constant
