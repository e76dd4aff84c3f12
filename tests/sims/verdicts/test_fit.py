"""Fits: the right number, an interval that covers as often as it says, verdicts that can fail."""

import dataclasses

import numpy as np
import pytest

from sims import STUDIES
from sims.studies.noise.noise_floor import FREE
from sims.verdicts.fits import Fit, between, fitted, in_words, level, limit, power
from sims.verdicts.results import Row

X = np.array([0.1, 0.2, 0.4, 0.8])


def _rows(mean: np.ndarray, error: np.ndarray, replicas: int = 16) -> list[Row]:
    numbers = zip(X, mean, error, strict=True)
    return [Row("", x, None, m, e, m, True, replicas, 1, 0, 0, "curve", x) for x, m, e in numbers]


def test_exact_laws_give_exact_numbers():
    none = np.zeros(4)
    assert power(X, 3 * X**-1.5, none)[0] == pytest.approx(-1.5, abs=1e-12)
    assert level(X, 2 + 3 * X, none)[0] == pytest.approx(2, abs=1e-12)
    value, _, off = limit(X, 2 + 3 * X - 5 * X**2, none)
    assert value == pytest.approx(2, abs=1e-12)
    assert off == pytest.approx(0, abs=1e-12)  # the cubic through four points has no third power here


def test_a_limit_says_how_far_its_last_power_moved_it():
    value, _, off = limit(X[:3], 2 + 3 * X[:3] - 5 * X[:3] ** 2, np.zeros(3))
    assert value == pytest.approx(2, abs=1e-12)
    assert off == pytest.approx(5 * 0.1 * 0.2, abs=1e-12)  # the line through the two smallest is off by this much


@pytest.mark.parametrize(("estimate", "truth"), [(power, 1.0), (level, 0.0), (limit, 0.0)])
def test_intervals_cover_the_truth_as_often_as_they_say(estimate, truth: float):
    rng, inside, replicas = np.random.default_rng(0), 0, 16
    for _ in range(2000):
        draws = X * (1 + 0.05 * rng.standard_normal((replicas, 4)))
        rows = _rows(draws.mean(0), draws.std(0, ddof=1) / np.sqrt(replicas))
        (row,) = fitted([Fit("", "curve", truth, None, estimate)], rows)
        inside += row.passed
    assert 0.94 <= inside / 2000 <= (0.985 if estimate is not limit else 1.0)  # a limit's interval is wider on purpose


def test_several_fits_share_the_risk_and_those_with_too_few_rows_are_left_out():
    rows, fit = _rows(X, 0.01 * X), Fit("", "curve", 1.0, 0.1)
    (one,), two = fitted([fit], rows), fitted([fit, fit, dataclasses.replace(fit, most=0.2)], rows)
    assert len(two) == 2
    assert _width(two[0]) > 1.05 * _width(one)


def _width(row: Row) -> float:
    assert row.interval is not None
    return row.interval[1] - row.interval[0]


def test_a_number_is_shown_to_the_digits_of_its_interval():
    row = dataclasses.replace(_rows(X, X)[0], name="slope", measured=1.02345, interval=(1.012, 1.034))
    assert between(row) == "1.023 [1.012, 1.034]"
    assert in_words([row]) == " Fitted, with simultaneous 95 % intervals: slope 1.023 [1.012, 1.034]."
    assert in_words(_rows(X, X)) == ""


@pytest.mark.parametrize(("most", "theory", "passed"), [(0.1, 1.0, True), (1.5, 1.0, False), (0.1, 0.95, False)])
def test_a_wrong_law_or_rates_too_large_for_it_turn_the_verdict(most: float, theory: float, passed: bool):
    study = STUDIES["noise_floor"]
    free = [cell for cell in study.cells() if cell.series == FREE]
    fit = Fit("power", FREE, theory, 0.05, most=most)
    result = dataclasses.replace(study, cells=lambda: free, fits=lambda: [fit]).run(32)
    assert [row.passed for row in result.rows if row.interval] == [passed]
    assert "power 1." in result.caption
