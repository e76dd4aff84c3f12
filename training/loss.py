r"""The Rényi divergence as a loss for PyTorch, for every order in [0, inf]. This file imports torch only: take it along.

With peer $p = \mathrm{softmax}(y)$, student $q = \mathrm{softmax}(z)$ and the geometric mixture
$w \propto p^\alpha q^{1-\alpha}$ the gradient in the student's logits is $q - w$ (theorem D1), in the peer's
$\frac{\alpha}{1-\alpha}(p - w)$ (D5), the Hessian $J_q + (\alpha-1) J_w$ (D4). These closed forms are computed with the
value, row block by row block; no order, however large, overflows, and p = q gives exactly 0. (This project; order 1 is
deep mutual learning, Zhang et al. 2018, the other orders Huang et al. 2023, arXiv 2209.05732.)
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

REDUCTIONS = ("none", "batchmean", "sum", "mean")
_BLOCK = 1 << 16  # elements of a row block: its few scratch buffers stay in a core's cache
_SERIES = [
    1 / math.factorial(n) for n in range(20, 1, -1)
]  # of (e^x - 1 - x) / x^2; enough for float64 on |x| <= 1


def renyi_divergence_loss(
    student_logits: Tensor,
    peer_logits: Tensor,
    alpha: float | Tensor,
    reduction: str = "mean",
    dim: int = -1,
    detach_peer: bool = True,
) -> Tensor:
    r"""$D_\alpha(\mathrm{softmax}\,y\,\|\,\mathrm{softmax}\,z)$ in nats of the peer's logits y from the student's z.

    Arguments stand as in `torch.nn.functional.kl_div`: what is trained first, what it is compared with second. One row
    along `dim` is one distribution and has one divergence, so `reduction="none"` returns a value a row (kl_div: a value
    a class), "mean" is the mean over rows, "batchmean" the sum divided by the first axis, "sum" the sum; for logits
    (N, C) mean and batchmean agree, and at order 1 are kl_div's batchmean.

    float16 and bfloat16 are computed in float32; the loss is then float32 and the gradient has the dtype of the logits.
    A logit of -inf is a class that cannot occur; D is inf where its definition is, and there is no gradient then. NaN
    stays NaN.

    Args:
        student_logits: z, floating point, classes along `dim`.
        peer_logits: y, a shape that broadcasts with z's.
        alpha: the order in [0, inf]; 1 is the Kullback-Leibler divergence. A number or a tensor of one element.
        reduction: "none", "batchmean", "sum" or "mean".
        dim: the class axis.
        detach_peer: False lets the gradient flow into the peer's logits as well.

    Raises:
        ValueError: an order outside [0, inf] or one to be learned, an unknown reduction, shapes that do not fit.
        TypeError: logits that are not floating point.

    Source: theorems D1, D4, D5 (this project).
    """
    order = _as_order(alpha)
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
    peer = peer_logits.detach() if detach_peer else peer_logits
    rows = _divergence(*_as_rows(peer, student_logits, dim), order)
    if reduction == "none":
        return rows
    if reduction == "mean":
        return rows.mean()
    return rows.sum() if reduction == "sum" else rows.sum() / (rows.shape[0] if rows.ndim else 1)


class RenyiDivergenceLoss(nn.Module):
    """`renyi_divergence_loss` as a module, called with (student_logits, peer_logits) like `torch.nn.KLDivLoss`."""

    def __init__(
        self, alpha: float | Tensor, reduction: str = "mean", dim: int = -1, detach_peer: bool = True
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
        self.alpha, self.reduction, self.dim, self.detach_peer = _as_order(alpha), reduction, dim, detach_peer

    def forward(self, student_logits: Tensor, peer_logits: Tensor) -> Tensor:
        """The loss of a batch; arguments and errors as `renyi_divergence_loss`."""
        return renyi_divergence_loss(
            student_logits, peer_logits, self.alpha, self.reduction, self.dim, self.detach_peer
        )

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}, reduction={self.reduction!r}, dim={self.dim}, detach_peer={self.detach_peer}"


def mutual_loss(
    logits: Sequence[Tensor] | Tensor, labels: Tensor, alpha: float | Tensor, weight: float = 1.0
) -> Tensor:
    r"""$L_k = \mathrm{CE}(y, p_k) + \frac{\lambda}{K-1}\sum_{j\ne k} D_\alpha(p_j\|p_k)$ of K students, peers detached.

    A student's parameters occur in its own loss only, so `mutual_loss(...).sum().backward()` is one step of all
    students. Order 1 is deep mutual learning; `weight` 0, or a single student, is independent training.

    Args:
        logits: K tensors (N, C), or one (K, N, C).
        labels: class indices (N,).
        alpha: the order in [0, inf], as for `renyi_divergence_loss`.
        weight: lambda, finite and not negative.

    Returns:
        The losses (K,), each the mean over the batch.

    Raises:
        ValueError: no student, students with different shapes, labels or weights that do not fit, a bad order.

    Source: Huang et al. 2023, eq. (6)-(8); Zhang et al. 2018 for order 1.
    """
    order = _as_order(alpha)
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight must be finite and not negative, got {weight}")
    students = _stacked(logits, labels)
    count = len(students)
    entropy = F.cross_entropy(students.flatten(0, 1), labels.repeat(count), reduction="none")
    losses = entropy.view(count, -1).mean(1)
    if weight == 0 or count == 1:
        return losses
    others = torch.tensor([[j for j in range(count) if j != k] for k in range(count)], device=students.device)
    rows = _divergence(students.detach()[others.flatten()], students.repeat_interleave(count - 1, 0), order)
    return losses + weight * rows.view(count, -1).mean(1)


def _as_order(alpha: float | Tensor) -> float:
    if isinstance(alpha, Tensor):
        if alpha.requires_grad:
            raise ValueError(
                "alpha can not be learned: D is nondecreasing in the order, descent would drive it to 0"
            )
        if alpha.numel() != 1:
            raise ValueError(f"alpha must be one number, got a tensor of shape {tuple(alpha.shape)}")
        alpha = alpha.item()
    if not alpha >= 0:
        raise ValueError(f"alpha must be in [0, inf], got {alpha}")
    return float(alpha)


def _as_rows(y: Tensor, z: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    for name, x in (("student_logits", z), ("peer_logits", y)):
        if not x.is_floating_point():
            raise TypeError(f"{name} must be floating point, got {x.dtype}")
        if not -x.ndim <= dim < x.ndim:
            raise ValueError(f"dim must be one of the {x.ndim} axes of {name}, got {dim}")
    if y.shape[dim] != z.shape[dim] or z.shape[dim] == 0:
        counts = f"{z.shape[dim]} and {y.shape[dim]}"
        raise ValueError(
            f"student_logits and peer_logits must have the same number >= 1 of classes, got {counts}"
        )
    y, z = y.movedim(dim, -1), z.movedim(dim, -1)
    if y.shape == z.shape:
        return y, z
    try:
        return tuple(torch.broadcast_tensors(y, z))
    except RuntimeError:
        got = f"{tuple(z.shape)} and {tuple(y.shape)}"
        raise ValueError(f"the shapes of student_logits and peer_logits must broadcast, got {got}") from None


def _stacked(logits: Sequence[Tensor] | Tensor, labels: Tensor) -> Tensor:
    shapes = [tuple(x.shape) for x in logits]
    if not shapes:
        raise ValueError("mutual_loss needs the logits of at least one student, got none")
    if len(set(shapes)) > 1 or len(shapes[0]) != 2:
        raise ValueError(f"the logits of all students must have one shape (N, C), got {shapes}")
    if labels.shape != shapes[0][:1]:
        raise ValueError(f"labels must be {shapes[0][0]} class indices, got shape {tuple(labels.shape)}")
    return logits if isinstance(logits, Tensor) else torch.stack(list(logits))


def _divergence(y: Tensor, z: Tensor, alpha: float) -> Tensor:
    """Rows of D, differentiable as often as wanted, in z and in y where y requires a gradient."""
    rows = (
        _Rows if torch._C._are_functorch_transforms_active() or torch.compiler.is_compiling() else _EagerRows
    )
    return rows.apply(y, z, alpha)[0]


def _batched(size: int, dims: Sequence[int | None], tensors: Sequence[Tensor]) -> list[Tensor]:
    pairs = zip(tensors, dims, strict=True)
    return [x.movedim(d, 0) if d is not None else x.expand(size, *x.shape) for x, d in pairs]


class _Rows(Function):
    """(y, z, alpha) -> rows of D and q - w; the second is kept for the backward pass only."""

    @staticmethod
    def forward(y: Tensor, z: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
        return _blockwise(y, z, alpha)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.alpha, ctx.gap = inputs[2], output[1]
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, g: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        y, z = ctx.saved_tensors
        needs_y, needs_z, _ = ctx.needs_input_grad
        grad_y = g.unsqueeze(-1) * _peer_gap(y, z, ctx.alpha) if needs_y else None
        return grad_y, _Gap.apply(y, z, g, ctx.alpha, ctx.gap) if needs_z else None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, y: Tensor, z: Tensor, alpha: float) -> Any:
        return _Rows.apply(*_batched(info.batch_size, in_dims[:2], (y, z)), alpha), (0, 0)


class _EagerRows(Function):
    """The same in the form whose call costs a third; torch.func and torch.compile do not take it."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, z: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
        output = _Rows.forward(y, z, alpha)
        _Rows.setup_context(ctx, (y, z, alpha), output)
        return output

    backward = _Rows.backward


