"""Proved bounds of the best constants: narrow, closed where they must be, and around every float and every pair."""

import mpmath
import numpy as np
import pytest

from theory import (
    pinsker_constant,
    pinsker_enclosure,
    renyi_divergence_from_logits,
    self_bounding_constant,
    self_bounding_enclosure,
)
from theory.constants import GOLDEN_ORDER, VERTEX_ORDER, ratio
from theory.enclosures import known

BOTH = pytest.mark.parametrize("function", [pinsker_enclosure, self_bounding_enclosure])
MIDDLE = np.linspace(GOLDEN_ORDER, VERTEX_ORDER, 12)


def test_the_constant_lies_inside_at_many_orders():
    low, high = pinsker_enclosure(MIDDLE)
    constant = pinsker_constant(MIDDLE)
    assert (low <= constant * (1 + 1e-10)).all()
    assert (constant <= high * (1 + 1e-10)).all()


def test_the_dual_constant_lies_inside_at_many_orders():
    orders = np.append(1 / MIDDLE[[0, 3, 7, 11]], [1e-9, 0.5, 1.0, 3.0, np.inf])
    (low, high), constant = self_bounding_enclosure(orders), self_bounding_constant(orders)
    assert (low <= constant * (1 + 1e-10)).all()
    assert (constant <= high * (1 + 1e-10)).all()


def test_the_width_is_at_most_what_is_said():
    low, high = pinsker_enclosure(np.append(np.linspace(1.17, 1.4, 20_001), corners()))
    assert 9e-4 < (high - low).max() <= 1e-3
    low, high = self_bounding_enclosure(np.append(np.linspace(0.7, 0.86, 20_001), 1 / corners()))
    assert (high - low).max() <= 3e-3
    assert (low <= high).all()


def corners():
    """Where the bounds, which are linear between, change from one known order to the next."""
    pairs = list(zip(known()[:-1], known()[1:], strict=True))
    ups = [before.order[0] * after.constant[1] / before.constant[1] for before, after in pairs]
    downs = [after.order[0] * before.constant[0] / after.constant[0] for before, after in pairs]
    return np.array(ups + downs)


def test_both_bounds_do_not_decrease_and_over_the_order_do_not_increase():
    orders = np.linspace(1.0, 1.6, 3001)
    for bound in pinsker_enclosure(orders):
        assert (np.diff(bound) >= 0).all()
        assert (np.diff(bound / orders) <= 1e-15).all()


@pytest.mark.parametrize("alpha", [1e-300, 0.3, 1.0, 1.1, 1.17082039])
def test_up_to_the_golden_order_both_bounds_are_half_the_order(alpha):
    assert pinsker_enclosure(alpha) == (alpha / 2, alpha / 2)


@pytest.mark.parametrize("alpha", [1.39796, 1.5, 2.0, 1e9, np.inf])
def test_from_the_vertex_order_on_neighbouring_floats_enclose_the_constant(alpha):
    low, high = pinsker_enclosure(alpha)
    with mpmath.workdps(40):
        x = -1 / (2 * mpmath.lambertw(-mpmath.exp(mpmath.mpf(-1) / 2) / 2, -1).real)
        assert mpmath.mpf(float(low)) < 1 / (8 * x * (1 - x)) < mpmath.mpf(float(high))
    assert np.nextafter(low, 1) == high


def test_by_duality_the_self_bounding_constant_is_known_at_both_ends():
    assert self_bounding_enclosure(0.8542) == (1.7084, 1.7084)
    assert self_bounding_enclosure(np.inf) == (np.inf, np.inf)
    low, high = self_bounding_enclosure([5e-324, 1e-300, 0.3, 0.7153])
    assert (high - low < 1e-15).all()
    assert low == pytest.approx([1.62905751] * 4, abs=1e-8)


@pytest.mark.parametrize("alpha", [5e-324, 1.5e-323, 1e-310])
def test_the_smallest_floats_are_rounded_outward(alpha):
    low, high = pinsker_enclosure(alpha)
    with mpmath.workdps(40):
        assert mpmath.mpf(float(low)) <= mpmath.mpf(alpha) / 2 <= mpmath.mpf(float(high))


def test_the_largest_float_is_rounded_outward():
    assert self_bounding_enclosure(1.7e308) == (np.finfo(float).max, np.inf)


@pytest.mark.parametrize("seam", [GOLDEN_ORDER, VERTEX_ORDER, *(node.order[0] for node in known())])
def test_across_its_seams_the_enclosure_does_not_jump_over_the_constant(seam):
    beside = np.array([np.nextafter(seam, 0), seam, np.nextafter(seam, 2)])
    low, high = pinsker_enclosure(beside)
    assert low.max() <= high.min() + 1e-15
    assert np.ptp(high) < 1e-15


def test_no_pair_comes_below_the_lower_bound():
    rng = np.random.default_rng(0)
    y, z = rng.normal(0, 3, (2, 20_000))
    orders = rng.uniform(1.15, 1.42, 20_000)
    assert (ratio(y, z, orders) >= pinsker_enclosure(orders)[0] * (1 - 1e-9)).all()


def test_five_classes_do_not_come_below_it_either():
    rng = np.random.default_rng(1)
    y, z = rng.normal(0, 2, (2, 5000, 5))
    p, q = (np.exp(v) / np.exp(v).sum(-1, keepdims=True) for v in (y, z))
    orders = rng.uniform(1.17, 1.4, 5000)
    bound = pinsker_enclosure(orders)[0] * np.abs(p - q).sum(-1) ** 2
    assert (bound <= renyi_divergence_from_logits(y, z, orders)).all()


@BOTH
def test_shapes_are_kept(function):
    for alpha in (1.2, [1.2, 0.8], np.full((2, 3), 1.3), []):
        assert [np.shape(end) for end in function(alpha)] == [np.shape(alpha)] * 2


@BOTH
@pytest.mark.parametrize(("alpha", "said"), [(0.0, "be positive"), (-1.0, r"in \[0, inf\]"), (np.nan, "nan")])
def test_orders_without_a_constant_are_refused(function, alpha, said):
    with pytest.raises(ValueError, match=said):
        function([1.0, alpha])
