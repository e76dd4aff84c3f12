r"""The faster way for float32 at everyday orders: D and q - w by the textbook's formula, in logarithms.

Taken in float32 at order 1 and at orders in (0, 0.6] and [1.4, 8]: there the formula is as accurate as the rounding of
the logits allows. Other orders and float64 take `value_and_gradient`. With this way switched off, and so the ones that
need it, a whole step of two MLPs took 1.97, 2.46, 6.51 and 7.46 times as long at 10, 100, 1000 and 10,000 classes on a
processor with AVX-512 (at 04c7e10), 1.71, 2.23, 6.05 and 5.16 times on one without (benchmarks/step.py, rows "RDML /
independent").
Held to theory, and so to `value_and_gradient`, by tests/training/loss/test_loss.py:
test_float32_is_as_accurate_as_its_logits_allow.

torch's compiler fuses these functions into one pass over memory, so `kernel` compiles them.
"""

import math

import torch
from torch import Tensor

_MANY = 64 * {"AVX512": 16, "AVX2": 8}.get(torch.backends.cpu.get_cpu_capability(), 4)  # 64 terms in each lane


def is_everyday(alpha: float, dtype: torch.dtype) -> bool:
    """Whether order and dtype are such that this way is accurate."""
    return dtype == torch.float32 and (alpha == 1 or (alpha > 0 and 0.4 <= abs(alpha - 1) <= 7))


def rows_and_gap(y: Tensor, z: Tensor, alpha: float | Tensor, one: bool) -> tuple[Tensor, Tensor]:
    """Rows of D and q - w; `one` says whether the order is 1, since a kernel cannot branch on a tensor."""
    (log_p, p, of_p), (log_q, q, of_q) = unscaled(y), unscaled(z)
    rows, w = meeting(log_p, log_q, p, of_p, of_q, alpha, one)
    return rows.squeeze(-1), q / of_q - w


def unscaled(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log softmax up to a constant of the row, its exponential, and the sum of that exponential over classes."""
    log_q = logits - logits.amax(-1, keepdim=True)
    q = log_q.exp()
    return log_q, q, sum_of(q)


def sum_of(x: Tensor) -> Tensor:
    """The sum over the last axis; many terms in float64: torch adds pairwise, compiled code one by one in each lane."""
    if x.shape[-1] > _MANY or x.stride(-1) != 1:  # compiled code does not vectorise a strided axis
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
