"""Derivatives of the torch loss of every kind: gradcheck, double backward, torch.func, torch.compile."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from torch.autograd import forward_ad, gradcheck, gradgradcheck

from theory import peer_gradient, student_gradient, student_hessian
from theory.statements.strategies import logits
from training.loss import mutual_loss, renyi_divergence_loss

INF = float("inf")
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # forward mode within torch
ORDERS = [0.0, 0.3, 0.5, 1 - 1e-9, 1.0, 1.5, 2.0, 30.0, INF]

ROW = torch.tensor([0, 3, 1])


def pair(*shape, dtype=torch.float64):
    """(student, peer): moderate logits, different in each row."""
    return torch.randn(2, *shape, dtype=dtype, generator=torch.Generator().manual_seed(0)).unbind()


def rows(alpha, detach_peer=True):
    return lambda student, peer: renyi_divergence_loss(student, peer, alpha, "none", detach_peer=detach_peer)


def total(alpha, detach_peer=True):
    return lambda student, peer: renyi_divergence_loss(student, peer, alpha, "sum", detach_peer=detach_peer)


@pytest.mark.parametrize("alpha", ORDERS)
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
@pytest.mark.parametrize("detach_peer", [True, False])
def test_derivatives_are_those_of_finite_differences(check, alpha, detach_peer):
    student, peer = pair(3, 4)
    inputs = student.requires_grad_(), peer.requires_grad_(not detach_peer)
    assert check(rows(alpha, detach_peer), inputs)


@pytest.mark.parametrize("alpha", ORDERS)
def test_second_derivatives_stay_right_where_students_agree(alpha):
    student, _ = pair(1, 4)
    inputs = student.requires_grad_(), student.detach().clone().requires_grad_()
    if 0 < alpha < INF:  # at order inf agreement is a kink
        assert gradgradcheck(rows(alpha, detach_peer=False), inputs)


@pytest.mark.parametrize("alpha", ORDERS)
def test_hessians_of_every_route_are_those_of_theory(alpha):
    student, peer = pair(4)
    truth = student_hessian(peer.numpy(), student.numpy(), alpha)
    routes = [
        torch.func.hessian(total(alpha))(student, peer),
        torch.func.jacrev(torch.func.jacrev(total(alpha)))(student, peer),
        torch.func.jacrev(torch.func.jacfwd(total(alpha)))(student, peer),
        torch.autograd.functional.hessian(lambda z: total(alpha)(z, peer), student),
    ]
    for hessian in routes:
        np.testing.assert_allclose(hessian, truth, rtol=0, atol=1e-14)


@settings(max_examples=100, deadline=None)
@given(logits(4, scale=40), logits(4, scale=40), st.sampled_from([0.3, 0.55, 1.5, 2.0, 30.0]))
@example(np.array([-5.4, -1.3, -5.4, -1.3]), np.array([19.8, -40.0, 19.8, -40.0]), 0.55)
def test_hessians_in_the_peer_are_alpha_over_one_minus_alpha_times_j_p_minus_alpha_j_w(peer, student, alpha):
    y, z = torch.tensor(peer), torch.tensor(student)
    p, w = torch.softmax(y, -1), torch.softmax(z + alpha * (y - z), -1)
    one, other = (torch.diag(x) - torch.outer(x, x) for x in (p, w))
    truth = alpha / (1 - alpha) * (one - alpha * other)

    def of_peer(y):
        return total(alpha, detach_peer=False)(z, y)

    for hessian in (torch.autograd.functional.hessian(of_peer, y), torch.func.hessian(of_peer)(y)):
        torch.testing.assert_close(hessian, truth, rtol=0, atol=1e-12 * alpha)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_pull_on_a_peer_depends_on_the_student_also_within_a_rounding_of_order_one(dtype):
    """Where the student excludes a class, -alpha J_w on the classes that both have; w is the student there."""
    peer = torch.tensor([-3.75, 2.5, -2.75], dtype=dtype, requires_grad=True)
    student = torch.tensor([-7.875, -INF, 4.5], dtype=dtype, requires_grad=True)
    alpha = 1 - 1e-9
    (pull,) = torch.autograd.grad(total(alpha, detach_peer=False)(student, peer), peer, create_graph=True)
    (found,) = torch.autograd.grad(pull[0], student)
    w = torch.softmax(peer.detach().double()[[0, 2]], -1)
    np.testing.assert_allclose(found, -(w[0] * w[1]) * torch.tensor([1.0, 0.0, -1.0]), rtol=1e-5)


@pytest.mark.parametrize("alpha", ORDERS)
def test_grad_of_each_sample_under_vmap_is_the_gradient_of_its_row(alpha):
    student, peer = pair(5, 4)
    gradients = torch.func.vmap(torch.func.grad(total(alpha, False), (0, 1)))(student, peer)
    for got, formula in zip(gradients, (student_gradient, peer_gradient), strict=True):
        np.testing.assert_allclose(got, formula(peer.numpy(), student.numpy(), alpha), rtol=0, atol=1e-14)
    one_peer = torch.func.vmap(torch.func.grad(total(alpha)), in_dims=(0, None))(student, peer[0])
    np.testing.assert_allclose(one_peer, student_gradient(peer[0].numpy(), student.numpy(), alpha), rtol=0, atol=1e-14)


@pytest.mark.parametrize("alpha", ORDERS)
@pytest.mark.parametrize("detach_peer", [True, False])
def test_forward_mode_is_the_gradient_times_the_direction(alpha, detach_peer):
    student, peer = pair(3, 4)
    along, across = pair(3, 4)[::-1]
    expected = (torch.tensor(student_gradient(peer.numpy(), student.numpy(), alpha)) * along).sum(-1)
    if not detach_peer:
        expected += (torch.tensor(peer_gradient(peer.numpy(), student.numpy(), alpha)) * across).sum(-1)
    f = rows(alpha, detach_peer)
    torch.testing.assert_close(torch.func.jvp(f, (student, peer), (along, across))[1], expected)
    with forward_ad.dual_level():
        result = f(forward_ad.make_dual(student, along), forward_ad.make_dual(peer, across))
        torch.testing.assert_close(forward_ad.unpack_dual(result).tangent, expected)


def test_forward_over_forward_mode_is_refused_instead_of_wrong():
    with pytest.raises(NotImplementedError, match="forward over forward mode is not supported"):
        torch.func.jacfwd(torch.func.jacfwd(total(1.5)))(*pair(3))


def test_a_second_backward_through_one_graph_gives_the_same_gradient():
    student, peer = pair(3, 4)
    loss = total(1.5)(student.requires_grad_(), peer)
    loss.backward(retain_graph=True)
    first = student.grad
    student.grad = None
    loss.backward()
    torch.testing.assert_close(student.grad, first, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "loss", [lambda z, y: renyi_divergence_loss(z, y, 1.5), lambda z, y: mutual_loss([z, y], ROW, 1.5)]
)
def test_logits_may_change_in_place_between_the_loss_and_its_backward_pass(loss):
    """As a teacher's buffer that the next batch fills again, or a leaf's data."""
    student, buffer = (x.float() for x in pair(3, 4))
    leaf = student.requires_grad_()
    (kept,) = torch.autograd.grad(loss(leaf, buffer.clone()).sum(), leaf)
    value = loss(leaf * 1, buffer).sum()
    buffer.zero_()
    (found,) = torch.autograd.grad(value, leaf)
    torch.testing.assert_close(found, kept)


@pytest.mark.filterwarnings("ignore:.*Function.* should not be instantiated:DeprecationWarning")  # by torch's compiler
@pytest.mark.parametrize(
    ("alpha", "options"),
    [(0.5, {}), (0.9, {}), (1.0, {}), (2.0, {"ignore_index": 2, "class_weights": torch.tensor([1.0, 2.0, 0.5, 1.0])})],
)
def test_a_compiled_step_is_the_eager_one(alpha, options):
    student, peer = pair(3, 4, dtype=torch.float32)

    def losses(student, peer):
        pull = renyi_divergence_loss(student, peer, alpha)
        return (
            pull + mutual_loss([student, peer], torch.tensor([0, 1, 2]), alpha, weights=[[0, 1], [0, 0]], **options)[0]
        )

    compiled, gradients = torch.compile(losses, backend="aot_eager", fullgraph=True), []
    for function in (losses, compiled):
        leaf = student.clone().requires_grad_()
        loss = function(leaf, peer)
        loss.backward()
        gradients.append((loss.detach(), leaf.grad))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=2e-6, atol=2e-7)
