"""Interval proofs by adaptive bisection, saved as the tree of their boxes."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from time import perf_counter
from typing import Any

import flint
from flint import arb, ctx
from tqdm import tqdm

from . import touching
from .balls import PRECISION, AtPoint, OverBox, ball, variables
from .ends import point_mass_root
from .square import UNIT, Proof
from .statements import SQUARES, STATEMENTS, Box, Statement

LEAVES = 200_000
SMALLEST = Fraction(1, 2**20)
"""A box with a side shorter than this is given up."""
VARIABLES = {
    "zda": "z, z+d: half the log-odds of q and p; a: the order",
    "wda": "z = w + (a-2)d/3, z+d: half the log-odds of q and p; a: the order",
    "qp": "q, p: probabilities of the first of two classes",
}


@dataclass(frozen=True)
class Search:
    """The tree of a bisection in preorder: 0, 1, 2 split that axis (lower half first), m and t are leaves settled by
    the mean-value form and by a touching model, the others' letters are explained in `square`; `failed` is the box
    that could not be settled, if there is one."""

    tree: str
    failed: Box | None


def prove(name: str, strength: Fraction = Fraction(1), progress: bool = True) -> dict[str, Any]:
    """The certificate of a statement of `STATEMENTS` or `SQUARES`, its smaller side multiplied by `strength`.

    Returns:
        A JSON object; its status is "certified" only if every box was settled, else "not certified" and the box. For
        a statement with a `rest` the tree of the pairs outside its box stands under that name.

    Raises:
        ValueError: an unknown name.
    """
    if name in SQUARES:
        return _prove_square(name, strength, progress)
    if name not in STATEMENTS:
        known = ", ".join((*STATEMENTS, *SQUARES))
        raise ValueError(f"there is no statement {name!r} to certify; there are {known}")
    statement, start = STATEMENTS[name], perf_counter()
    with ctx.workprec(PRECISION):
        search = bisect(statement.box, lambda box: settle(statement, strength, box), name, progress)
        rest = (
            None
            if statement.rest is None
            else rest_of_the_square(Fraction(statement.rest[0]), Fraction(statement.rest[1]), strength)
        )
    return with_rest(_certificate(name, search, statement.box, statement.axes, strength, start), rest)


def _prove_square(name: str, strength: Fraction, progress: bool) -> dict[str, Any]:
    start = perf_counter()
    with ctx.workprec(PRECISION):
        x = point_mass_root()
        proof = Proof(1 / (1 - x), _ball(strength) / (8 * x * (1 - x)), touches=strength == 1)
        search = bisect(UNIT, proof.settle, name, progress)
        ends = {"order": _decimals(1 / (1 - x)), "constant": _decimals(1 / (8 * x * (1 - x)))}
    return _certificate(name, search, UNIT, "qp", strength, start) | ends


def _decimals(value: arb) -> list[str]:
    """25 digits, rounded down and up."""
    digits = (value * 10**25).floor().unique_fmpz()
    if digits is None:
        raise ArithmeticError(f"25 digits of {value} are not certain")
    return [str(Fraction(int(digits) + k, 10**25)) for k in (0, 1)]


def _certificate(name: str, search: Search, box: Box, axes: str, strength: Fraction, start: float) -> dict[str, Any]:
    statement = STATEMENTS.get(name) or SQUARES[name]
    return {
        "name": name,
        "label": statement.label,
        "statement": statement.statement,
        "status": "certified" if search.failed is None else "not certified",
        "failed": None if search.failed is None else _corners(search.failed, axes),
        "variables": VARIABLES[axes],
        "box": _corners(box, axes),
        "margin": "none: the box is covered, the set where both sides touch included",
        "strength": str(strength),
        "carries over to": statement.carries,
        "leaves": leaves(search.tree),
        "seconds": round(perf_counter() - start, 1),
        "flint": f"python-flint {flint.__version__}, FLINT {flint.__FLINT_VERSION__}",
        "precision": PRECISION,
        "tree": search.tree,
    }


def rest_of_the_square(order: Fraction, constant: Fraction, strength: Fraction = Fraction(1)) -> Search:
    """The rectangles outside the bisected box (`square`)."""
    proof = Proof(_ball(order), _ball(constant * strength), bisected=True)
    return bisect(UNIT, proof.settle, "the rest", False)


def with_rest(certificate: dict[str, Any], rest: Search | None) -> dict[str, Any]:
    """The certificate with the tree of the pairs outside its box, whose failure is its own."""
    if rest is None:
        return certificate
    if rest.failed is not None and certificate["failed"] is None:
        certificate = certificate | {"status": "not certified", "failed": _corners(rest.failed, "qp")}
    return certificate | {"leaves": certificate["leaves"] + leaves(rest.tree), "rest": rest.tree}


def leaves(tree: str) -> int:
    """How many leaves the tree has."""
    return sum(letter not in "012" for letter in tree)


def _corners(box: Box, axes: str) -> dict[str, list[str]]:
    return {axis: [str(end) for end in ends] for axis, ends in zip(axes, box, strict=True)}


def bisect(box: Box, settles: Callable[[Box], str | int], name: str, progress: bool) -> Search:
    """Halve the box until every part is settled (a letter) along the axes that `settles` names."""
    tree, waiting = [], [box]
    with tqdm(desc=name, unit=" boxes", disable=not progress) as bar:
        while waiting:
            box = waiting.pop()
            step = settles(box)
            tree.append(str(step))
            if isinstance(step, int):
                if len(tree) > LEAVES or box[step][1] - box[step][0] < 2 * SMALLEST:
                    return Search("", box)
                waiting += reversed(split(box, step))
            bar.update()
    return Search("".join(tree), None)


def split(box: Box, axis: int) -> tuple[Box, Box]:
    """The two halves of the box across the axis."""
    low, high = box[axis]
    middle = (low + high) / 2
    return (*box[:axis], (low, middle), *box[axis + 1 :]), (*box[:axis], (middle, high), *box[axis + 1 :])


def settle(statement: Statement, strength: Fraction, box: Box) -> str | int:
    """t or m if the inequality holds on the whole box, else the axis along which to bisect."""
    if statement.touch is not None and strength == 1 and getattr(touching, statement.touch)(*(ball(*x) for x in box)):
        return "t"
    if statement.touch is not None and _near_touch(box):
        return 2
    slopes = _slopes(statement, strength, box)
    changes = [slope.abs_upper() * _ball((high - low) / 2) for slope, (low, high) in zip(slopes, box, strict=True)]
    if _slack_at_centre(statement, strength, box) > sum(changes[1:], changes[0]):
        return "m"
    return max(range(len(box)), key=lambda axis: float(changes[axis].mid()))


def _near_touch(box: Box) -> bool:
    """Whether only a box with fewer orders can be settled by a touching model."""
    (left, right), (_, far), (low, high) = box
    return max(-left, right, far) <= Fraction(1, 4) and high - low > Fraction(1, 64)


def _slack_at_centre(statement: Statement, strength: Fraction, box: Box) -> arb:
    centre = [_ball((low + high) / 2) for low, high in box]
    larger, smaller = statement.sides(AtPoint, *centre)
    return larger - _ball(strength) * smaller


def _slopes(statement: Statement, strength: Fraction, box: Box) -> list[arb]:
    larger, smaller = statement.sides(OverBox, *variables(box))
    return list((larger - _ball(strength) * smaller).slopes)


def _ball(value: Fraction) -> arb:
    return ball(value, value)
