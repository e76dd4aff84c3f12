"""The compiled losses: the same as without compiling, for every order and row that a kernel accepts.

Tests share shapes where they can: each new one is a kernel, which takes two seconds, and up to four with a few
classes. 17 classes fill whole vectors of a processor and leave a rest.
"""

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from float_rows import assert_accurate_in_single_precision, rows_of_float32
from hypothesis import given, settings
from torch._dynamo.utils import counters

from theory import renyi_divergence_from_logits, student_gradient
from training.loss import RenyiDivergenceLoss, mutual_loss, renyi_divergence_loss
from training.loss.fast import everyday, kernel

INF = float("inf")
ORDERS = [[1.0], [0.5, 1.5, 2.0]]  # those that share a kernel, which a second test process would compile anew
MANY = 100_000  # classes, of which sums are taken in float64
FUSED = st.just(1.0) | st.floats(1e-3, 0.6) | st.floats(1.4, 8)


@pytest.fixture
def taken(monkeypatch):
    """The options of every call that ran a kernel."""
    options, run = [], kernel.run
    monkeypatch.setattr(kernel, "run", lambda *args: options.append(args[1]) or run(*args))
    return options


def random_logits(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).mul(3)


def step(loss, student, *args, **options):
    """The loss and its gradient in the student's logits."""
    leaf = student.clone().requires_grad_()
    value = loss(leaf, *args, **options)
    value.sum().backward()
    assert leaf.grad is not None
    return value.detach(), leaf.grad


def both(loss, *args, **options):
    """Plain and compiled."""
    return [step(loss, *args, compiled=compiled, **options) for compiled in (False, True)]


@pytest.mark.parametrize("classes", [1, 17, 300])
@settings(max_examples=100)
@given(data=st.data(), alpha=FUSED)
def test_rows_and_their_gradients_are_those_of_theory(classes, data, alpha):
    pair = data.draw(rows_of_float32(classes))
    peer, student = (torch.tensor(x) for x in pair)
    value, gradient = step(renyi_divergence_loss, student, peer, alpha, "none", compiled=True)
    assert_accurate_in_single_precision(value.double().numpy(), gradient.double().numpy(), pair, alpha)


