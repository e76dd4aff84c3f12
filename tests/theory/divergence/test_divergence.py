"""The divergence and its gradients against 400-digit values, their mpmath versions, and their values at the edges."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf
from twins import normwise_error, relative_error

from theory import (
    geometric_mixture,
    geometric_mixture_from_logits,
    peer_gradient,
    renyi_divergence,
    renyi_divergence_from_logits,
    student_gradient,
    student_hessian,
)
from theory.divergence import reference
from theory.divergence.rounding import PROMISE
from theory.divergence.values import careful_divergence, careful_divergence_from_logits

CASES = json.loads((Path(__file__).parents[2] / "data" / "renyi.json").read_text())
REGIMES = sorted({case["regime"] for case in CASES})
INF = float("inf")
EDGES = [0.0, 5e-324, 1e-300, 1e-12, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 30.0, 1e3, 1e12, 1e200, 1.7e308, INF]
ORDERS = sorted({order for edge in EDGES for order in (edge, np.nextafter(edge, 0), np.nextafter(edge, INF))})
DIGITS = 700


@pytest.mark.parametrize("regime", REGIMES)
def test_reference_cases_to_twelve_digits(regime: str):
    for case in (case for case in CASES if case["regime"] == regime):
        peer, student, alpha = case["logits_p"], case["logits_q"], float(case["alpha"])
        assert relative_error(renyi_divergence_from_logits(peer, student, alpha), mpf(case["D"])) < 1e-12
        truth = [mpf(x) for x in case["grad_q_logits"]]
        assert normwise_error(student_gradient(peer, student, alpha), truth) < 1e-12
        truth = reference.peer_gradient(peer, student, alpha)
        assert normwise_error(peer_gradient(peer, student, alpha), truth) < 1e-12


@st.composite
def logit_pairs(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    """Logits to +-1e4, unrelated or nearly equal up to a shift, some classes impossible."""
    classes = draw(st.integers(1, 6))
    scale, apart = 10.0 ** draw(st.integers(-3, 4)), 10.0 ** draw(st.integers(-16, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    peer = rng.uniform(-1, 1, classes) * scale
    student = peer * draw(st.sampled_from([0.0, 1.0])) + rng.uniform(-1, 1, classes) * apart
    possible = [np.r_[True, rng.random(classes - 1) < draw(st.sampled_from([0.6, 1.0]))] for _ in range(2)]
    return tuple(np.where(ok, x, -INF).tolist() for ok, x in zip(possible, (peer, student), strict=True))  # type: ignore[return-value]


@settings(max_examples=400, deadline=None)
@given(logit_pairs(), st.sampled_from(ORDERS) | st.floats(0.3, 3) | st.floats(0, 1e3))
def test_divergence_and_gradients_match_their_twins_everywhere(pair: tuple[list[float], list[float]], alpha: float):
    truth = reference.renyi_divergence(*pair, alpha, DIGITS)
    value = renyi_divergence_from_logits(*pair, alpha)
    if truth == mpf("inf"):
        assert value == INF
        assert np.isnan(student_gradient(*pair, alpha)).all()
        assert np.isnan(peer_gradient(*pair, alpha)).all()
        return
    assert relative_error(value, truth) < PROMISE
    assert normwise_error(student_gradient(*pair, alpha), reference.student_gradient(*pair, alpha, DIGITS)) < PROMISE
    assert normwise_error(peer_gradient(*pair, alpha), reference.peer_gradient(*pair, alpha, DIGITS)) < PROMISE


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0])
def test_no_seam_where_the_formula_changes_with_the_order(order: float):
    peer, student = [0.3, -1.2, 2.0, 0.1], [0.2, 0.4, 1.1, -0.6]
    steps = order + np.arange(-60, 61) * 2.0 ** np.arange(-53, 68)[:121].clip(max=-8)
    values = renyi_divergence_from_logits(peer, student, steps)
    errors = [
        relative_error(v, reference.renyi_divergence(peer, student, float(a), 60))
        for v, a in zip(values, steps, strict=True)
    ]
    assert max(errors) < 1e-14


@pytest.mark.parametrize("order", [0.75, 1.5, 1e3])
def test_no_seam_where_the_formula_changes_with_the_distance(order: float):
    distances = np.concatenate([np.geomspace(1e-9, 1e3, 60), 1 + np.linspace(-1e-6, 1e-6, 21)])
    for distance in distances:
        pair = [0.0, 0.0, 0.5], [0.0, float(distance), 0.1]
        assert (
            relative_error(renyi_divergence_from_logits(*pair, order), reference.renyi_divergence(*pair, order, 80))
            < 1e-14
        )


@pytest.mark.parametrize("alpha", [1e-6, 0.5, 1.0, 1.5, 7.0])
def test_hessian_matches_its_twin(alpha: float):
    pair = [0.3, -1.2, 2.0, -INF], [0.2, 0.4, 1.1, -4.0]
    truth = np.array(reference.student_hessian(*pair, alpha, 60).tolist(), float)
    np.testing.assert_allclose(student_hessian(*pair, alpha), truth, rtol=0, atol=1e-16 * max(1, alpha))


def test_hessian_at_order_infinity_is_the_fishers_unless_classes_tie():
    q = scipy.special.softmax([0.2, 0.4])
    np.testing.assert_allclose(student_hessian([0.0, 5.0], [0.2, 0.4], INF), np.diag(q) - np.outer(q, q), rtol=1e-14)
    assert np.isinf(student_hessian([0.0, 0.0], [1.0, 1.0], INF)).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 6), st.integers(-16, 0), st.integers(0, 2**32 - 1), st.sampled_from(ORDERS))
def test_probabilities_match_their_twin(classes: int, log_distance: int, seed: int, alpha: float):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.3))
    q = p * (1 + rng.uniform(-0.5, 0.5, classes) * 10.0**log_distance)
    q = np.where(p > 0, q / q.sum(), 0.0)
    truth = reference.renyi_divergence(*(_exact_logarithms(x) for x in (p, q)), alpha, DIGITS)  # type: ignore[arg-type]
    assert relative_error(renyi_divergence(p, q, alpha), truth) < 1e-12


def _exact_logarithms(p: np.ndarray) -> list[Any]:
    from mpmath import log, workdps

    with workdps(DIGITS):
        return [log(mpf(x)) if x > 0 else mpf("-inf") for x in p.tolist()]


@pytest.mark.parametrize("alpha", ORDERS)
def test_mixture_matches_its_twin(alpha: float):
    peer, student = [0.3, -1.2, 2.0, 0.1], [0.2, 0.4, 1.1, -INF]
    if alpha >= 1:
        student[-1] = -3.0
    truth = reference.geometric_mixture(peer, student, alpha)
    assert normwise_error(geometric_mixture_from_logits(peer, student, alpha), truth) < 1e-14
    p, q = scipy.special.softmax(peer), scipy.special.softmax(student)
    np.testing.assert_allclose(geometric_mixture(p, q, alpha), [float(x) for x in truth], rtol=1e-12)


@pytest.mark.parametrize(
    ("p", "q", "alpha", "value"),
    [
        ([1, 0], [0.25, 0.75], 0, np.log(4)),
        ([1, 0], [0.25, 0.75], 7, np.log(4)),
        ([0.5, 0.5, 0], [0.25, 0.25, 0.5], INF, np.log(2)),
        ([0.5, 0.5], [1, 0], 0, 0.0),
        ([0.5, 0.5], [1, 0], 0.5, np.log(2)),
        ([0.5, 0.5], [1, 0], 1, INF),
        ([0.5, 0.5], [1, 0], 2, INF),
        ([0.5, 0.5], [1, 0], INF, INF),
        ([1, 0], [0, 1], 0, INF),
        ([1, 0], [0, 1], 0.5, INF),
        ([0.5, 0.5], [0.25, 0.75], 2, np.log(1 + 1 / 3)),
        ([1], [1], 3, 0.0),
    ],
)
def test_zero_probabilities_have_their_meaning(p: list[float], q: list[float], alpha: float, value: float):
    assert renyi_divergence(p, q, alpha) == pytest.approx(value, rel=1e-15)
    with np.errstate(divide="ignore"):
        assert renyi_divergence_from_logits(np.log(p), np.log(q), alpha) == pytest.approx(value, rel=1e-15)


def test_minus_infinity_is_not_a_very_small_logit():
    assert renyi_divergence_from_logits([0, -1e4], [0, -INF], 1) == INF
    assert renyi_divergence_from_logits([0, -INF], [0, -1e4], 1) == 0
    assert renyi_divergence_from_logits([0, -1e4], [0, -1e3], INF) == pytest.approx(np.exp(-1e3), abs=1e-300)


@pytest.mark.parametrize("alpha", ORDERS)
@pytest.mark.parametrize("shift", [0.0, 1e4, -0.5])
def test_equal_distributions_have_divergence_and_gradients_exactly_zero(alpha: float, shift: float):
    peer = np.array([0.25, -1.5, 2.0, 2.0])
    assert renyi_divergence_from_logits(peer, peer + shift, alpha) == 0
    assert (student_gradient(peer, peer + shift, alpha) == 0).all()
    assert (peer_gradient(peer, peer + shift, alpha) == 0).all()


@pytest.mark.parametrize("function", [student_gradient, peer_gradient])
@pytest.mark.parametrize("alpha", [0.3, 1.0, 2.5])
def test_gradients_are_derivatives_of_the_divergence(function, alpha: float):
    peer, student, step = np.array([0.3, -1.2, 2.0]), np.array([0.2, 0.4, 1.1]), 1e-5
    moved = student if function is student_gradient else peer
    for i, component in enumerate(function(peer, student, alpha)):
        values = []
        for sign in (1, -1):
            shifted = moved + sign * step * np.eye(3)[i]
            pair = (peer, shifted) if function is student_gradient else (shifted, student)
            values.append(renyi_divergence_from_logits(*pair, alpha))
        assert component == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-9)


def test_orders_and_batches_broadcast_on_any_axis():
    rng = np.random.default_rng(0)
    peer, student, orders = rng.normal(size=(4, 1, 5, 3)), rng.normal(size=(2, 5, 3)), rng.uniform(0, 3, (4, 2, 1))
    batch = renyi_divergence_from_logits(peer, student, orders, axis=-2)
    gradient = student_gradient(peer, student, orders, axis=-2)
    assert batch.shape == (4, 2, 3)
    assert gradient.shape == (4, 2, 5, 3)
    assert student_hessian(peer, student, orders, axis=-2).shape == (4, 2, 3, 5, 5)
    for i, j, k in np.ndindex(4, 2, 3):
        row = peer[i, 0, :, k], student[j, :, k], orders[i, j, 0]
        assert batch[i, j, k] == renyi_divergence_from_logits(*row)
        np.testing.assert_array_equal(gradient[i, j, :, k], student_gradient(*row))


@pytest.mark.parametrize("order", [0.3, 1.0, 2.5])
def test_the_careful_path_gives_a_row_the_same_bits_beside_one_with_an_impossible_class(order: float):
    rng = np.random.default_rng(0)
    y, z = rng.normal(size=(2, 6, 4)) * 3
    y[0, 1] = -INF
    p, q, orders = scipy.special.softmax(y, -1), scipy.special.softmax(z, -1), np.full((6, 1), order)
    for careful, pair in [(careful_divergence_from_logits, (y, z)), (careful_divergence, (p, q))]:
        alone = careful(*(x[1:] for x in pair), orders[1:])
        np.testing.assert_array_equal(careful(*pair, orders)[1:], alone)


def test_many_classes_keep_their_digits():
    rng = np.random.default_rng(1)
    peer, student = rng.normal(size=(2, 20_000)) * 5
    p, q = scipy.special.softmax(peer), scipy.special.softmax(student)
    assert renyi_divergence_from_logits(peer, student, 1.0) == pytest.approx(
        scipy.special.rel_entr(p, q).sum(), rel=1e-12
    )


P, L = [0.5, 0.5], [0.0, 1.0]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: renyi_divergence(P, P, -1), "alpha must be in [0, inf], got -1.0"),
        (lambda: renyi_divergence(P, P, [1, np.nan]), "alpha must be in [0, inf], got nan at index 1"),
        (lambda: renyi_divergence([[0.5, 0.5], [1.5, -0.5]], P, 1), "p must be non-negative, got -0.5 at index (1, 1)"),
        (lambda: renyi_divergence(P, [0.5, 0.4], 1), "each row of q must sum to 1 within 1e-06, got 0.9"),
        (lambda: renyi_divergence(P, [0.5, np.nan], 1), "q must be non-negative, got nan at index 1"),
        (lambda: renyi_divergence(1.0, P, 1), "p must have a class axis, got the scalar 1.0"),
        (lambda: renyi_divergence(P, [1 / 3] * 3, 1), "p and q must have the same number of classes, got 2 and 3"),
        (lambda: renyi_divergence(P, P, 1, axis=1), "axis must be within the 1 axes of p, got 1"),
        (
            lambda: student_gradient([L] * 2, [L] * 3, 1),
            "the batch shapes of logits_p and logits_q must broadcast, got (2,) and (3,)",
        ),
        (
            lambda: student_gradient([L] * 2, L, [1, 2, 3]),
            "alpha must broadcast against the batch shape (2,), got shape (3,)",
        ),
        (
            lambda: student_gradient([], [], 1),
            "logits_p must have at least one class, got shape (0,) with the class axis -1",
        ),
        (
            lambda: peer_gradient(L, [[0, 1], [np.nan, 1]], 1),
            "logits_q must be finite or -inf, got nan at index (1, 0)",
        ),
        (lambda: peer_gradient([INF, 0], L, 1), "logits_p must be finite or -inf, got inf at index 0"),
        (
            lambda: peer_gradient([1e301, 0], L, 1),
            "logits_p must stay within +-1e+300 or be -inf, got 1e+301 at index 0",
        ),
        (
            lambda: student_hessian([[0, 1], [-INF, -INF]], L, 1),
            "logits_p must leave each row at least one possible class (a logit above -inf), got -inf at index 1",
        ),
    ],
)
def test_refusals_name_the_value_and_its_place(call, sentence: str):
    with pytest.raises(ValueError, match="must") as refusal:
        call()
    assert str(refusal.value) == sentence