class _Gap(Function):
    """(y, z, g, alpha, gap) -> g (q - w), with the derivatives of D4 and D5."""

    @staticmethod
    def forward(y: Tensor, z: Tensor, g: Tensor, alpha: float, gap: Tensor) -> Tensor:
        return gap * g.unsqueeze(-1).to(gap.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:3])
        ctx.alpha = inputs[3]

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor | None, ...]:
        (y, z, g), alpha = ctx.saved_tensors, ctx.alpha
        q, w = torch.softmax(z, -1), _mixture(y, z, alpha)
        along_w = w * (v - (w * v).sum(-1, keepdim=True))
        bend = torch.where(along_w == 0, 0.0, along_w * (alpha - 1))
        along_q = q * (v - (q * v).sum(-1, keepdim=True))
        cross = torch.where(along_w == 0, 0.0, along_w * -alpha) * g.unsqueeze(-1)
        return cross, (along_q + bend) * g.unsqueeze(-1), ((q - w) * v).sum(-1), None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, y: Tensor, z: Tensor, g: Tensor, alpha: float, gap: Tensor) -> Any:
        y, z, g, gap = _batched(info.batch_size, (*in_dims[:3], in_dims[4]), (y, z, g, gap))
        return _Gap.apply(y, z, g, alpha, gap), 0


