"""All tables of the study by name, for the command line and the site."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from report import RESULTS
from training.experiment.tables import markdown

from . import bounds, files, orders, phases, worth
from .bounds import Theory
from .files import Phases
from .underfit import Run
from .worth import Contests


class Found(NamedTuple):
    """What is committed."""

    phases: Phases
    contests: Contests
    theory: Theory
    measured: list[Run]


def load(results: Path = RESULTS) -> Found:
    """Read the committed study.

    Raises:
        FileNotFoundError: if it is not there.
        ValueError: if a file does not fit.
    """
    return Found(files.load(results), worth.load(results), bounds.load(results), bounds.measured(results))


def comparisons(found: Found) -> list[list[str]]:
    """How many intervals hold together in each table, the head first."""
    ends = len(list(found.phases.cells))
    numbers = {
        "gains, along the paths": phases.comparisons(found.phases),
        "gains, on the test set": 4 * ends,
        "orders": len(orders.ORDERED) * len(orders.ordered(found.phases)),
        "contests": worth.comparisons(found.contests),
        "students against the ensemble": 2 * ends,
        "first-order law": len(bounds.law(found.phases, found.theory)),
    }
    return [["table", "intervals"], *([name, str(number)] for name, number in numbers.items())]


TABLES: dict[str, Callable[[Found], list[list[str]]]] = {
    "totals": lambda found: phases.total_rows(found.phases),
    "gains": lambda found: phases.tally_rows(found.phases),
    "ends": lambda found: phases.end_rows(found.phases),
    "orders": lambda found: orders.order_rows(found.phases),
    "failed": lambda found: orders.failed_rows(found.phases),
    "against the ensemble": lambda found: phases.beaten_rows(found.phases),
    "law": lambda found: bounds.law_rows(found.phases, found.theory),
    "bounds": lambda found: bounds.bound_rows(found.measured),
    "intervals": comparisons,
    "scope": lambda found: bounds.scope_rows(found.theory),
}
"""The cells of each table, its head first."""


def contest_tables(found: Found) -> dict[str, list[list[str]]]:
    """The table of each contest and mode by its title."""
    return {
        f"{worth.title(name)}, {said}": worth.rows(found.contests, name, mode)
        for name in found.contests.contests
        for mode, said in worth.MODES.items()
    }


def text(found: Found) -> str:
    """All tables for a terminal."""
    tables = {name: rows(found) for name, rows in TABLES.items()} | contest_tables(found)
    parts = [f"{name}\n\n{markdown(rows[0], rows[1:])}" for name, rows in tables.items()]
    return "\n".join([*parts, *files.sources(found.phases), ""])
