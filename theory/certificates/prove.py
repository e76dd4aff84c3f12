"""Interval proofs by adaptive bisection, saved as the tree of their boxes."""

from dataclasses import dataclass
from fractions import Fraction
from time import perf_counter
from typing import Any

import flint
from flint import arb, ctx
from tqdm import tqdm

from . import touching
from .balls import PRECISION, AtPoint, OverBox, ball, variables
from .statements import STATEMENTS, Box, Statement

LEAVES = 200_000
SMALLEST = Fraction(1, 2**20)
"""A box with a side shorter than this is given up."""


@dataclass(frozen=True)
class Search:
    """The tree of a bisection in preorder: 0, 1, 2 split that axis (lower half first), m and t are leaves settled by
    the mean-value form and by a touching model; `failed` is the box that could not be settled, if there is one."""

    tree: str
    failed: Box | None


def prove(name: str, strength: Fraction = Fraction(1), progress: bool = True) -> dict[str, Any]:
    """The certificate of a statement of `STATEMENTS`, with the smaller side multiplied by `strength`.

    Returns:
        A JSON object; its status is "certified" only if every box was settled, else "not certified" and the box.

    Raises:
        ValueError: an unknown name.
    """
    if name not in STATEMENTS:
        raise ValueError(f"there is no statement {name!r} to certify; there are {', '.join(STATEMENTS)}")
    statement, start = STATEMENTS[name], perf_counter()
    with ctx.workprec(PRECISION):
        search = _bisect(statement, strength, tqdm(desc=name, unit=" boxes", disable=not progress))
    return {
        "name": name,
        "label": statement.label,
        "statement": statement.statement,
        "status": "certified" if search.failed is None else "not certified",
        "failed": None if search.failed is None else _corners(search.failed),
        "variables": "z, z+d: half the log-odds of q and p; a: the order",
        "box": _corners(statement.box),
        "margin": "none: the box is covered, the set where both sides touch included",
        "strength": str(strength),
        "carries over to": statement.carries,
        "leaves": search.tree.count("m") + search.tree.count("t"),
        "seconds": round(perf_counter() - start, 1),
        "flint": f"python-flint {flint.__version__}, FLINT {flint.__FLINT_VERSION__}",
        "precision": PRECISION,
        "tree": search.tree,
    }


def _corners(box: Box) -> dict[str, list[str]]:
    return {axis: [str(end) for end in ends] for axis, ends in zip("zda", box, strict=True)}


def _bisect(statement: Statement, strength: Fraction, bar: Any) -> Search:
    tree, waiting = [], [statement.box]
    with bar:
        while waiting:
            box = waiting.pop()
            step = settle(statement, strength, box)
            tree.append(str(step))
            if isinstance(step, int):
                halves = split(box, step)
                if len(tree) > LEAVES or min(high - low for low, high in halves[0] if high > low) < SMALLEST:
                    return Search("", box)
                waiting += [halves[1], halves[0]]
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
    if _room_at_centre(statement, strength, box) > sum(changes[1:], changes[0]):
        return "m"
    return max(range(len(box)), key=lambda axis: float(changes[axis].mid()))


def _near_touch(box: Box) -> bool:
    """Whether only a box with fewer orders can be settled by a touching model."""
    (left, right), (_, far), (low, high) = box
    return max(-left, right, far) <= Fraction(1, 4) and high - low > Fraction(1, 64)


def _room_at_centre(statement: Statement, strength: Fraction, box: Box) -> arb:
    centre = [_ball((low + high) / 2) for low, high in box]
    larger, smaller = statement.sides(AtPoint, *centre)
    return larger - _ball(strength) * smaller


def _slopes(statement: Statement, strength: Fraction, box: Box) -> list[arb]:
    larger, smaller = statement.sides(OverBox, *variables(box))
    return list((larger - _ball(strength) * smaller).slopes)


def _ball(value: Fraction) -> arb:
    return ball(value, value)
