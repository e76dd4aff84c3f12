"""What the order changes: against order 1 at one lam and at one alpha * lam, on the test set after the last epoch."""

from typing import NamedTuple

from training.study.paired import Difference, paired

from .files import WHOLE, Cell, Paths, Phases, bold

FIXED_WEIGHT = ((0.25, 1.0), (0.5, 1.0), (2.0, 1.0), (4.0, 1.0))
FIXED_PRODUCT = ((0.25, 4.0), (0.5, 2.0), (2.0, 0.5), (4.0, 0.25))
ORDERED = {
    "student_accuracy": ("student's accuracy, points", 100.0),
    "student_nll": ("student's NLL, nats", 1.0),
    "overconfidence": ("confidence − accuracy, points", 100.0),
    "agreement": ("agreement, points", 100.0),
}
"""The scores that an order is judged by, with names and factors."""


class Ordered(NamedTuple):
    """What an order changed against order 1, on the test set after the last epoch."""

    problem: str
    noise: float
    coupling: tuple[float, float]
    family: str
    changes: dict[str, Difference]


def ordered(found: Phases) -> list[Ordered]:
    """Orders at one lam and at one alpha * lam against order 1, lam 1, in all problems that have them."""
    families = (("λ = 1", FIXED_WEIGHT), ("αλ = 1", FIXED_PRODUCT))
    keys = [
        (name, noise, coupling, family)
        for name, paths, noise in found.cells
        for family, couplings in families
        for coupling in couplings
        if paths.has(noise, coupling)
    ]
    return [Ordered(*key, _changes(found.problems[key[0]], key[1], key[2], len(ORDERED) * len(keys))) for key in keys]


def _changes(paths: Paths, noise: float, coupling: tuple[float, float], comparisons: int) -> dict[str, Difference]:
    first, other = paths.coupled(noise, WHOLE), paths.coupled(noise, coupling)
    return {score: paired(other.test[score], first.test[score], comparisons) for score in ORDERED}


def order_rows(found: Phases) -> list[list[str]]:
    """The table of the orders, its head first; bold: the interval excludes 0."""
    head = ["problem", "label noise", "held fixed", "order", *(name for name, _ in ORDERED.values())]
    body = [
        [found.problems[one.problem].problem.title, f"{one.noise:g}", one.family, f"{one.coupling[0]:g}",
         *(bold(change, factor) for change, (_, factor) in zip(one.changes.values(), ORDERED.values(), strict=True))]
        for one in ordered(found)
    ]  # fmt: skip
    return [head, *body]


def failed_rows(found: Phases) -> list[list[str]]:
    """Where training is unstable: runs whose student ends ten points of accuracy below the mean independent one."""
    head = ["problem", "label noise", "order", "λ", "failed runs"]
    cells = [
        (paths.problem.title, paths.alone(one.noise), one) for paths in found.problems.values() for one in paths.cells
    ]
    counts = [(title, one, _failed(one, alone), len(alone.seeds)) for title, alone, one in cells]
    body = [[title, f"{one.noise:g}", f"{one.alpha:g}", f"{one.lam:g}", f"{number} of {seeds}"]
            for title, one, number, seeds in counts if number]  # fmt: skip
    return [head, *body]


def _failed(one: Cell, alone: Cell) -> int:
    """Runs that stopped with a loss out of range count, too."""
    least = sum(alone.test["student_accuracy"]) / len(alone.seeds) - 0.1
    return len(alone.seeds) - sum(value >= least for value in one.test["student_accuracy"])


def tempering(found: Phases) -> tuple[int, int]:
    """(how many clear changes of confidence at one alpha * lam have the sign that O2 predicts, how many are clear)."""
    clear = [one for one in ordered(found) if one.family == "αλ = 1" and one.changes["overconfidence"].sign]
    right = [one for one in clear if (one.coupling[0] > 1) == (one.changes["overconfidence"].sign < 0)]
    return len(right), len(clear)
