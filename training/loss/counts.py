"""What rows and classes count: weights that are checked, converted and turned into shares of a mean."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .arguments import shown
from .blocks import compute_dtype
from .tensors import check_held, readable, refuse_learned


def as_row_weights(weights: Tensor, logits: Tensor) -> Tensor:
    """What each row of the logits (..., C) counts (...), in their dtype to compute in and on their device."""
    weights = _as_tensor("row_weights", weights)
    if weights.shape != logits.shape[:-1]:
        raise ValueError(f"row_weights must have shape {tuple(logits.shape[:-1])}, got {tuple(weights.shape)}")
    return _as_counts("row_weights", weights, logits)


def as_class_weights(weights: Sequence[float] | Tensor, logits: Tensor) -> Tensor:
    """What each class of the logits (..., C) counts (C,), in their dtype to compute in and on their device."""
    weights = _as_tensor("class_weights", weights)
    if weights.shape != logits.shape[-1:]:
        raise ValueError(f"class_weights must have shape {tuple(logits.shape[-1:])}, got {tuple(weights.shape)}")
    return _as_counts("class_weights", weights, logits)


def _as_tensor(name: str, values: Any) -> Tensor:
    try:
        found = values if isinstance(values, Tensor) else torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must be real numbers, got {shown(values, repr)}") from None
    check_held(name, found)
    if found.is_complex():
        raise ValueError(f"{name} must be real numbers, got {found.dtype}")
    return found


def _as_counts(name: str, weights: Tensor, logits: Tensor) -> Tensor:
    refuse_learned(name, weights)
    dtype = compute_dtype(logits)
    if readable(weights) and weights.numel():
        low, high = (float(end) for end in weights.aminmax())
        if not (low >= 0 and high < math.inf):
            raise ValueError(f"{name} must be finite and >= 0, got {high if low >= 0 else low}")
        least, most = torch.finfo(dtype).tiny, torch.finfo(dtype).max
        if high and not least <= high <= most:
            raise ValueError(f"the largest of {name} must be in [{least:.3g}, {most:.3g}] in {dtype}, got {high:.3g}")
    return weights.to(logits.device, dtype)


_LEAST = -10_000
"""Below every exponent of a number."""


def relative(*factors: Tensor) -> Tensor:
    """The product of weights, for a mean: divided by a power of two, which changes no digit, so that its sum fits."""
    parts = [torch.frexp(x) for x in factors]
    product = torch.stack([mantissa for mantissa, _ in parts]).prod(0)
    exponent = torch.stack([exponent for _, exponent in parts]).sum(0)
    if not product.numel():
        return product
    counting = torch.where(product == 0, _LEAST, exponent)
    return torch.ldexp(product, counting - counting.amax())


def share_of_each(weights: Tensor) -> Tensor:
    """1 / the sum of the weights, by which a weighted sum becomes the mean; 1 where nothing counts."""
    total = weights.sum()
    return 1 / torch.where(total == 0, 1.0, total)
