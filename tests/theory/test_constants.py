"""Best constants: against slow searches, closed forms, both sides of every change of formula."""

import mpmath
import numpy as np
import pytest

from theory import pinsker_constant, self_bounding_constant
from theory.constants import GOLDEN_ORDER, LARGE_ORDER_CONSTANT, POINT_MASS_ROOT, VERTEX_ORDER, ratio

BETWEEN = [1.05, 1.17, 1.1709, 1.18, 1.2, 1.25, 1.3, 1.35, 1.39, 1.397, 1.4, 1.6, 1.9]


def least_of_a_dense_grid(alpha: float) -> float:
    """Binary pairs on a grid, p towards the vertex included, finer near the best: slow, and from above."""
    q, gap, least = np.linspace(-3, 3, 121)[:, None], np.linspace(-6, 3.7, 121), np.inf
    for _ in range(3):
        values = ratio(q + np.exp(gap), np.broadcast_to(q, (121, 121)), alpha)
        least = min(least, float(values.min()))
        i, j = np.unravel_index(np.argmin(values), values.shape)
        q, gap = (
            q[i] + np.linspace(-1, 1, 121)[:, None] * np.ptp(q) / 40,
            gap[j] + np.linspace(-1, 1, 121) * np.ptp(gap) / 40,
        )
    return least


@pytest.mark.parametrize("alpha", BETWEEN)
def test_no_binary_pair_of_a_dense_grid_comes_below_and_one_comes_near(alpha):
    found, constant = least_of_a_dense_grid(alpha), float(pinsker_constant(alpha))
    assert constant <= found * (1 + 1e-10)
    assert constant == pytest.approx(found, rel=2e-6)


def twin(alpha: float) -> float:
    """The infimum for orders with an interior minimiser, by Newton's method on 40 digits from the grid's best pair."""

    def value(y, z):
        p, q = 1 / (1 + mpmath.exp(-y)), 1 / (1 + mpmath.exp(-z))
        a = mpmath.mpf(alpha)
        return mpmath.log(p**a * q ** (1 - a) + (1 - p) ** a * (1 - q) ** (1 - a)) / (a - 1) / (4 * (p - q) ** 2)

    q, gap = np.meshgrid(np.linspace(-3, 3, 241), np.linspace(-3, 3, 241), indexing="ij")
    at = np.argmin(ratio(q + np.exp(gap), q, alpha))
    start = ((q + np.exp(gap)).flat[at], q.flat[at])
    with mpmath.workdps(40):
        slopes = [lambda y, z: mpmath.diff(value, (y, z), (1, 0)), lambda y, z: mpmath.diff(value, (y, z), (0, 1))]
        return float(value(*mpmath.findroot(slopes, start, tol=1e-24)))


@pytest.mark.parametrize("alpha", [1.18, 1.2, 1.25, 1.3, 1.35, 1.39])
def test_interior_minima_agree_with_their_twin_to_ten_digits(alpha):
    assert float(pinsker_constant(alpha)) == pytest.approx(twin(alpha), rel=1e-10)


def test_closed_forms():
    assert pytest.approx(0.28466813704083846, rel=1e-15) == POINT_MASS_ROOT
    assert pinsker_constant([0.3, 1.0]) == pytest.approx([0.15, 0.5], rel=1e-15)
    assert pinsker_constant([2.0, 7.0, np.inf]) == pytest.approx([0.61385187057103187] * 3, rel=1e-15)
    assert self_bounding_constant([1.0, 1.5, 40.0]) == pytest.approx([2, 3, 80], rel=1e-15)
    assert self_bounding_constant([1e-9, 0.25, 0.5]) == pytest.approx([1.6290575104] * 3, rel=1e-10)
    assert self_bounding_constant(np.inf) == np.inf


@pytest.mark.parametrize("seam", [1.0, GOLDEN_ORDER, VERTEX_ORDER, 2.0])
def test_the_constant_is_continuous_and_nondecreasing_across_its_formulas(seam):
    offsets = 10.0 ** -np.arange(3, 12, 4)
    orders = np.sort(np.concatenate([seam - offsets, seam + offsets]))
    values = pinsker_constant(orders)
    assert (np.diff(values) >= -1e-12).all()
    assert np.ptp(values[np.abs(orders - seam) < 1e-8]) < 1e-8


def test_between_its_closed_forms_the_constant_is_below_both():
    inside = np.array([1.18, 1.25, 1.3, 1.35, 1.39])
    assert (pinsker_constant(inside) < np.minimum(inside / 2, LARGE_ORDER_CONSTANT) - 1e-8).all()


@pytest.mark.parametrize("function", [pinsker_constant, self_bounding_constant])
@pytest.mark.parametrize(("alpha", "said"), [(0.0, "be positive"), (-1.0, r"in \[0, inf\]"), (np.nan, "nan")])
def test_orders_without_a_constant_are_refused(function, alpha, said):
    with pytest.raises(ValueError, match=said):
        function(alpha)
