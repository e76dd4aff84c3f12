r"""What is computed: the mutual loss of K students, cross-entropy plus weighted divergences over ordered pairs.

$L_k = \mathrm{CE}(y, p_k) + \sum_{j\ne k} w_{kj} T^2 D_{\alpha_{kj}}(p_j\|p_k)$ with peers detached, so that a
student's parameters occur in its own loss only (Huang et al. 2023, arXiv 2209.05732; order 1: Zhang et al. 2018).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .arguments import Pairs, by_order
from .blocks import compute_dtype
from .divergence import divergence


def losses(pairs: Pairs, temperature: float, smoothing: float, students: Tensor, labels: Tensor) -> Tensor:
    """The losses (K,) of logits (K, N, C), with all derivatives; `smoothing` is that of the labels."""
    found = entropies(students, labels, smoothing)
    soft = students if temperature == 1 else students / temperature
    for some in by_order(pairs):
        student, peer = (torch.tensor(column, device=students.device) for column in list(zip(*some, strict=True))[:2])
        weight = torch.tensor([pair.weight for pair in some], dtype=compute_dtype(students), device=students.device)
        rows = divergence(soft.detach()[peer], soft[student], some[0].order)
        found = found.index_add(0, student, weight * rows.mean(1))
    return found


def entropies(students: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """The mean cross-entropies (K,)."""
    flat, repeated = students.flatten(0, 1).to(compute_dtype(students)), labels.expand(len(students), -1).reshape(-1)
    return F.cross_entropy(flat, repeated, reduction="none", label_smoothing=smoothing).view(len(students), -1).mean(1)
