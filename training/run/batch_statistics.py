"""Batch normalisation whose statistics are those of the global batch, on any device.

torch's SyncBatchNorm does this on GPUs only; a run on two CPU processes must equal one on a single process as well.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm

PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class CrossBatchNorm(_BatchNorm):
    """Batch normalisation with the mean and variance of the batches of all processes (of equal size)."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - the name of the base class
        """Nothing: (B, C) with any further axes is normalised over all axes but that of C."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """(B, C, ...) to the same shape."""
        if not self.training:
            return super().forward(input)
        axes, channels = (0, *range(2, input.ndim)), (-1, *[1] * (input.ndim - 2))
        wide = input.to(torch.promote_types(input.dtype, torch.float32))  # as batch normalisation does under autocast
        mean = _Mean.apply(wide.mean(axes))
        centred = wide - mean.view(channels)
        variance = _Mean.apply(centred.square().mean(axes))
        self._update_running(mean.detach(), variance.detach(), input.numel() // input.shape[1] * dist.get_world_size())
        normal = centred * torch.rsqrt(variance + self.eps).view(channels)
        if self.affine:
            normal = normal * self.weight.view(channels) + self.bias.view(channels)
        return normal.to(input.dtype)

    def _update_running(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics as batch normalisation does, with the unbiased variance."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), momentum)


class _Mean(Function):
    """The mean over processes. Its gradient is a mean too: the loss of each process depends on the inputs of all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _mean(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _mean(gradients[0])


def _mean(x: Tensor) -> Tensor:
    total = x.clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def share_batch_statistics(network: nn.Module) -> nn.Module:
    """Turn every batch normalisation of the network into a CrossBatchNorm, in place; weights and buffers stay the same.

    Raises:
        ValueError: if a layer normalises batches in a way of its own, so that its statistics would not be shared.
    """
    for module in network.modules():
        if type(module) in PLAIN:
            module.__class__ = CrossBatchNorm
        elif isinstance(module, _BatchNorm) and not isinstance(module, CrossBatchNorm | nn.SyncBatchNorm):
            raise ValueError(f"placement data cannot share the batch statistics of {type(module).__name__}")
    return network
