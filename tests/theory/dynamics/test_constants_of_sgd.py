"""Constants of constant-rate SGD: closed forms against what they bound, limits, and what is refused."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import norm

from theory import peer_gradient, student_hessian
from theory.dynamics.descent import gradient_bound, max_learning_rate, smoothness
from theory.dynamics.detaching import bias_bound, dropped_gradient_bound, peer_smoothness, squared_dropped_gradient
from theory.dynamics.stationary import coupled_hessian, coupled_noise, noise_floor, stationary_covariance
from theory.statements.strategies import logits, orders

QUICK = settings(max_examples=100, deadline=None)
ORDERS = np.unique([*np.linspace(0, 3, 31), *(1 + s * 10.0**-k for k in range(1, 16) for s in (-1, 1)), 1e6, np.inf])


def twin(alpha: float, osc: float) -> float:
    """tau in mpmath, as written."""
    with mpmath.workdps(60):
        a, width = mpmath.mpf(alpha), mpmath.mpf(osc)
        if a == 1:
            return float(width / 4)
        return float(a / abs(1 - a) * mpmath.tanh(abs(1 - a) * width / 4))


@pytest.mark.parametrize("osc", [1e-8, 0.3, 4.0, 50.0, 2e4])
def test_tau_is_right_on_both_sides_of_order_1(osc):
    finite = ORDERS[np.isfinite(ORDERS)]
    expected = [twin(alpha, osc) for alpha in finite]
    np.testing.assert_allclose(dropped_gradient_bound(finite, osc), expected, rtol=1e-14)
    assert dropped_gradient_bound(np.inf, osc) == 1


@QUICK
@given(logits(3), logits(3), orders(0, 100))
def test_the_gradient_that_detaching_drops_obeys_tau(y, z, alpha):
    width = np.ptp(y - z)
    assert np.abs(peer_gradient(y, z, alpha)).sum() <= 2 * dropped_gradient_bound(alpha, width) * (1 + 1e-9) + 1e-12


@QUICK
@given(logits(4), logits(4), orders(0, 100), st.floats(0, 5))
def test_smoothness_bounds_the_hessian_in_logits(y, z, alpha, lam):
    label = np.array([1.0, 0, 0, 0])
    hessian = student_hessian(np.log(label + 1e-300), z, 1.0) + lam * student_hessian(y, z, alpha)
    assert norm(hessian, 2) <= smoothness(1.0, 0.0, alpha, lam) * (1 + 1e-9)


def test_constants_scale_with_the_students_as_their_formulas_say():
    assert gradient_bound(3.0, 1.0) == pytest.approx(2 * np.sqrt(2) * 3)
    assert smoothness(2.0, 0.0, 4.0, 1.0) == pytest.approx(10.0)
    assert max_learning_rate(2.0, 0.0, 4.0, 1.0, noise_growth=1.0) == pytest.approx(1 / 20)
    assert peer_smoothness(1.0, 0.0, 1.0, 2.0) == pytest.approx(1.5)
    assert (peer_smoothness(1.0, 0.0, [1.0, np.inf]) == np.inf).all()
    assert (peer_smoothness(0.0, 0.0, [0.0, 1.0, np.inf]) == 0).all()
    assert (np.diff(squared_dropped_gradient(np.linspace(0.1, 0.9, 9), 1.0, osc=3.0)) > 0).all()


def test_there_is_no_bias_at_orders_0_and_half_nor_without_a_weight():
    assert (bias_bound([0.0, 0.5], 1.0, 2.0, osc=5.0) == 0).all()
    assert bias_bound(1.0, 0.0, 2.0) == 0
    assert (bias_bound([0.25, 0.75, 1.0, 2.0], 1.0, 2.0, osc=5.0) > 0).all()


def test_the_bias_is_of_second_order_in_the_weight_and_vanishes_as_students_agree():
    assert bias_bound(1.5, 0.2, 1.0, osc=3.0) == pytest.approx(4 * bias_bound(1.5, 0.1, 1.0, osc=3.0))
    bounds = bias_bound(1.5, 1.0, 1.0, osc=3.0, divergence=[1e-1, 1e-3, 1e-6, 0.0])
    assert (np.diff(bounds) < 0).all()
    assert bounds[-1] == 0


@QUICK
@given(st.floats(0.01, 1.9), st.floats(0.1, 10), st.floats(0.01, 5))
def test_the_noise_floor_is_where_the_recursion_of_the_variance_rests(step, beta, variance):
    eta, spread = step / beta, 0.0
    for _ in range(6000):
        spread = (1 - step) ** 2 * spread + eta**2 * variance
    assert noise_floor(eta, beta, variance) == pytest.approx(beta**2 * spread, rel=1e-6)


def _random_symmetric(seed: int, d: int, least: float) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(d, d))
    return root @ root.T / d + least * np.eye(d)


@pytest.mark.parametrize("seed", range(5))
def test_the_stationary_covariance_solves_its_equation_and_is_a_fixed_point(seed):
    a, c = _random_symmetric(seed, 4, 0.1), _random_symmetric(seed + 100, 4, 0.0)
    eta = 1.5 / np.linalg.eigvalsh(a)[-1]
    s = stationary_covariance(a, c, eta)
    np.testing.assert_allclose(a @ s + s @ a - eta * a @ s @ a, eta * c, atol=1e-11)
    contraction = np.eye(4) - eta * a
    np.testing.assert_allclose(contraction @ s @ contraction.T + eta**2 * c, s, atol=1e-11)


@pytest.mark.parametrize("shared", [True, False])
def test_the_order_leaves_the_mean_students_variance_alone(shared):
    h, f, c = _random_symmetric(1, 2, 0.2), _random_symmetric(2, 2, 0.1), _random_symmetric(3, 2, 0.1)
    average = np.kron(np.full((1, 3), 1 / 3), np.eye(2))
    variances, spreads = [], []
    for alpha in (0.25, 1.0, 4.0):
        s = stationary_covariance(coupled_hessian(h, f, alpha, 1.0, 3), coupled_noise(c, 3, shared), 0.02)
        variances.append(average @ s @ average.T)
        spreads.append(np.trace(s))
    np.testing.assert_allclose(variances, [variances[0]] * 3, rtol=1e-9)
    if shared:  # equal noise never makes the students differ
        np.testing.assert_allclose(spreads, spreads[0], rtol=1e-9)
    else:  # the disagreement modes: stiffer with the order
        assert spreads[0] > 1.02 * spreads[1] > 1.02**2 * spreads[2]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: noise_floor(0.5, 4.0, 1.0), "eta [*] beta must be below 2, .*got 2.0"),
        (lambda: noise_floor(-0.5, 4.0, 1.0), "eta must be non-negative, got -0.5"),
        (lambda: bias_bound(1.0, 1.0, 1.0, osc=2.0, divergence=3.0), "divergence must be at most osc, .*got 3.0"),
        (lambda: bias_bound(-1.0, 1.0, 1.0), r"alpha must be in \[0, inf\], got -1.0"),
        (lambda: max_learning_rate(0.0, 0.0, 1.0, 1.0), "smoothness constant must be positive"),
        (lambda: stationary_covariance(np.eye(2), np.eye(3), 0.1), "must have the same shape"),
        (lambda: stationary_covariance(-np.eye(2), np.eye(2), 0.1), "hessian must be positive definite"),
        (lambda: stationary_covariance(np.eye(2), -np.eye(2), 0.1), "noise must be positive semidefinite"),
        (lambda: stationary_covariance(np.eye(2), np.eye(2), 2.5), r"eta must lie in \(0, 2/1\), .*got 2.5"),
        (lambda: stationary_covariance([[1.0, 0.5], [0.0, 1.0]], np.eye(2), 0.1), "hessian must be symmetric"),
        (lambda: coupled_hessian(np.eye(2), np.eye(2), 1.0, 1.0, 1), "students must be at least 2, got 1"),
    ],
)
def test_inconsistent_constants_are_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize("students", [np.nan, np.inf, 2.0, "2", None, True, 1, 10**5, 10**400, -(10**5000)], ids=type)
def test_the_students_of_stacked_matrices_are_a_whole_number(students):
    with pytest.raises(ValueError, match=r"^students must be .{1,120}$"):
        coupled_noise(np.eye(2), students, shared=True)


@pytest.mark.parametrize("divergence", [0.0, 0.5])
def test_an_infinite_order_bounds_the_dropped_gradient_as_if_no_divergence_were_known(divergence):
    known, unknown = (squared_dropped_gradient(np.inf, 1.0, 2.0, one) for one in (divergence, None))
    assert known == (unknown if divergence else 0)
