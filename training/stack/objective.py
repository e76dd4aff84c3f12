"""The losses of all runs at once, each at its own order and weight, and their gradients in the logits.

The classes are not the last axis: sums over few classes are then sums of vectors of images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from training.loss.blocks import rows_and_gap
from training.loss.fast.everyday import is_everyday
from training.loss.fast.quick import BITS
from training.run.step import Objective

Losses = tuple[Tensor, Tensor]
"""The losses (R, K) and their gradient in the logits (R, K, C, N)."""


class Alike(NamedTuple):
    """The r of R runs whose divergences one formula computes.

    Attributes:
        runs: their numbers (r,).
        order: one for all, or (r, 1, 1, 1, 1) everyday orders other than 1.
        pulls: (r, K, K), the weight of peer j in the loss of student k, lam included.
    """

    runs: Tensor
    order: float | Tensor
    pulls: Tensor


@dataclass(frozen=True)
class Objectives:
    """What R cohorts of K students minimise in one epoch; temperature and label smoothing are the same for all."""

    groups: tuple[Alike, ...]
    temperature: float = 1.0
    label_smoothing: float = 0.0

    @classmethod
    def of(
        cls, each: Sequence[Objective], device: torch.device | None = None, dtype: torch.dtype = torch.float32
    ) -> "Objectives":
        """The objectives of single runs together, for logits of this dtype; a run of weight 0 is in no group."""
        first = each[0]
        return cls(tuple(_alike(each, device, dtype)), first.temperature, first.label_smoothing)

    def __call__(self, logits: Tensor, labels: Tensor) -> Losses:
        """The losses (means over the batch) and the gradient of their sum, from logits (R, K, C, N), labels (R, N)."""
        logs, heat, classes = torch.log_softmax(logits, -2), self.temperature, logits.shape[2]
        target = torch.full_like(logs[:, :1], self.label_smoothing / classes)
        target.scatter_add_(-2, labels[:, None, None], torch.full_like(target[..., :1, :], 1 - self.label_smoothing))
        losses, gradient = -(logs * target).sum(-2).mean(-1), _exp(logs).sub_(target)
        soft = logs if heat == 1 else torch.log_softmax(logits / heat, -2)
        for runs, order, pulls in self.groups:
            some = soft.index_select(0, runs)
            rows, w = _divergences(some, order)
            losses.index_add_(0, runs, (rows.mean(-1) * pulls).sum(-1))
            mixture = (pulls[:, :, None] @ w.flatten(3)).view(some.shape)
            gap = _exp(some).mul_(pulls.sum(-1)[..., None, None]).sub_(mixture)
            gradient.index_add_(0, runs, gap, alpha=1 / heat)
        return losses, gradient.div_(logs.shape[3])


def _alike(each: Sequence[Objective], device: torch.device | None, dtype: torch.dtype) -> Iterator[Alike]:
    """Groups of order 1, of all other everyday orders together, and of each other order."""
    groups: dict[float | str, list[int]] = {}
    for run, one in enumerate(each):
        if one.weight and any(map(any, one.topology)):
            together = one.alpha != 1 and is_everyday(one.alpha, dtype)
            groups.setdefault("everyday" if together else one.alpha, []).append(run)
    for key, runs in groups.items():
        some = [each[run] for run in runs]
        lam = [torch.tensor(one.topology, dtype=torch.float64) * (one.weight * one.temperature**2) for one in some]
        orders = torch.tensor([one.alpha for one in some], dtype=dtype, device=device)[(..., *[None] * 4)]
        order = orders if key == "everyday" else some[0].alpha
        yield Alike(torch.tensor(runs, device=device), order, torch.stack(lam).to(device, dtype))


def _exp(x: Tensor) -> Tensor:
    return (x * BITS).exp2_()


def _divergences(logs: Tensor, order: float | Tensor) -> tuple[Tensor, Tensor]:
    """Rows of D (r, K, K, N) of student k (second axis) from peer j (third), and the mixtures w (r, K, K, C, N)."""
    own, peer = logs[:, :, None], logs[:, None]
    if isinstance(order, Tensor):
        rows, w = _everyday(own, peer, order)
        if (rows * (order - 1).abs()[..., 0]).amax() < 60:  # no nan, and no sum that left the range of float32
            return rows, w
        each = [_divergences(one[None], alpha) for one, alpha in zip(logs, order.flatten().tolist(), strict=True)]
        return torch.cat([rows for rows, _ in each]), torch.cat([w for _, w in each])
    if order == 1 and is_everyday(1.0, logs.dtype):
        p = _exp(peer)
        rows = ((peer - own) * p).sum(-2)
        if rows.amax() < 60:
            return rows.clamp_(min=0), p.expand(-1, logs.shape[1], -1, -1, -1)
    y, z = (x.expand(*logs.shape[:2], *logs.shape[1:]).mT.contiguous() for x in (peer, own))
    gap = torch.empty_like(z)
    rows = rows_and_gap(y, z, order, gap)
    return rows, z.exp().sub_(gap).mT


def _everyday(own: Tensor, peer: Tensor, orders: Tensor) -> tuple[Tensor, Tensor]:
    """The same at orders other than 1; a student's sum with itself is what rounding makes of 1 (see `fast.joint`)."""
    w = torch.lerp(own, peer, orders).mul_(BITS).exp2_()
    sums = w.sum(-2, keepdim=True)
    with_itself = sums.diagonal(dim1=1, dim2=2).movedim(-1, 1)[:, :, None]
    rows = (with_itself / sums).log_().div_(1 - orders).squeeze(-2)
    return rows.clamp_(min=0), w.div_(sums)
