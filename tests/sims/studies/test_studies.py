"""The studies: judged by rules that can fail, shown in figures that can be read."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from sims import STUDIES, Cell, Study, StudyResult
from sims.engine import check_gradient
from sims.figures import draw
from sims.models.problems import KNOWN
from sims.studies.rotation.potential import descents
from sims.studies.rotation.search_for_cycles import rare

REPLICAS = {
    "three_terms": 8,
    "students_generic": 4,
    "drift": 4,
    "limit_cycle": 4,
    "sharper_bound": 2,
    "potential": 2,
    "stationary_covariance": 2000,
    "order_as_variance": 8,
    "escape": 200,
    "search_for_cycles": 200,
    "phase_diagram": 40,
    "first_order_law": 12,
    "order_at_fixed_product": 16,
}


@pytest.fixture(scope="module", params=REPLICAS)
def result(request: pytest.FixtureRequest) -> StudyResult:
    study = dataclasses.replace(STUDIES[request.param], fits=tuple)  # whose intervals need all replicas
    return study.run(replicas=REPLICAS[request.param])


def test_every_study_agrees_with_theory(result: StudyResult):
    assert [row for row in result.rows if not row.passed] == []


def test_every_study_has_words_and_a_figure_with_labelled_axes(result: StudyResult):
    labelled = [axes for axes in draw(result).axes if axes.get_xlabel() and axes.get_ylabel()]
    assert labelled
    assert min(len(result.lesson), len(result.caption), len(result.rule)) > 50


def _with_theory(cell: Cell, value: float) -> Cell:
    return dataclasses.replace(cell, simulation=dataclasses.replace(cell.simulation, theory=value))


def _failures(study: Study, factor: float, replicas: int, choose: Callable[[Cell], bool]) -> list[bool]:
    """Verdicts of the chosen cells when theory is wrong by a factor."""
    wrong = [_with_theory(cell, factor * cell.simulation.theory) for cell in study.cells() if choose(cell)]
    rows = dataclasses.replace(study, cells=lambda: wrong).run(replicas).rows
    return [not row.passed for row in rows]


def test_a_bound_five_percent_too_small_fails_wherever_it_is_attained():
    study = STUDIES["three_terms"]
    failed = _failures(study, 0.95, study.replicas, lambda cell: cell.relation == "=")
    assert len(failed) == 11
    assert all(failed)


def test_a_wrong_sign_in_the_drift_fails():
    failed = _failures(STUDIES["drift"], -1.0, 8, lambda cell: cell.name.startswith("stationary, K = 2, shared"))
    assert len(failed) == 4
    assert all(failed)


def test_a_sharper_bound_too_small_by_a_millionth_fails_on_the_rotating_pair():
    failed = _failures(STUDIES["sharper_bound"], 1 - 1e-6, 2, lambda cell: cell.order == 1 and cell.relation == "=")
    assert failed == [True] * 3


def test_the_potential_rises_at_order_one():
    _, values = descents(1.0)
    assert np.diff(values).max() > 1e-3


def test_the_textbook_covariance_fails_at_large_rates():
    study = STUDIES["stationary_covariance"]
    cells = [_with_theory(cell, 1.0) for cell in study.cells() if cell.panel == 0 and cell.x is None][2:]
    assert [row.passed for row in study.run(2000, cells=cells).rows] == [False, False]


@pytest.mark.parametrize("make", KNOWN)
def test_known_problems_have_the_stated_gradient_smoothness_and_least_value(make):
    known, rng = make(), np.random.default_rng(0)
    check_gradient(known.problem)
    x, y = rng.uniform(-3, 3, (2, 2000, 10))
    steepness = np.linalg.norm(known.problem.gradient(x) - known.problem.gradient(y), axis=-1)
    assert (steepness <= known.beta * np.linalg.norm(x - y, axis=-1) * (1 + 1e-12)).all()
    start = known.problem.start(rng, 1)
    least = known.problem.value(start)[0] - known.lost
    assert (known.problem.value(x) >= least).all()


def test_a_search_that_finds_too_many_cycles_fails():
    judge = rare(4, 3000)
    assert [judge(found / 3000, 0.0, 1e-3) for found in (0, 3, 12)] == [True, True, False]
