"""The faster way for the mutual loss: all students' losses and their gradient together, a block of rows at a time.

Taken by `mutual_loss` in eager mode. Cross-entropy and divergences share one softmax, and the logits of all pairs are
never in memory together. Without it a whole step of two MLPs took 1.26, 1.29, 1.27 and 1.27 times as long at 10, 100,
1000 and 10,000 classes on a processor with AVX-512 (at 04c7e10), 1.19, 1.26, 1.98 and 1.58 times on one without
(benchmarks/step.py, rows "RDML / independent"). tests/training/loss/test_mutual_loss.py holds it to a sum over pairs
written with theory (test_losses_and_gradients_are_a_loop_over_pairs) and its float32 to float64
(test_float32_students_are_those_of_float64). Without a gradient to keep, it still takes less time than `pairs`.

`_quick_attraction` is a shorter formula inside it, for a CPU and everyday orders. Without it the same step took 1.13,
1.18, 1.21 and 1.24 times as long with AVX-512, 1.10, 1.14, 1.58 and 1.40 times without; the second of these tests
holds it to `value_and_gradient`, which computes the float64 losses.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..arguments import Pairs, by_order
from ..autograd import Worked
from ..blocks import compute_dtype, kept_dtype, rows_and_gap, rows_of_a_block
from ..value_and_gradient import without_nothing
from .everyday import is_everyday
from .quick import BITS, exponentiate


class _Links(NamedTuple):
    """The pairs of one order as tensors: as a list of P pairs, and as a table (peers + 1, K) with a column per student.

    The last row of the table `peers` is the students themselves. A student with fewer peers than another is paired with
    itself, with share 0, to fill its column. `pulls` is minus the shares, since a divergence has gradient -w in log q.
    """

    order: float
    student: Tensor
    peer: Tensor
    share: Tensor
    peers: Tensor
    pulls: Tensor


def losses_and_gradient(
    pairs: Pairs, temperature: float, smoothing: float, students: Tensor, *labels: Tensor
) -> Worked:
    """The losses (K,) of logits (K, N, C) and their gradient, of labels and counts as `labels` describes them."""
    dtype = compute_dtype(students)
    lasting = type(students) in (Tensor, nn.Parameter)  # the cache must not keep a fake tensor after its mode has ended
    link = _kept_links if lasting else _links
    links = link(pairs, students.shape[:2], students.device, dtype)
    step = rows_of_a_block(len(pairs) * students.shape[2] // 2, students.device)
    parts = [(students, *labels)]
    if students.shape[1] > step:
        parts = zip(students.split(step, 1), *(x.split(step) for x in labels), strict=True)
    found = [_block(links, temperature, smoothing, students.shape[1], *part) for part in parts]
    entropies, attractions, gradients = (list(column) for column in zip(*found, strict=True))
    losses = _joined(entropies).mean((1, 2)).add_(sum(attractions[1:], start=attractions[0]))
    return losses, _joined(gradients)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _block(
    links: tuple[_Links, ...],
    temperature: float,
    smoothing: float,
    number: int,
    students: Tensor,
    labels: Tensor,
    *counts: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """For n of the `number` rows: cross-entropies (K, n, 1), weighted divergences (K,) and the gradient (K, n, C)."""
    entropy, attraction = (x.unsqueeze(1) for x in counts) if counts else (None, None)
    logits = students.to(compute_dtype(students))
    logs = torch.log_softmax(logits, -1)
    logits, soft = (logits, logs) if temperature == 1 else _softened(logits, temperature)
    value, pull = _attraction(logits, soft, links[0], attraction)
    for link in links[1:]:
        more, further = _attraction(logits, soft, link, attraction)
        value, pull = value.add_(more), pull.add_(further)
    target = pull if temperature == 1 else torch.zeros_like(pull)
    if labels.ndim == 2:
        rows = _subtract_rows(target, logs, labels, entropy, number)
    else:
        rows = _subtract_target(target, logs, labels, entropy, smoothing, number)
    gradient = _logit_gradient(target, logs)
    if temperature != 1:
        gradient.add_(_logit_gradient(pull, soft), alpha=1 / temperature)
    return rows, value, gradient.to(kept_dtype(students))


def _softened(logits: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    logits = logits / temperature
    return logits, torch.log_softmax(logits, -1)


def _subtract_target(
    gradient: Tensor, logs: Tensor, labels: Tensor, counts: Tensor | None, smoothing: float, number: int
) -> Tensor:
    """Rows (K, n, 1) of the cross-entropy; subtracts target / `number` from `gradient`, rounded as torch rounds it."""
    index, spread = labels.unsqueeze(1).expand(len(logs), -1, 1), smoothing / logs.shape[-1]
    sharp = gradient.new_full((), (smoothing - 1) / number)
    gradient.scatter_add_(-1, index, (sharp if counts is None else sharp * counts).expand_as(index))
    rows = logs.gather(-1, index).neg_()
    if smoothing:
        gradient.sub_(spread / number if counts is None else counts * (spread / number))
        rows = rows.mul_(1 - smoothing).sub_(logs.mean(-1, keepdim=True), alpha=smoothing)
    return rows if counts is None else without_nothing(counts, rows)


def _subtract_rows(gradient: Tensor, logs: Tensor, labels: Tensor, counts: Tensor | None, number: int) -> Tensor:
    """As `_subtract_target`, of labels (n, C)."""
    gradient.sub_(labels if counts is None else counts * labels, alpha=1 / number)
    rows = -without_nothing(labels, logs).sum(-1, keepdim=True)
    return rows if counts is None else without_nothing(counts, rows)


def _logit_gradient(gradient: Tensor, logs: Tensor) -> Tensor:
    """The gradient in the logits from the gradient g in log q: g - q sum g."""
    return torch._log_softmax_backward_data(gradient, logs, -1, logs.dtype)  # pyright: ignore[reportPrivateImportUsage]


def _attraction(logits: Tensor, logs: Tensor, links: _Links, counts: Tensor | None) -> tuple[Tensor, Tensor]:
    """Each student's weighted sum of D over peers and rows (K,), and its gradient in log q (K, n, C).

    At order infinity and far above 1 equal log-ratios share the gradient; only the logits still have them equal.
    """
    if logs.is_cpu and is_everyday(links.order, logs.dtype):
        pulls = links.pulls if counts is None else links.pulls * counts
        rows, pull = _quick_attraction(logs, links, pulls)
        if rows.amax().item() * abs(links.order - 1) < 60:  # no NaN, and no sum that left the range of float32
            return -rows.mul_(pulls).sum((0, 2, 3)), pull
    own, others = logits.index_select(0, links.student), logits.index_select(0, links.peer)
    gap, share = torch.empty_like(own), links.share[:, None, None]
    share = share if counts is None else share * counts
    rows = rows_and_gap(others, own, links.order, gap).unsqueeze(-1).mul_(share).sum((1, 2))
    pull = torch.zeros_like(logs).index_add_(0, links.student, gap.mul_(share))
    return rows.new_zeros(len(logs)).index_add_(0, links.student, rows), pull


def _quick_attraction(logs: Tensor, links: _Links, pulls: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of D (peers + 1, K, n, 1) and the gradient; the last row pairs a student with itself.

    Its sum is what rounding makes of 1; divided by it, the other sums give D = 0 exactly where p = q.
    """
    w = logs.index_select(0, links.peers).view(-1, *logs.shape)
    if links.order == 1:
        ahead = w - logs
        exponentiate(*w.mul_(BITS).unbind())
        rows = ahead.mul_(w).sum(-1, keepdim=True)
        w.mul_(pulls)
    else:
        exponentiate(*torch.lerp(logs, w, links.order, out=w).mul_(BITS).unbind())
        sums = w.sum(-1, keepdim=True)
        rows = (sums[-1] / sums).log_().div_(1 - links.order)
        w.mul_(pulls / sums)
    return rows.clamp_(min=0), w.sum(0)


