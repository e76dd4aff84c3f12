r"""The faster way for float32 at everyday orders: D and q - w from a softmax with its maximum taken out, unpadded.

Taken at order 1 and at orders in (0, 0.6] and [1.4, 8], where the textbook's formula, in logarithms, is as accurate as
the rounding of float32 logits allows; the other orders and float64 take `plain`. It halves a whole step of two small
MLPs with 10 classes and makes it seven times as fast with 10,000 (benchmarks/step.py, rows "RDML / independent"). Held
to theory, and so to `plain`, by tests/training/loss/test_loss.py: test_float32_is_as_accurate_as_its_logits_allow.

A compiler makes one pass of it, so `kernel` compiles these same functions.
"""

import math

import torch
from torch import Tensor

_MANY = 64 * {"AVX512": 16, "AVX2": 8}.get(torch.backends.cpu.get_cpu_capability(), 4)  # terms: 64 a vector's lane


def is_everyday(alpha: float, dtype: torch.dtype) -> bool:
    """Whether order and dtype are such that this way is accurate."""
    return dtype == torch.float32 and (alpha == 1 or (alpha > 0 and 0.4 <= abs(alpha - 1) <= 7))


def rows_and_gap(y: Tensor, z: Tensor, alpha: float | Tensor, one: bool) -> tuple[Tensor, Tensor]:
    """Rows of D and q - w as in `plain`; `one`: whether the order is 1, which a compiled order can not be asked."""
    (log_p, p, of_p), (log_q, q, of_q) = unscaled(y), unscaled(z)
    rows, w = meeting(log_p, log_q, p, of_p, of_q, alpha, one)
    return rows.squeeze(-1), q / of_q - w


def unscaled(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The logarithm of a softmax up to a constant, its exponential, and the sum of that."""
    log_q = logits - logits.amax(-1, keepdim=True)
    q = log_q.exp()
    return log_q, q, sum_of(q)


def sum_of(x: Tensor) -> Tensor:
    """Over the last axis; of many in float64, since a compiler adds in a lane one by one what torch adds pairwise."""
    if x.shape[-1] > _MANY or x.stride(-1) != 1:  # an axis that it does not split over a vector's lanes
        return x.sum(-1, keepdim=True, dtype=torch.float64).to(x.dtype)
    return x.sum(-1, keepdim=True)


def meeting(
    log_p: Tensor, log_q: Tensor, p: Tensor, of_p: Tensor, of_q: Tensor, alpha: float | Tensor, one: bool
) -> tuple[Tensor, Tensor]:
    """Rows of D (..., 1) and w, from log p and log q up to constants, p and both sums over classes."""
    ahead = (of_q / of_p).log()
    ratio = torch.where(log_p == -math.inf, 0.0, log_p - log_q)  # classes that p excludes count for nothing
    if one:  # a class that only q excludes counts even where p underflows
        terms = torch.where(ratio == math.inf, math.inf, p * ratio)
        return (sum_of(terms) / of_p + ahead).clamp(min=0), p / of_p
    tilted = log_p + (alpha - 1) * ratio
    top = tilted.amax(-1, keepdim=True)
    w = (tilted - top).exp()
    of_w = sum_of(w)
    excess = (of_w / of_q).log()
    excess = torch.where(excess.isnan(), 0.0, excess) + top  # no class in common, or q excludes one: top decides
    return ((excess + alpha * ahead) / (alpha - 1)).clamp(min=0), w / of_w
