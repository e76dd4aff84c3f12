"""Losses of tokens, maps, soft labels and rows that count differently: a loop over `F.cross_entropy` and `theory`."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from theory import renyi_divergence_from_logits, student_gradient
from training.loss import RenyiDivergenceLoss, mutual_loss, renyi_divergence_loss
from training.loss.fast import kernel

INF, NAN = float("inf"), float("nan")
ORDERS = [0.0, 0.5, 1.0, 2.0, INF]
TOKENS, MAPS = ((3, 2, 4), -1), ((2, 4, 1, 3), 1)  # (B, T, C) and (B, C, H, W), and where the classes are
CLASS_WEIGHTS = torch.tensor([0.5, 2.0, 0.0, 1.5], dtype=torch.float64)
PULL, TEMPERATURE, SMOOTHING = 0.7, 2.0, 0.2


def seeded():
    return torch.Generator().manual_seed(0)


def cohort(shape, students=2, dtype=torch.float64):
    return [z.mul(3).to(dtype) for z in torch.randn(students, *shape, dtype=torch.float64, generator=seeded())]


def indices(shape, dim=-1, dtype=torch.int32):
    rows = [n for axis, n in enumerate(shape) if axis != dim % len(shape)]
    return torch.arange(int(np.prod(rows)), dtype=dtype).mul(3).remainder(4).reshape(rows)


def mixed(shape, dim=-1):
    """Probabilities of two classes a row, as mixup makes them."""
    one = F.one_hot(indices(shape, dim).long(), 4).double()
    return (0.3 * one + 0.7 * one.roll(1, -1)).movedim(-1, dim)


def counting(labels, dim):
    """Weights of the rows, one of them 0, one above 1."""
    rows = labels.select(dim, 0) if labels.is_floating_point() else labels
    return torch.arange(rows.numel()).remainder(4).div(2).reshape(rows.shape)


def step(loss, logits, *args, **options):
    """The losses and their gradients in the logits of each student."""
    leaves = [z.clone().requires_grad_() for z in logits]
    losses = loss(leaves, *args, **options)
    return losses.detach(), torch.autograd.grad(losses.sum(), leaves)


def flat(x, dim):
    return x.movedim(dim, -1).flatten(0, -2)


def naive(logits, labels, alpha, dim, ignore_index, class_weights, row_weights, label_smoothing, reduction):
    """Losses and gradients student by student and row by row, from `F.cross_entropy` and `theory`."""
    soft = labels.is_floating_point()
    target = flat(labels, dim) if soft else labels.long().flatten()
    counts = torch.ones(len(target)).double() if row_weights is None else row_weights.double().flatten()
    counts = counts * (1 if soft or ignore_index is None else target != ignore_index)
    shares = counts if soft or class_weights is None else counts * class_weights[target.clamp(min=0)]
    over = (shares.sum(), counts.sum()) if reduction == "mean" else (torch.tensor(1.0), torch.tensor(1.0))
    losses, gradients = [], []
    for k, student in enumerate(logits):
        own, peer = flat(student, dim).clone().requires_grad_(), flat(logits[1 - k], dim)
        options = {"weight": class_weights, "label_smoothing": label_smoothing, "reduction": "none"}
        entropy = F.cross_entropy(own, target, **options) * counts / over[0]
        y, z = peer.numpy() / TEMPERATURE, own.detach().numpy() / TEMPERATURE
        pull = PULL * TEMPERATURE**2 * counts.numpy() / over[1].item()
        row = entropy.detach().numpy() + pull * renyi_divergence_from_logits(y, z, alpha)
        losses.append(row if reduction == "none" else row.sum())
        slope = torch.autograd.grad(entropy.sum(), own)[0].numpy()
        gradients.append(slope + pull[:, None] / TEMPERATURE * student_gradient(y, z, alpha))
    return np.stack(losses), gradients


@pytest.mark.parametrize("alpha", ORDERS)
@pytest.mark.parametrize(("layout", "reduction"), [(TOKENS, "mean"), (TOKENS, "sum"), (MAPS, "none"), (MAPS, "mean")])
def test_every_combination_is_a_loop_over_rows(layout, reduction, alpha):
    shape, dim = layout
    logits, ignored = cohort(shape), indices(shape, dim)
    ignored.view(-1)[[1, 4]] = -100
    kinds = [(indices(shape, dim), None), (ignored, -100), (indices(shape, dim), 3), (mixed(shape, dim), None)]
    for (labels, ignore), classes, weighted, smoothing in itertools.product(
        kinds, (None, CLASS_WEIGHTS), (False, True), (0.0, SMOOTHING)
    ):
        options = {
            "dim": dim,
            "ignore_index": ignore,
            "class_weights": classes,
            "row_weights": counting(labels, dim) if weighted else None,
            "label_smoothing": smoothing,
            "reduction": reduction,
        }
        losses, gradients = step(mutual_loss, logits, labels, alpha, PULL, temperature=TEMPERATURE, **options)
        expected, slopes = naive(logits, labels, alpha, **options)
        np.testing.assert_allclose(losses.flatten(1) if reduction == "none" else losses, expected, rtol=1e-12)
        for got, slope in zip(gradients, slopes, strict=True):
            np.testing.assert_allclose(flat(got, dim), slope, rtol=0, atol=1e-13)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, SMOOTHING])
def test_without_peers_it_is_cross_entropy_itself(smoothing, reduction):
    for shape, dim in (TOKENS, MAPS):
        logits, labels = cohort(shape, 1), indices(shape, dim).long()
        labels.view(-1)[2] = -100
        for target, classes in itertools.product((labels, mixed(shape, dim)), (None, CLASS_WEIGHTS)):
            ignore = None if target.is_floating_point() else -100
            options = {"label_smoothing": smoothing, "reduction": reduction}
            got = mutual_loss(logits, target, 2.0, dim=dim, ignore_index=ignore, class_weights=classes, **options)[0]
            first = (x.movedim(dim, 1) if x.ndim == len(shape) else x for x in (logits[0], target))
            torch.testing.assert_close(got, F.cross_entropy(*first, weight=classes, **options), rtol=1e-12, atol=0)


MATRIX = [[0.0, 1.0], [2.0, 0.0]]
PATHS = [(torch.float64, False), (torch.float32, False), (torch.float32, True)]


@pytest.fixture
def uncompiled(monkeypatch):
    """What a kernel computes, without waiting for the compiler; the list of calls."""
    calls = []
    run = lambda work, options, *inputs: calls.append(options) or work(*options, *inputs)  # noqa: E731
    monkeypatch.setattr(kernel, "run", run)
    return calls


@pytest.mark.parametrize(("dtype", "compiled"), PATHS)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, SMOOTHING])
def test_a_row_of_weight_two_is_two_rows_on_every_path(dtype, compiled, soft, smoothing, uncompiled):
    logits, labels = cohort((8, 4), dtype=dtype), mixed((8, 4)) if soft else indices((8, 4))
    counts = counting(labels, -1).mul(2).long()
    options = {"class_weights": CLASS_WEIGHTS, "label_smoothing": smoothing}
    losses, gradients = step(mutual_loss, logits, labels, MATRIX, row_weights=counts, compiled=compiled, **options)
    repeated = [x.repeat_interleave(counts, 0) for x in (*logits, labels)]
    expected, slopes = step(mutual_loss, [z.double() for z in repeated[:2]], repeated[2], MATRIX, **options)
    torch.testing.assert_close(losses, expected.to(dtype), rtol=2e-6, atol=1e-6)
    for got, slope in zip(gradients, slopes, strict=True):
        rows = torch.zeros(8, 4, dtype=torch.float64).index_add_(0, torch.arange(8).repeat_interleave(counts), slope)
        torch.testing.assert_close(got, rows.to(dtype), rtol=0, atol=1e-6)
    assert len(uncompiled) == compiled


@pytest.mark.parametrize(("dtype", "compiled"), PATHS)
def test_rows_left_out_cost_nothing_whatever_their_logits(dtype, compiled):
    logits, labels = cohort((8, 17), dtype=dtype), indices((8, 17))
    labels[5:] = -100
    for z, bad in zip(logits, ([INF, NAN, -INF], [-INF, INF, NAN]), strict=True):
        z[5:] = torch.tensor(bad)[:, None]
    losses, gradients = step(mutual_loss, logits, labels, 2.0, ignore_index=-100, compiled=compiled)
    expected, slopes = step(mutual_loss, [z[:5] for z in logits], labels[:5], 2.0)
    torch.testing.assert_close(losses, expected)
    torch.testing.assert_close(mutual_loss(logits, labels, 2.0, ignore_index=-100), expected)
    for got, slope in zip(gradients, slopes, strict=True):
        torch.testing.assert_close(got[:5], slope)
        assert not got[5:].any()


@pytest.mark.parametrize("alpha", ORDERS)
@pytest.mark.parametrize("options", [{}, {"class_weights": [0.0] * 4}, {"label_smoothing": 0.1}, {"reduction": "sum"}])
def test_a_batch_of_ignored_rows_costs_nothing(alpha, options):
    labels = torch.full((3, 2), -100)
    for dtype in (torch.float64, torch.float32):
        losses, gradients = step(
            mutual_loss, cohort((3, 2, 4), dtype=dtype), labels, alpha, ignore_index=-100, **options
        )
        assert losses.tolist() == [0, 0]
        assert not any(slope.any() for slope in gradients)


def test_a_class_that_cannot_occur_may_have_no_share_of_a_soft_label():
    logits, labels = torch.tensor([[[0.0, -INF, 1.0]]] * 2), torch.tensor([[0.25, 0.0, 0.75]])
    losses, gradients = step(mutual_loss, logits.unbind(), labels, 2.0)
    assert losses.isfinite().all()
    assert all(slope.isfinite().all() for slope in gradients)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_labels_of_any_integer_dtype_are_class_indices(dtype):
    logits, labels = cohort((6, 4)), indices((6, 4))
    assert torch.equal(mutual_loss(logits, labels.to(dtype), 1.5), mutual_loss(logits, labels.long(), 1.5))


def test_torch_func_leaves_rows_out_as_well():
    logits, labels = torch.stack(cohort((3, 2, 4))), indices((3, 2, 4))
    labels[0] = -100

    def total(z):
        return mutual_loss(z, labels, 1.5, ignore_index=-100, class_weights=CLASS_WEIGHTS).sum()

    torch.testing.assert_close(
        torch.func.grad(total)(logits), torch.stack(step(lambda z: total(torch.stack(z)), logits)[1])
    )


@pytest.mark.parametrize("alpha", ORDERS)
@pytest.mark.parametrize(("shape", "dim"), [TOKENS, MAPS])
def test_rows_of_the_divergence_may_count_differently(shape, dim, alpha):
    student, peer = cohort(shape)
    counts = counting(indices(shape, dim), dim)
    rows, weights = renyi_divergence_loss(student, peer, alpha, "none", dim), counts.double()
    sums = {"none": rows * weights, "sum": (rows * weights).sum(), "mean": (rows * weights).sum() / weights.sum()}
    sums["batchmean"] = sums["sum"] / shape[0]
    for reduction, expected in sums.items():
        loss = RenyiDivergenceLoss(alpha, reduction, dim)
        torch.testing.assert_close(loss(student, peer, row_weights=counts), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("scale", [2e-38, 1e-30, 1e30, 3e38])
@pytest.mark.parametrize("options", [{}, {"label_smoothing": SMOOTHING}])
def test_a_weighted_mean_does_not_change_with_the_scale_of_its_weights(options, scale):
    students, labels = torch.stack(cohort((5, 4), dtype=torch.float32)), torch.tensor([0, 3, 1, 1, 2])
    rows, classes = torch.tensor([1.0, 0.0, 0.5, 0.25, 1.0]), torch.tensor([1.0, 0.5, 0.25, 1.0])
    for soft in (labels, torch.softmax(students[0], -1)):
        means = [mutual_loss(students, soft, 2.0, row_weights=rows * by, **options) for by in (1.0, scale)]
        torch.testing.assert_close(*means)
    weights = [{"row_weights": rows * by, "class_weights": classes * by} for by in (1.0, scale)]
    torch.testing.assert_close(*(mutual_loss(students, labels, 2.0, **some, **options) for some in weights))
    student, peer = students
    means = [renyi_divergence_loss(student, peer, 2.0, row_weights=rows * by) for by in (1.0, scale)]
    torch.testing.assert_close(*means)


@pytest.mark.parametrize("weights", [[1e20, 1e-20, 2e-20, 0.0], [1e38, 1e-10, 1e-10, 1e38]])
def test_a_class_that_does_not_occur_has_no_say_in_the_mean_however_large_its_weight(weights):
    students, labels = torch.stack(cohort((5, 4), dtype=torch.float32)), torch.tensor([1, 2, 1, 1, 2])
    found = mutual_loss(students, labels, 2.0, 0.0, class_weights=weights)
    expected = [F.cross_entropy(z, labels, torch.tensor(weights, dtype=torch.double)) for z in students.double()]
    torch.testing.assert_close(found.double(), torch.stack(expected))


def test_a_row_whose_class_does_not_count_has_no_say_in_the_mean_however_much_it_counts():
    students, labels = torch.stack(cohort((2, 4), dtype=torch.float32)), torch.tensor([0, 1])
    counts = {"row_weights": torch.tensor([1e30, 1e-10]), "class_weights": [0.0, 1.0, 1.0, 1.0]}
    found = mutual_loss(students, labels, 2.0, 0.0, **counts)
    torch.testing.assert_close(found, mutual_loss(students[:, 1:], labels[1:], 2.0, 0.0))


@pytest.mark.parametrize("alpha", ORDERS)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_tokens_left_out_of_the_divergence_cost_nothing_whatever_their_logits(alpha, reduction):
    (student, peer), mask = cohort((3, 2, 4), dtype=torch.float32), torch.tensor([[1, 0], [1, 1], [0, 0]]).bool()
    for one, bad in ((student, [NAN, INF, -INF]), (peer, [INF, -INF, NAN])):
        one[~mask] = torch.tensor(bad)[:, None]
    for rows, (z, y) in ((mask, (student, peer)), (mask[:0], (student[:0], peer[:0])), (mask & False, (student, peer))):
        leaf = z.clone().requires_grad_()
        renyi_divergence_loss(leaf, y, alpha, reduction, row_weights=rows).sum().backward()
        kept = z[rows].requires_grad_()
        (renyi_divergence_loss(kept, y[rows], alpha, reduction).nan_to_num().sum()).backward()
        assert leaf.grad is not None
        assert not leaf.grad[~rows].any()
        torch.testing.assert_close(leaf.grad[rows], kept.grad)
