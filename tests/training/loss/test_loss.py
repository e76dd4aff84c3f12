"""The torch loss against `theory`, against `torch.nn.functional.kl_div`, and at the edge of float32."""

from contextlib import contextmanager
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from float_rows import assert_accurate_in_single_precision, rows_of_float32
from hypothesis import assume, example, given, settings

from theory import peer_gradient, renyi_divergence_from_logits, student_gradient
from theory.statements.strategies import close_pairs, logits, orders
from training.loss import RenyiDivergenceLoss, blocks, renyi_divergence_loss

INF = float("inf")
EDGES = [0.0, 5e-324, 1e-12, 0.25, 0.5, 0.75, 1.0, 1.39, 1.41, 1.5, 2.0, 7.9, 8.1, 30.0, 1e3, 1e6, 1e38, 1e200, INF]
ORDERS = sorted({float(x) for e in EDGES for x in (e, np.nextafter(e, 0), np.nextafter(e, INF))})
PAIRS = close_pairs() | st.integers(1, 6).flatmap(
    lambda n: st.tuples(logits(n, scale=4), logits(n, scale=4)) if n > 1 else st.just((np.ones(1), np.zeros(1)))
)


def derivatives(student, peer, alpha, reduction="none", **options):
    """Rows of the loss, and its gradients in the student's and the peer's logits, as float64 arrays."""
    student, peer = (torch.as_tensor(x).detach().clone().requires_grad_() for x in (student, peer))
    rows = renyi_divergence_loss(student, peer, alpha, reduction, **options)
    rows.sum().backward()
    gradients = (torch.zeros_like(x) if x.grad is None else x.grad for x in (student, peer))
    return tuple(x.detach().double().numpy() for x in (rows, *gradients))


def assert_normwise(values, truth, relative):
    """Rows agree up to that share of their largest component; numbers below 1e-290 have too few digits to compare."""
    size = np.abs(truth).max(-1, initial=0.0, keepdims=True)
    assert (np.abs(values - truth) <= relative * size + 1e-290).all(), (values, truth)


def tie_that_only_exact_arithmetic_breaks(peer, student):
    """Whether the two largest log-ratios differ, but by less than theory's double-doubles can tell (order inf only)."""
    ratios = sorted({Fraction(y) - Fraction(z) for y, z in zip(peer.tolist(), student.tolist(), strict=True)})
    return len(ratios) > 1 and ratios[-1] - ratios[-2] < 1e-25


@settings(max_examples=300, deadline=None)
@given(PAIRS, orders())
@example((np.array([0.0, 1.0, -1.0]), np.array([2e-20, 2.0, -1.0])), INF)
def test_value_and_both_gradients_are_those_of_theory(pair, alpha):
    peer, student = pair
    assume(alpha < INF or not tie_that_only_exact_arithmetic_breaks(peer, student))
    value, gradient, of_peer = derivatives(student, peer, alpha, detach_peer=False)
    np.testing.assert_allclose(value, renyi_divergence_from_logits(peer, student, alpha), rtol=1e-10, atol=1e-290)
    assert_normwise(gradient, student_gradient(peer, student, alpha), 1e-10)
    assert_normwise(of_peer, peer_gradient(peer, student, alpha), 1e-10)


@settings(max_examples=200, deadline=None)
@given(PAIRS.filter(lambda pair: len(pair[0]) > 1), orders(), st.data())
def test_classes_that_a_side_excludes_change_both_gradients_as_in_theory(pair, alpha, data):
    excluded = st.lists(st.booleans(), min_size=len(pair[0]), max_size=len(pair[0]))
    peer, student = rows = [np.where(data.draw(excluded), -INF, row) for row in pair]
    assume(alpha < INF or not tie_that_only_exact_arithmetic_breaks(*(x[np.isfinite(peer + student)] for x in rows)))
    truth = renyi_divergence_from_logits(peer, student, alpha) if np.isfinite(rows).any(-1).all() else INF
    assume(np.isfinite(truth))
    value, gradient, of_peer = derivatives(student, peer, alpha, detach_peer=False)
    np.testing.assert_allclose(value, truth, rtol=1e-10, atol=1e-290)
    assert_normwise(gradient, student_gradient(peer, student, alpha), 1e-10)
    assert_normwise(of_peer, peer_gradient(peer, student, alpha), 1e-10)


