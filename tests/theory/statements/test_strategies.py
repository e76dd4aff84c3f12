"""Hypothesis strategies: what they promise to users' own tests."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import find, given, settings

from theory import renyi_divergence, renyi_divergence_from_logits
from theory.statements.domains import Domain, Integer, Interval, Logits, Order, Reals, Simplex
from theory.statements.strategies import close_pairs, distributions, for_domain, logits, orders

QUICK = settings(max_examples=50, deadline=None)
SEARCH = settings(max_examples=5000, deadline=None)


@QUICK
@given(distributions())
def test_distributions_sum_to_one(p):
    assert p.shape[-1] >= 2
    assert (p >= 0).all()
    assert p.sum() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("order", [0.0, 0.5, 1.0, 2.0, np.inf, np.nextafter(1, 0), np.nextafter(1, 2)])
def test_orders_reach_every_dangerous_order(order):
    assert find(orders(), lambda a: a == order, settings=SEARCH) == order


@QUICK
@given(orders(0.25, 3.0))
def test_orders_stay_within_their_bounds(alpha):
    assert 0.25 <= alpha <= 3


def test_logits_reach_zeros_only_where_asked():
    assert np.isneginf(find(logits(3, zeros=True), lambda row: np.isneginf(row).any(), settings=SEARCH)).any()


@QUICK
@given(logits(4))
def test_logits_are_finite_rows_of_the_length_asked_for(row):
    assert row.shape == (4,)
    assert np.isfinite(row).all()


@QUICK
@given(close_pairs(), orders())
def test_close_pairs_have_small_divergence(pair, alpha):
    assert renyi_divergence_from_logits(pair[0], pair[1], alpha) <= 2 * np.abs(pair[0] - pair[1]).max() + 1e-300


def test_close_pairs_reach_tiny_divergences():
    def tiny(pair):
        return bool(0 < renyi_divergence_from_logits(pair[0], pair[1], 2) < 1e-14)

    y, z = find(close_pairs(3), tiny, settings=SEARCH)
    assert y.shape == z.shape == (3,)


@QUICK
@given(distributions(3), distributions(3), orders())
def test_the_divergence_accepts_whatever_the_strategies_draw(p, q, alpha):
    assert renyi_divergence(p, q, alpha) >= 0


@pytest.mark.parametrize(
    "domain", [Simplex(), Logits(zeros=True), Order(), Interval(-2, 5), Integer(2, 4), Reals("C", 2)]
)
@QUICK
@given(data=st.data())
def test_a_domain_draws_values_of_its_own_shape(domain: Domain, data):
    assert np.shape(data.draw(for_domain(domain, 3))) == domain.edges(3).shape[1:]


def test_an_unknown_domain_is_refused():
    with pytest.raises(TypeError, match="there is no strategy for int"):
        for_domain(3)  # pyright: ignore[reportArgumentType]
