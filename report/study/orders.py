"""What the order changes: against order 1 at one lam and at one alpha * lam, on the test set after the last epoch."""

from typing import NamedTuple

from training.study.paired import Difference
from training.study.problems import FIXED_PRODUCT, FIXED_WEIGHT

from .files import FULL, Cell, Paths, Phases, compared, nats, points

ORDERED = {
    "student_accuracy": ("student's accuracy, points", points),
    "student_nll": ("student's NLL, nats", nats),
    "overconfidence": ("confidence − accuracy, points", points),
    "agreement": ("agreement, points", points),
}
"""The scores that an order is judged by: name, and how a change is shown. The second and third are on noisy labels."""


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
    new, old = paths.coupled(noise, coupling), paths.coupled(noise, FULL)
    return {score: compared(new, old, lambda one, score=score: one.final(score), comparisons) for score in ORDERED}


def order_rows(found: Phases) -> list[list[str]]:
    """The table of the orders, its head first; bold: the interval excludes 0."""
    head = ["problem", "label noise", "held fixed", "order", *(name for name, _ in ORDERED.values())]
    return [head, *(_row(found, one) for one in ordered(found))]


def _row(found: Phases, one: Ordered) -> list[str]:
    cells = [show(one.changes[score]) for score, (_, show) in ORDERED.items()]
    return [found.problems[one.problem].problem.title, f"{one.noise:g}", one.family, f"{one.coupling[0]:g}", *cells]


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
