"""The studies of when mutual learning helps and what the order does: planted errors turn their verdicts."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from sims import STUDIES, Cell
from sims.studies.gains import first_order_law, order_at_fixed_product
from sims.studies.gains.first_order_law import right_signs, slope


def _verdicts(study: str, plant: Callable[[float], float], replicas: int, choose: Callable[[Cell], bool]) -> list[bool]:
    """Of the chosen cells when theory is replaced."""
    chosen = [cell for cell in STUDIES[study].cells() if choose(cell)]
    wrong = [dataclasses.replace(cell.simulation, theory=plant(cell.simulation.theory)) for cell in chosen]
    planted = [dataclasses.replace(cell, simulation=one) for cell, one in zip(chosen, wrong, strict=True)]
    return [row.passed for row in STUDIES[study].run(replicas, cells=planted).rows]


def test_a_tenth_too_much_gain_fails_in_the_sequence_model():
    weak = ["student, weak coupling", "ensemble, weak coupling"]
    far = {(0, 0.3), (0, 2.5)}
    chosen = _verdicts(
        "phase_diagram", lambda gain: 1.1 * gain, 400, lambda cell: cell.series in weak and (cell.panel, cell.x) in far
    )
    assert chosen == [False] * 4


def test_a_student_that_pays_like_the_ensemble_in_the_middle_phase_fails():
    chosen = _verdicts(
        "phase_diagram", lambda gain: gain - 1, 16, lambda cell: "ridge" in cell.name and 0 < cell.simulation.theory < 1
    )
    assert len(chosen) >= 4
    assert not any(chosen)


def test_a_best_coupling_off_by_a_twentieth_fails():
    chosen = _verdicts("phase_diagram", lambda best: 1.05 * best, 64, lambda cell: cell.x == 1.4)
    assert chosen == [False, False]


def _law_fails(factor: float, which: str, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    true = first_order_law.first_order_effect
    monkeypatch.setattr(first_order_law, "first_order_effect", lambda *args: factor * true(*args))
    cells = [cell for cell in STUDIES["first_order_law"].cells() if "logistic" in cell.name and which in cell.name]
    return [not row.passed for row in STUDIES["first_order_law"].run(12, cells=cells).rows]


def test_the_opposite_law_gets_signs_and_sizes_wrong(monkeypatch: pytest.MonkeyPatch):
    assert all(_law_fails(-1.0, "flips 0.4, student", monkeypatch))


def test_a_law_twice_as_large_gets_sizes_wrong_and_signs_right(monkeypatch: pytest.MonkeyPatch):
    assert _law_fails(2.0, "flips 0, student", monkeypatch) == [False, True]


def test_signs_are_counted_among_clear_predictions():
    predicted, measured = np.array([3.0, -3.0, 3.0, 1.0]), np.array([1.0, -1.0, -1.0, -1.0])
    assert right_signs(predicted, np.ones(4), measured).mean == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="at least 2 clear predictions are needed, got 1 of 4"):
        right_signs(predicted, np.array([1.0, 2.0, 2.0, 2.0]), measured)


def test_the_slope_of_noisy_predictions_is_unbiased():
    rng = np.random.default_rng(0)
    measured = rng.standard_normal(4000)
    found = slope(measured + rng.standard_normal(4000), measured)
    assert found.standard_error == pytest.approx(4000**-0.5, rel=0.1)
    assert abs(found.mean - 1) < 4 * found.standard_error


def test_a_force_without_the_factor_of_the_number_of_students_fails():
    chosen = _verdicts(
        "order_at_fixed_product", lambda force: 0.8 * force, 8, lambda cell: cell.panel == 0 and "K = 5" in cell.name
    )
    assert chosen == [False, False, True, False, False]  # at order 1 there is no force to be wrong about


def test_an_order_that_sharpens_where_it_should_temper_fails(monkeypatch: pytest.MonkeyPatch):
    true = order_at_fixed_product.together
    monkeypatch.setattr(order_at_fixed_product, "together", lambda s, order, *start: true(s, 1 / order, *start))
    cells = [cell for cell in STUDIES["order_at_fixed_product"].cells() if cell.panel and cell.order in (0.5, 2.0)]
    assert not any(row.passed for row in STUDIES["order_at_fixed_product"].run(12, cells=cells).rows)
