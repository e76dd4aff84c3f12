"""Arguments that the losses refuse, and logits of -inf and NaN."""

import numpy as np
import pytest
import torch
from wrong import wrong

from theory import renyi_divergence_from_logits, student_gradient
from training.loss import RenyiDivergenceLoss, mutual_loss, renyi_divergence_loss

INF = float("inf")
LABELS = torch.tensor([0, 3, 1, 1, 2])
PEER = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: renyi_divergence_loss(PEER, PEER, -1), ValueError, "alpha must be in [0, inf], got -1"),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], "2"),  # pyright: ignore[reportArgumentType]
            ValueError,
            "alpha must be in [0, inf], got '2'",
        ),
        (lambda: renyi_divergence_loss(PEER, PEER, float("nan")), ValueError, "alpha must be in [0, inf], got nan"),
        (
            lambda: renyi_divergence_loss(PEER, PEER, torch.ones(2)),
            ValueError,
            "alpha must be one number, got a tensor of shape (2,)",
        ),
        (
            lambda: renyi_divergence_loss(PEER, PEER, torch.tensor(1.0, requires_grad=True)),
            ValueError,
            "alpha can not be learned: D is nondecreasing in the order, descent would drive it to 0",
        ),
        (
            lambda: RenyiDivergenceLoss(1.0, "max"),
            ValueError,
            "reduction must be one of none, batchmean, sum, mean, got 'max'",
        ),
        (
            lambda: renyi_divergence_loss(PEER.long(), PEER, 1),
            TypeError,
            "student_logits must be floating point, got torch.int64",
        ),
        (
            lambda: renyi_divergence_loss(PEER, PEER[:, :2], 1),
            ValueError,
            "student_logits and peer_logits must have the same number >= 1 of classes, got 3 and 2",
        ),
        (
            lambda: renyi_divergence_loss(PEER, torch.zeros(5, 3), 1),
            ValueError,
            "the shapes of student_logits and peer_logits must broadcast, got (2, 3) and (5, 3)",
        ),
        (
            lambda: renyi_divergence_loss(PEER, PEER, 1, dim=2),
            ValueError,
            "dim must be one of the 2 axes of student_logits, got 2",
        ),
        (
            lambda: mutual_loss([], LABELS, 1),
            ValueError,
            "mutual_loss needs the logits of at least one student, got none",
        ),
        (
            lambda: mutual_loss([PEER, PEER[:1]], LABELS[2:4], 1),
            ValueError,
            "the logits of all students must have one shape of rows and classes, as (N, C), got [(2, 3), (1, 3)]",
        ),
        (
            lambda: mutual_loss(PEER, LABELS[2:4], 1),
            ValueError,
            "the logits of all students must have one shape of rows and classes, as (N, C), got (2, 3) in all",
        ),
        (
            lambda: mutual_loss([PEER[0], PEER[1]], LABELS[2:4], 1),
            ValueError,
            "the logits of all students must have one shape of rows and classes, as (N, C), got [(3,)]",
        ),
        (
            lambda: mutual_loss([PEER, PEER.tolist()], LABELS[2:4], 1),  # pyright: ignore[reportArgumentType]
            TypeError,
            "the logits must be a tensor for each student, got ['Tensor', 'list']",
        ),
        (
            lambda: mutual_loss(torch.zeros(2, 2, 0), LABELS[2:4], 1),
            ValueError,
            "the logits of all students must have at least one class, got (2, 2, 0) in all",
        ),
        (
            lambda: renyi_divergence_loss(PEER, PEER.numpy(), 1),  # pyright: ignore[reportArgumentType]
            TypeError,
            "peer_logits must be a tensor, got ndarray",
        ),
        (
            lambda: mutual_loss([PEER, PEER], [0, 1], 1),  # pyright: ignore[reportArgumentType]
            TypeError,
            "labels must be a tensor, got list",
        ),
        (
            lambda: mutual_loss([PEER.long()], LABELS[2:4], 1),
            TypeError,
            "the logits of all students must be floating point, got torch.int64",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, dim=2),
            ValueError,
            "dim must be one of the 2 axes of a student's logits, got 2",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, reduction="batchmean"),
            ValueError,
            "reduction must be one of mean, sum, none, got 'batchmean'",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS, 1),
            ValueError,
            "labels must be class indices (2,) or probabilities like the logits, got torch.int64 of shape (5,)",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.tensor([0, 3]), 1),
            ValueError,
            "labels must be class indices in [0, 3), got 3",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.tensor([-100, 0]), 1),
            ValueError,
            "labels must be class indices in [0, 3), got -100; ignore_index=-100 leaves such rows out",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.tensor([-100, 3]), 1, ignore_index=-100),
            ValueError,
            "labels must be class indices in [0, 3), got 3",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.zeros(2), 1),
            ValueError,
            "labels must be class indices (2,) or probabilities like the logits, got torch.float32 of shape (2,)",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.zeros(2, 3).long(), 1),
            ValueError,
            "labels must be class indices (2,) or probabilities like the logits, got torch.int64 of shape (2, 3)",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.zeros(2, 4), 1),
            ValueError,
            "labels must be class indices (2,) or probabilities like the logits, got torch.float32 of shape (2, 4)",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.ones(2).bool(), 1),
            TypeError,
            "labels must be class indices of an integer dtype or probabilities, got torch.bool",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.full((2, 3), 0.25), 1),
            ValueError,
            "labels that are not integers must be probabilities that sum to 1 a row, got a row that sums to 0.75",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.tensor([[1.5, 0.0, -0.5]] * 2), 1),
            ValueError,
            "labels that are not integers must be probabilities that sum to 1 a row, got -0.5",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.full((2, 3), float("nan")), 1),
            ValueError,
            "labels that are not integers must be probabilities that sum to 1 a row, got nan",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.full((2, 3), 1 / 3), 1, ignore_index=-100),
            ValueError,
            "ignore_index is for class indices; a row of probabilities is left out by row_weights 0",
        ),
        (
            lambda: mutual_loss([PEER, PEER], torch.full((2, 3), 1 / 3, requires_grad=True), 1),
            ValueError,
            "labels can not be learned by this loss, which has no gradient there: detach them",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, ignore_index=-1.5),  # pyright: ignore[reportArgumentType] (that is the point)
            TypeError,
            "ignore_index must be an integer, got -1.5",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, class_weights=[1.0, 2.0]),
            ValueError,
            "class_weights must have shape (3,), got (2,)",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, class_weights=[1.0, 2.0, -1.0]),
            ValueError,
            "class_weights must be finite and >= 0, got -1.0",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, row_weights=torch.tensor([1.0, INF])),
            ValueError,
            "row_weights must be finite and >= 0, got inf",
        ),
        (
            lambda: mutual_loss(
                [PEER, PEER], LABELS[2:4], 1, row_weights=torch.tensor([1e39, 0.0], dtype=torch.double)
            ),
            ValueError,
            "the largest of row_weights must be in [1.18e-38, 3.4e+38] in torch.float32, got 1e+39",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, row_weights=torch.tensor([0, 1e-39], dtype=torch.double)),
            ValueError,
            "the largest of row_weights must be in [1.18e-38, 3.4e+38] in torch.float32, got 1e-39",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, row_weights=torch.ones(2, 1)),
            ValueError,
            "row_weights must have shape (2,), got (2, 1)",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, row_weights=torch.ones(2, requires_grad=True)),
            ValueError,
            "row_weights can not be learned by this loss, which has no gradient there: detach them",
        ),
        (
            lambda: renyi_divergence_loss(PEER, PEER, 1, row_weights=torch.ones(3)),
            ValueError,
            "row_weights must have shape (2,), got (3,)",
        ),
        (
            lambda: renyi_divergence_loss(PEER, PEER, 1, row_weights=torch.tensor([0.0, float("nan")])),
            ValueError,
            "row_weights must be finite and >= 0, got nan",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, weight=-INF),
            ValueError,
            "weight must be finite, got -inf",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, temperature=0.0),
            ValueError,
            "temperature must be finite and > 0, got 0.0",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, label_smoothing=1.5),
            ValueError,
            "label_smoothing must be in [0, 1], got 1.5",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, weights=[[0, 1], [float("nan"), 0]]),
            ValueError,
            "weights must be finite, got nan",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, weights=[[0, 1, 1]]),
            ValueError,
            "weights must be a 2 x 2 matrix, got rows of [3]",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], [[0, 1, 1]]),
            ValueError,
            "alpha must be a 2 x 2 matrix, got rows of [3]",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], torch.ones(2)),
            ValueError,
            "alpha must be a matrix, got shape (2,)",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], [[0, 1], [-2, 0]]),
            ValueError,
            "alpha must be in [0, inf], got -2.0",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, weights=[[0, 1], [-2, 0]]),
            ValueError,
            "the loss of student 1 has no lower bound: at orders >= 1 its peers repel it with net weight -2; "
            "repel at orders below 1, where the divergence is bounded",
        ),
        (
            lambda: renyi_divergence_loss(PEER, PEER, wrong(None)),
            ValueError,
            "alpha must be in [0, inf], got None",
        ),
        (
            lambda: renyi_divergence_loss(PEER, PEER, 1, dim=wrong("x")),
            ValueError,
            "dim must be the number of an axis, got 'x'",
        ),
        (
            lambda: RenyiDivergenceLoss(1, dim=wrong("x")),
            ValueError,
            "dim must be the number of an axis, got 'x'",
        ),
        (
            lambda: renyi_divergence_loss(PEER, PEER, 1, detach_peer=wrong("no")),
            ValueError,
            "detach_peer must be True or False, got 'no'",
        ),
        (
            lambda: renyi_divergence_loss(PEER.to_sparse(), PEER, 1),
            TypeError,
            "student_logits must be dense, got torch.sparse_coo",
        ),
        (
            lambda: renyi_divergence_loss(PEER, PEER, 1, row_weights=wrong({})),
            ValueError,
            "row_weights must be real numbers, got {}",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, weight=wrong(True)),
            ValueError,
            "weight must be finite, got True",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], 1, label_smoothing=wrong("x")),
            ValueError,
            "label_smoothing must be in [0, 1], got 'x'",
        ),
        (
            lambda: mutual_loss(wrong(3), LABELS[2:4], 1),
            TypeError,
            "the logits must be a tensor for each student, got int",
        ),
        (
            lambda: mutual_loss([PEER, PEER], LABELS[2:4], wrong([[0, "x"], [1, 0]])),
            ValueError,
            "alpha must be a 2 x 2 matrix of numbers, got [[0, 'x'], [1, 0]]",
        ),
    ],
)
def test_refusals_are_one_sentence_that_names_the_value(call, error, sentence):
    with pytest.raises(error) as refusal:
        call()
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 0.97, 1.0, 1.5, 2.0, 7.0, 9.0, 1e6, INF])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_logit_of_minus_infinity_is_a_class_that_cannot_occur(alpha, dtype):
    peers = [[0.5, -INF, 1.0], [0.5, 0.2, 1.0], [-INF, -INF, 1.0], [0.0, -INF, -INF]]
    students = [[0.1, 0.3, 0.2], [0.1, 0.3, -INF], [0.1, -INF, 0.2], [-INF, 0.0, 0.0]]
    peer, student = torch.tensor(peers, dtype=dtype), torch.tensor(students, dtype=dtype, requires_grad=True)
    rows = renyi_divergence_loss(student, peer, alpha, "none")
    truth = renyi_divergence_from_logits(peer.double().numpy(), student.detach().double().numpy(), alpha)
    np.testing.assert_allclose(rows.detach(), truth, rtol=1e-12 if dtype == torch.float64 else 1e-5)
    finite = np.isfinite(truth)
    rows[torch.tensor(finite)].sum().backward()
    assert student.grad is not None
    slope = student_gradient(peer.double().numpy(), student.detach().double().numpy(), alpha)
    np.testing.assert_allclose(student.grad[torch.tensor(finite)], slope[finite], rtol=0, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 3.0, INF])
def test_nan_stays_nan_in_its_own_row(alpha):
    student = torch.tensor([[0.0, float("nan")], [0.0, 1.0]])
    rows = renyi_divergence_loss(student, torch.zeros(2, 2), alpha, "none")
    assert rows.isnan().tolist() == [True, False]
