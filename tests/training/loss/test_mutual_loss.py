"""The mutual loss: a sum over pairs written with `theory`, cross-entropy at weight 0, deep mutual learning at 1."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from theory import renyi_divergence_from_logits, student_gradient
from training.loss import mutual_loss

INF = float("inf")
ORDERS = [0.0, 0.5, 0.97, 1.0, 1.5, 2.0, INF]
LABELS = torch.tensor([0, 3, 1, 1, 2])


def cohort(students, dtype=torch.float64):
    """Leaves (5, 4), one a student."""
    generator = torch.Generator().manual_seed(students)
    return [torch.randn(5, 4, dtype=dtype, generator=generator).mul(3).requires_grad_() for _ in range(students)]


def by_hand(logits, alpha, weight=1.0, weights=None, temperature=1.0, label_smoothing=0.0):
    """Losses (K,) and gradients (K, N, C), pair by pair, from the formula and its gradient in `theory`."""
    rows = [z.detach().numpy() for z in logits]
    entropies = [F.cross_entropy(z, LABELS, label_smoothing=label_smoothing) for z in logits]
    losses = np.array([loss.item() for loss in entropies])
    gradients = np.stack([torch.autograd.grad(loss, z)[0].numpy() for loss, z in zip(entropies, logits, strict=True)])
    for k, z in enumerate(rows):
        for j, y in enumerate(rows):
            if j != k:
                pull = weight * temperature**2 * (1 / (len(rows) - 1) if weights is None else weights[k][j])
                y, softened = y / temperature, z / temperature
                losses[k] += pull * renyi_divergence_from_logits(y, softened, alpha).mean()
                gradients[k] += pull / temperature / len(z) * student_gradient(y, softened, alpha)
    return losses, gradients


TOPOLOGY = [[9.0, 0.5, 0.0], [0.0, 0.0, 0.0], [0.25, 2.0, 0.0]]
OPTIONS = [
    {},
    {"weight": 0.3},
    {"weights": TOPOLOGY},
    {"temperature": 4.0},
    {"label_smoothing": 0.2},
    {"weight": 2.0, "weights": TOPOLOGY, "temperature": 0.5, "label_smoothing": 0.1},
]


@pytest.mark.parametrize("alpha", ORDERS)
@pytest.mark.parametrize("options", OPTIONS)
def test_losses_and_gradients_are_a_loop_over_pairs(alpha, options):
    logits = cohort(3)
    losses = mutual_loss(logits, LABELS, alpha, **options)
    losses.sum().backward()
    expected, gradients = by_hand(cohort(3), alpha, **options)
    np.testing.assert_allclose(losses.detach(), expected, rtol=1e-12)
    np.testing.assert_allclose([z.grad.numpy() for z in logits if z.grad is not None], gradients, rtol=0, atol=1e-14)


@pytest.mark.parametrize("students", [1, 2, 5])
def test_a_joint_backward_gives_each_student_the_gradient_of_its_own_loss(students):
    joint = cohort(students)
    mutual_loss(joint, LABELS, 1.5).sum().backward()
    for k, student in enumerate(joint):
        alone = cohort(students)
        mutual_loss(alone, LABELS, 1.5)[k].backward()
        torch.testing.assert_close(student.grad, alone[k].grad)
        assert all(z.grad is None or not z.grad.any() for j, z in enumerate(alone) if j != k)


@pytest.mark.parametrize("alone", [{"weight": 0.0}, {"weights": [[0.0, 0.0], [0.0, 0.0]]}])
def test_without_attraction_the_loss_is_cross_entropy_to_the_bit(alone):
    logits = cohort(2, torch.float32)
    losses = mutual_loss(logits, LABELS, 1.5, **alone)
    assert losses.tolist() == [F.cross_entropy(z, LABELS, reduction="none").mean().item() for z in logits]


def test_order_one_is_deep_mutual_learning():
    first, second = cohort(2)
    log_q, log_p = F.log_softmax(first, -1), F.log_softmax(second.detach(), -1)
    expected = F.cross_entropy(first, LABELS) + F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    torch.testing.assert_close(mutual_loss([first, second], LABELS, 1.0)[0], expected)


def test_the_divergence_of_students_that_agree_is_exactly_zero():
    student = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(
        mutual_loss([student] * 3, LABELS, 1.5, weight=7.0), mutual_loss([student] * 3, LABELS, 1.5, weight=0.0)
    )


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("weights", [None, [[0.0, 1.0, 2.0], [0.5, 0.0, 0.5], [1.0, 3.0, 0.0]], TOPOLOGY])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_float32_students_are_those_of_float64(alpha, weights, temperature, scale):
    whole = torch.randn(3, 37, 10, generator=torch.Generator().manual_seed(0)).mul(3 * scale).requires_grad_()
    doubled, labels = whole.detach().double().requires_grad_(), torch.arange(37) % 10
    options = {"weights": weights, "temperature": temperature, "label_smoothing": 0.1}
    losses, truth = (mutual_loss(z, labels, alpha, **options) for z in (whole, doubled))
    torch.autograd.backward([losses.sum(), truth.sum()])
    torch.testing.assert_close(losses, truth, rtol=1e-5, atol=1e-6, check_dtype=False)
    torch.testing.assert_close(whole.grad, doubled.grad, rtol=0, atol=2e-7 * scale, check_dtype=False)


@pytest.mark.parametrize("shape", [(2, 3, 5), (3, 37, 10), (2, 70, 1000)])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_agreement_is_exact_whatever_the_number_of_elements(shape, alpha):
    students = torch.randn(shape[1:], generator=torch.Generator().manual_seed(0)).expand(shape)
    labels = torch.zeros(shape[1], dtype=torch.long)
    assert torch.equal(
        mutual_loss(students.clone().requires_grad_(), labels, alpha).detach(),
        mutual_loss(students, labels, alpha, 0.0),
    )


def test_no_rows_have_no_mean():
    assert mutual_loss(torch.zeros(2, 0, 3, requires_grad=True), LABELS[:0], 1.5).isnan().all()


def test_many_rows_in_blocks_are_the_same_as_few():
    generator = torch.Generator().manual_seed(0)
    logits = [torch.randn(300, 1000, generator=generator) for _ in range(2)]  # several blocks on a CPU
    labels = torch.zeros(300, dtype=torch.long)
    whole = torch.stack(logits).requires_grad_()
    losses = mutual_loss(whole, labels, 1.5)
    losses.sum().backward()
    parts = torch.stack([mutual_loss([z[s : s + 10] for z in logits], labels[:10], 1.5) for s in range(0, 300, 10)])
    torch.testing.assert_close(losses.detach(), parts.mean(0))
    doubled = whole.detach().double().requires_grad_()
    mutual_loss(doubled, labels, 1.5).sum().backward()
    torch.testing.assert_close(whole.grad, doubled.grad, rtol=1e-5, atol=1e-9, check_dtype=False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("alpha", [1.0, 1.2, 1.5])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_half_precision_students_learn_in_float32(reduction, temperature, alpha, dtype):
    halves = [z.detach().to(dtype).requires_grad_() for z in cohort(3)]
    floats = [z.detach().float().requires_grad_() for z in halves]
    for students in (halves, floats):
        losses = mutual_loss(students, LABELS, alpha, temperature=temperature, reduction=reduction)
        assert losses.dtype == torch.float32
        losses.sum().backward()
    for half, single in zip(halves, floats, strict=True):
        assert half.grad is not None
        assert single.grad is not None
        torch.testing.assert_close(half.grad, single.grad.to(dtype))
        assert half.grad.dtype == dtype


def confident(rows):
    """Logits (2, rows, 10) in float16 and labels: gradients of a mean over 8192 such rows are below 1e-6."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (rows,), generator=generator)
    right = 9.0 * F.one_hot(labels, 10)
    return (right + 0.3 * torch.randn(2, rows, 10, generator=generator)).half(), labels


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_loss_scaling_saves_the_gradient_of_a_mean_in_half_precision(reduction):
    students, labels = confident(8192)
    scale = 2.0**16 if reduction == "mean" else 8.0
    found = []
    for leaf in (students.requires_grad_(), students.detach().double().requires_grad_()):
        (mutual_loss(leaf, labels, 1.0, reduction=reduction).sum() * scale).backward()
        assert leaf.grad is not None
        found.append(leaf.grad.double() / scale)
    assert (found[0] - found[1]).norm() < 1e-3 * found[1].norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alpha", [1e4, 1e6, 1e8, 1e17, INF])
def test_tied_log_ratios_share_the_gradient_of_the_mean_at_large_orders(alpha, dtype):
    student, peer = torch.tensor([[0.3125, 1.3125, 3.0]], dtype=dtype), torch.tensor([[1.0, 2.0, -1.0]], dtype=dtype)
    pulls = []
    for weight in (1.0, 0.0):
        leaf = student.clone().requires_grad_()
        mutual_loss([leaf, peer], torch.tensor([2]), alpha, weight)[0].backward()
        pulls.append(leaf.grad)
    truth = student_gradient(peer.double().numpy(), student.double().numpy(), alpha)
    np.testing.assert_allclose(pulls[0] - pulls[1], truth, rtol=0, atol=1e-6)


def test_a_students_own_loss_differentiates_twice():
    first, peer = cohort(2)
    assert torch.autograd.gradgradcheck(lambda z: mutual_loss([z, peer.detach()], LABELS, 1.5)[0], (first,))