@settings(max_examples=100)
@given(rows_of_float32(17), FUSED)
def test_the_mean_is_that_of_the_rows(pair, alpha):
    peer, student = (torch.tensor(x) for x in pair)
    rows, slopes = step(renyi_divergence_loss, student, peer, alpha, "none", compiled=True)
    value, gradient = step(renyi_divergence_loss, student, peer, alpha, compiled=True)
    torch.testing.assert_close(value, rows.mean(), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(gradient, slopes / 4, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("alphas", ORDERS)
def test_sums_over_many_classes_lose_no_digits(alphas):
    student, peer = random_logits(2, 4, MANY)
    for alpha in alphas:
        value, gradient = step(renyi_divergence_loss, student, peer, alpha, "none", compiled=True)
        exact, slope = step(renyi_divergence_loss, student.double(), peer.double(), alpha, "none")
        torch.testing.assert_close(value.double(), exact, rtol=1e-6, atol=0)
        torch.testing.assert_close(gradient.double(), slope, rtol=0, atol=2e-6 * float(slope.abs().max()))


@pytest.mark.parametrize("alphas", ORDERS)
@pytest.mark.parametrize(("dim", "classes"), [(1, everyday._MANY), (1, MANY), (0, 8192)])
def test_sums_of_equal_terms_lose_no_digits_along_any_axis(dim, classes, alphas):
    student, peer = torch.full((4, classes), -0.3), random_logits(4, classes).mul(0.003)
    student[:, 0] = 0.0
    for alpha, (one, other) in itertools.product(alphas, ((student, peer), (peer, student))):
        pair = [x.t().contiguous() if dim == 0 else x for x in (one, other)]
        value, gradient = step(renyi_divergence_loss, *pair, alpha, "none", dim, compiled=True)
        slopes = (gradient.t() if dim == 0 else gradient).double().numpy()
        assert_accurate_in_single_precision(value.double().numpy(), slopes, (other.numpy(), one.numpy()), alpha)


def test_the_mean_over_many_rows_loses_no_digits():
    student = torch.tensor([[0.1, 0.3]]).repeat(300_000, 1)
    rows = [step(renyi_divergence_loss, student[:n], student[:n].flip(1), 2.0, compiled=True)[0] for n in (1, 300_000)]
    torch.testing.assert_close(*rows, rtol=1e-6, atol=0)


@pytest.mark.parametrize("alphas", ORDERS)
@pytest.mark.parametrize("classes", [1, 17])
def test_equal_logits_have_loss_and_gradient_exactly_zero(alphas, classes):
    student = random_logits(4, classes)
    labels, pair = torch.zeros(4, dtype=torch.long), torch.stack([student, student])
    for alpha in alphas:
        for reduction in ("none", "mean"):
            found = step(renyi_divergence_loss, student, student, alpha, reduction, compiled=True)
            assert not any(part.any() for part in found)
        losses, gradient = step(mutual_loss, pair, labels, alpha, compiled=True)
        alone, entropy = step(mutual_loss, pair, labels, alpha, 0.0, compiled=True)
        assert torch.equal(losses, alone)
        assert torch.equal(gradient, entropy)


@pytest.mark.parametrize("alpha", [0.3, 0.5, 1.0, 1.5, 2.0, 7.0])
def test_a_logit_of_minus_infinity_is_a_class_that_cannot_occur(alpha):
    peers = torch.tensor([[0.5, -INF, 1.0], [0.5, 0.2, 1.0], [-INF, -INF, 1.0], [0.0, -INF, -INF], [0.0, -200.0, 0.0]])
    students = torch.tensor([[0.1, 0.3, 0.2], [0.1, 0.3, -INF], [0.1, -INF, 0.2], [-INF, 0.0, 0.0], [0.0, -INF, 0.0]])
    for kept in (slice(4), slice(1, 5)):  # with fourteen classes that both exclude
        peer, student = (F.pad(x[kept], (0, 14), value=-INF) for x in (peers, students))
        value, gradient = step(renyi_divergence_loss, student, peer, alpha, "none", compiled=True)
        truth = renyi_divergence_from_logits(peer.double().numpy(), student.double().numpy(), alpha)
        np.testing.assert_allclose(value, truth, rtol=1e-5, atol=1e-7)
        finite = np.isfinite(truth)
        slope = student_gradient(peer.double().numpy(), student.double().numpy(), alpha)
        np.testing.assert_allclose(gradient[torch.tensor(finite)], slope[finite], rtol=0, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_nan_stays_nan_in_its_own_row(alpha):
    student, peer = random_logits(2, 4, 17)
    student[0, 1] = peer[2, 0] = float("nan")
    value, _ = step(renyi_divergence_loss, student, peer, alpha, "none", compiled=True)
    assert value.isnan().tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("reduction", "dtype"),
    [
        *((r, torch.float32) for r in ("none", "batchmean", "sum", "mean")),
        ("mean", torch.bfloat16),
        ("none", torch.half),
    ],
)
def test_reductions_axes_broadcasts_and_dtypes_are_those_without(reduction, dtype, taken):
    student, peer = random_logits(4, 3, 5).to(dtype), random_logits(1, 3, 1, seed=1).to(dtype)
    plain, compiled = both(renyi_divergence_loss, student, peer, 1.5, reduction, 1)
    assert len(taken) == 1
    torch.testing.assert_close(compiled[0], plain[0], rtol=2e-6, atol=1e-6)
    torch.testing.assert_close(compiled[1], plain[1])


def test_logits_may_lie_in_memory_as_they_like(taken):
    student, peer = random_logits(2, 17, 3, 4).transpose(1, 3)[:, 1:]
    plain, compiled = both(renyi_divergence_loss, student, peer, 2.0)
    torch.testing.assert_close(compiled, plain)
    students = random_logits(2, 33, 16).transpose(1, 2)[:, :5]
    torch.testing.assert_close(*both(mutual_loss, students, LABELS, 2.0))
    assert len(taken) == 2


@pytest.mark.parametrize("options", [{"detach_peer": False}, {"alpha": 0.9}, {"alpha": INF}, {"dtype": torch.float64}])
def test_what_a_kernel_is_not_for_is_computed_as_without(options, taken):
    dtype, alpha = options.pop("dtype", torch.float32), options.pop("alpha", 2.0)
    student, peer = random_logits(2, 4, 3).to(dtype)
    plain, compiled = both(renyi_divergence_loss, student, peer.requires_grad_(), alpha, **options)
    assert all(torch.equal(one, other) for one, other in zip(plain, compiled, strict=True))
    assert not taken


class Labelled(torch.Tensor):
    """A subclass of Tensor, whose own operations a kernel would ignore."""


@pytest.mark.parametrize("kind", [lambda x: x.as_subclass(Labelled), lambda x: torch.complex(x, -x).conj().imag])
def test_peers_of_another_kind_are_computed_as_without(kind, taken):
    student, peer = random_logits(2, 4, 3)
    plain, compiled = both(renyi_divergence_loss, student, kind(peer), 2.0)
    assert torch.equal(compiled[1], plain[1])
    assert not taken


def test_logits_may_be_parameters(taken):
    student, peer = torch.nn.Parameter(random_logits(4, 17)), random_logits(4, 17, seed=1)
    renyi_divergence_loss(student, peer, 2.0, compiled=True).backward()
    assert len(taken) == 1
    torch.testing.assert_close(student.grad, step(renyi_divergence_loss, student.detach(), peer, 2.0)[1])


@pytest.mark.parametrize("loss", [renyi_divergence_loss, mutual_loss])
def test_a_scaled_loss_of_half_precision_keeps_its_gradient(loss, taken):
    student, peer = random_logits(2, 4096, 100).mul(0.01).half()
    mutual = torch.stack([student, peer]), torch.arange(4096) % 100
    inputs = mutual if loss is mutual_loss else (student, peer)

    def scaled(*args, **options):
        return loss(*args, **options) * 2**16

    plain, compiled = both(scaled, *inputs, 2.0)
    exact = step(scaled, *(x.double() if x.is_floating_point() else x for x in inputs), 2.0)
    for found in (plain, compiled):
        torch.testing.assert_close(found[1], exact[1].half(), rtol=2e-3, atol=1e-7)
    assert (compiled[1] != 0).double().mean() > 0.99
    assert len(taken) == 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_default_dtype_changes_nothing(dtype, monkeypatch):
    monkeypatch.setattr(kernel, "_KERNELS", {})
    students, options = random_logits(2, 5, 17, seed=7), {"temperature": 3.0, "label_smoothing": 0.3}
    torch.set_default_dtype(dtype)
    try:
        unusual = step(mutual_loss, students, LABELS, 2.5, compiled=True, **options)
    finally:
        torch.set_default_dtype(torch.float32)
    assert len(kernel._KERNELS) == 1
    torch.testing.assert_close(unusual, step(mutual_loss, students, LABELS, 2.5, **options))


def test_threads_may_need_new_kernels_at_once():
    shapes = [(3, classes) for classes in (21, 22, 23)]
    pairs = [random_logits(2, *shape) for shape in shapes]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda pair: step(renyi_divergence_loss, *pair, 2.0, compiled=True), pairs))
    for pair, one in zip(pairs, found, strict=True):
        torch.testing.assert_close(one, step(renyi_divergence_loss, *pair, 2.0))


