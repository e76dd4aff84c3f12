"""The mutual loss with a different order for each pair of students, and with negative weights."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from scipy.optimize import linprog

from theory import renyi_divergence_from_logits, student_gradient
from training.loss import bounds, mutual_loss
from training.loss.fast import kernel

INF = float("inf")
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # forward mode within torch
LABELS = torch.tensor([0, 3, 1, 1, 2])
WEIGHTS = [[9.0, 0.5, -0.25], [1.5, 9.0, 0.0], [-0.5, 2.0, 9.0]]
ORDERS = [[-1.0, 0.5, 0.75], [2.0, -1.0, INF], [0.25, 1.0, -1.0]]
EVERYDAY = [[-1.0, 0.5, 0.25], [2.0, -1.0, 7.0], [0.125, 1.0, -1.0]]


def cohort(students=3, dtype=torch.float64, seed=0, classes=4):
    """Logits (students, 5, classes)."""
    return torch.randn(students, 5, classes, dtype=dtype, generator=torch.Generator().manual_seed(seed)).mul(3)


def slopes(losses, students):
    """The gradient of the sum of losses in all logits."""
    leaf = students.clone().requires_grad_()
    return torch.autograd.grad(losses(leaf).sum(), leaf)[0]


def of(alpha, **options):
    """The losses as a function of the students."""
    return lambda students: mutual_loss(students, LABELS[: students.shape[1]], alpha, **options)


@pytest.mark.parametrize("orders", [ORDERS, torch.tensor(ORDERS, dtype=torch.float64)])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_each_pair_has_its_order_and_weight(orders, temperature):
    students, options = cohort(), {"weights": WEIGHTS, "temperature": temperature}
    losses, gradient = of(orders, **options)(students), slopes(of(orders, **options), students).numpy()
    z = students.numpy() / temperature
    for k in range(3):
        own = students[k].clone().requires_grad_()
        entropy = F.cross_entropy(own, LABELS)
        entropy.backward()
        assert own.grad is not None
        loss, slope = entropy.item(), own.grad.numpy()
        for j in {0, 1, 2} - {k}:
            weight, order = WEIGHTS[k][j] * temperature**2, ORDERS[k][j]
            if weight:
                loss += weight * renyi_divergence_from_logits(z[j], z[k], order).mean()
                slope = slope + weight / temperature / 5 * student_gradient(z[j], z[k], order)
        assert losses[k].item() == pytest.approx(loss, rel=1e-12)
        np.testing.assert_allclose(gradient[k], slope, rtol=0, atol=1e-14)


def test_one_order_for_all_pairs_is_that_order():
    students = cohort()
    for orders in ([[1.5] * 3] * 3, torch.full((3, 3), 1.5)):
        assert torch.equal(of(orders)(students), of(1.5)(students))


TWO = {"weights": [[9.0, -0.5], [1.5, 9.0]], "label_smoothing": 0.2}
TWO_ORDERS = [[-1.0, 0.25], [1.0, -1.0]]


def test_float32_compiled_and_plain_are_those_of_float64(monkeypatch):
    calls, run = [], kernel.run
    monkeypatch.setattr(kernel, "run", lambda *args: calls.append(args) or run(*args))
    students = cohort(2, classes=17).float()
    exact = students.double()
    truth = of(TWO_ORDERS, **TWO)(exact).float(), slopes(of(TWO_ORDERS, **TWO), exact).float()
    for compiled in (False, True):
        losses = of(TWO_ORDERS, compiled=compiled, **TWO)
        found = losses(students.clone().requires_grad_()).detach(), slopes(losses, students)
        torch.testing.assert_close(found, truth, rtol=1e-5, atol=1e-6)
    assert len(calls) == 2


def test_orders_and_signs_may_change_without_a_new_kernel():
    students = cohort(2, classes=17).float()
    slopes(of(TWO_ORDERS, compiled=True, **TWO), students)
    kernels, changed = len(kernel._KERNELS), {**TWO, "weights": [[0.0, 0.5], [0.75, 0.0]]}
    slopes(of([[0.0, 7.0], [1.0, 0.0]], compiled=True, **changed), students)
    assert len(kernel._KERNELS) == kernels


@pytest.mark.parametrize("compiled", [False, True])
def test_derivatives_of_every_kind_know_the_orders(compiled):
    peers = cohort()

    def own(z):
        return mutual_loss([z, *peers[1:]], LABELS, ORDERS, weights=WEIGHTS, compiled=compiled)[0]

    z = peers[0].clone().requires_grad_()
    assert torch.autograd.gradcheck(own, (z,), nondet_tol=1e-12)  # a second pass computes the gradient anew
    assert torch.autograd.gradgradcheck(own, (z,))
    torch.testing.assert_close(torch.func.grad(own)(peers[0]), torch.autograd.grad(own(z), z)[0])
    rate = torch.func.jvp(own, (peers[0],), (peers[1],))[1]
    torch.testing.assert_close(rate, (torch.func.grad(own)(peers[0]) * peers[1]).sum())


@pytest.mark.filterwarnings("ignore:.*Function.* should not be instantiated:DeprecationWarning")  # by torch's compiler
def test_torch_compiles_a_matrix_of_orders():
    students = cohort().float()
    losses = torch.compile(of(EVERYDAY, weights=WEIGHTS), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(slopes(losses, students), slopes(of(EVERYDAY, weights=WEIGHTS), students))


def jacobian(alpha, weights, students):
    """Of the field of the detached gradients of two students' first row, by central differences: (2C, 2C)."""
    steps = torch.eye(students.numel(), dtype=torch.float64).mul(1e-5).view(-1, *students.shape)
    field = of(alpha, weights=weights)
    rates = [slopes(field, students + h) - slopes(field, students - h) for h in steps]
    return torch.stack(rates).flatten(1) / 2e-5


