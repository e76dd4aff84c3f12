r"""The Rényi divergence as a PyTorch loss, for every order in [0, inf]. This file imports torch only: take it along.

With peer $p = \mathrm{softmax}(y)$, student $q = \mathrm{softmax}(z)$ and the geometric mixture
$w \propto p^\alpha q^{1-\alpha}$ the gradient in the student's logits is $q - w$ (theorem D1), in the peer's
$\frac{\alpha}{1-\alpha}(p - w)$ (D5), the Hessian $J_q + (\alpha-1) J_w$ (D4). These closed forms are computed with the
value, row block by row block; no order, however large, overflows, and p = q gives exactly 0. (This project; order 1 is
deep mutual learning, Zhang et al. 2018, the other orders Huang et al. 2023, arXiv 2209.05732.)
"""

import math
import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import lru_cache, partial
from threading import Lock
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

REDUCTIONS = ("none", "batchmean", "sum", "mean")
_BLOCK = (1 << 24, 1 << 17)  # elements of a row block on an accelerator, and on a CPU: smaller ones cost more calls
_MANY = 64 * {"AVX512": 16, "AVX2": 8}.get(torch.backends.cpu.get_cpu_capability(), 4)  # terms: 64 a vector's lane
_LARGEST = 1 << 20  # elements that a kernel takes at once on a CPU: its scratch memory then stays in the caches
_BITS = 1 / math.log(2)  # exp2 is the fastest exponential that torch has on a CPU, three times as fast as exp
_SERIES = [1 / math.factorial(n) for n in range(20, 1, -1)]  # of (e^x - 1 - x) / x^2; enough for float64 on |x| <= 1


def renyi_divergence_loss(
    student_logits: Tensor,
    peer_logits: Tensor,
    alpha: float | Tensor,
    reduction: str = "mean",
    dim: int = -1,
    detach_peer: bool = True,
    compiled: bool = False,
) -> Tensor:
    r"""$D_\alpha(\mathrm{softmax}\,y\,\|\,\mathrm{softmax}\,z)$ in nats of the peer's logits y from the student's z.

    Arguments stand as in `torch.nn.functional.kl_div`: what is trained first, what it is compared with second. One row
    along `dim` is one distribution and has one divergence, so `reduction="none"` returns a value a row (kl_div: a value
    a class), "mean" is the mean over rows, "batchmean" the sum divided by the first axis, "sum" the sum; for logits
    (N, C) mean and batchmean agree, and at order 1 are kl_div's batchmean.

    float16 and bfloat16 are computed in float32; the loss is then float32 and the gradient has the dtype of the logits.
    Beyond the gradient a call takes three times its logits, at everyday orders on a CPU no more than 1.5 MiB a thread
    or 3 rows. A logit of -inf is a class that cannot occur; D is inf where its definition is, and there is no gradient
    then. NaN stays NaN.

    Args:
        student_logits: z, floating point, classes along `dim`.
        peer_logits: y, a shape that broadcasts with z's.
        alpha: the order in [0, inf]; 1 is the Kullback-Leibler divergence. A number or a tensor of one element.
        reduction: "none", "batchmean", "sum" or "mean".
        dim: the class axis.
        detach_peer: False lets the gradient flow into the peer's logits as well.
        compiled: one kernel for value and gradient, made by torch's compiler when a shape is first seen (some seconds;
            on a CPU it takes a C++ compiler); it needs the gradient's memory and six numbers a row. For a training step
            in up to single precision, with detached peers, at order 1 or an order in (0, 0.6] or [1.4, 8]; whatever
            else is asked for is computed as without.

    Raises:
        ValueError: an order outside [0, inf] or one to be learned, an unknown reduction, shapes that do not fit,
            compiled where torch cannot compile.
        TypeError: logits that are not floating point.

    Source: theorems D1, D4, D5 (this project).
    """
    order = _as_order(alpha)
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
    peer = peer_logits.detach() if detach_peer else peer_logits
    y, z = _as_rows(peer, student_logits, dim)
    return _divergence(y, z, order, _share(reduction, z.shape[:-1]), compiled)


