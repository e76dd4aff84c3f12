"""What the order does beyond a weight: expansions against exact values, and what is refused."""

from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from theory import renyi_divergence_from_logits, student_gradient
from theory.dynamics.tempering import (
    complementary_orders,
    cumulants,
    divergence_by_cumulants,
    mean_force,
    order_against_weight,
    tempering_direction,
    tempering_force,
)
from theory.statements.strategies import logits

RNG = np.random.default_rng(5)
Y, Z = RNG.normal(size=(2, 4))
COHORT = np.array([0.7, -0.2, 0.1, 0.9]) + 1e-3 * RNG.normal(size=(3, 4))


def test_cumulants_are_the_derivatives_of_the_cumulant_function():
    q, gap = softmax(Z), Y - Z
    with mpmath.workdps(40):

        def log_mean(s: Any) -> Any:
            return mpmath.log(mpmath.fsum(float(v) * mpmath.exp(s * float(d)) for v, d in zip(q, gap, strict=True)))

        expected = [float(mpmath.diff(log_mean, 0, n)) for n in range(1, 7)]
    np.testing.assert_allclose(cumulants(Y, Z, 6), expected, rtol=1e-12)


@pytest.mark.parametrize("terms", [2, 3, 4, 5])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_each_cumulant_gains_one_power_of_the_gap(alpha: float, terms: int):
    errors = [
        abs(renyi_divergence_from_logits(Z + t * Y, Z, alpha) - divergence_by_cumulants(Z + t * Y, Z, alpha, terms))
        for t in (0.04, 0.02)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(terms + 1, abs=0.2)


@pytest.mark.parametrize("alpha", [0.25, 0.5, 2.0, 4.0])
def test_the_tempering_force_is_the_mean_force_to_second_order(alpha: float):
    exact = mean_force(COHORT, alpha, 1.5)
    assert np.abs(exact - tempering_force(COHORT, alpha, 1.5)).max() <= 2e-2 * np.abs(exact).max()


def test_order_1_leaves_the_mean_student_alone_whatever_the_disagreement():
    assert np.abs(mean_force(5 * RNG.normal(size=(50, 4, 6)), 1.0, 3.0)).max() <= 1e-15
    assert (tempering_force(COHORT, 1.0, 3.0) == 0).all()


@settings(max_examples=50, deadline=None)
@given(logits(2, scale=20), st.floats(0.1, 3))
def test_high_orders_push_two_classes_towards_one_half_and_low_ones_away(centre, gap):
    students = centre + gap * np.array([[1.0, -1.0], [-1.0, 1.0]])
    odds = centre[0] - centre[1]
    assert tempering_direction(students)[0] * odds <= 0
    assert tempering_force(students, 2.0, 1.0)[0] * odds <= 0 <= tempering_force(students, 0.5, 1.0)[0] * odds


def test_complementary_orders_feel_one_stiffness_and_one_divergence():
    orders, weights = complementary_orders([0.1, 0.5, 0.75], 2.0)
    np.testing.assert_allclose(orders * weights, 2.0)
    np.testing.assert_allclose(orders.sum(axis=-1), 1.0)
    both = weights[:, 0] * renyi_divergence_from_logits(Y, Z, orders[:, 0])
    np.testing.assert_allclose(both, weights[:, 1] * renyi_divergence_from_logits(Z, Y, orders[:, 1]), rtol=1e-12)


def test_the_order_against_the_weight_bounds_the_difference_of_gradients():
    gap = np.abs(student_gradient(Y, Z, 2.0) / 2 - student_gradient(Y, Z, 0.5) / 0.5).sum()
    assert 0 < gap <= order_against_weight(2.0, 0.5, np.ptp(Y - Z))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: cumulants(Y, Z, 0), "terms must be at least 1, got 0"),
        (lambda: cumulants([0.0, -np.inf], [0.0, 0.0]), "logits_p must be finite here"),
        (lambda: divergence_by_cumulants(Y, Z, 1.0, 1), "terms must be at least 2, got 1"),
        (lambda: divergence_by_cumulants(Y, Z, np.inf), "alpha must be finite here, got inf"),
        (lambda: order_against_weight(1.0, 2.0, -1.0), "osc must be non-negative, got -1.0"),
        (lambda: tempering_force(COHORT[:1], 2.0, 1.0), r"students must have shape .* at least 2, got shape \(1, 4\)"),
        (lambda: tempering_direction(Z), r"students must have shape .* got shape \(4,\)"),
        (lambda: mean_force(COHORT, 2.0, np.nan), "lam must be finite, got nan"),
        (lambda: complementary_orders(1.0), r"alpha must be in \(0, 1\), .*got 1.0"),
        (lambda: complementary_orders(0.5, -1.0), "stiffness must be non-negative and finite, got -1.0"),
    ],
)
def test_what_has_no_expansion_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
