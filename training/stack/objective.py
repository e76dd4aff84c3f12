"""The losses of all runs at once, each at its own order and weight, and their gradients in the logits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.loss.blocks import rows_and_gap
from training.loss.everyday import is_everyday
from training.run.step import Objective

Losses = tuple[Tensor, Tensor]
"""The losses (R, K) and their gradient in the logits (R, K, N, C)."""


@dataclass(frozen=True)
class Objectives:
    """What R cohorts of K students minimise in one epoch; temperature and label smoothing are the same for all.

    Attributes:
        orders: (R,).
        pulls: (R, K, K), the weight of peer j in the loss of student k, lam included.
        temperature, label_smoothing: as in `training.loss.mutual_loss`.
    """

    orders: tuple[float, ...]
    pulls: Tensor
    temperature: float = 1.0
    label_smoothing: float = 0.0

    @classmethod
    def of(cls, each: Sequence[Objective], device: torch.device | None = None) -> "Objectives":
        """The objectives of single runs together."""
        pulls = torch.stack([one.weight * torch.tensor(one.topology, dtype=torch.float64) for one in each])
        first = each[0]
        return cls(tuple(one.alpha for one in each), pulls.to(device), first.temperature, first.label_smoothing)

    def __call__(self, logits: Tensor, labels: Tensor) -> Losses:
        """The losses (means over the batch) and the gradient of their sum, from logits (R, K, N, C), labels (R, N)."""
        logs = torch.log_softmax(logits, -1)
        losses, gradient = _entropies(logs, labels, self.label_smoothing)
        heat = self.temperature
        soft = logs if heat == 1 else torch.log_softmax(logits / heat, -1)
        for alpha, runs in self._alike(logits.dtype):
            rows, w = _divergences(soft[runs], alpha)
            pulls = self.pulls[runs].to(logits.dtype) * (heat**2 / logits.shape[2])
            losses[runs] += (rows.sum(-1) * pulls).sum(-1)
            gap = soft[runs].exp().mul_(pulls.sum(-1)[..., None, None]) - (w * pulls[..., None, None]).sum(2)
            gradient[runs] += gap if heat == 1 else gap / heat
        return losses, gradient

    def _alike(self, dtype: torch.dtype) -> Iterator[tuple[float | Tensor, Tensor]]:
        """(order, runs) computed by one formula: order 1, all everyday orders together, and each other order."""
        coupled = self.pulls.flatten(1).any(1).tolist()
        groups: dict[float, list[int]] = {}
        for run, alpha in enumerate(self.orders):
            if coupled[run]:
                groups.setdefault(-1.0 if alpha != 1 and is_everyday(alpha, dtype) else alpha, []).append(run)
        for alpha, runs in groups.items():
            index = torch.tensor(runs, device=self.pulls.device)
            orders = torch.tensor([self.orders[run] for run in runs], dtype=dtype, device=self.pulls.device)
            yield orders if alpha == -1.0 else alpha, index


def _entropies(logs: Tensor, labels: Tensor, smoothing: float) -> Losses:
    """The mean cross-entropies and their gradient."""
    target = torch.zeros_like(logs[:, :1]).scatter_(-1, labels[:, None, :, None], 1 - smoothing)
    target += smoothing / logs.shape[-1]
    rows = -(logs * target).sum(-1)
    return rows.mean(-1), (logs.exp() - target).div_(logs.shape[2])


def _divergences(logs: Tensor, alpha: float | Tensor) -> tuple[Tensor, Tensor]:
    """Rows of D (r, K, K, N) of student k (second axis) from peer j (third), and the mixtures w (r, K, K, N, C)."""
    own, peer = logs[:, :, None], logs[:, None]
    if isinstance(alpha, Tensor):
        rows, w = _everyday(own, peer, alpha)
        if (
            rows.isfinite().all() and (rows.amax((1, 2, 3)) * (alpha - 1).abs()).amax() < 60
        ):  # as in training.loss.joint
            return rows, w
        each = [_divergences(one[None], order) for one, order in zip(logs, alpha.tolist(), strict=True)]
        rows, w = (torch.cat(parts) for parts in zip(*each, strict=True))
        return rows, w
    if alpha == 1 and is_everyday(1.0, logs.dtype):
        p = peer.exp()
        rows = ((peer - own) * p).sum(-1)
        if rows.isfinite().all():
            return rows.clamp_(min=0), p.expand(-1, len(logs[0]), -1, -1, -1)
    y, z = (x.expand(*logs.shape[:2], *logs.shape[1:]).contiguous() for x in (peer, own))
    gap = torch.empty_like(z)
    rows = rows_and_gap(y, z, alpha, gap)
    return rows, z.exp().sub_(gap)


def _everyday(own: Tensor, peer: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """The same at orders (r,) other than 1; a student's sum with itself is what rounding makes of 1."""
    orders = alpha.view(-1, 1, 1, 1, 1)
    w = torch.lerp(own, peer, orders).exp_()
    sums = w.sum(-1, keepdim=True)
    own_sums = sums.diagonal(dim1=1, dim2=2).movedim(-1, 1)[:, :, None]
    rows = (own_sums / sums).log_().div_(1 - orders).squeeze(-1)
    return rows.clamp_(min=0), w.div_(sums)