@settings(max_examples=20)
@given(st.floats(0.05, 0.95), st.floats(0.1, 3), st.integers(0, 100))
def test_complementary_orders_have_no_curl(alpha, weight, seed):
    students, matrix = cohort(2, seed=seed)[:, :1], [[0, alpha], [1 - alpha, 0]]
    field = jacobian(matrix, [[0, weight * (1 - alpha)], [weight * alpha, 0]], students)
    assert (field - field.T).abs().max() < 1e-9
    assume(abs(alpha - 0.5) > 0.1)
    other = jacobian(matrix, [[0, weight], [weight, 0]], students)
    assert (other - other.T).abs().max() > 1e-3 * weight * abs(alpha - 0.5)


@settings(max_examples=100)
@given(st.floats(0.01, 0.99), st.floats(-1, 0), st.integers(0, 100), st.floats(0, 300), st.sampled_from([0.0, 0.3]))
def test_gentle_repulsion_below_order_one_leaves_the_sum_of_losses_positive(alpha, share, seed, scale, smoothing):
    students, weight = cohort(3, seed=seed) * scale, share * (1 - alpha)
    losses = mutual_loss(students, LABELS, alpha, weight, label_smoothing=smoothing)
    assert losses.sum() >= -1e-9 * (1 + scale)


@settings(max_examples=100)
@given(st.floats(0.01, 0.99), st.floats(-100, 0), st.integers(0, 100), st.floats(0, 1e4))
def test_any_repulsion_below_order_one_has_the_stated_lower_bound(alpha, weight, seed, scale):
    student, peer = cohort(2, seed=seed)
    bound = weight * alpha / (1 - alpha) * -torch.log_softmax(peer, -1).amin(-1).mean()
    assert mutual_loss([student * scale, peer], LABELS, alpha, weight)[0] >= bound * (1 + 1e-12) - 1e-9


@pytest.mark.parametrize("alpha", [1.0, 1.01, 2.0, INF])
def test_repulsion_from_order_one_on_is_refused_since_the_loss_has_no_lower_bound(alpha):
    label, peer, apart = torch.tensor([0]), torch.zeros(1, 3), torch.tensor([[0.0, 0.0, -1e4]])
    divergence = renyi_divergence_from_logits(peer.numpy(), apart.numpy(), alpha).item()
    assert F.cross_entropy(apart, label).item() - 0.01 * divergence < -10
    with pytest.raises(ValueError, match=r"the loss of student 0 has no lower bound: at orders >= 1 .* weight -0\.01;"):
        mutual_loss([apart, peer], label, alpha, -0.01)


