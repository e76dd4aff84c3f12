"""The scores of many runs at once: what `training.measure.scores.report` says of each, in few passes over all."""

import math

import torch
from torch import Tensor

from training.measure.scores import COHORT, ENSEMBLE, Report, Scores

from .temperatures import inverse_temperatures

BINS = 15


def reports(logits: Tensor, labels: Tensor) -> list[Report]:
    """The report of each run.

    Args:
        logits: (R, K, C, N).
        labels: (R, N).
    """
    logits, labels = logits.cpu(), labels.cpu()
    students = logits.shape[1]
    log_p = logits.double().log_softmax(2)
    ensemble = log_p.logsumexp(1, keepdim=True) - math.log(students)
    each = _scores(torch.cat([log_p, ensemble], 1), labels)
    geometric = log_p.mean(1)
    together = {"agreement": _agreement(logits), "divergence": _divergence(log_p)}
    together["ambiguity"] = (-geometric.logsumexp(1).mean(-1)).clamp(min=0)
    found = []
    betas = inverse_temperatures(geometric, labels)
    for run, beta in enumerate(betas):
        report = {f"student {k + 1}": _row(each, run, k) for k in range(students)}
        report[ENSEMBLE] = _row(each, run, students)
        report[ENSEMBLE] |= {"beta": beta} if math.isfinite(beta) else {}
        report[COHORT] = {name: values[run].item() for name, values in together.items()}
        found.append(report)
    return found


def _row(scores: dict[str, list[list[float]]], run: int, who: int) -> Scores:
    return {name: values[run][who] for name, values in scores.items()}


def _scores(log_p: Tensor, labels: Tensor) -> dict[str, list[list[float]]]:
    """Each score (R, K) of log-probabilities (R, K, C, N)."""
    own = log_p.gather(2, labels[:, None, None].expand(-1, log_p.shape[1], -1, -1))
    top, guess = log_p.max(2)
    hit, confidence = (guess == labels[:, None]).double(), top.exp()
    found = {"accuracy": hit.mean(-1).float().double()}  # rounded as torchmetrics rounds it
    if log_p.shape[2] > 5:
        found["top5"] = ((log_p > own).sum(2) < 5).double().mean(-1).float().double()
    found["nll"] = -own.mean((2, 3))
    place = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    gaps = log_p.new_zeros(*log_p.shape[:2], BINS).scatter_add_(-1, place, hit - confidence)
    found["calibration_error"] = gaps.abs().sum(-1) / log_p.shape[3]
    found["overconfidence"] = confidence.mean(-1) - found["accuracy"]
    return {name: values.tolist() for name, values in found.items()}


def _agreement(logits: Tensor) -> Tensor:
    guess = logits.argmax(2)
    return _mean_over_pairs((guess[:, :, None] == guess[:, None]).double().mean(-1), single=1.0)


def _divergence(log_p: Tensor) -> Tensor:
    """The mean of D_1 over images and ordered pairs, (R,): a sum of terms p log(p/q) - p + q, none of them negative."""
    own, peer = log_p[:, :, None], log_p[:, None]
    p = peer.exp()
    rows = ((peer - own) * p - p + own.exp()).sum(3)
    return _mean_over_pairs(rows.mean(-1), single=0.0)


def _mean_over_pairs(matrix: Tensor, single: float) -> Tensor:
    """Over the pairs of different students of (R, K, K)."""
    students = matrix.shape[1]
    if students == 1:
        return torch.full(matrix.shape[:1], single, dtype=torch.float64)
    return matrix[:, ~torch.eye(students, dtype=torch.bool)].mean(-1)
