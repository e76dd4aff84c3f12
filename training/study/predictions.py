"""What is expected of the mutual runs, from independent students alone; written down before the first is trained.

The rule is that of `training.advise` (G5), with an interval from examples and seeds: below 1, beta* says that student
and ensemble gain; above 1 the ensemble loses; above 2 the student, too; otherwise nothing is said. Of the orders O2
says that at one product alpha * lam confidence falls with the order.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.measure.advice import UNKNOWN, Advice, combine
from training.run.files.run_folder import write_json

from .problems import INDEPENDENT, Problem
from .record import rounded

ORDERS = "at one alpha * lam the mean confidence minus accuracy falls as the order grows (O2)"


def predict(problem: Problem, records: dict[Any, dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a share of noise and epoch: beta* with its interval, and the signs for student and ensemble.

    Args:
        problem: what was trained.
        records: of the independent runs, by (noise, coupling, seed).
    """
    rows = []
    for noise in problem.noises:
        found = [records[noise, INDEPENDENT, seed]["advice"] for seed in range(problem.seeds)]
        each = ((epoch, [one[str(epoch)] for one in found]) for epoch in problem.epochs)
        rows += [{"noise": noise, "epoch": epoch} | _row(advices) for epoch, advices in each]
    return rows


def _row(advices: Sequence[dict[str, float | None] | None]) -> dict[str, Any]:
    told = [Advice(**_numbers(one)) for one in advices if one is not None]
    if len(told) < len(advices):  # the others make no error, so that their mean would not be that of all
        return {"seeds": len(told), "beta": None, "low": None, "high": None, "student": UNKNOWN, "ensemble": UNKNOWN}
    said = combine(told)
    row = {name: getattr(said, name) for name in ("seeds", "beta", "low", "high", "student", "ensemble")}
    return row | {"high": said.high if math.isfinite(said.high) else None}


def _numbers(advice: dict[str, float | None]) -> dict[str, Any]:
    """JSON knows no inf: an end that is not there has none."""
    return {key: math.inf if value is None else value for key, value in advice.items()}


def write(file: Path, rows: dict[str, list[dict[str, Any]]], command: str, made: dict[str, Any]) -> None:
    """Write the predictions of all problems, once.

    Raises:
        ValueError: if they were written before: a prediction is not corrected.
    """
    if file.exists():
        raise ValueError(f"{file} holds predictions already; they are not written again")
    write_json(file, rounded({"command": command, "made": made, "orders": ORDERS, "rows": rows}))
