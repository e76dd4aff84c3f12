"""Domains: what they draw lies inside, their charts invert, and their edge cases are there."""

import numpy as np
import pytest
from scipy.special import softmax

from theory.statements.domains import Domain, Integer, Interval, Logits, Order, Reals, Simplex
from theory.statements.sampling import corners, depends_on_classes, draw

DOMAINS: list[Domain] = [
    Interval(0, 1), Interval(-1, 3, open_low=True, open_high=True), Interval(2), Order(), Order(0, 1, open_low=True),
    Integer(1, 5), Logits(), Logits(2, zeros=True), Simplex(), Reals("C", 2), Reals(),
]  # fmt: skip
EVERY = pytest.mark.parametrize("domain", DOMAINS, ids=repr)


@EVERY
def test_draws_n_values_of_one_shape_reproducibly(domain: Domain):
    first, second = (domain.sample(np.random.default_rng(5), 40, 3) for _ in range(2))
    assert first.shape == (40, *domain.edges(3).shape[1:])
    np.testing.assert_array_equal(first, second)


@EVERY
def test_its_chart_inverts(domain: Domain):
    values = domain.decode(domain.encode(domain.sample(np.random.default_rng(5), 40, 3)), 3)
    again = domain.decode(domain.encode(values), 3)
    np.testing.assert_allclose(again, values, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("domain", [d for d in DOMAINS if isinstance(d, Interval)], ids=repr)
def test_an_interval_draws_and_decodes_inside_itself(domain: Interval):
    rng = np.random.default_rng(0)
    assert domain.contains(domain.sample(rng, 2000, 2)).all()
    assert domain.contains(domain.decode(rng.normal(size=(2000, 1)) * 50, 2)).all()
    assert domain.contains(domain.edges(2)).all()


def test_orders_have_the_dangerous_ones_and_their_neighbours_among_the_edges():
    edges = Order().edges(2)
    for order in (0.0, 0.5, 1.0, 2.0, np.inf):
        assert order in edges
    assert {np.nextafter(1, 0), np.nextafter(1, 2), np.nextafter(0, 1)} <= set(edges)


def test_zeros_are_drawn_only_where_they_are_allowed():
    rng = np.random.default_rng(1)
    assert np.isfinite(Logits().sample(rng, 1000, 4)).all()
    rows = Logits(zeros=True).sample(rng, 1000, 4)
    assert np.isneginf(rows).any()
    assert (rows.max(axis=-1) > -np.inf).all()
    np.testing.assert_allclose(Simplex().sample(rng, 1000, 4).sum(axis=-1), 1, rtol=1e-12)


def test_close_pairs_are_drawn():
    point = draw({"y": Logits(), "z": Logits()}, np.random.default_rng(2), 3000, 3)
    distance = np.abs(softmax(point["y"], axis=-1) - softmax(point["z"], axis=-1)).sum(axis=-1)
    assert 0.02 < np.mean((distance > 0) & (distance < 1e-4)) < 0.6


def test_corners_combine_the_edges_of_all_variables_up_to_a_limit():
    given = {"alpha": Order(), "n": Integer(1, 3)}
    point = corners(given, np.random.default_rng(0), 2)
    assert len(point["alpha"]) == 3 * len(Order().edges(2))
    assert len(corners(given, np.random.default_rng(0), 2, most=7)["n"]) == 7


def test_only_rows_of_free_length_depend_on_the_number_of_classes():
    assert depends_on_classes({"y": Logits()})
    assert not depends_on_classes({"y": Logits(2), "alpha": Order()})


def test_an_empty_interval_is_refused():
    with pytest.raises(ValueError, match=r"an interval must have low < high, got \[1, 1\]"):
        Interval(1, 1)
