"""The divergence as a loss: the function `renyi_divergence_loss` and the module `RenyiDivergenceLoss`."""

import math
from functools import partial

import torch
from torch import Tensor, nn

from .arguments import as_order, as_rows, check_axis, check_reduction, check_switch
from .autograd import Kept, Worked, divergences, transformed
from .blocks import kept_dtype, rows_and_gap
from .counts import as_row_weights, relative, share_of_each
from .fast import kernel, quick
from .tensors import check_tensors


def renyi_divergence_loss(
    student_logits: Tensor,
    peer_logits: Tensor,
    alpha: float | Tensor,
    reduction: str = "mean",
    dim: int = -1,
    detach_peer: bool = True,
    compiled: bool = False,
    row_weights: Tensor | None = None,
) -> Tensor:
    r"""$D_\alpha(\mathrm{softmax}\,y\,\|\,\mathrm{softmax}\,z)$ in nats of the peer's logits y from the student's z.

    Arguments stand as in `torch.nn.functional.kl_div`: what is trained first, what it is compared with second. One row
    along `dim` is one distribution and has one divergence, so `reduction="none"` returns a value a row (kl_div: a value
    a class), "mean" is the mean over rows, "batchmean" the sum divided by the first axis, "sum" the sum; for logits
    (N, C) mean and batchmean agree, and at order 1 are kl_div's batchmean.

    float16 and bfloat16 are computed in float32: the loss is then float32, the gradient has the dtype of the logits. In
    float16 it waits in float32 for the backward pass, so that loss scaling reaches it before it is rounded.
    Beyond the gradient a call takes a few MiB a thread on a CPU, or what a few rows take where that is more. A logit of
    -inf is a class that cannot occur; D is inf where its definition is, and there is no gradient then. NaN stays NaN.

    Args:
        student_logits: z, floating point, classes along `dim`; not probabilities (`refuse_probabilities` tells).
        peer_logits: y, a shape that broadcasts with z's; moved to the student's device.
        alpha: the order in [0, inf]; 1 is the Kullback-Leibler divergence. A number or a tensor of one element.
        reduction: "none", "batchmean", "sum" or "mean".
        dim: the class axis, 1 for maps (B, C, H, W).
        detach_peer: False lets the gradient flow into the peer's logits as well.
        compiled: one kernel for value and gradient, made by torch's compiler when a shape is first seen (some seconds;
            on a CPU it needs a C++ compiler); it needs the gradient's memory and six numbers a row. For a training step
            in single or half precision, with detached peers, at order 1 or an order in (0, 0.6] or [1.4, 8]; any other
            call is computed without it.
        row_weights: what each row counts, >= 0, a number for each value of `reduction="none"`: these values are
            multiplied by it, and "mean" is the weighted mean. A row of weight 0 costs nothing in value and gradient,
            even where its logits are not finite; where all are 0, so is the mean. `labels != -100` leaves out tokens.

    Raises:
        ValueError: an order outside [0, inf] or one to be learned, an unknown reduction, shapes that do not fit, row
            weights that are negative, not finite (both looked at on the CPU only) or to be learned, compiled where
            torch cannot compile.
        TypeError: logits that are no dense tensors with numbers (as sparse ones are, and those of the device meta) of a
            floating dtype of at least 16 bits.

    Source: theorems D1, D4, D5 (this project).

    >>> import torch
    >>> student, peer = torch.zeros(1, 2, requires_grad=True), torch.tensor([[0.0, 2.0]])
    >>> loss = renyi_divergence_loss(student, peer, alpha=1.0)
    >>> loss.backward()
    >>> student.grad  # q - w, and w is the peer at order 1
    tensor([[ 0.3808, -0.3808]])
    """
    order = as_order(alpha)
    check_reduction(reduction)
    check_switch("detach_peer", detach_peer)
    check_switch("compiled", compiled)
    check_tensors(student_logits=student_logits, peer_logits=peer_logits)
    peer = peer_logits.detach() if detach_peer else peer_logits
    if peer.device != student_logits.device:
        peer = peer.to(student_logits.device)
    y, z = as_rows(peer, student_logits, dim)
    if row_weights is not None:
        return _weighted(y, z, order, reduction, compiled, as_row_weights(row_weights, z))
    return divergence(y, z, order, _share(reduction, z.shape[:-1]), compiled)