FAR_BELOW = st.sampled_from([-1e4, -1e9, -1e20, -1e30])


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 6).flatmap(lambda n: st.tuples(logits(n, scale=4), logits(n, scale=4))), orders(), FAR_BELOW)
def test_a_class_far_below_the_others_on_both_sides_rounds_none_of_them(pair, alpha, mask):
    """As -1e9 in place of -inf, where the student's logits lie above the peer's: its log-ratio is the largest."""
    peer, student = (np.append(row, mask) for row in (pair[0], pair[1] + 10))
    assume(alpha < INF or not tie_that_only_exact_arithmetic_breaks(peer, student))
    value, gradient, of_peer = derivatives(student, peer, alpha, detach_peer=False)
    np.testing.assert_allclose(value, renyi_divergence_from_logits(peer, student, alpha), rtol=1e-9, atol=1e-14)
    assert np.abs(gradient - student_gradient(peer, student, alpha)).max() <= 1e-12
    assert np.abs(of_peer - peer_gradient(peer, student, alpha)).max() <= 1e-12 * max(1.0, min(alpha, 1e3))


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 6).flatmap(lambda n: st.tuples(logits(n, scale=4), logits(n, scale=4))), st.floats(0.01, 0.99))
@pytest.mark.parametrize("mask", [-1e4, -1e9, -1e20])
def test_a_class_far_below_the_others_in_the_student_alone_rounds_none_of_them(mask, pair, alpha):
    peer, student = np.append(pair[0], 1.0), np.append(pair[1], mask)
    assume((1 - alpha) * -mask > 100)  # else it counts
    value, gradient, of_peer = derivatives(student, peer, alpha, detach_peer=False)
    np.testing.assert_allclose(value, renyi_divergence_from_logits(peer, student, alpha), rtol=1e-9)
    assert np.abs(gradient - student_gradient(peer, student, alpha)).max() <= 1e-12
    assert np.abs(of_peer - peer_gradient(peer, student, alpha)).max() <= 1e-9


@settings(max_examples=100, deadline=None)
@given(PAIRS, orders())
def test_detached_peers_get_no_gradient_and_change_nothing_else(pair, alpha):
    peer, student = pair
    value, gradient, of_peer = derivatives(student, peer, alpha)
    assert (of_peer == 0).all()
    expected = derivatives(student, peer, alpha, detach_peer=False)
    assert value == expected[0]
    np.testing.assert_array_equal(gradient, expected[1])


SHAPES = [((3,), (3,), -1), ((4, 3), (3,), -1), ((5, 1, 3), (2, 3), -1), ((4, 3, 2), (4, 3, 1), 1), ((0, 3), (0, 3), 1)]


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9, 1.0, 2.0, INF])
@pytest.mark.parametrize(("student_shape", "peer_shape", "dim"), SHAPES)
def test_classes_lie_along_any_axis_and_batches_broadcast(student_shape, peer_shape, dim, alpha):
    rng = np.random.default_rng(0)
    student, peer = rng.normal(size=student_shape), rng.normal(size=peer_shape)
    value, gradient, of_peer = derivatives(student, peer, alpha, dim=dim, detach_peer=False)
    np.testing.assert_allclose(value, renyi_divergence_from_logits(peer, student, alpha, axis=dim), rtol=1e-10)
    for got, formula, shape in ((gradient, student_gradient, student_shape), (of_peer, peer_gradient, peer_shape)):
        whole = torch.tensor(formula(peer, student, alpha, axis=dim))
        np.testing.assert_allclose(got, whole.sum_to_size(shape), rtol=0, atol=1e-14 * whole.numel())


