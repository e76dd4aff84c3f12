"""Every measure of every study on torch: the number that NumPy gives, within standard errors."""

import math

import pytest
from short_cells import one_cell_a_measure

from sims import STUDIES
from sims.cli import simulate
from sims.verdicts import takes_device

SOLVED = {  # measures that solve exactly, on NumPy, and do not step
    "control: the known limit cycle is found",
    r"ridge students, noise 2, $\rho = 0.01$, $\beta^* = 0.34$, student",
    r"best $\kappa$, two students around s = 0.3, $\omega = 1.1$",
    "ridge students, noise 0, student: signs",
    r"shift of the mean student, K = 2, $\alpha = 0.25$",
    r"confidence minus accuracy against order 1, little decay: overconfident, $\alpha = 0.25$",
}
STEPPING = [study for study in STUDIES if study != "first_order_law"]


@pytest.mark.parametrize("study", STEPPING)
def test_torch_gives_the_numbers_of_numpy(study: str):
    many = ("escape", "stationary_covariance", "search_for_cycles")
    replicas = 400 if study in many else 3 if study == "collapse_at_low_order" else 16
    able = [cell for cell in one_cell_a_measure(study) if takes_device(cell)]
    assert able
    for cell in able:
        ours = cell.measure(cell.simulation, replicas, 3)
        theirs = cell.measure(cell.simulation, replicas, 3, backend="torch", device="cpu", dtype="float64")
        assert abs(ours.mean - theirs.mean) <= 4 * math.hypot(*ours[1:], *theirs[1:]) + 1e-9 * abs(ours.mean) + 1e-20


def test_all_measures_that_step_take_a_device():
    cells = [cell for name in STUDIES for cell in one_cell_a_measure(name)]
    assert {cell.name for cell in cells if not takes_device(cell)} == SOLVED


@pytest.mark.parametrize("study", ["three_terms", "students_generic", "order_as_variance"])
def test_single_precision_agrees_within_standard_errors(study: str):
    cell = one_cell_a_measure(study)[0]
    ours = cell.measure(cell.simulation, 16, 3)
    theirs = cell.measure(cell.simulation, 16, 4, backend="torch", device="cpu", dtype="float32")
    assert abs(ours.mean - theirs.mean) <= 4 * math.hypot(*ours[1:], *theirs[1:]) + 1e-5 * abs(ours.mean)


def test_among_all_studies_one_that_needs_double_precision_says_so(tmp_path, capsys, monkeypatch):
    chosen = {name: STUDIES[name] for name in ("rotating_pair",)}
    monkeypatch.setattr("sims.cli.STUDIES", chosen)
    assert simulate("all", out=tmp_path, jobs=1, replicas=2, order=(1.0,), eta=(0.1,), dtype="float32") == 0
    assert capsys.readouterr().out.startswith("rotating_pair compares more digits than float32 has; it needs float64\n")
