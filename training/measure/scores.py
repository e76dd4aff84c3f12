"""Scores of students, ensemble and cohort, from their logits on one data set: accuracy, NLL, calibration, agreement."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from theory.typed import check_arguments, check_between, check_fields
from training.loss import renyi_divergence_loss
from training.loss.tensors import check_held

from .temperature import inverse_temperature

Scores = dict[str, float]
Report = dict[str, Scores]
"""Scores of "student 1", "student 2", ..., "ensemble" and, about all of them together, "cohort"."""

ENSEMBLE, COHORT = "ensemble", "cohort"
SHARES = ("accuracy", "top5", "calibration_error", "agreement")
RANGES = dict.fromkeys(SHARES, (0.0, 1.0)) | {
    "overconfidence": (-1.0, 1.0),
    **dict.fromkeys(("nll", "beta", "divergence", "ambiguity"), (0.0, math.inf)),
}
"""Where a score can lie, of those that a report has; a rounding outside it is let pass."""
ROUNDING = 1e-6


def report(logits: Tensor, labels: Tensor) -> Report:
    """Scores of each student, of the ensemble (mean of the students' probabilities), and of the cohort.

    The ensemble's `beta` is the inverse temperature that calibrates the mean logits (`advise` reads it); it is left out
    where none is finite, as on images that the ensemble all gets right. The cohort's `ambiguity` is that of P1.

    Args:
        logits: (K, N, C).
        labels: (N,).

    Raises:
        ValueError: logits of another shape, or labels that are not one of the C classes for each of the N.
        TypeError: tensors that hold no numbers, as those of the device meta, or are not dense.
    """
    check_arguments(report, locals())
    check_held("logits", logits)
    check_held("labels", labels)
    logits, labels = logits.cpu(), labels.cpu()  # one copy: the numbers below are looked at one by one
    if logits.ndim != 3 or not logits.numel() or not logits.is_floating_point():
        raise ValueError(f"logits must be floats of shape (K, N, C), got {logits.dtype} of shape {tuple(logits.shape)}")
    if labels.shape != logits.shape[1:2] or labels.dtype != torch.int64:
        raise ValueError(f"labels must be int64 of shape (N,), got {labels.dtype} of shape {tuple(labels.shape)}")
    if labels.min() < 0 or labels.max() >= logits.shape[-1]:
        raise ValueError(f"labels must be in 0..{logits.shape[-1] - 1}, got {labels.min()} to {labels.max()}")
    log_p = logits.double().log_softmax(-1)
    rows = {f"student {k + 1}": scores(row, labels) for k, row in enumerate(log_p)}
    rows[ENSEMBLE] = scores(log_p.logsumexp(0) - math.log(len(logits)), labels)
    beta = inverse_temperature(log_p.mean(0), labels)
    rows[ENSEMBLE] |= {"beta": beta} if math.isfinite(beta) else {}
    rows[COHORT] = {"agreement": agreement(logits), "divergence": mean_divergence(logits)}
    rows[COHORT] |= {"ambiguity": max(0.0, -log_p.mean(0).logsumexp(-1).mean().item())}
    return rows


def scores(log_p: Tensor, labels: Tensor) -> Scores:
    """Accuracy, top-5 accuracy (from six classes on), NLL in nats, calibration error and overconfidence.

    `overconfidence` is the mean confidence minus the accuracy.
    """
    classes = log_p.shape[-1]
    ranks = {"accuracy": 1} | ({"top5": 5} if classes > 5 else {})
    found = {name: _top(log_p, labels, k) for name, k in ranks.items()}
    found["nll"] = F.nll_loss(log_p, labels).item()
    found["calibration_error"] = calibration_error(log_p, labels)
    found["overconfidence"] = log_p.amax(-1).exp().mean().item() - found["accuracy"]
    return found


def calibration_error(log_p: Tensor, labels: Tensor, bins: int = 15) -> float:
    r"""$\sum_b |\sum_{i\in b}(1[\hat y_i = y_i] - \hat p_i)| / N$ over bins of equal width in the confidence.

    Guo et al. 2017, with their bins $((b - 1)/B, b/B]$: a confidence of 1, or of one rounding above it, is in the last.
    (torchmetrics 1.9 gives such answers a bin of their own, and takes probabilities above 1 for logits.)

    Args:
        log_p: log-probabilities (N, C).
        labels: (N,).
        bins: their number B.
    """
    top, guess = log_p.double().max(-1)
    confidence = top.exp()
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1  # rounding may give a confidence of 0 or above 1
    gaps = torch.zeros(bins, dtype=torch.float64, device=log_p.device)
    return (gaps.index_add(0, place, (guess == labels).double() - confidence).abs().sum() / len(labels)).item()


def agreement(logits: Tensor) -> float:
    """Share of (image, pair of students) on which both predict the same class; 1 for a single student."""
    guess = logits.argmax(-1)
    return _pairs_mean((guess[:, None] == guess[None]).double().mean(-1), single=1.0)


def mean_divergence(logits: Tensor, alpha: float = 1.0) -> float:
    """Mean of D_alpha(p_j || p_k) in nats over images and ordered pairs; 0 for a single student.

    Order 1 by default, whatever order a run is trained at, so that runs can be compared.
    """
    values = logits.double()
    rows = [
        torch.stack([renyi_divergence_loss(student, peer, alpha, reduction="batchmean") for peer in values])
        for student in values
    ]
    return _pairs_mean(torch.stack(rows), single=0.0)


def _top(log_p: Tensor, labels: Tensor, k: int) -> float:
    from torchmetrics.functional.classification import multiclass_accuracy  # its import takes a second

    return multiclass_accuracy(log_p, labels, log_p.shape[-1], average="micro", top_k=k, validate_args=False).item()


def _pairs_mean(matrix: Tensor, single: float) -> float:
    students = len(matrix)
    if students == 1:
        return single
    off_diagonal = ~torch.eye(students, dtype=torch.bool, device=matrix.device)
    return matrix[off_diagonal].mean().item()


@dataclass(frozen=True)
class Result:
    """The result of one seed: scores on the three parts of the data after the last epoch (no epoch is selected).

    `classes` are their names in the order of the labels, where the data name them.

    Raises:
        ValueError: a negative seed or number of images, a score that is NaN or outside its range, no training scores of
            whom the test has.

    >>> good, bad = {"accuracy": 0.9, "nll": 0.3}, {"accuracy": 0.8, "nll": 0.5}
    >>> one = Result(0, test={"ensemble": bad}, validation={}, train={"ensemble": good}, images={"test": 10})
    >>> round(one.test_with_gaps()["ensemble"]["gap_nll"], 9)
    0.2
    """

    seed: int
    test: Report
    validation: Report
    train: Report
    images: dict[str, int]
    classes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_fields(self)
        check_between("seed", self.seed, 0)
        for name, number in self.images.items():
            check_between(f"images of {name}", number, 0)
        for part in ("test", "validation", "train"):
            _check_scores(part, getattr(self, part))
        if missing := self.test.keys() - self.train.keys():
            raise ValueError(f"train must have scores of whom test has, got none of {', '.join(sorted(missing))}")

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def test_with_gaps(self) -> Report:
        """The test scores with the generalisation gaps.

        `gap_accuracy` is training minus test accuracy, `gap_nll` test minus training NLL; images not augmented.
        """
        return {who: scores | _gaps(self.train[who], scores) for who, scores in self.test.items()}


def _check_scores(part: str, found: Report) -> None:
    for who, scores in found.items():
        for name, value in scores.items():
            check_between(f"{name} of {who} in {part}", value, *RANGES.get(name, (-math.inf, math.inf)), ROUNDING)


def _gaps(train: Scores, test: Scores) -> Scores:
    if not {"accuracy", "nll"} <= train.keys() & test.keys():
        return {}
    return {"gap_accuracy": train["accuracy"] - test["accuracy"], "gap_nll": test["nll"] - train["nll"]}
