"""Conjectures of a user's own file, searched like theorems."""

import runpy
from pathlib import Path

from .check import Verdict, check
from .theorem import Theorem

POINTS = 40_000


def search_file(path: Path, seconds: float = 10.0, seed: int = 0) -> list[Verdict]:
    """Run a Python file and search every conjecture (or theorem) that it defines for a counterexample.

    Args:
        path: the file; whatever stands in it is executed.
        seconds: a cap on each search.
        seed: of the searches.

    Raises:
        ValueError: there is no such file, or it defines nothing with `@conjecture` or `@theorem`.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r} to take conjectures from")
    made = [value for value in runpy.run_path(str(path)).values() if isinstance(value, Theorem)]
    if not made:
        raise ValueError(f"{path} defines no conjecture: decorate a function with theory.theorem.conjecture")
    return [check(one, seconds, seed, POINTS) for one in made]
