"""How long a study will take, from a few steps of each cell at the full number of replicas."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .simulation import Schedule
from .study import Cell, takes_device

PILOTS = (5, 45)  # steps


def estimated_seconds(cells: Sequence[Cell], replicas: int, where: dict[str, Any]) -> float | None:
    """Seconds on one process: the line through the times of two short runs of each cell, at the cell's steps.

    None where a measure fails on so short a run, for instance since nothing has escaped yet.
    """
    try:
        return sum(_seconds(cell, replicas, where) for cell in cells)
    except (ArithmeticError, ValueError, IndexError):
        return None


def _seconds(cell: Cell, replicas: int, where: dict[str, Any]) -> float:
    schedule = cell.simulation.schedule
    short, long = (_time(cell, steps, replicas, where) for steps in PILOTS)
    a_step = max(long - short, 0.0) / (PILOTS[1] - PILOTS[0])  # 0 for a measure that does not step
    return short + a_step * (schedule.burn_in + schedule.steps - PILOTS[0])


def _time(cell: Cell, steps: int, replicas: int, where: dict[str, Any]) -> float:
    pilot = replace(cell.simulation, schedule=Schedule(cell.simulation.schedule.eta, steps))
    began = time.perf_counter()
    cell.measure(pilot, replicas, 0, **(where if takes_device(cell) else {}))
    return time.perf_counter() - began
