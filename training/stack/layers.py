"""Layers of N networks at once; activations are (N, C, H, W, B) or (N, C, B), the B images innermost.

In this order a linear layer is one batched matrix product without a transposition, patches of a convolution are copies
of B or more adjacent numbers, and the channels of all networks are the channels of one batch normalisation. Each layer
has the parameters and buffers of torch's layer of that name with an axis more, the first.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from training.networks.resnet import ZeroPadding

from .patches import Kept, Window, patches, spread


class Unstackable(ValueError):
    """A network has a layer of which no stack can be made."""


def _stacked(layers: Sequence[nn.Module], name: str) -> Tensor | None:
    """The parameters or buffers of that name, one above the other, or None where there is none."""
    found = [getattr(layer, name) for layer in layers]
    return None if found[0] is None else torch.stack([one.detach() for one in found])


def _parameter(layers: Sequence[nn.Module], name: str) -> nn.Parameter | None:
    values = _stacked(layers, name)
    return None if values is None else nn.Parameter(values)


class Linear(nn.Module):
    """N linear layers: weight (N, O, I), bias (N, O).

    With a `rate` the backward pass itself makes the step of plain SGD in the weights, and they get no gradient.
    """

    rate: float | None = None

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight, self.bias = _parameter(layers, "weight"), _parameter(layers, "bias")

    def forward(self, x: Tensor) -> Tensor:
        """(N, I, B) to (N, O, B)."""
        return _Product.apply(x, self.weight, self.bias, self.rate)


class _Product(Function):
    """W x + b for each network."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, rate: float | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.rate = rate
        y = torch.bmm(weight, x)
        return y if bias is None else y.add_(bias[:, :, None])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (g,), (x, weight), (towards_x, _, towards_bias, _) = gradients, ctx.saved_tensors, ctx.needs_input_grad
        before = torch.bmm(weight.mT, g) if towards_x else None
        towards_weight = torch.bmm(g, x.mT) if ctx.rate is None else None
        if ctx.rate is not None:
            weight.baddbmm_(g, x.mT, alpha=-ctx.rate)
        return before, towards_weight, g.sum(2) if towards_bias else None, None


class Conv2d(nn.Module):
    """N convolutions: weight (N, O, C, h, w), bias (N, O)."""

    def __init__(self, layers: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        first = layers[0]
        if (
            first.groups != 1
            or first.dilation != (1, 1)
            or isinstance(first.padding, str)
            or first.padding_mode != "zeros"
        ):
            raise Unstackable("convolutions in groups, dilated, or padded with other than a number of zeros")
        self.stride, self.padding = first.stride, first.padding
        self.weight, self.bias = _parameter(layers, "weight"), _parameter(layers, "bias")
        self._kept = Kept()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W, B) to (N, O, H', W', B)."""
        assert self.weight is not None
        steps = [
            (*where, kernel)
            for where, kernel in zip(zip(self.stride, self.padding, strict=True), self.weight.shape[3:], strict=True)
        ]
        return _Convolution.apply(x, self.weight, self.bias, self._kept, *map(tuple, steps))


class _Convolution(Function):
    """Patches, and one product for each network."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, kept: Kept, rows: Window, columns: Window
    ) -> Tensor:
        met = patches(x, rows, columns, kept)
        y = x.new_empty(*weight.shape[:2], *met.shape[4:])
        torch.bmm(weight.flatten(2), met.flatten(1, 3).flatten(2), out=y.flatten(2))
        if bias is not None:
            y.add_(bias[:, :, None, None, None])
        ctx.save_for_backward(met, weight)
        ctx.shape, ctx.windows = x.shape, (rows, columns)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        met, weight = ctx.saved_tensors
        g, flat = gradients[0].flatten(2), met.flatten(1, 3).flatten(2)
        before = None
        if ctx.needs_input_grad[0]:
            apart = torch.bmm(weight.flatten(2).mT, g).view(met.shape)
            before = spread(apart, ctx.shape, *ctx.windows)
        towards_weight = torch.bmm(g, flat.transpose(1, 2)).view(weight.shape)
        return before, towards_weight, g.sum(2) if ctx.needs_input_grad[2] else None, None, None, None


class BatchNorm2d(nn.Module):
    """N batch normalisations, each with statistics of its own: weight, bias, running_mean and running_var (N, C)."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, layers: Sequence[nn.BatchNorm2d]) -> None:
        super().__init__()
        first = layers[0]
        if first.momentum is None or not first.track_running_stats:
            raise Unstackable("batch normalisation without a momentum or running statistics")
        self.momentum, self.eps = first.momentum, first.eps
        self.weight, self.bias = _parameter(layers, "weight"), _parameter(layers, "bias")
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, _stacked(layers, name))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W, B) to the same shape."""
        if self.training:
            self.num_batches_tracked.add_(1)
        means, variances = self.running_mean.view(-1), self.running_var.view(-1)
        weight, bias = (None if one is None else one.view(-1) for one in (self.weight, self.bias))
        flat = x.reshape(1, len(means), -1)
        return F.batch_norm(flat, means, variances, weight, bias, self.training, self.momentum, self.eps).view(x.shape)


class Flatten(nn.Module):
    """(N, C, H, W, B) to (N, C H W, B)."""

    def forward(self, x: Tensor) -> Tensor:
        """As above."""
        return x.flatten(1, -2)


class Mean(nn.Module):
    """The mean over positions: (N, C, H, W, B) to (N, C, 1, 1, B)."""

    def forward(self, x: Tensor) -> Tensor:
        """As above."""
        return x.mean((2, 3), keepdim=True)


class Padding(nn.Module):
    """`ZeroPadding` of N networks."""

    def __init__(self, layers: Sequence[ZeroPadding]) -> None:
        super().__init__()
        self.channels, self.stride = layers[0].channels, layers[0].stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W, B) to (N, C + channels, H / stride, W / stride, B)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, 0, 0, self.channels))


def _flatten(layers: Sequence[nn.Flatten]) -> nn.Module:
    if (layers[0].start_dim, layers[0].end_dim) != (1, -1):
        raise Unstackable("flattening of some axes only")
    return Flatten()


def _mean(layers: Sequence[nn.AdaptiveAvgPool2d]) -> nn.Module:
    if layers[0].output_size not in (1, (1, 1)):
        raise Unstackable("pooling to more than one position")
    return Mean()


STACKED: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.Linear: Linear,
    nn.Conv2d: Conv2d,
    nn.BatchNorm2d: BatchNorm2d,
    nn.Flatten: _flatten,
    nn.AdaptiveAvgPool2d: _mean,
    ZeroPadding: Padding,
    nn.ReLU: lambda _: nn.ReLU(inplace=True),  # no layer of a stack needs what it returned
    nn.ReLU6: lambda layers: layers[0],
    nn.Tanh: lambda layers: layers[0],
    nn.Identity: lambda layers: layers[0],
}
"""The stack of each kind of layer."""
