"""The derivatives of D at every order, as autograd functions; their formulas are those of `value_and_gradient`.

`_Rows` is the divergence and `_Gap` is g (q - w), both with reverse and forward mode and vmap, for torch.func,
torch.compile and higher derivatives. `Kept` is for a training step: it computes the gradient together with the value.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from .blocks import compute_dtype, rows_and_gap
from .value_and_gradient import behind_heaviest, closed, first_ratio, log_mean_exp, psi, times

Worked = tuple[Tensor, Tensor]
"""(value, gradient in the dtype that `kept_dtype` names)."""


def divergences(y: Tensor, z: Tensor, alpha: float) -> Tensor:
    """Rows of D, differentiable as often as wanted in both; all derivatives of half precision are taken in float32."""
    y, z = (x.to(compute_dtype(z)) for x in (y, z))
    return _Rows.apply(y, z, alpha) if torch.compiler.is_compiling() else _DualRows.apply(y, z, alpha)


def gap(y: Tensor, z: Tensor, g: Tensor, alpha: float) -> Tensor:
    """g (q - w), differentiable as often as wanted in all three."""
    return _Gap.apply(y, z, g, alpha) if torch.compiler.is_compiling() else _DualGap.apply(y, z, g, alpha)


def transformed() -> bool:
    """Whether torch.func, forward mode or torch.compile is at work; for the first two torch has no public function."""
    if torch.compiler.is_compiling():
        return True
    if not torch._C._are_functorch_transforms_active():
        return forward_ad._current_level >= 0
    stack = torch._C._functorch.get_interpreter_stack()  # pyright: ignore[reportAttributeAccessIssue] (not in its stubs)
    levels = [level.key().name for level in stack or ()]
    if levels.count("Jvp") > 1:  # torch returns wrong numbers there without an error (pytorch issue 197867)
        raise NotImplementedError("forward over forward mode is not supported, use torch.func.hessian or reverse mode")
    return True


class Kept(Function):
    """(work, again, z, *others) -> the value of work(z, *others), which also computes its gradient in z.

    The backward pass returns that gradient without copying it. A second backward pass, and derivatives of the gradient,
    use `again`, which computes the same value from operations that autograd can differentiate.
    """

    @staticmethod
    def forward(
        ctx: Any, work: Callable[..., Worked], again: Callable[..., Tensor], z: Tensor, *others: Tensor
    ) -> Tensor:
        ctx.save_for_backward(z, *others)
        value, ctx.gradient = work(z, *others)
        ctx.again, ctx.rest, ctx.dtype = again, (None,) * len(others), z.dtype
        return value

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor | None, ...]:
        (g,), gradient, ctx.gradient = grad_outputs, ctx.gradient, None
        if gradient is not None and not torch.is_grad_enabled() and not transformed():
            if not (g.ndim == 0 and g.is_cpu and g.item() == 1):  # it usually is; elsewhere to look would wait
                gradient.mul_(g.view(*g.shape, *[1] * (gradient.ndim - g.ndim)))
            return None, None, gradient.to(ctx.dtype), *ctx.rest  # looks at no tensor: they may have changed
        z, *others = ctx.saved_tensors
        with torch.enable_grad():
            return None, None, *torch.autograd.grad(ctx.again(z, *others), z, g, create_graph=True), *ctx.rest


class _Rows(Function):
    """(y, z, alpha) -> rows of D."""

    @staticmethod
    def forward(y: Tensor, z: Tensor, alpha: float) -> Tensor:
        return rows_and_gap(y, z, alpha)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.save_for_forward(*inputs[:2])
        ctx.alpha = inputs[2]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor | None, ...]:
        (g,), (y, z) = grad_outputs, ctx.saved_tensors
        grad_y = g.unsqueeze(-1) * _peer_gap(y, z, ctx.alpha) if ctx.needs_input_grad[0] else None
        return grad_y, gap(y, z, g, ctx.alpha) if ctx.needs_input_grad[1] else None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> tuple[Tensor, int]:
        y, z = _batched(info.batch_size, in_dims, args[:-1])
        return divergences(y, z, args[-1]), 0


class _Gap(Function):
    """(y, z, g, alpha) -> g (q - w), with the derivatives of D4 and D5."""

    @staticmethod
    def forward(y: Tensor, z: Tensor, g: Tensor, alpha: float) -> Tensor:
        found = torch.empty_like(z, memory_format=torch.contiguous_format)
        rows_and_gap(y, z, alpha, found)
        return found * g.unsqueeze(-1)

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
        grad_z = _covary(q, v) + times(alpha - 1, along_w)
        return times(-alpha, along_w) * g, grad_z * g, ((q - w) * v).sum(-1), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> tuple[Tensor, int]:
        y, z, g = _batched(info.batch_size, in_dims, args[:-1])
        return gap(y, z, g, args[-1]), 0


class _DualRows(_Rows):
    """`_Rows` with forward mode; apart, because torch.compile refuses a Function that has it."""

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Tensor:
        (along_y, along_z, _), (y, z), alpha = grad_inputs, ctx.saved_tensors, ctx.alpha
        rate = torch.zeros_like(z[..., 0], dtype=compute_dtype(z))
        if along_z is not None:
            rate = rate + (gap(y, z, torch.ones_like(rate), alpha) * along_z).sum(-1)
        return rate if along_y is None else rate + (_peer_gap(y, z, alpha) * along_y).sum(-1)


class _DualGap(_Gap):
    """`_Gap` with forward mode."""

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Tensor:
        (along_y, along_z, along_g, _), (y, z, g), alpha = grad_inputs, ctx.saved_tensors, ctx.alpha
        q, w, g = torch.softmax(z, -1), _mixture(y, z, alpha), g.unsqueeze(-1)
        rate = torch.zeros_like(q)
        if along_y is not None:
            rate = rate + times(-alpha, _covary(w, along_y)) * g
        if along_z is not None:
            rate = rate + (_covary(q, along_z) + times(alpha - 1, _covary(w, along_z))) * g
        return rate if along_g is None else rate + (q - w) * along_g.unsqueeze(-1)


def _batched(size: int, dims: Sequence[int | None], tensors: Sequence[Tensor]) -> list[Tensor]:
    pairs = zip(dims, tensors, strict=False)  # args end with the order, which has no batch axis
    return [x.movedim(d, 0) if d is not None else x.expand(size, *x.shape) for d, x in pairs]


def _covary(q: Tensor, v: Tensor) -> Tensor:
    """J_q v with J_q = diag(q) - q q^T."""
    return q * (v - (q * v).sum(-1, keepdim=True))


def _mixture(y: Tensor, z: Tensor, alpha: float) -> Tensor:
    """w, from operations that autograd can differentiate."""
    delta, common = _behind_heaviest(y, z, alpha)
    if alpha > torch.finfo(z.dtype).max:
        return torch.softmax(z.masked_fill(~common | (delta != 0), -math.inf), -1)
    tilted = z.detach() + alpha * delta
    slopes = alpha * _still(y, common) + (1 - alpha) * _still(z, common)
    return torch.softmax((tilted + slopes).masked_fill(~common, -math.inf), -1)


def _behind_heaviest(y: Tensor, z: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """l minus that of the heaviest class (0 where a side excludes one) without derivatives, and where neither does."""
    common = (y > -math.inf) & (z > -math.inf)
    return torch.where(common, behind_heaviest(y.detach(), z.detach(), alpha), 0.0), common


def _still(x: Tensor, common: Tensor) -> Tensor:
    """0 with the derivative of x: accurate values get their derivatives by it."""
    x = torch.where(common, x, 0.0)
    return x - x.detach()


def _peer_gap(y: Tensor, z: Tensor, alpha: float) -> Tensor:
    """alpha/(1-alpha) (p - w) = alpha p (e^x - 1)/s with s = alpha - 1, x = log(w/p) = s (l - D); differentiable."""
    z = z.masked_fill(y == -math.inf, -math.inf)  # what q has where p has nothing changes neither p nor w
    p, w, s = torch.softmax(y, -1), _mixture(y, z, alpha), alpha - 1
    if alpha > torch.finfo(z.dtype).max:
        return w - p
    delta, common = _behind_heaviest(y, z, alpha)
    delta = delta + _still(y, common) - _still(z, common)
    q, log_p, log_q = torch.softmax(z, -1), torch.log_softmax(y, -1), torch.log_softmax(z, -1)
    shared = log_q.masked_fill(~common, -math.inf)
    ratio = delta + first_ratio(log_p, log_q, q, delta)
    if abs(s) <= 0.5:
        slope = ratio - divergences(y, z, alpha).unsqueeze(-1)
    else:  # from log(w/q), which keeps its digits at huge orders
        slope = (alpha * delta - log_mean_exp(q, shared, alpha * delta) - ratio) / s
    near = common & ((s * slope).abs() <= 1)
    slope = torch.where(near, slope, 0.0)
    grown = p * slope * (1 + s * slope * psi(s * slope))
    return closed(alpha * torch.where(near, grown, (w - p) / (s or 1.0)), torch.minimum(p, w))
