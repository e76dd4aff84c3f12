"""Coupled kernel students: both ends of the coupling, derivatives, predictions elsewhere, and what is refused."""

import numpy as np
import pytest

from theory.cohorts.coregularisation import (
    coupled_smoothers,
    coupling,
    dual_coefficients,
    first_order_duals,
    first_order_effect,
    resolvent_average,
)

RNG = np.random.default_rng(0)
ROOTS = RNG.normal(size=(3, 4, 4))
PENALTIES = ROOTS @ np.swapaxes(ROOTS, -1, -2) + 0.1 * np.eye(4)
FEATURES = RNG.normal(size=(3, 6, 2))
KERNELS = FEATURES @ np.swapaxes(FEATURES, -1, -2)
TARGETS = RNG.normal(size=6)


def test_coupling_is_twice_the_product_for_two_students_and_the_product_for_many():
    np.testing.assert_allclose(coupling(2.0, [1.5, -0.5], 2), [6.0, -2.0])
    assert coupling(2.0, 1.5, 10**9) == pytest.approx(3.0)


def test_the_resolvent_average_ends_at_the_harmonic_and_the_arithmetic_mean():
    harmonic = np.linalg.inv(np.linalg.inv(PENALTIES).mean(axis=0))
    ends = resolvent_average(PENALTIES, np.array([-1.0, np.inf]))
    np.testing.assert_allclose(ends, [harmonic, PENALTIES.mean(axis=0)], rtol=1e-12)


@pytest.mark.parametrize("end", [-1 + 1e-12, 1e12])
def test_the_resolvent_average_keeps_its_digits_near_its_ends(end: float):
    exact = -1.0 if end < 0 else np.inf
    np.testing.assert_allclose(resolvent_average(PENALTIES, end), resolvent_average(PENALTIES, exact), rtol=1e-9)


def test_uncoupled_smoothers_are_the_students_own_and_infinitely_coupled_ones_agree():
    alone, agreed = coupled_smoothers(PENALTIES, 0.0), coupled_smoothers(PENALTIES, np.inf)
    np.testing.assert_allclose(alone, np.linalg.inv(np.eye(4) + PENALTIES), atol=1e-12)
    np.testing.assert_allclose(agreed, np.broadcast_to(agreed[0], agreed.shape), atol=1e-12)


@pytest.mark.parametrize("kappa", [-1.0, 0.0, 3.0])
def test_kernels_and_penalties_say_the_same(kappa: float):
    kernels = 0.3 * np.linalg.inv(PENALTIES)
    values = kernels @ dual_coefficients(kernels, 0.3, TARGETS[:4], kappa)[..., None]
    np.testing.assert_allclose(values[..., 0], coupled_smoothers(PENALTIES, kappa) @ TARGETS[:4], atol=1e-10)


def test_first_order_duals_are_the_derivative_also_for_kernels_of_finite_rank():
    step = 1e-3
    ends = [FEATURES @ (np.swapaxes(FEATURES, -1, -2) @ dual_coefficients(KERNELS, 0.5, TARGETS, c)[..., None])
            for c in (step, -step)]  # fmt: skip
    law = KERNELS @ first_order_duals(KERNELS, 0.5, TARGETS)[..., None]
    np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), law, atol=1e-6)


def test_first_order_effect_is_negative_where_the_mutual_pull_opposes_the_risk():
    assert first_order_effect([1.0, 0.0], np.diag([2.0, 5.0]), [4.0, 1.0]) == -2.0


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: coupling(np.inf, 1, 2), "alpha must be finite, got inf"),
        (lambda: coupling(1, 1, 1), "students must be at least 2, got 1.0"),
        (lambda: resolvent_average(PENALTIES, -1.5), r"kappa must be in \[-1, inf\], got -1.5"),
        (lambda: resolvent_average(-PENALTIES, 0), "the least eigenvalue of penalties must be non-negative"),
        (lambda: resolvent_average(ROOTS, 0), "the asymmetry of penalties must vanish"),
        (lambda: resolvent_average(np.zeros((2, 3, 3)), -1), "must be positive at kappa = -1, got 0.0"),
        (lambda: resolvent_average(np.ones((2, 3)), 0), r"square matrices in the two last axes, got shape \(2, 3\)"),
        (lambda: dual_coefficients(KERNELS, 0.0, TARGETS, 1), "ridge must be positive and finite, got 0.0"),
        (lambda: dual_coefficients(KERNELS, 1.0, TARGETS, np.inf), "kappa must be finite, got inf"),
        (lambda: first_order_effect([1.0], [[0.0]], [1.0]), "the least eigenvalue of hessian must be positive"),
    ],
)
def test_what_has_no_answer_is_refused(call, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        call()
