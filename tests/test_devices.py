"""Every measure of every study on torch: the number that NumPy gives, within standard errors."""

import dataclasses
import math

import pytest

from sims import STUDIES, Cell
from sims.cli import simulate
from sims.study import takes_device

LONGEST = 100


def _measures(study: str) -> list[Cell]:
    """The first cell of every measure, shortened where the plateau needs many steps."""
    found: dict[str, Cell] = {}
    for cell in STUDIES[study].cells():
        found.setdefault(cell.measure.__qualname__, cell)
    return [_short(cell) for cell in found.values()]


def _short(cell: Cell) -> Cell:
    schedule = cell.simulation.schedule
    shorter = dataclasses.replace(schedule, steps=min(LONGEST, schedule.steps), burn_in=min(LONGEST, schedule.burn_in))
    return dataclasses.replace(cell, simulation=dataclasses.replace(cell.simulation, schedule=shorter))


@pytest.mark.parametrize("study", STUDIES)
def test_torch_gives_the_numbers_of_numpy(study: str):
    replicas = 400 if study in ("escape", "stationary_covariance", "search_for_cycles") else 16
    able = [cell for cell in _measures(study) if takes_device(cell)]
    assert able
    for cell in able:
        ours = cell.measure(cell.simulation, replicas, 3)
        theirs = cell.measure(cell.simulation, replicas, 3, backend="torch", device="cpu", dtype="float64")
        assert abs(ours.mean - theirs.mean) <= 4 * math.hypot(*ours[1:], *theirs[1:]) + 1e-9 * abs(ours.mean) + 1e-20


def test_all_measures_but_a_control_take_a_device():
    cells = [cell for name in STUDIES for cell in _measures(name)]
    assert [cell.name for cell in cells if not takes_device(cell)] == ["control: the known limit cycle is found"]


@pytest.mark.parametrize("study", ["three_terms", "students_generic", "order_as_variance"])
def test_single_precision_agrees_within_standard_errors(study: str):
    cell = _measures(study)[0]
    ours = cell.measure(cell.simulation, 16, 3)
    theirs = cell.measure(cell.simulation, 16, 4, backend="torch", device="cpu", dtype="float32")
    assert abs(ours.mean - theirs.mean) <= 4 * math.hypot(*ours[1:], *theirs[1:]) + 1e-5 * abs(ours.mean)


def test_among_all_studies_one_that_needs_double_precision_says_so(tmp_path, capsys, monkeypatch):
    chosen = {name: STUDIES[name] for name in ("rotating_pair",)}
    monkeypatch.setattr("sims.cli.STUDIES", chosen)
    assert simulate("all", out=tmp_path, jobs=1, replicas=2, order=(1.0,), eta=(0.1,), dtype="float32") == 0
    assert capsys.readouterr().out.startswith("rotating_pair compares more digits than float32 has; it needs float64\n")
