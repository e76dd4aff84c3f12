"""The bounded scope: its formulas against the iterations that they bound, and what is refused."""

import numpy as np
import pytest

from theory.dynamics.descent import max_learning_rate, smoothness, stability_limits
from theory.dynamics.scope import (
    contraction_factor,
    contraction_modulus,
    field_lipschitz,
    pair_expansion,
    pair_norm,
    scope_bound,
    scope_radius,
    settling_steps,
    stationary_spread,
)


def test_the_scope_is_what_a_constant_largest_gradient_fills():
    length, push = 30.0, np.sqrt(2) * (1 + 2.0) * 1.5
    for step in range(1, 60):
        length = (1 - 0.1 * 0.5) * length + 0.1 * push
        assert scope_bound(30.0, 0.1, step, 1.5, 2.0, 0.5) == pytest.approx(length, rel=1e-12)
    assert scope_radius(1.5, 2.0, 0.5) == pytest.approx(push / 0.5)


@pytest.mark.parametrize("start", [0.0, 10.0, 11.4, 100.0, 1e4])
def test_the_scope_is_twice_its_radius_after_the_settling_steps_and_not_before(start: float):
    twice, steps = 2 * scope_radius(1.0, 1.0, 0.5), settling_steps(start, 0.1, 1.0, 1.0, 0.5)
    assert scope_bound(start, 0.1, steps, 1.0, 1.0, 0.5) <= twice * (1 + 1e-12)
    assert steps == 0 or scope_bound(start, 0.1, steps - 1, 1.0, 1.0, 0.5) > twice


def test_one_step_settles_where_a_step_forgets_everything():
    assert settling_steps(1e3, 2.0, 1.0, 1.0, 0.5) == 1


def test_the_constants_of_a_pair_are_those_of_the_theorem():
    np.testing.assert_allclose(pair_expansion([0, 0.5, 1, 1.5, 2, 8]), [0, 0.5, 0.125, 0.5, 0.5, 8 / 7])
    np.testing.assert_allclose(pair_norm([0.5, 1, 4]), [0.75, 1, 4])
    assert pair_expansion(np.inf) == pair_norm(np.inf) == np.inf
    assert contraction_modulus(2.0, 0.1, 1.0, 3.0, 5.0) == pytest.approx(5 - 1.5 - 0.4 * np.sqrt(2))
    assert field_lipschitz(2.0, 0.1, 1.0, 3.0, 5.0) == pytest.approx(5 + 4 * 3.5 + 0.4 * np.sqrt(2))
    assert contraction_modulus(1.0, 0.0, np.inf, 0.0, 5.0) == 5  # without a weight the order does not matter


def test_a_linear_pull_contracts_by_the_factor_and_rests_in_the_spread():
    eta, pull = 0.3, 0.7
    assert contraction_factor(eta, pull, pull) == pytest.approx(1 - eta * pull)
    assert eta**2 / (1 - (1 - eta * pull) ** 2) <= stationary_spread(eta, pull, pull, 1.0)


def test_below_order_1_the_weight_sets_the_rate_not_the_product():
    rates = max_learning_rate(1.0, 0.0, [0.25, 0.5, 1.0, 2.0], [12.0, 6.0, 3.0, 1.5])
    np.testing.assert_allclose(rates, [2 / 13, 2 / 7, 2 / 4, 2 / 4])


def test_a_heavy_ball_on_the_steepest_quadratic_is_stable_exactly_up_to_the_second_limit():
    beta, (sure, last) = smoothness(2.0, 0.0, 1.0, 1.0), stability_limits(2.0, 0.0, 1.0, 1.0, momentum=0.9)
    assert sure / last == pytest.approx(0.1 / 1.9)
    for eta, stable in ((0.999 * last, True), (1.001 * last, False)):
        roots = np.roots([1.0, float(eta * beta) - 1.9, 0.9])
        assert (np.abs(roots).max() < 1) == stable


def test_momentum_costs_its_share_of_the_rate():
    assert max_learning_rate(2.0, 0.0, 1.0, 1.0, momentum=0.9) == pytest.approx(
        max_learning_rate(2.0, 0.0, 1.0, 1.0) / 10
    )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: scope_radius(1.0, 1.0, 0.0), "decay must be positive and finite, got 0.0"),
        (lambda: scope_bound(1.0, 3.0, 1, 1.0, 1.0, 0.5), "eta [*] decay must be at most 1: .*got 1.5"),
        (lambda: scope_bound(1.0, 0.1, -1, 1.0, 1.0, 0.5), "steps must be non-negative, got -1.0"),
        (lambda: settling_steps(1.0, 0.0, 1.0, 1.0, 0.5), "eta [*] decay must be positive: .*got 0.0"),
        (lambda: settling_steps(1.0, 0.1, 0.0, 1.0, 0.5), "the scope's radius must be positive"),
        (lambda: pair_expansion(-1.0), r"alpha must be in \[0, inf\], got -1.0"),
        (lambda: contraction_factor(0.1, -0.2, 1.0), "modulus must be positive and finite, got -0.2"),
        (lambda: contraction_factor(0.1, 2.0, 1.0), "lipschitz must be at least the modulus, got 1.0"),
        (lambda: contraction_factor(0.5, 1.0, 2.0), "eta must be below 2 modulus/lipschitz.2, .*got 0.5"),
        (lambda: stationary_spread(0.25, 1.0, 2.0, 1.0), "eta must be below modulus/lipschitz.2, .*got 0.25"),
        (lambda: max_learning_rate(1.0, 0.0, 1.0, 1.0, momentum=1.0), "momentum must be below 1, got 1.0"),
    ],
)
def test_inconsistent_scopes_are_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_a_scope_without_end_bounds_nothing_but_the_start():
    assert scope_bound(1.0, 0.1, 10, np.inf, 1.0, 0.5) == np.inf
    assert scope_bound(1.0, 0.1, 0, np.inf, 1.0, 0.5) == 1
    assert scope_bound(np.inf, 1.0, 3, 1.0, 1.0, 1.0) == scope_radius(1.0, 1.0, 1.0)