def _weighted(y: Tensor, z: Tensor, alpha: float, reduction: str, compiled: bool, weights: Tensor) -> Tensor:
    weights = relative(weights) if reduction == "mean" else weights
    left_out = (weights == 0).unsqueeze(-1)
    y, z = y.masked_fill(left_out, 0.0), z.masked_fill(left_out, 0.0)
    rows = divergence(y, z, alpha, None, compiled) * weights
    if reduction == "mean":
        return rows.sum() * share_of_each(weights)
    share = _share(reduction, rows.shape)
    return rows if share is None else rows.sum() * share


class RenyiDivergenceLoss(nn.Module):
    """`renyi_divergence_loss` as a module, called with (student_logits, peer_logits) like `torch.nn.KLDivLoss`.

    >>> import torch
    >>> logits = torch.tensor([[0.0, 2.0]])
    >>> RenyiDivergenceLoss(alpha=0.5)(logits, logits).item()
    0.0
    """

    def __init__(
        self,
        alpha: float | Tensor,
        reduction: str = "mean",
        dim: int = -1,
        detach_peer: bool = True,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        check_axis(dim)
        check_switch("detach_peer", detach_peer)
        check_switch("compiled", compiled)
        self.alpha, self.reduction, self.dim = as_order(alpha), reduction, dim
        self.detach_peer, self.compiled = detach_peer, compiled

    def forward(self, student_logits: Tensor, peer_logits: Tensor, row_weights: Tensor | None = None) -> Tensor:
        """The loss of a batch; arguments and errors as `renyi_divergence_loss`."""
        options = self.alpha, self.reduction, self.dim, self.detach_peer, self.compiled
        return renyi_divergence_loss(student_logits, peer_logits, *options, row_weights)

    def extra_repr(self) -> str:
        said = f"alpha={self.alpha}, reduction={self.reduction!r}, dim={self.dim}, detach_peer={self.detach_peer}"
        return said + ", compiled=True" * self.compiled


def divergence(y: Tensor, z: Tensor, alpha: float, share: float | None = None, compiled: bool = False) -> Tensor:
    """Rows of D, or `share` times their sum; all derivatives in z, and in y if it requires a gradient."""
    graph = torch.is_grad_enabled()
    if transformed() or (graph and y.requires_grad):
        return _differentiable(share, alpha, z, y)
    if graph and z.requires_grad:
        return Kept.apply(partial(_with_gradient, share, alpha, compiled), partial(_differentiable, share, alpha), z, y)
    rows = rows_and_gap(y, z, alpha)
    return rows if share is None else rows.sum() * share


def _differentiable(share: float | None, alpha: float, z: Tensor, y: Tensor) -> Tensor:
    """`divergence` from operations that autograd can differentiate any number of times."""
    rows = divergences(y, z, alpha)
    return rows if share is None else rows.sum() * share


def _with_gradient(share: float | None, alpha: float, compiled: bool, z: Tensor, y: Tensor) -> Worked:
    """`divergence` with its gradient in z, by the fastest way that fits."""
    if compiled and kernel.is_for((alpha,), z, y):
        return kernel.divergence(y, z, alpha, share)
    gap = torch.empty_like(z, dtype=kept_dtype(z), memory_format=torch.contiguous_format)
    if share is not None and quick.is_for(y, z, alpha):
        total = quick.total(y, z, alpha, gap, share)
        if not math.isnan(total):
            return torch.scalar_tensor(total * share, dtype=torch.float32), gap
    if share is None:
        return rows_and_gap(y, z, alpha, gap), gap
    return rows_and_gap(y, z, alpha, gap, share).sum() * share, gap


def _share(reduction: str, shape: torch.Size) -> float | None:
    """What the sum over rows is multiplied by, or None to keep the rows."""
    if reduction == "none":
        return None
    count = 1 if reduction == "sum" else shape.numel() if reduction == "mean" else shape[0] if shape else 1
    return 1 / count if count else math.nan
