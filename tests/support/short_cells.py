"""Cells of the studies, short enough to be run on several devices."""

import dataclasses

from sims import STUDIES, Cell

LONGEST = 100


def one_cell_a_measure(study: str, longest: int = LONGEST) -> list[Cell]:
    """The first cell of every measure, shortened where the plateau needs many steps."""
    found: dict[str, Cell] = {}
    for cell in STUDIES[study].cells():
        found.setdefault(cell.measure.__qualname__, cell)
    return [_short(cell, longest) for cell in found.values()]


def _short(cell: Cell, longest: int) -> Cell:
    schedule = cell.simulation.schedule
    shorter = dataclasses.replace(schedule, steps=min(longest, schedule.steps), burn_in=min(longest, schedule.burn_in))
    return dataclasses.replace(cell, simulation=dataclasses.replace(cell.simulation, schedule=shorter))