class RenyiDivergenceLoss(nn.Module):
    """`renyi_divergence_loss` as a module, called with (student_logits, peer_logits) like `torch.nn.KLDivLoss`."""

    def __init__(
        self,
        alpha: float | Tensor,
        reduction: str = "mean",
        dim: int = -1,
        detach_peer: bool = True,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
        self.alpha, self.reduction, self.dim = _as_order(alpha), reduction, dim
        self.detach_peer, self.compiled = detach_peer, compiled

    def forward(self, student_logits: Tensor, peer_logits: Tensor) -> Tensor:
        """The loss of a batch; arguments and errors as `renyi_divergence_loss`."""
        return renyi_divergence_loss(
            student_logits, peer_logits, self.alpha, self.reduction, self.dim, self.detach_peer, self.compiled
        )

    def extra_repr(self) -> str:
        said = f"alpha={self.alpha}, reduction={self.reduction!r}, dim={self.dim}, detach_peer={self.detach_peer}"
        return said + ", compiled=True" * self.compiled


def mutual_loss(
    logits: Sequence[Tensor] | Tensor,
    labels: Tensor,
    alpha: float | Tensor,
    weight: float = 1.0,
    *,
    weights: Sequence[Sequence[float]] | Tensor | None = None,
    temperature: float = 1.0,
    label_smoothing: float = 0.0,
    compiled: bool = False,
) -> Tensor:
    r"""$L_k = \mathrm{CE}(y, p_k) + \frac{\lambda}{K-1}\sum_{j\ne k} D_\alpha(p_j\|p_k)$ of K students, peers detached.

    A student's parameters occur in its own loss only, so `mutual_loss(...).sum().backward()` is one step of all
    students. Order 1 is deep mutual learning; `weight` 0, or a single student, is independent training.

    Args:
        logits: K tensors (N, C), or one (K, N, C).
        labels: class indices (N,).
        alpha: the order in [0, inf], as for `renyi_divergence_loss`.
        weight: lambda, finite and not negative.
        weights: the topology (K, K): row k holds how strongly peer j draws student k, in place of 1/(K-1); the diagonal
            does not matter. A pair of weight 0 is not computed.
        temperature: T > 0; the divergence compares softmax(logits / T) and is multiplied by T^2, which keeps the size
            of its gradient (Hinton et al. 2015). The cross-entropy stays at temperature 1.
        label_smoothing: as in `torch.nn.functional.cross_entropy`.
        compiled: one kernel for all losses and their gradient, under the conditions of `renyi_divergence_loss`; one for
            each shape of the logits, topology, temperature and smoothing. Order and weight may change without a new
            one, except to or from order 1 and weight 0. Its scratch memory grows with the number of peers.

    Returns:
        The losses (K,), each the mean over the batch.

    Raises:
        ValueError: no student, students with different shapes, labels (on the CPU: also their values, elsewhere the
            device itself stops) or weights that do not fit, a bad order, weight, temperature or smoothing, compiled
            where torch cannot compile.
        TypeError: labels of another dtype than torch.int64.

    Source: Huang et al. 2023 (arXiv 2209.05732); Zhang et al. 2018 for order 1.
    """
    order, students = _as_order(alpha), _stacked(logits, labels)
    for name, value, ok in (("weight", weight, weight >= 0), ("temperature", temperature, temperature > 0)):
        if not (ok and math.isfinite(value)):
            raise ValueError(f"{name} must be finite and {'> 0' if name == 'temperature' else '>= 0'}, got {value}")
    count = len(students)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be in [0, 1], got {label_smoothing}")
    pairs = _pairs(weights, count, weight * temperature**2)
    eager = len(labels) and torch.is_grad_enabled() and not _transformed()
    compiled = bool(compiled and eager and _can_compile(order if pairs else 1.0, students, labels))
    if not (pairs or compiled):
        return _entropies(students, labels, label_smoothing)
    if eager:
        return _EagerMutual.apply(students, labels, order, pairs, temperature, label_smoothing, compiled)
    return _mutual(students, labels, order, pairs, temperature, label_smoothing)


Pairs = tuple[tuple[int, int, float], ...]  # student, peer, how strongly the peer draws the student


def _pairs(weights: Sequence[Sequence[float]] | Tensor | None, count: int, scale: float) -> Pairs:
    rows = [[1 / max(1, count - 1)] * count] * count if weights is None else _rows_of(weights)
    if [len(row) for row in rows] != [count] * count:
        raise ValueError(f"weights must be a {count} x {count} matrix, got rows of {[len(row) for row in rows]}")
    bad = [x for row in rows for x in row if not 0 <= x < math.inf]
    if bad:
        raise ValueError(f"weights must be finite and not negative, got {bad[0]}")
    return tuple((k, j, x * scale) for k, row in enumerate(rows) for j, x in enumerate(row) if x * scale and j != k)


def _rows_of(weights: Sequence[Sequence[float]] | Tensor) -> list[list[float]]:
    if isinstance(weights, Tensor):
        if weights.ndim != 2:
            raise ValueError(f"weights must be a matrix, got shape {tuple(weights.shape)}")
        return weights.tolist()
    return [[float(x) for x in row] for row in weights]


def _entropies(students: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    flat, repeated = students.flatten(0, 1).to(_compute_dtype(students)), labels.expand(len(students), -1).reshape(-1)
    return F.cross_entropy(flat, repeated, reduction="none", label_smoothing=smoothing).view(len(students), -1).mean(1)


def _mutual(
    students: Tensor, labels: Tensor, alpha: float, pairs: Pairs, temperature: float, smoothing: float
) -> Tensor:
    """The losses (K,) in differentiable terms."""
    if not pairs:
        return _entropies(students, labels, smoothing)
    student, peer, share, *_ = _links(pairs, students.shape, students.device, _compute_dtype(students))
    soft = students if temperature == 1 else students / temperature
    rows = _divergence(soft.detach()[peer], soft[student], alpha)
    return _entropies(students, labels, smoothing).index_add(0, student, share * rows.sum(1))


class _Links(NamedTuple):
    """The pairs as tensors (P,); where all students have as many peers, also (peers + 1, K) with themselves last.

    `pulls` is minus the shares, the share in oneself 0: the gradient of a divergence in log q is -w.
    """

    student: Tensor
    peer: Tensor
    share: Tensor
    peers: Tensor | None
    pulls: Tensor


def _links(pairs: Pairs, shape: torch.Size, device: torch.device, dtype: torch.dtype) -> _Links:
    """The links of logits (K, N, C); their shares make the sums over rows means."""
    count, each = shape[0], len(pairs) // shape[0]
    student, peer = (torch.tensor(column, device=device) for column in list(zip(*pairs, strict=True))[:2])
    share = torch.tensor([x / max(1, shape[1]) for _, _, x in pairs], dtype=dtype, device=device)
    if [k for k, _, _ in pairs] != [k for k in range(count) for _ in range(each)]:
        return _Links(student, peer, share, None, share)
    peers = torch.cat([peer.view(count, each).t(), torch.arange(count, device=device)[None]])
    pulls = torch.cat([-share.view(count, each).t(), share.new_zeros(1, count)])
    return _Links(student, peer, share, peers.flatten(), pulls[:, :, None, None])


_kept_links = lru_cache(_links)  # on an accelerator each of their tensors would be a copy to wait for


class _EagerMutual(Function):
    """`_mutual` with its gradient in one pass, and without the logits of all pairs: they exist for one block of rows.

    A cross-entropy of its own would cost as much again as the divergences of a small batch.
    """

    @staticmethod
    def forward(ctx: Any, students: Tensor, labels: Tensor, alpha: float, pairs: Pairs, *options: Any) -> Tensor:
        ctx.save_for_backward(students, labels)
        (temperature, smoothing, compiled), dtype = options, _compute_dtype(students)
        ctx.options = alpha, pairs, temperature, smoothing
        if compiled:
            losses, ctx.gap = _compiled_mutual(students, labels, *ctx.options)
            return losses
        keep = _kept_links if type(students) is Tensor else _links  # a fake tensor must not outlive its mode
        links = keep(pairs, students.shape, students.device, dtype)
        entropies, gradients, attractions = [], [], []
        step = _rows_of_a_block(len(pairs) * students.shape[2] // 2, students.device, threads=torch.get_num_threads())
        for part, index in zip(students.split(step, 1), labels.split(step), strict=True):
            logs = torch.log_softmax(part, -1, dtype)
            soft = logs if temperature == 1 else torch.log_softmax(part / temperature, -1, dtype)
            value, pull = _attraction(soft, alpha, links)
            attractions.append(value)
            target = pull if temperature == 1 else torch.zeros_like(pull)
            entropies.append(_subtract_target(target, logs, index, smoothing, students.shape[1]))
            gradient = _logit_gradient(target, logs)
            if temperature != 1:
                gradient.add_(_logit_gradient(pull, soft), alpha=1 / temperature)
            gradients.append(gradient if students.dtype == dtype else gradient.to(students.dtype))
        ctx.gap = _joined(gradients)
        return _joined(entropies).mean((1, 2)).add_(sum(attractions[1:], start=attractions[0]))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor | None, ...]:
        (g,), gap, ctx.gap = grad_outputs, ctx.gap, None
        if gap is not None and not torch.is_grad_enabled() and not _transformed():
            return gap.mul_(g[:, None, None]), *[None] * 6
        students, labels = ctx.saved_tensors
        with torch.enable_grad():
            losses = _mutual(students, labels, *ctx.options)
            return *torch.autograd.grad(losses, students, g, create_graph=True), *[None] * 6


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _subtract_target(gradient: Tensor, logs: Tensor, labels: Tensor, smoothing: float, number: int) -> Tensor:
    """Rows (K, n, 1) of the cross-entropy; their target over `number` is taken from `gradient`, to torch's bit."""
    index, spread = labels.unsqueeze(1).expand(len(logs), -1, 1), smoothing / logs.shape[-1]
    gradient.scatter_add_(-1, index, gradient.new_full((), (smoothing - 1) / number).expand_as(index))
    rows = logs.gather(-1, index).neg_()
    if smoothing:
        gradient.sub_(spread / number)
        rows = rows.mul_(1 - smoothing).sub_(logs.mean(-1, keepdim=True), alpha=smoothing)
    return rows


def _logit_gradient(gradient: Tensor, logs: Tensor) -> Tensor:
    """From the gradient in log q to that in the logits: g - q sum g."""
    return torch._log_softmax_backward_data(gradient, logs, -1, logs.dtype)  # pyright: ignore[reportPrivateImportUsage]


def _attraction(logs: Tensor, alpha: float, links: _Links) -> tuple[Tensor, Tensor]:
    """Of each student the weighted sum of D over peers and rows (K,), and its gradient in log q (K, n, C)."""
    if links.peers is not None and logs.is_cpu and logs.dtype == torch.float32 and _usual_order(alpha):
        rows, pull = _quick_attraction(logs, alpha, links.peers, links.pulls)
        if rows.amax().item() * abs(alpha - 1) < 60:  # no NaN, and no sum that left the range of float32
            return -rows.mul_(links.pulls).sum((0, 2, 3)), pull
    own, others = logs.index_select(0, links.student), logs.index_select(0, links.peer)
    gap = torch.empty_like(own)
    rows = _blockwise(others, own, alpha, gap).sum(1).mul_(links.share)
    pull = torch.zeros_like(logs).index_add_(0, links.student, gap.mul_(links.share[:, None, None]))
    return rows.new_zeros(len(logs)).index_add_(0, links.student, rows), pull


def _quick_attraction(logs: Tensor, alpha: float, peers: Tensor, pulls: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of D (peers + 1, K, n, 1), the last of a student and itself: their sums tell what rounding makes of 1."""
    w = logs.index_select(0, peers).view(-1, *logs.shape)
    if alpha == 1:
        ahead = w - logs
        _exponentiate(w, *w.unbind())
        rows = ahead.mul_(w).sum(-1, keepdim=True)
        w.mul_(pulls)
    else:
        _exponentiate(torch.lerp(logs, w, alpha, out=w), *w.unbind())
        sums = w.sum(-1, keepdim=True)
        rows = (sums[-1] / sums).log_().div_(1 - alpha)
        w.mul_(pulls / sums)
    return rows.clamp_(min=0), w.sum(0)


def _as_order(alpha: float | Tensor) -> float:
    if isinstance(alpha, Tensor):
        if alpha.requires_grad:
            raise ValueError("alpha can not be learned: D is nondecreasing in the order, descent would drive it to 0")
        if alpha.numel() != 1:
            raise ValueError(f"alpha must be one number, got a tensor of shape {tuple(alpha.shape)}")
        alpha = alpha.item()
    if not alpha >= 0:
        raise ValueError(f"alpha must be in [0, inf], got {alpha}")
    return float(alpha)


def _as_rows(y: Tensor, z: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    if dim == -1 and y.shape == z.shape and y.ndim and z.shape[-1] and y.is_floating_point() and z.is_floating_point():
        return y, z
    for name, x in (("student_logits", z), ("peer_logits", y)):
        if not x.is_floating_point():
            raise TypeError(f"{name} must be floating point, got {x.dtype}")
        if not -x.ndim <= dim < x.ndim:
            raise ValueError(f"dim must be one of the {x.ndim} axes of {name}, got {dim}")
    if y.shape[dim] != z.shape[dim] or z.shape[dim] == 0:
        counts = f"{z.shape[dim]} and {y.shape[dim]}"
        raise ValueError(f"student_logits and peer_logits must have the same number >= 1 of classes, got {counts}")
    if dim != -1:
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
    _check_labels(labels, *shapes[0])
    return logits if isinstance(logits, Tensor) else torch.stack(list(logits))


def _check_labels(labels: Tensor, rows: int, classes: int) -> None:
    if labels.shape != (rows,):
        raise ValueError(f"labels must be {rows} class indices, got shape {tuple(labels.shape)}")
    if labels.dtype != torch.long:
        raise TypeError(f"labels must be class indices of dtype torch.int64, got {labels.dtype}")
    if labels.is_cpu and rows and not _transformed():  # elsewhere to look would be to wait
        low, high = (end.item() for end in labels.aminmax())
        if low < 0 or high >= classes:
            raise ValueError(f"labels must be class indices in [0, {classes}), got {low if low < 0 else high}")


def _share(reduction: str, shape: torch.Size) -> float | None:
    """What the sum over rows is multiplied by, or None to keep the rows."""
    if reduction == "none":
        return None
    count = 1 if reduction == "sum" else shape.numel() if reduction == "mean" else shape[0] if shape else 1
    return 1 / count if count else math.nan


def _divergence(y: Tensor, z: Tensor, alpha: float, share: float | None = None, compiled: bool = False) -> Tensor:
    """Rows of D, or `share` times their sum, differentiable as often as wanted, in z and, where asked for, in y."""
    transformed = _transformed()
    if not transformed and torch.is_grad_enabled():
        return _EagerRows.apply(y, z, alpha, share, compiled)
    rows = _apply_rows(y, z, alpha) if transformed else _blockwise(y, z, alpha, None)
    return rows if share is None else rows.sum() * share


def _transformed() -> bool:
    """Within torch.func or torch.compile (torch has no public name for the first question)."""
    if torch.compiler.is_compiling():
        return True
    if not torch._C._are_functorch_transforms_active():
        return False
    stack = torch._C._functorch.get_interpreter_stack()  # pyright: ignore[reportAttributeAccessIssue] (not in its stubs)
    levels = [level.key().name for level in stack or ()]
    if levels.count("Jvp") > 1:  # torch itself is silently wrong there (pytorch issue 197867)
        raise NotImplementedError("forward over forward mode is not supported, use torch.func.hessian or reverse mode")
    return True


class _Rows(Function):
    """(y, z, alpha) -> rows of D, for torch.func, torch.compile and derivatives of higher order."""

    @staticmethod
    def forward(y: Tensor, z: Tensor, alpha: float) -> Tensor:
        return _blockwise(y, z, alpha, None)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.save_for_forward(*inputs[:2])
        ctx.alpha = inputs[2]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor | None, ...]:
        (g,), (y, z) = grad_outputs, ctx.saved_tensors
        grad_y = g.unsqueeze(-1) * _peer_gap(y, z, ctx.alpha) if ctx.needs_input_grad[0] else None
        return grad_y, _apply_gap(y, z, g, ctx.alpha) if ctx.needs_input_grad[1] else None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> tuple[Tensor, int]:
        y, z = _batched(info.batch_size, in_dims, args[:-1])
        return _apply_rows(y, z, args[-1]), 0


class _EagerRows(Function):
    """The same for a training step: q - w is kept from the forward pass, and becomes the gradient without a copy.

    (y, z, alpha, share, compiled) -> rows of D, or `share` times their sum: a reduction apart would cost as much as the
    loss of a small batch.
    """

    @staticmethod
    def forward(ctx: Any, y: Tensor, z: Tensor, alpha: float, share: float | None, compiled: bool) -> Tensor:
        ctx.save_for_backward(y, z)
        ctx.save_for_forward(y, z)
        ctx.alpha, ctx.share, ctx.ready = alpha, share, False
        if compiled and ctx.needs_input_grad[:2] == (False, True) and _can_compile(alpha, z, y):
            ctx.ready = share is not None and z.dtype == torch.float32
            value, ctx.gap = _compiled_rows(y, z, alpha, share)
            return value
        ctx.gap = torch.empty_like(z, memory_format=torch.contiguous_format) if ctx.needs_input_grad[1] else None
        if share is not None:
            total = _quick_total(y, z, alpha, ctx.gap, share)
            if not math.isnan(total):
                ctx.ready = True
                return torch.scalar_tensor(total * share, dtype=torch.float32)
        rows = _blockwise(y, z, alpha, ctx.gap)
        return rows if share is None else rows.sum() * share

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor | None, ...]:
        (g,), gap, ctx.gap = grad_outputs, ctx.gap, None
        if gap is None or ctx.needs_input_grad[0] or torch.is_grad_enabled() or _transformed():
            rows = ctx.saved_tensors[1].shape[:-1]  # a second pass through the graph, or a graph of the gradient
            return *_Rows.backward(ctx, g if ctx.share is None else (g * ctx.share).expand(rows)), None, None
        if ctx.ready:  # on a CPU to look at g is no waiting, and as a rule it is 1
            return None, gap if g.is_cpu and g.item() == 1 else gap.mul_(g), None, None, None
        return None, gap.mul_(g.unsqueeze(-1) if ctx.share is None else g * ctx.share), None, None, None

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Tensor:
        rate = _DualRows.jvp(ctx, *grad_inputs[:3])
        return rate if ctx.share is None else rate.sum() * ctx.share


class _Gap(Function):
    """(y, z, g, alpha) -> g (q - w), with the derivatives of D4 and D5."""

    @staticmethod
    def forward(y: Tensor, z: Tensor, g: Tensor, alpha: float) -> Tensor:
        gap = torch.empty_like(z, memory_format=torch.contiguous_format)
        _blockwise(y, z, alpha, gap)
        return gap * g.unsqueeze(-1).to(gap.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, float], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:3])
        ctx.save_for_forward(*inputs[:3])
        ctx.alpha = inputs[3]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor | None, ...]:
        (v,), (y, z, g), alpha = grad_outputs, ctx.saved_tensors, ctx.alpha
        q, w, g = torch.softmax(z, -1), _mixture(y, z, alpha), g.unsqueeze(-1)
        along_w = _covary(w, v)
        grad_z = _covary(q, v) + _times(alpha - 1, along_w)
        return _times(-alpha, along_w) * g, grad_z * g, ((q - w) * v).sum(-1), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> tuple[Tensor, int]:
        y, z, g = _batched(info.batch_size, in_dims, args[:-1])
        return _apply_gap(y, z, g, args[-1]), 0


class _DualRows(_Rows):
    """`_Rows` with forward mode, which torch.compile does not take."""

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Tensor:
        (along_y, along_z, _), (y, z), alpha = grad_inputs, ctx.saved_tensors, ctx.alpha
        rate = torch.zeros_like(z[..., 0], dtype=_compute_dtype(z))
        if along_z is not None:
            rate = rate + (_apply_gap(y, z, torch.ones_like(rate), alpha) * along_z).sum(-1)
        return rate if along_y is None else rate + (_peer_gap(y, z, alpha) * along_y).sum(-1)


class _DualGap(_Gap):
    """`_Gap` with forward mode."""

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Tensor:
        (along_y, along_z, along_g, _), (y, z, g), alpha = grad_inputs, ctx.saved_tensors, ctx.alpha
        q, w, g = torch.softmax(z, -1), _mixture(y, z, alpha), g.unsqueeze(-1)
        rate = torch.zeros_like(q)
        if along_y is not None:
            rate = rate + _times(-alpha, _covary(w, along_y)) * g
        if along_z is not None:
            rate = rate + (_covary(q, along_z) + _times(alpha - 1, _covary(w, along_z))) * g
        return rate if along_g is None else rate + (q - w) * along_g.unsqueeze(-1)


def _apply_rows(y: Tensor, z: Tensor, alpha: float) -> Tensor:
    return _Rows.apply(y, z, alpha) if torch.compiler.is_compiling() else _DualRows.apply(y, z, alpha)


def _apply_gap(y: Tensor, z: Tensor, g: Tensor, alpha: float) -> Tensor:
    return _Gap.apply(y, z, g, alpha) if torch.compiler.is_compiling() else _DualGap.apply(y, z, g, alpha)


def _batched(size: int, dims: Sequence[int | None], tensors: Sequence[Tensor]) -> list[Tensor]:
    pairs = zip(dims, tensors, strict=False)  # what follows the tensors is the order
    return [x.movedim(d, 0) if d is not None else x.expand(size, *x.shape) for d, x in pairs]


def _covary(q: Tensor, v: Tensor) -> Tensor:
    """J_q v with J_q = diag(q) - q q^T."""
    return q * (v - (q * v).sum(-1, keepdim=True))


def _mixture(y: Tensor, z: Tensor, alpha: float) -> Tensor:
    """w in differentiable terms."""
    if alpha > torch.finfo(z.dtype).max:
        with torch.no_grad():
            delta = _behind_top(y, z)
        return torch.softmax(z.masked_fill(delta != 0, -math.inf), -1)
    delta, common = _behind(y, z)
    return torch.softmax((z + alpha * delta).masked_fill(~common, -math.inf), -1)


def _behind(y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """l - max l, 0 where a side excludes a class, and where none does: exact in value, differentiable as y - z is."""
    common = (y > -math.inf) & (z > -math.inf)
    ratio = torch.where(common, y, 0.0) - torch.where(common, z, 0.0)
    return torch.where(common, ratio - ratio.detach() + _behind_top(y.detach(), z.detach()), 0.0), common


def _peer_gap(y: Tensor, z: Tensor, alpha: float) -> Tensor:
    """alpha/(1-alpha) (p - w) = alpha p (e^x - 1)/s with s = alpha - 1, x = log(w/p) = s (l - D); differentiable."""
    p, w, s = torch.softmax(y, -1), _mixture(y, z, alpha), alpha - 1
    if alpha > torch.finfo(z.dtype).max:
        return w - p
    delta, common = _behind(y, z)
    q, log_q = torch.softmax(z, -1), torch.log_softmax(z, -1)
    shared = log_q.masked_fill(~common, -math.inf)
    whole = ~((z == -math.inf) & (y > -math.inf)).any(-1, keepdim=True)
    plain = torch.log_softmax(y, -1).masked_fill(~common, 0.0) - log_q.masked_fill(~common, 0.0)
    ratio = torch.where(whole, delta - _log_mean_exp(q, shared, delta), plain)
    if abs(s) <= 0.5:
        slope = ratio - _divergence(y, z, alpha).unsqueeze(-1)
    else:  # from log(w/q), which keeps its digits at huge orders
        slope = (alpha * delta - _log_mean_exp(q, shared, alpha * delta) - ratio) / s
    near = common & ((s * slope).abs() <= 1)
    slope = torch.where(near, slope, 0.0)
    grown = p * slope * (1 + s * slope * _psi(s * slope))
    return _closed(alpha * torch.where(near, grown, (w - p) / (s or 1.0)), torch.minimum(p, w))


def _blockwise(y: Tensor, z: Tensor, alpha: float, gap: Tensor | None) -> Tensor:
    """Rows of D; q - w goes into `gap`. Block by block, so that scratch memory does not grow with the batch."""
    dtype = _compute_dtype(z)
    usual = _usual_order(alpha) and dtype == torch.float32
    if usual and torch.compiler.is_compiling():
        rows, difference = _fusible(y.to(dtype), z.to(dtype), alpha, alpha == 1)
        if gap is not None:
            gap.copy_(difference)
        return rows.squeeze(-1)
    rows, start = torch.empty(z.shape[:-1], dtype=dtype, device=z.device), 0
    for a, b, out, room in _blocks_of(y, z, gap, 3 if usual else 0):
        if usual:
            part = _value(_passes(a, b, alpha, room, out, 1.0, careful=True), alpha).squeeze(-1).clamp_(min=0)
        else:
            part, difference = _exact(a, b, alpha)
            if out is not None:
                out.copy_(difference)
        rows.view(-1)[start : start + part.numel()] = part.reshape(-1)
        start += part.numel()
    return rows


def _quick_total(y: Tensor, z: Tensor, alpha: float, gap: Tensor | None, share: float) -> float:
    """The sum of `_blockwise` by the shortest way, and `share` times its gap; NaN where that takes care or waiting."""
    if not (z.is_cpu and y.dtype == z.dtype == torch.float32 and z.ndim == 2 and _usual_order(alpha)):
        return math.nan
    size, threads, block, total = z.numel(), torch.get_num_threads(), _BLOCK[1], 0.0
    if size <= block:
        work, blocks = _total, [(y, z, gap, z.new_empty((3, *z.shape)))]
    elif threads == 1:
        work, blocks = _total, _blocks_of(y, z, gap, 3)
    else:
        work, blocks = _total_of_many, _blocks_of(y, z, gap, 2, max(block, min(block * threads, size // 5)))
    for a, b, out, room in blocks:
        value = work(a, b, alpha, room, out, share)
        total += max(value, 0.0) if math.isfinite(value) else math.nan
    return total


def _total(y: Tensor, z: Tensor, alpha: float, room: Tensor, gap: Tensor | None, share: float) -> float:
    return _value(_passes(y, z, alpha, room, gap, share, careful=False).sum((-2, -1)).tolist(), alpha)


def _total_of_many(y: Tensor, z: Tensor, alpha: float, room: Tensor, gap: Tensor | None, share: float) -> float:
    """As `_total`, for several threads: in larger blocks, since they wait for each other after every call.

    q is computed in the gap, and a call takes one distribution, whose rows each thread then finds in its own cache.
    """
    (p, w), q = room, torch.empty_like(room[0]) if gap is None else gap
    for logits, out in ((y, p), (z, q)):  # a fused multiply-add, so that a common shift of the logits costs no digits
        torch.add(logits[:, :1] * -_BITS, logits, alpha=_BITS, out=out)
    torch.sub(p, q, out=w) if alpha == 1 else torch.lerp(q, p, alpha, out=w)
    of_q, of_p = (_sums(part.exp2_(), share) for part in (q, p))
    of_w = _sums(w.mul_(p) if alpha == 1 else w.exp2_(), share)
    target, of_target = (p, of_p) if alpha == 1 else (w, of_w)
    bits = (of_q / of_p).log2_()
    bits = bits.addcdiv_(of_w, of_p) if alpha == 1 else (of_q / of_w).log2_().sub_(bits, alpha=alpha).div_(1 - alpha)
    q.div_(of_q).sub_(target.div_(of_target))
    return bits.sum().item() / _BITS


def _blocks_of(
    y: Tensor, z: Tensor, gap: Tensor | None, parts: int, size: int | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor | None, Tensor]]:
    """Blocks of y, z and gap, and room for so many of them, used again and again; of a given size in elements."""
    dtype, classes = _compute_dtype(z), z.shape[-1]
    flat_y, flat_z = y.reshape(-1, classes), z.reshape(-1, classes)
    flat_gap = None if gap is None else gap.view(-1, classes)
    room = z.new_empty((parts, 0, classes), dtype=dtype)
    for block in _blocks(z.shape[:-1].numel(), classes, z.device, size):
        a, b = flat_y[block].to(dtype), flat_z[block].to(dtype)
        room = room if room.shape[1] >= len(a) else z.new_empty((parts, *a.shape), dtype=dtype)
        yield a, b, None if flat_gap is None else flat_gap[block], room[:, : len(a)]


def _compute_dtype(z: Tensor) -> torch.dtype:
    return torch.float32 if z.dtype in (torch.float16, torch.bfloat16) else z.dtype


def _usual_order(alpha: float) -> bool:
    return alpha == 1 or (alpha > 0 and 0.4 <= abs(alpha - 1) <= 7)


def _blocks(rows: int, elements: int, device: torch.device, size: int | None = None) -> Iterator[slice]:
    """Slices of as many rows of that many elements as a block holds; a compiler fuses the whole better."""
    step = max(1, rows) if torch.compiler.is_compiling() else _rows_of_a_block(elements, device, size)
    return (slice(start, start + step) for start in range(0, rows, step))


def _rows_of_a_block(elements: int, device: torch.device, size: int | None = None, threads: int = 1) -> int:
    block = _BLOCK[1] * threads if device.type == "cpu" else _BLOCK[0]
    return max(1, (size or block) // max(1, elements))


def _passes(
    y: Tensor, z: Tensor, alpha: float, room: Tensor, gap: Tensor | None, share: float, careful: bool
) -> Tensor:
    """What `_value` makes D of, (n, ..., 1), in as few passes as possible, each over up to three distributions.

    For float32 at everyday orders, as accurate as a loss has to be. Without care a row is taken relative to its first
    class: then each sum is at least 1, and what can go wrong (a logit of -inf, a class that is far above the first)
    ends in a D that is not finite. `room` is overwritten.
    """
    a, b, t = room.unbind()
    torch.sub(y, y.amax(-1, keepdim=True) if careful else y[..., :1], out=a)
    torch.sub(z, z.amax(-1, keepdim=True) if careful else z[..., :1], out=b)
    if alpha == 1:
        ahead, sums = _order_one(room, a, b, t, careful, share)
    else:
        ahead, sums = _other_order(room, a, b, t, careful, alpha, share)
    if gap is not None:
        of_p, of_q, of_w = sums.unbind()
        w = a.div_(of_p) if alpha == 1 else t.div_(of_w)
        torch.sub(b.div_(of_q), w, out=gap)
    return ahead


def _order_one(room: Tensor, a: Tensor, b: Tensor, t: Tensor, careful: bool, share: float) -> tuple[Tensor, Tensor]:
    torch.sub(a, b, out=t)
    if careful:  # classes that p excludes count for nothing
        t.nan_to_num_(0.0, math.inf, 0.0)
    _exponentiate(room, a, b)
    t.mul_(a)
    if careful:  # one that only q excludes counts even where p underflows
        t.nan_to_num_(math.inf, math.inf)
    sums = _sums(room, share)
    of_p, of_q, total = sums.unbind()
    return (of_q / of_p).log2_().addcdiv_(total, of_p), sums


def _other_order(
    room: Tensor, a: Tensor, b: Tensor, t: Tensor, careful: bool, alpha: float, share: float
) -> tuple[Tensor, Tensor]:
    torch.lerp(b, a, alpha, out=t)
    top = None
    if careful:  # NaN: a class that is impossible on one side
        top = t.nan_to_num_(-math.inf, math.inf, -math.inf).amax(-1, keepdim=True)
        t.sub_(top)
    _exponentiate(room, a, b, t)
    sums = _sums(room, share)
    ahead = (sums[1] / sums).log2_()  # near p = q the ratios are 1 and their logarithms small
    if top is not None:  # no class in common, or q excludes one: max t is then infinite and decides
        ahead[2].nan_to_num_(0.0).sub_(top, alpha=_BITS)
    return ahead, sums


def _sums(room: Tensor, share: float) -> Tensor:
    """Over classes, divided by the share before anything is made of them: what overflows then shows in D."""
    sums = room.sum(-1, keepdim=True)
    return sums if share == 1 else sums.div_(share)


def _exponentiate(room: Tensor, *parts: Tensor) -> None:
    """All of the room in bits and those parts of it to e^x, each in a call of its own.

    The last elements of a call are computed by another routine, which may differ by an ulp: parts that are equal, as
    p = q makes them, thus stay equal.
    """
    room.mul_(_BITS)
    for part in parts:
        part.exp2_()


def _value(bits: Any, alpha: float) -> Any:
    """D, of rows or in total, from log2(sum q / sum p), 0, log2(sum q / sum p^alpha q^(1-alpha)); at order 1 from D."""
    return (bits if alpha == 1 else (bits[2] - alpha * bits[0]) / (1 - alpha)) / _BITS


def _fusible(y: Tensor, z: Tensor, alpha: float | Tensor, one: bool) -> tuple[Tensor, Tensor]:
    """Rows of D (..., 1) and q - w, as careful as `_passes`, in terms that a compiler makes one kernel of."""
    (log_p, p, of_p), (log_q, q, of_q) = _unscaled(y), _unscaled(z)
    rows, w = _meeting(log_p, log_q, p, of_p, of_q, alpha, one)
    return rows, q / of_q - w


def _unscaled(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The logarithm of a softmax up to a constant, its exponential, and the sum of that."""
    log_q = logits - logits.amax(-1, keepdim=True)
    q = log_q.exp()
    return log_q, q, _sum(q)


def _sum(x: Tensor) -> Tensor:
    """Over the last axis; of many in float64, since a compiler adds in a lane one by one what torch adds pairwise."""
    if x.shape[-1] > _MANY or x.stride(-1) != 1:  # an axis that it does not split over a vector's lanes
        return x.sum(-1, keepdim=True, dtype=torch.float64).to(x.dtype)
    return x.sum(-1, keepdim=True)


def _meeting(
    log_p: Tensor, log_q: Tensor, p: Tensor, of_p: Tensor, of_q: Tensor, alpha: float | Tensor, one: bool
) -> tuple[Tensor, Tensor]:
    """Rows of D (..., 1) and w, from log p and log q up to constants, p and both sums over classes."""
    ahead = (of_q / of_p).log()
    ratio = torch.where(log_p == -math.inf, 0.0, log_p - log_q)  # classes that p excludes count for nothing
    if one:  # a class that only q excludes counts even where p underflows
        terms = torch.where(ratio == math.inf, math.inf, p * ratio)
        return (_sum(terms) / of_p + ahead).clamp(min=0), p / of_p
    tilted = log_p + (alpha - 1) * ratio
    top = tilted.amax(-1, keepdim=True)
    w = (tilted - top).exp()
    of_w = _sum(w)
    excess = (of_w / of_q).log()
    excess = torch.where(excess.isnan(), 0.0, excess) + top  # no class in common, or q excludes one: top decides
    return ((excess + alpha * ahead) / (alpha - 1)).clamp(min=0), w / of_w


def _exact(y: Tensor, z: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Every order, relative accuracy also near order 1 and for p near q, near-ties of log(p/q) kept apart."""
    log_p, log_q, delta = torch.log_softmax(y, -1), torch.log_softmax(z, -1), _behind_top(y, z)
    q, tilt = torch.softmax(log_q, -1), _times(alpha, delta)
    top, shift = _top_ratio(log_p, log_q, q, delta), _log_mean_exp(q, log_q, tilt)
    x = tilt - shift  # log(w/q)
    w = torch.softmax(log_q + tilt, -1)
    gap = _closed(torch.where(x <= 1, -q * torch.expm1(x), q - w), torch.minimum(q, w))
    rows = _rows(log_p, log_q, delta + top, top, shift, alpha)
    leaves = ((z == -math.inf) & (y > -math.inf)).any(-1, keepdim=True)
    infinite = (top == -math.inf) | (leaves & (alpha >= 1))
    return torch.where(infinite, math.inf, rows).squeeze(-1), gap


def _rows(log_p: Tensor, log_q: Tensor, ratio: Tensor, top: Tensor, shift: Tensor, alpha: float) -> Tensor:
    """D from log sum p e^{s l} = (alpha-1) D where that is large, else from Tsallis's sum of non-negative terms."""
    s = alpha - 1
    if alpha > 1e15:  # s A would overflow; D differs from its limit by less than 1e-15 (log w) here
        return (top * (1.0 if alpha == math.inf else alpha / s) + shift / s).clamp(min=0)
    if abs(s) > 0.5:
        total = shift + alpha * top
    else:  # a class that p excludes counts for nothing, one that only q excludes has w = 0 (here alpha < 1)
        one_sided = ratio.masked_fill(log_q == -math.inf, math.inf).masked_fill(log_p == -math.inf, 0.0)
        total = torch.logsumexp(log_p + s * one_sided, -1, keepdim=True)
    far = (total / s).clamp(min=0) if s else total
    return torch.where(total.abs() < 0.5, _near(log_p, log_q, ratio, alpha), far) if alpha else far


def _closed(gap: Tensor, mass: Tensor) -> Tensor:
    """The gap with a component that holds most of the mass replaced by minus the others, which have more digits."""
    most, heaviest = mass.max(-1, keepdim=True)
    others = gap.scatter(-1, heaviest, 0.0)
    closed = others.scatter(-1, heaviest, 0.0 - others.sum(-1, keepdim=True))
    return torch.where(most > 0.5, closed, gap)


def _behind_top(y: Tensor, z: Tensor) -> Tensor:
    """l - max l for l = y - z, to full relative precision (two-sums); -inf where a side excludes a class."""
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
    """D = log1p(s A)/s, A = (sum p e^{s l} - 1)/s from non-negative terms; below 1/2 through D_{1-alpha}(q||p)."""
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


def _can_compile(alpha: float, logits: Tensor, other: Tensor) -> bool:
    plain = all(type(x) in (Tensor, nn.Parameter) and not x.is_neg() for x in (logits, other))
    return plain and _compute_dtype(logits) == torch.float32 and _usual_order(alpha) and logits.numel() > 0


def _compiled_rows(y: Tensor, z: Tensor, alpha: float, share: float | None) -> tuple[Tensor, Tensor]:
    return _kernel(_rows_and_gap, (alpha == 1, share), y, z, _scalar(alpha, z.device))


def _compiled_mutual(
    students: Tensor, labels: Tensor, alpha: float, pairs: Pairs, *options: float
) -> tuple[Tensor, Tensor]:
    """Losses (K,) and their gradient, on a CPU in blocks of rows; to join theirs would be to copy it."""
    rows, device = students.shape[1], students.device
    shifts, shares = _shifts(pairs, students.shape, device)
    given, fixed = (alpha == 1, shifts, rows, *options), (_scalar(alpha, device), shares)
    blocks = round(students.numel() / _LARGEST) if device.type == "cpu" else 1
    if min(blocks, rows) <= 1:
        return _kernel(_losses_and_gradient, given, students, labels, *fixed)
    gradient, step = torch.empty_like(students, memory_format=torch.contiguous_format), -(-rows // blocks)
    parts = zip(gradient.split(step, 1), students.split(step, 1), labels.split(step), strict=True)
    return torch.stack([_kernel(_losses_into, given, *part, *fixed) for part in parts]).sum(0), gradient


@lru_cache
def _scalar(alpha: float, device: torch.device) -> Tensor:
    return torch.tensor(alpha, dtype=torch.float32, device=device)


@lru_cache
def _shifts(pairs: Pairs, shape: torch.Size, device: torch.device) -> tuple[tuple[int, ...], Tensor]:
    """The distances from student to peer that occur, and the shares (shifts, K) of logits (K, N, C)."""
    count = shape[0]
    shifts = tuple(sorted({(j - k) % count for k, j, _ in pairs}))
    shares = torch.zeros(len(shifts), count, dtype=torch.float32, device="cpu")
    for k, j, x in pairs:
        shares[shifts.index((j - k) % count), k] = x / shape[1]
    return shifts, shares.to(device)


_KERNELS: dict[Hashable, Callable[..., Any]] = {}
_COMPILING = Lock()  # torch traces one function at a time


def _kernel(work: Callable[..., Any], options: tuple[Any, ...], *inputs: Tensor) -> Any:
    """work(*options, *inputs), compiled when options and shapes are new.

    The graph is compiled as it is: what `torch.compile` does before each call would take as long as a small kernel.
    """
    key = work, options, torch.get_num_threads(), *((x.shape, x.stride(), x.dtype, x.device) for x in inputs)
    if key not in _KERNELS:
        with _COMPILING:
            _KERNELS[key] = _KERNELS.get(key) or _compile(partial(work, *options), inputs)
    return _KERNELS[key](*inputs)


def _compile(work: Callable[..., Any], inputs: tuple[Tensor, ...]) -> Callable[..., Any]:
    from torch import _inductor  # neither is needed, nor quickly imported, without a compiler
    from torch.fx.experimental.proxy_tensor import make_fx

    inputs = tuple(x.detach() for x in inputs)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of parts of torch, by torch
            kernel: Any = _inductor.compile(make_fx(work)(*inputs), list(inputs))
            kernel(*inputs)
    except Exception as error:  # of torch's many kinds
        said = (str(error).strip() or repr(error)).splitlines()[0]
        raise ValueError(f"the loss cannot be compiled here; torch says: {said}") from error
    return kernel


def _rows_and_gap(one: bool, share: float | None, y: Tensor, z: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """What `_compiled_rows` compiles: rows of D and q - w, or `share` times their sum and it.

    In half precision the share is left to the backward pass, where a factor may save it from underflow.
    """
    dtype = _compute_dtype(z)
    rows, gap = _fusible(y.to(dtype), z.to(dtype), alpha, one)
    if share is None:
        return rows.squeeze(-1), gap.to(z.dtype)
    total = _sum(rows.flatten()).squeeze(-1) * share
    return total, gap * share if z.dtype == dtype else gap.to(z.dtype)


def _losses_and_gradient(
    one: bool, shifts: Sequence[int], number: int, temperature: float, smoothing: float, *inputs: Tensor
) -> tuple[Tensor, Tensor]:
    """What `_compiled_mutual` compiles: student k meets peer k + shift, for all students at once; rows of `number`."""
    students, labels, alpha, shares = inputs
    log_q, q, of_q = _unscaled(students.to(_compute_dtype(students)))
    losses, gradient = _entropies_and_gradient(log_q, q, of_q, labels, smoothing, number)
    if temperature != 1:
        log_q, q, of_q = _unscaled(log_q / temperature)
    for shift, share in zip(shifts, shares[:, :, None, None].unbind(), strict=True):
        log_p, p, of_p = (x.roll(-shift, 0) for x in (log_q, q, of_q))
        rows, w = _meeting(log_p, log_q, p, of_p, of_q, alpha, one)
        losses = losses + torch.where(share > 0, share * rows, 0.0)  # a peer without weight may be NaN
        gradient = gradient + torch.where(share > 0, share / temperature * (q / of_q - w), 0.0)
    return _sum(losses.squeeze(-1)).squeeze(-1), gradient.to(students.dtype)


def _losses_into(
    one: bool, shifts: Sequence[int], number: int, temperature: float, smoothing: float, out: Tensor, *inputs: Tensor
) -> Tensor:
    """The same of a block, whose gradient goes into its part of the whole."""
    losses, gradient = _losses_and_gradient(one, shifts, number, temperature, smoothing, *inputs)
    out.copy_(gradient)
    return losses


def _entropies_and_gradient(
    log_q: Tensor, q: Tensor, of_q: Tensor, labels: Tensor, smoothing: float, number: int
) -> tuple[Tensor, Tensor]:
    """Rows (K, n, 1) of the cross-entropy, and its gradient in the logits, both divided by `number`."""
    spread, sharp = smoothing / q.shape[-1], 1 - smoothing
    rows = -log_q.gather(-1, labels[:, None].expand(len(q), -1, 1))
    if smoothing:
        rows = sharp * rows - spread * _sum(log_q)
    hit = torch.arange(q.shape[-1], device=q.device) == labels[:, None]
    target = sharp * hit.to(q.dtype) + spread
    return (rows + of_q.log()) / number, (q / of_q - target) / number