def _mixture(y: Tensor, z: Tensor, alpha: float) -> Tensor:
    """w in differentiable terms."""
    with torch.no_grad():
        delta = _behind_top(y, z)
    if math.isinf(alpha):
        return torch.softmax(z.masked_fill(delta != 0, -math.inf), -1)
    common = delta > -math.inf
    ratio = torch.where(common, y, 0.0) - torch.where(common, z, 0.0)
    top = torch.where(common, ratio, -math.inf).detach().amax(-1, keepdim=True)
    return torch.softmax((z + alpha * (ratio - top)).masked_fill(~common, -math.inf), -1)


def _peer_gap(y: Tensor, z: Tensor, alpha: float) -> Tensor:
    """alpha/(1-alpha) (p - w) = alpha p (e^x - 1)/s with s = alpha - 1, x = log(w/p) = s (l - D); differentiable."""
    p, w, s = torch.softmax(y, -1), _mixture(y, z, alpha), alpha - 1
    if math.isinf(alpha):
        return w - p
    v = torch.log_softmax(y, -1) - torch.log_softmax(z, -1) - _divergence(y, z, alpha).unsqueeze(-1)
    x = s * v
    near = (x.abs() <= 1) & (x.abs() > 1e-30)
    safe = torch.where(near, x, 1.0)
    growth = torch.where(near, torch.expm1(safe) / safe, 1 + x / 2)
    return alpha * torch.where(x.abs() <= 1, p * v * growth, (w - p) / (s or 1.0))


