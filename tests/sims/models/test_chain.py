"""The chain of SGD: exact where a formula is known, and what a plain simulation finds."""

import math

import numpy as np
import pytest

from sims import STUDIES
from sims.models.chain import escape_time, same_well
from sims.studies.noise.escape import GRID, HELD_TEMPERATURE, LIVE_ORDERS, _well, agreement, passage_time


def well(x: np.ndarray) -> np.ndarray:
    return x**3 - x


def test_small_rates_give_the_first_passage_time_of_the_diffusion():
    """The discrete chain passes 1 later by 0.58 standard deviations of a step, so the error falls as their root."""
    exact, temperature = passage_time(_well(GRID), 0.15), 0.15
    errors = []
    for eta in (0.02, 0.005):
        found = escape_time(well, eta, math.sqrt(2 * temperature * eta), round(40 * exact / eta))
        errors.append(found / exact - 1)
    assert abs(errors[1]) < 0.01
    assert abs(errors[1]) < 0.7 * abs(errors[0])


def test_without_a_time_limit_it_is_the_mean_time_of_a_plain_simulation():
    eta, spread, rng = 0.05, 0.2, np.random.default_rng(0)
    x, alive, total, steps = np.full(20_000, -1.0), np.ones(20_000, bool), np.zeros(20_000), 0
    while alive.any() and steps < 10_000:
        total += alive
        x = np.where(alive, x - eta * well(x) + spread * rng.standard_normal(len(x)), x)
        alive &= x < 1
        steps += 1
    error = eta * total.std() / math.sqrt(len(total))
    assert abs(eta * total.mean() - escape_time(well, eta, spread, 10_000)) < 4 * error


def test_independent_students_agree_half_of_the_time():
    assert same_well(well, 0.03, 0.09) == pytest.approx(0.5, abs=1e-9)


def test_at_order_one_half_small_rates_give_the_law_of_the_potential():
    (cell,) = [c for c in STUDIES["escape"].cells() if c.series == "two live students" and c.order == 0.5][:1]
    gradient, gibbs = cell.simulation.problem.gradient, agreement(LIVE_ORDERS[1])
    off = [same_well(gradient, eta, math.sqrt(2 * HELD_TEMPERATURE * eta)) - gibbs for eta in (0.06, 0.03)]
    assert abs(2 * off[1] - off[0]) < 0.1 * abs(off[1])  # what is left is of second order in the rate
