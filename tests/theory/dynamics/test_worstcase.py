"""The bound of biased gradient descent against the exact worst case."""

import numpy as np
import pytest

from theory.dynamics.worstcase import worst_case

pytest.importorskip("PEPit")


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
@pytest.mark.parametrize(("eta", "zeta"), [(1.0, 0.0), (1.0, 0.5), (0.5, 0.0), (0.5, 0.5)])
def test_no_smooth_function_exceeds_the_bound(steps, eta, zeta):
    assert worst_case(steps, eta, zeta).ratio <= 1 + 1e-5


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_without_bias_the_bound_is_the_worst_case_at_the_largest_rate(steps):
    assert worst_case(steps).ratio == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("steps", [2, 5, 8])
def test_the_worst_case_misses_the_bound_by_the_last_steps_bias_only(steps):
    found = worst_case(steps, 1.0, 0.5)
    assert found.bound - found.worst == pytest.approx(0.25 / steps, abs=1e-5)


def test_a_quadratic_run_by_hand_stays_below_the_worst_case():
    x, squares = np.sqrt(2.0), []
    for _ in range(4):
        squares.append(x**2)
        x = x - 0.5 * (x + np.sign(x) * 0.5)
    assert np.mean(squares) <= worst_case(4, 0.5, 0.5).worst


@pytest.mark.parametrize(
    ("steps", "eta", "zeta"), [(0, 1.0, 0.0), (2, 1.5, 0.0), (2, 1.0, -1.0), (2, float("nan"), 0.0)]
)
def test_what_the_bound_does_not_cover_is_refused(steps, eta, zeta):
    with pytest.raises(ValueError, match=r"steps must be at least 1, eta in \(0, 1\]"):
        worst_case(steps, eta, zeta)