def _links(pairs: Pairs, shape: torch.Size, device: torch.device, dtype: torch.dtype) -> tuple[_Links, ...]:
    """The links of logits (K, N, C); their shares make the sums over rows means."""
    return tuple(_links_of_one_order(some, shape, device, dtype) for some in by_order(pairs))


_kept_links = lru_cache(_links)  # on an accelerator, copying these tensors at every step would make it wait


def _links_of_one_order(pairs: Pairs, shape: torch.Size, device: torch.device, dtype: torch.dtype) -> _Links:
    count, rows = shape
    student, peer = (torch.tensor(column, device=device) for column in list(zip(*pairs, strict=True))[:2])
    share = torch.tensor([pair.weight / rows for pair in pairs], dtype=dtype, device=device)
    own = [[(pair.peer, -pair.weight / rows) for pair in pairs if pair.student == k] for k in range(count)]
    most = max(len(links) for links in own)
    table = [links + [(k, 0.0)] * (most + 1 - len(links)) for k, links in enumerate(own)]
    peers = torch.tensor([[j for j, _ in links] for links in table], device=device).t().flatten()
    pulls = torch.tensor([[pull for _, pull in links] for links in table], dtype=dtype, device=device).t()
    return _Links(pairs[0].order, student, peer, share, peers, pulls[:, :, None, None])
