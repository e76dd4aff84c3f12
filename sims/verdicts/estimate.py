"""How long a study will take, from a few steps of a part of each cell's replicas."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sims.engine import Schedule

from .study import Cell, takes_device

STEPS = (5, 45)
PART, LEAST = 8, 32  # an eighth of the replicas, but at least 32, below which overhead would be multiplied


def estimated_seconds(cells: Sequence[Cell], replicas: int, where: dict[str, Any]) -> float | None:
    """Seconds on one process, rather too many than too few.

    Two short runs of each cell give a line, taken to the cell's steps and multiplied to the number of replicas. None
    where a measure fails on so short a run, for instance since nothing has escaped yet.
    """
    some = min(replicas, max(LEAST, replicas // PART))
    try:
        return replicas / some * sum(_seconds(cell, some, where) for cell in cells)
    except (ArithmeticError, ValueError, IndexError):
        return None


def _seconds(cell: Cell, replicas: int, where: dict[str, Any]) -> float:
    schedule = cell.simulation.schedule
    short, long = (_time(cell, steps, replicas, where) for steps in STEPS)
    a_step = max(long - short, 0.0) / (STEPS[1] - STEPS[0])  # 0 for a measure that does not step
    return short + a_step * (schedule.burn_in + schedule.steps - STEPS[0])


def _time(cell: Cell, steps: int, replicas: int, where: dict[str, Any]) -> float:
    pilot = replace(cell.simulation, schedule=Schedule(cell.simulation.schedule.eta, steps))
    began = time.perf_counter()
    cell.measure(pilot, replicas, 0, **(where if takes_device(cell) else {}))
    return time.perf_counter() - began
