"""The modified equation: what descent follows, one power of the rate more exactly with every term."""

import numpy as np
import pytest

from sims import STUDIES
from sims.models.pairs.modified_equation import AT_REST, cycle, follow, modified, settled


def turning(at: np.ndarray) -> np.ndarray:
    """Minus the field of Van der Pol's oscillator."""
    x, y = at.T
    return -np.stack([y, (1 - x**2) * y - x], axis=-1)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_every_term_gains_a_power_of_the_rate(order: int):
    start, errors = np.array([[0.7, -0.4]]), []
    for eta in (0.02, 0.01):
        point = start
        for _ in range(round(1 / eta)):
            point = point - eta * turning(point)
        errors.append(np.linalg.norm(point - follow(modified(turning, eta, order), start, 1.0, 0.01)))
    assert errors[0] / errors[1] == pytest.approx(2 ** (order + 1), rel=0.1)


def test_the_period_of_van_der_pols_oscillator():
    near = settled(turning, (1.0, 0.0), 30.0)
    assert cycle(turning, 0.0, 0, near, 8.0).period == pytest.approx(6.66328686, rel=1e-5)


def test_what_rests_has_no_cycle():
    near = settled(lambda at: at, (1.0, 1.0), 20.0)
    assert np.linalg.norm(near) < AT_REST
    assert cycle(lambda at: at, 0.1, 2, near, 1.0) == (0.0, np.inf)


def test_the_plain_equation_misses_what_descent_does_at_a_finite_rate():
    study = STUDIES["limit_cycle"]
    cells = study.cells()[:3]
    measured = [row.measured for row in study.run(2, cells=cells).rows[:3]]
    plain = next(fit.theory for fit in study.fits())
    for cell, value in zip(cells, measured, strict=True):
        assert cell.rule is not None
        assert cell.rule(3, 2)(value, 0.0, cell.simulation.theory)
        assert not cell.rule(3, 2)(value, 0.0, plain)