@pytest.mark.parametrize("reduction", ["batchmean", "sum", "mean"])
@pytest.mark.parametrize("shape", [(4, 3), (4, 5, 3)])
def test_order_one_is_kl_div_reduction_by_reduction(reduction, shape):
    student, peer = torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    arguments = F.log_softmax(student, -1), F.log_softmax(peer, -1)
    expected = F.kl_div(*arguments, reduction="none", log_target=True).sum(-1)
    expected = expected.mean() if reduction == "mean" else F.kl_div(*arguments, reduction=reduction, log_target=True)
    torch.testing.assert_close(renyi_divergence_loss(student, peer, 1, reduction), expected, rtol=1e-12, atol=0)


def test_mean_is_the_default_and_rows_have_no_class_axis():
    student, peer = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    rows = renyi_divergence_loss(student, peer, 0.5, "none")
    assert rows.shape == (4,)
    torch.testing.assert_close(renyi_divergence_loss(student, peer, 0.5), rows.mean())
    torch.testing.assert_close(renyi_divergence_loss(student[0], peer[0], 0.5, "batchmean"), rows[0])


@pytest.mark.parametrize("alpha", [0.5, 1.0, torch.tensor(2.0)])
@pytest.mark.parametrize("reduction", ["none", "batchmean", "sum", "mean"])
def test_the_module_is_the_function(alpha, reduction):
    student, peer = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    module = RenyiDivergenceLoss(alpha, reduction, dim=1)
    assert torch.equal(module(student, peer), renyi_divergence_loss(student, peer, alpha, reduction, dim=1))
    assert repr(module) == (
        f"RenyiDivergenceLoss(alpha={float(alpha)}, reduction={reduction!r}, dim=1, detach_peer=True)"
    )


@pytest.mark.parametrize("alpha", ORDERS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_equal_logits_have_loss_and_gradients_exactly_zero(alpha, dtype):
    row = torch.tensor([[0.25, -1.5, 2.0, 2.0], [60.0, -40.0, 0.0, 1.0], [1e4, -1e4, 3.0, 9.5]], dtype=dtype)
    for part in derivatives(row, row, alpha, detach_peer=False):
        assert (part == 0).all()


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (37, 10), (3, 7, 11), (70, 1000)])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_loss_and_gradient_vanish_whatever_the_number_of_elements(alpha, shape, reduction):
    student = torch.randn(shape, generator=torch.Generator().manual_seed(0)).mul(5).requires_grad_()
    loss = renyi_divergence_loss(student, student.detach().clone(), alpha, reduction)
    loss.sum().backward()
    assert not loss.any()
    assert student.grad is not None
    assert not student.grad.any()


@contextmanager
def several_threads():
    """Two threads, and blocks so small that 9 rows of 300 classes need several."""
    threads, block = torch.get_num_threads(), blocks.BLOCK["cpu"]
    torch.set_num_threads(2)
    blocks.BLOCK["cpu"] = 128
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        blocks.BLOCK["cpu"] = block


@pytest.mark.parametrize("alpha", [0.0, 0.9, 1.0, 2.0, INF])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_blocks_of_rows_change_nothing(alpha, reduction):
    student, peer = torch.randn(2, 9, 300, generator=torch.Generator().manual_seed(0)).mul(5)
    whole = derivatives(student, peer, alpha, reduction)
    with several_threads():
        for part, expected in zip(derivatives(student, peer, alpha, reduction), whole, strict=True):
            np.testing.assert_allclose(part, expected, rtol=1e-6, atol=1e-7)