def test_without_a_gradient_or_a_row_nothing_is_compiled(taken):
    student, peer = random_logits(2, 4, 3)
    assert renyi_divergence_loss(student, peer, 2.0, compiled=True) == renyi_divergence_loss(student, peer, 2.0)
    step(renyi_divergence_loss, student[:0], peer[:0], 2.0, "sum", compiled=True)
    assert not taken


def test_a_factor_a_second_backward_and_second_derivatives_are_right():
    student, peer = random_logits(2, 4, 17)
    leaf = student.clone().requires_grad_()
    loss = renyi_divergence_loss(leaf, peer, 2.0, compiled=True)
    first, second = (torch.autograd.grad(3 * loss, leaf, retain_graph=True)[0] for _ in range(2))
    torch.testing.assert_close(first, second)
    (slope,) = torch.autograd.grad(renyi_divergence_loss(leaf, peer, 2.0, compiled=True), leaf, create_graph=True)
    (plain,) = torch.autograd.grad(renyi_divergence_loss(leaf, peer, 2.0), leaf, create_graph=True)
    curvature = (torch.autograd.grad(x.square().sum(), leaf)[0] for x in (slope, plain))
    torch.testing.assert_close(*curvature)


def test_the_module_is_the_function_and_says_so(taken):
    student, peer = random_logits(2, 4, 17)
    module = RenyiDivergenceLoss(1.5, compiled=True)
    assert torch.equal(
        step(module, student, peer)[1], step(renyi_divergence_loss, student, peer, 1.5, compiled=True)[1]
    )
    assert len(taken) == 2
    assert repr(module) == "RenyiDivergenceLoss(alpha=1.5, reduction='mean', dim=-1, detach_peer=True, compiled=True)"


LABELS, SMOOTHING = torch.tensor([0, 3, 1, 1, 2]), 0.2
TOPOLOGY = [[9.0, 0.5, 0.0], [0.0, 0.0, 0.0], [0.25, 2.0, 0.0]]
OPTIONS = [
    {},
    {"weight": 0.0},
    {"weights": TOPOLOGY},
    {"temperature": 4.0},
    {"label_smoothing": SMOOTHING},
    {"weight": 2.0, "weights": TOPOLOGY, "temperature": 0.5, "label_smoothing": 0.1},
]


@pytest.mark.parametrize("alphas", ORDERS)
@pytest.mark.parametrize("options", OPTIONS)
def test_mutual_losses_and_gradients_are_those_without(options, alphas, taken):
    for alpha in alphas:
        plain, compiled = both(mutual_loss, random_logits(3, 5, 17), LABELS, alpha, **options)
        torch.testing.assert_close(compiled[0], plain[0], rtol=2e-6, atol=1e-6)
        torch.testing.assert_close(compiled[1], plain[1], rtol=0, atol=1e-6)
    assert len(taken) == len(alphas)