def _blockwise(y: Tensor, z: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Rows of D and q - w, row block by row block, so that scratch memory does not grow with the batch."""
    if z.numel() <= _BLOCK or torch.compiler.is_compiling():
        return _rows_and_gap(y, z, alpha)
    flat_y, flat_z = y.reshape(-1, y.shape[-1]), z.reshape(-1, z.shape[-1])
    gap = torch.empty_like(flat_z, memory_format=torch.contiguous_format)
    rows = []
    for block in _blocks(*flat_z.shape):
        values, gap[block] = _rows_and_gap(flat_y[block], flat_z[block], alpha)
        rows.append(values)
    return torch.cat(rows).view(z.shape[:-1]), gap.view(z.shape)


def _blocks(rows: int, classes: int) -> Iterator[slice]:
    step = max(1, _BLOCK // classes)
    return (slice(start, start + step) for start in range(0, rows, step))


def _rows_and_gap(y: Tensor, z: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    dtype = z.dtype
    if dtype in (torch.float16, torch.bfloat16):
        y, z = y.float(), z.float()
    usual = z.dtype == torch.float32 and (alpha == 1 or 0.25 <= abs(alpha - 1) <= 7)
    rows, gap = _usual(y, z, alpha) if usual else _exact(y, z, alpha)
    return rows, gap.to(dtype)


def _usual(y: Tensor, z: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """float32 at the orders of everyday: as few passes as the absolute accuracy of a loss allows."""
    log_p, log_q = torch.log_softmax(y, -1), torch.log_softmax(z, -1)
    if alpha == 1:
        p, q = log_p.exp(), log_q.exp()
        ratio = log_p.sub_(log_q).nan_to_num_(0.0, math.inf, 0.0)  # classes that p excludes count for nothing
        return ratio.mul_(p).sum(-1).clamp_(min=0), q.sub_(p)
    largest = torch.finfo(z.dtype).max
    tilted = torch.lerp(log_q, log_p, alpha).nan_to_num_(-math.inf, math.inf, -math.inf)
    w, q = torch.softmax(tilted, -1), torch.softmax(log_q, -1)
    del log_p
    rows = _log_total(tilted, w, largest).sub_(_log_total(log_q, q, largest))
    return rows.mul_(1 / (alpha - 1)).clamp_(min=0), q.sub_(w)


def _log_total(exponents: Tensor, normalised: Tensor, largest: float) -> Tensor:
    """log sum e^x from x and softmax(x): at the maximum, where both have all their digits."""
    return exponents.amax(-1).clamp_(-largest, largest).sub_(normalised.amax(-1).log_())


def _exact(y: Tensor, z: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Every order, relative accuracy also near order 1 and for p near q, near-ties of log(p/q) kept apart."""
    log_p, log_q, delta = torch.log_softmax(y, -1), torch.log_softmax(z, -1), _behind_top(y, z)
    q, tilt = torch.softmax(log_q, -1), _times(alpha, delta)
    top, shift = _top_ratio(log_p, log_q, q, delta), _log_mean_exp(q, log_q, tilt)
    x = tilt - shift  # log(w/q)
    gap = torch.where(x <= 1, -q * torch.expm1(x), q - torch.softmax(log_q + tilt, -1))
    far = (
        top
        if math.isinf(alpha)
        else (top * (alpha / (alpha - 1)) + shift / (alpha - 1) if alpha != 1 else top)
    )
    rows = far.clamp(min=0)
    if 0 < alpha <= 1000:
        near = _near(log_p, log_q, delta + top, alpha)
        rows = torch.where((shift + alpha * top).abs() < 0.5, near, rows)
    leaves = ((z == -math.inf) & (y > -math.inf)).any(-1, keepdim=True)
    infinite = (top == -math.inf) | (leaves & (alpha >= 1))
    return torch.where(infinite, math.inf, rows).squeeze(-1), gap


def _behind_top(y: Tensor, z: Tensor) -> Tensor:
    """l - max l for l = y - z, to full relative precision (two-sums); -inf where a class can not occur on both sides."""
    common = (y != -math.inf) & (z != -math.inf)
    high, low = _two_sum(torch.where(common, y, 0.0), torch.where(common, -z, 0.0))
    high = high.masked_fill(~common, -math.inf)
    top = high.amax(-1, keepdim=True)
    lead = low.masked_fill(high < top, -math.inf).amax(-1, keepdim=True)
    low, rest = _two_sum(low, -lead)
    return (((high - top) + low) + rest).masked_fill(~common, -math.inf)


def _two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _times(alpha: float, delta: Tensor) -> Tensor:
    """alpha * delta, where inf * 0 is 0 and 0 * inf is inf: the limits of the order."""
    if alpha == 0:
        return torch.where(delta == -math.inf, delta, 0.0)
    return torch.where(delta == 0, 0.0, alpha * delta)


def _log_mean_exp(q: Tensor, log_q: Tensor, x: Tensor) -> Tensor:
    """log sum q e^x for x <= 0, to full relative precision where it is small."""
    excess = (q * torch.expm1(x)).sum(-1, keepdim=True)
    return torch.where(excess > -0.5, torch.log1p(excess), torch.logsumexp(log_q + x, -1, keepdim=True))


def _top_ratio(log_p: Tensor, log_q: Tensor, q: Tensor, delta: Tensor) -> Tensor:
    """max log(p/q) over the common support."""
    excess = (q * torch.expm1(delta)).sum(-1, keepdim=True)
    whole = ~((log_q == -math.inf) & (log_p > -math.inf)).any(-1, keepdim=True)
    plain = (log_p - log_q).masked_fill(delta == -math.inf, -math.inf).amax(-1, keepdim=True)
    return torch.where(whole & (excess > -0.5), -torch.log1p(excess), plain)


def _near(log_p: Tensor, log_q: Tensor, ratio: Tensor, alpha: float) -> Tensor:
    """D = log1p(s A)/s, A = (sum p e^{s l} - 1)/s summed from non-negative terms; below 1/2 through D_{1-alpha}(q||p)."""
    ratio = torch.where((log_q == -math.inf) & (log_p > -math.inf), math.inf, ratio)
    s, scale = alpha - 1, 1.0
    if alpha < 0.5:
        log_p, log_q, ratio, s, scale = log_q, log_p, -ratio, -alpha, alpha / (1 - alpha)
    ratio = torch.where(log_p == -math.inf, 0.0, ratio)
    p, q, x = log_p.exp(), log_q.exp(), s * ratio
    tilted = (torch.exp(log_p + x) - p) / s if s else p * ratio
    growth = torch.where(x.abs() <= 1, p * ratio * _exprel(x), tilted)
    curved = torch.where(x.abs() <= 1, p * ratio * x * _psi(x), growth - p * ratio)
    terms = torch.where(ratio.abs() <= 1, p * ratio * ratio * _psi(-ratio) + curved, growth - p + q)
    terms = torch.where((log_p == -math.inf), q, terms)
    total = terms.sum(-1, keepdim=True)
    return scale * (torch.log1p(s * total) / s if s else total)


def _exprel(x: Tensor) -> Tensor:
    return torch.where(x == 0, 1.0, torch.expm1(x) / torch.where(x == 0, 1.0, x))


def _psi(x: Tensor) -> Tensor:
    """(e^x - 1 - x) / x^2 for |x| <= 1, where the closed form cancels."""
    x = x.clamp(-1, 1)
    total = torch.full_like(x, _SERIES[0])
    for coefficient in _SERIES[1:]:
        total = total * x + coefficient
    return total
