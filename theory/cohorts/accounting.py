r"""Where a student's gain comes from: its loss is the ensemble's loss plus an ambiguity that no label enters (P1)."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax, logsumexp

from theory.divergence.arguments import Array, as_logits, refuse_where


def ambiguity(logits: ArrayLike) -> Array:
    r"""$A = \frac1K\sum_k\mathrm{KL}(\hat p\|p_k) = -\log\sum_c\prod_kp_k(c)^{1/K}$, $\hat p$ the softmax of the mean
    logits (P1).

    Per input, in nats. Averaged over unlabelled data, it is the most that a mean student's NLL can gain unless the
    ensemble gains, too.

    Args:
        logits: students, then inputs, then classes: shape (K, ..., C).

    Returns:
        Shape (...), non-negative.

    Raises:
        ValueError: logits that are NaN, infinite or without a class.
    """
    log_p = _log_probabilities(logits)
    return np.maximum(-logsumexp(log_p.mean(axis=0), axis=-1), 0.0)[()]


def accounting(logits: ArrayLike, labels: ArrayLike) -> tuple[Array, Array, Array]:
    r"""(mean student's NLL, NLL of the mean logits' ensemble, ambiguity) per input, the first being the sum of the
    others (P1).

    Args:
        logits: shape (K, ..., C).
        labels: class indices, shape (...).

    Returns:
        Three arrays of shape (...), in nats.

    Raises:
        ValueError: as `ambiguity`, labels of another shape, or no class index.
    """
    log_p = _log_probabilities(logits)
    classes = np.asarray(labels)
    if classes.shape != log_p.shape[1:-1]:
        raise ValueError(f"labels must have shape {log_p.shape[1:-1]}, one an input, got {classes.shape}")
    outside = (classes != np.floor(classes)) | (classes < 0) | (classes >= log_p.shape[-1])
    refuse_where(outside, "labels", classes.astype(np.float64), f"be whole numbers from 0 to {log_p.shape[-1] - 1}")
    index = np.broadcast_to(classes.astype(np.intp)[None, ..., None], (*log_p.shape[:-1], 1))
    students = -np.take_along_axis(log_p, index, -1)[..., 0].mean(axis=0)
    together = ambiguity(logits)
    return students, students - together, together


def _log_probabilities(logits: ArrayLike) -> Array:
    values = as_logits(logits, "logits", -1)
    refuse_where(~np.isfinite(values), "logits", values, "be finite")
    if values.ndim < 2:
        raise ValueError(f"logits must have the students first and the classes last, got shape {values.shape}")
    return np.asarray(log_softmax(values, axis=-1))