def test_large_batches_are_taken_in_blocks_of_rows(taken, monkeypatch):
    students, labels = random_logits(2, 8, 17), torch.tensor([0, 3, 1, 1, 2, 0, 2, 16])
    counts = torch.tensor([1.0, 0.0, 2.0, 0.5, 1.0, 3.0, 0.0, 1.0])
    options = {"row_weights": counts, "label_smoothing": 0.1, "compiled": True}
    whole = step(mutual_loss, students, labels, 2.0, **options)
    monkeypatch.setattr(kernel, "LARGEST", 2 * 3 * 17)
    blocks = step(mutual_loss, students, labels, 2.0, **options)
    torch.testing.assert_close(blocks, whole)
    assert len(taken) == 1 + 3


@settings(max_examples=100)
@given(rows_of_float32(17), FUSED)
def test_mutual_losses_of_wild_rows_are_those_without(pair, alpha):
    students, labels = torch.tensor(np.stack(pair)), torch.tensor([0, 16, 2, 2])
    plain, compiled = both(mutual_loss, students, labels, alpha)
    spread = max(1.0, *(float(x.max() - x.min()) for x in students))
    torch.testing.assert_close(compiled[0], plain[0], rtol=1e-5, atol=1e-6 * spread)
    torch.testing.assert_close(compiled[1], plain[1], rtol=0, atol=2e-7 * (1 + alpha) * spread)


def test_order_and_weight_may_change_without_a_new_kernel():
    students = random_logits(2, 4, 17)
    step(mutual_loss, students, LABELS[:4], 0.5, 1.0, compiled=True)
    kernels = len(kernel._KERNELS)
    for alpha, weight in ((0.25, 1.0), (2.0, 0.5), (7.5, 3.0)):
        step(mutual_loss, students, LABELS[:4], alpha, weight, compiled=True)
    assert len(kernel._KERNELS) == kernels


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_logits_of_half_precision_have_losses_of_single_precision(weight, taken):
    students = random_logits(2, 5, 17).bfloat16()
    plain, compiled = both(mutual_loss, students, LABELS, 1.5, weight)
    assert len(taken) == 1
    torch.testing.assert_close(compiled, plain)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("excluded", [-INF, float("nan")])
def test_infinity_or_nan_of_a_peer_of_weight_zero_does_not_spread(alpha, excluded):
    students = random_logits(2, 4, 17)
    students[0, 1:, 2] = excluded
    for first, second in zip(*both(mutual_loss, students, LABELS[:4], alpha, weights=[[0, 1], [0, 0]]), strict=True):
        torch.testing.assert_close(first[1], second[1])
        assert second[1].isfinite().all()


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_class_that_cannot_occur_has_the_smoothed_cross_entropy_of_torch(weight, compiled):
    students = random_logits(3, 5, 17)
    students[..., 16] = -INF  # no label
    students.requires_grad_()
    for smoothing in (SMOOTHING, 0.7):
        losses = mutual_loss(students, LABELS, 1.0, weight, label_smoothing=smoothing, compiled=compiled)
        assert F.cross_entropy(students[0], LABELS, label_smoothing=smoothing) == INF
        assert losses.tolist() == [INF] * 3


def test_a_kernel_is_kept_on_the_disk_for_other_processes(monkeypatch):
    pair, found = random_logits(2, 4, 17), counters["inductor"]
    step(renyi_divergence_loss, *pair, 2.0, compiled=True)
    monkeypatch.setattr(kernel, "_KERNELS", {})
    hits = found["fxgraph_cache_hit"]
    step(renyi_divergence_loss, *pair, 2.0, compiled=True)
    assert found["fxgraph_cache_hit"] == hits + 1


def test_several_threads_have_a_kernel_of_their_own():
    student, peer = random_logits(2, 64, 100)
    one = step(renyi_divergence_loss, student, peer, 2.0, compiled=True)
    threads, kernels = torch.get_num_threads(), len(kernel._KERNELS)
    try:
        torch.set_num_threads(threads + 1)
        torch.testing.assert_close(step(renyi_divergence_loss, student, peer, 2.0, compiled=True), one)
    finally:
        torch.set_num_threads(threads)
    assert len(kernel._KERNELS) == kernels + 1


def test_a_machine_without_a_compiler_is_named(tmp_path):
    program = (
        "import torch; from training import renyi_divergence_loss\n"
        "student = torch.zeros(2, 3, requires_grad=True)\n"
        "renyi_divergence_loss(student, torch.ones(2, 3), 2.0, compiled=True)"
    )
    missing = {"CXX": str(tmp_path / "no-compiler"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", program], env=os.environ | missing, capture_output=True, text=True)
    assert run.returncode
    assert "ValueError: the loss cannot be compiled here; torch says: " in run.stderr
