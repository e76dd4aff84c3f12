r"""What is computed: the mutual loss of K students, cross-entropy plus weighted divergences over ordered pairs.

$L_k = \mathrm{CE}(y, p_k) + \sum_{j\ne k} w_{kj} T^2 D_{\alpha_{kj}}(p_j\|p_k)$ with peers detached, so that a
student's parameters occur in its own loss only (Huang et al. 2023, arXiv 2209.05732; order 1: Zhang et al. 2018).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .arguments import Pairs, by_order
from .blocks import compute_dtype
from .divergence import divergence
from .value_and_gradient import without_nothing


def losses(pairs: Pairs, temperature: float, smoothing: float, students: Tensor, *labels: Tensor) -> Tensor:
    """The losses (K,), means over rows, with all derivatives; of what `labels` describes, labels with their counts."""
    return _reduced(lambda rows: rows.mean(1), pairs, temperature, smoothing, students, *labels)


def rows(pairs: Pairs, temperature: float, smoothing: float, students: Tensor, *labels: Tensor) -> Tensor:
    """The losses (K, N) row by row."""
    return _reduced(lambda rows: rows, pairs, temperature, smoothing, students, *labels)


def _reduced(
    reduced: Callable[[Tensor], Tensor],
    pairs: Pairs,
    temperature: float,
    smoothing: float,
    students: Tensor,
    labels: Tensor,
    *counts: Tensor,
) -> Tensor:
    students = students.to(compute_dtype(students))
    entropy, attraction = counts or (None, None)
    found = reduced(entropies(students, labels, smoothing, entropy))
    soft = students if temperature == 1 else students / temperature
    for some in by_order(pairs):
        student, peer = (torch.tensor(column, device=students.device) for column in list(zip(*some, strict=True))[:2])
        weight = torch.tensor([[pair.weight] for pair in some], dtype=students.dtype, device=students.device)
        more = divergence(soft.detach()[peer], soft[student], some[0].order) * weight
        found = found.index_add(0, student, reduced(more if attraction is None else attraction * more))
    return found


def entropies(students: Tensor, labels: Tensor, smoothing: float, counts: Tensor | None = None) -> Tensor:
    """The cross-entropies (K, N) row by row."""
    if labels.ndim == 2:
        found = -without_nothing(labels, torch.log_softmax(students, -1, compute_dtype(students))).sum(-1)
    else:
        flat, labels = students.flatten(0, 1).to(compute_dtype(students)), labels.expand(len(students), -1).reshape(-1)
        found = F.cross_entropy(flat, labels, reduction="none", label_smoothing=smoothing).view(students.shape[:2])
    return found if counts is None else without_nothing(counts, found)