@settings(max_examples=100, deadline=None)
@given(rows_of_float32(), st.sampled_from([0.5, 1.0, 1.4, 1.5, 2.0, 7.9]))
def test_several_threads_find_the_mean_of_the_rows(pair, alpha):
    wide = tuple(np.tile(x, (1, -(-65 // x.shape[1]))) for x in pair)  # of 4 rows more than a block
    with several_threads():
        assert_mean_of_rows(wide, alpha)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_equal_logits_lose_nothing_on_several_threads(alpha):
    student = torch.randn(9, 300, generator=torch.Generator().manual_seed(0)).mul(5).requires_grad_()
    with several_threads():
        loss = renyi_divergence_loss(student, student.detach().clone(), alpha)
    loss.backward()
    assert loss == 0
    assert student.grad is not None
    assert not student.grad.any()


@settings(max_examples=200, deadline=None)
@given(rows_of_float32(), st.sampled_from([0.5, 1.0, 1.4, 1.5, 2.0, 7.9]))
def test_the_mean_is_that_of_the_rows_and_has_their_gradient(pair, alpha):
    assert_mean_of_rows(pair, alpha)


def assert_mean_of_rows(pair, alpha):
    """The mean and its gradient are those of `reduction="none"`, which the quick way does not compute."""
    peer, student = (torch.tensor(x) for x in pair)
    wholes, parts = (student.clone().requires_grad_() for _ in range(2))
    loss, rows = renyi_divergence_loss(wholes, peer, alpha), renyi_divergence_loss(parts, peer, alpha, "none")
    torch.autograd.backward([loss, rows.mean()])
    spread = max(1.0, float(peer.max() - peer.min()), float(student.max() - student.min()))
    torch.testing.assert_close(loss, rows.mean(), rtol=1e-5, atol=1e-6 * spread)
    torch.testing.assert_close(wholes.grad, parts.grad, rtol=0, atol=1e-7 * (1 + alpha) * spread)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("ahead", [80.0, 84.0, 86.0, 88.0, 90.0])
def test_many_rows_with_a_class_far_above_the_first_keep_their_gradient(ahead, alpha):
    """A sum that is just inside float32's range overflows when it is multiplied by the number of rows."""
    student, peer = torch.zeros(2, 64, 3)
    student[:, 1] = ahead
    assert_mean_of_rows((peer.numpy(), student.numpy()), alpha)


@pytest.mark.parametrize("alpha", [0.3, 0.5, 0.6, 1.4, 2.0])
@pytest.mark.parametrize("classes", [3, 128, 3000])
def test_students_far_apart_lose_no_digits_where_their_common_mass_underflows(classes, alpha):
    """All of it lies in classes that are equally unlikely to both, down to far below float32's smallest number."""
    peer, student = torch.zeros(2, 25, classes)
    peer[:, 0] = student[:, 1] = torch.arange(60.0, 110.0, 2.0)
    peer[:, 1] = student[:, 0] = -2 * peer[:, 0]
    rows = renyi_divergence_loss(student.requires_grad_(), peer, alpha, "none")
    alone = [renyi_divergence_loss(student[i : i + 1], peer[i : i + 1], alpha) for i in range(25)]
    torch.testing.assert_close(torch.stack(alone), rows, rtol=2e-6, atol=0)


def test_a_class_that_only_the_student_excludes_counts_even_where_its_probability_underflows():
    peer, student = torch.tensor([[0.0, -200.0]]), torch.tensor([[0.0, -INF]])
    assert renyi_divergence_loss(student, peer, 1.0) == INF


@settings(max_examples=250, deadline=None)
@given(rows_of_float32(), st.sampled_from(ORDERS) | st.floats(0, 10) | orders())
def test_float32_is_as_accurate_as_its_logits_allow(pair, alpha):
    value, gradient, of_peer = derivatives(pair[1], pair[0], alpha, detach_peer=False)
    assert_accurate_in_single_precision(value, gradient, pair, alpha)
    assert np.isfinite(of_peer).all()


@settings(max_examples=100, deadline=None)
@given(rows_of_float32(), st.sampled_from(ORDERS), st.sampled_from([torch.bfloat16, torch.float16]))
def test_half_precision_is_computed_in_float32(pair, alpha, dtype):
    peer, student = (torch.tensor(x).to(dtype) for x in pair)
    for detach in (True, False):
        value, *gradients = derivatives(student, peer, alpha, detach_peer=detach)
        expected, *slopes = derivatives(student.float(), peer.float(), alpha, detach_peer=detach)
        np.testing.assert_array_equal(value, expected)
        for gradient, slope in zip(gradients, slopes, strict=True):
            np.testing.assert_array_equal(gradient, torch.tensor(slope).to(dtype).double())
    assert renyi_divergence_loss(student, peer, alpha).dtype == torch.float32