def test_smoothing_holds_a_student_that_is_driven_away_gently():
    student, peer = torch.tensor([[-1e4, 0.0, 1e4]]), torch.zeros(1, 3)
    for alpha, most in ((1.0, 1.0), (2.0, 0.1)):
        pair = [student, peer], torch.tensor([0]), alpha
        assert mutual_loss(*pair, -0.99 * most, label_smoothing=0.3)[0] > 0
        with pytest.raises(ValueError, match="no lower bound"):
            mutual_loss(*pair, -1.01 * most, label_smoothing=0.3)


def best_for_the_student(above, up, down, target):
    """The largest value, over peers p and p', of the least f(S), where m = tau + up p - down p': a linear program."""
    classes = len(target)
    sets = np.array(list(itertools.product([0.0, 1.0], repeat=classes))[1:-1])
    sums = np.kron(np.eye(2), np.ones(classes))
    found = linprog(
        c=[*[0.0] * 2 * classes, -1.0],
        A_ub=np.hstack([-up * sets, down * sets, np.ones((len(sets), 1))]),
        b_ub=sets @ target + above,
        A_eq=np.hstack([sums, np.zeros((2, 1))]),
        b_eq=np.ones(2),
        bounds=[*[(0, 1)] * 2 * classes, (None, None)],
    )
    return -found.fun


AMOUNTS = st.sampled_from([0.0, 0.1]) | st.floats(0, 4)
SMOOTHED = st.builds(
    lambda classes, smoothing: [1 - smoothing + smoothing / classes] + [smoothing / classes] * (classes - 1),
    st.integers(2, 5),
    st.sampled_from([0.0, 0.3, 1.0]),
)
TARGETS = SMOOTHED | st.lists(st.sampled_from([0.0, 0.25, 1.0]) | st.floats(0.01, 3), min_size=2, max_size=5)


@settings(max_examples=200)
@given(AMOUNTS | st.floats(-2, 0), AMOUNTS, AMOUNTS, TARGETS)
def test_what_is_refused_is_what_no_peers_keep_bounded(above, up, down, target):
    best = best_for_the_student(above, up, down, np.array(target))
    refused = bounds.must_diverge(above, up, down, torch.tensor([target], dtype=torch.float64))
    if abs(best) > 1e-7:
        assert refused == (best < 0)
    elif above == up == min(target) == 0:  # 0 needs peers that are certain of a class
        assert refused == (down > 0)


def test_soft_labels_and_class_weights_hold_a_student_as_smoothing_does():
    logits, soft = cohort(2)[:, :1], torch.tensor([[0.7, 0.1, 0.1, 0.1]])
    assert mutual_loss(logits, soft, 1.0, -0.99).isfinite().all()
    assert mutual_loss(logits, soft, 2.0, -0.09).isfinite().all()
    assert mutual_loss(logits, soft, 2.0, -0.19, class_weights=[2.0] * 4).isfinite().all()
    rows = {"row_weights": torch.tensor([0.0, 3.0]), "class_weights": [1.0, 3.0, 1.0, 1.0]}
    assert mutual_loss(cohort(2)[:, :2], LABELS[:2], 1.0, -0.9, label_smoothing=0.4, **rows).isfinite().all()
    for weight, labels, options in (
        (-1.01, soft, {}),
        (-0.11, soft, {"alpha": 2.0}),
        (-0.21, soft, {"alpha": 2.0, "class_weights": [2.0] * 4}),
        (-0.5, torch.tensor([[0.5, 0.5, 0.0, 0.0]]), {}),
        (-0.5, LABELS[:1], {"class_weights": [2.0] * 4}),
    ):
        with pytest.raises(ValueError, match="no lower bound"):
            mutual_loss(logits, labels, **{"alpha": 1.0, "weight": weight, **options})


def test_with_one_class_no_repulsion_is_refused():
    assert mutual_loss(torch.zeros(2, 1, 1), torch.tensor([0]), 2.0, -1.0).tolist() == [0, 0]
