"""Which tensors a loss can be computed of: dense ones with numbers, of a floating dtype of at least 16 bits."""

import torch
from torch import Tensor
from torch.nn import UninitializedBuffer, UninitializedParameter

from .autograd import transformed

DENSE, LAZY = torch.strided, (UninitializedParameter, UninitializedBuffer)
FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def check_tensors(**logits: Tensor) -> None:
    """Raise TypeError for what is no tensor."""
    for name, x in logits.items():
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(x).__name__}")
        check_dense(name, x)


def is_held(x: Tensor) -> bool:
    """Whether it is dense and has numbers; fake tensors of torch.compile have the device of those they stand for."""
    return type(x) not in LAZY and x.layout == DENSE and not (x.is_meta or x.is_nested)


def check_held(name: str, x: Tensor) -> None:
    """Raise TypeError for a tensor whose numbers are not there, not in rows or not of a usual dtype."""
    check_dense(name, x)
    if x.is_quantized or (x.dtype not in FLOATS and x.is_floating_point()):
        raise TypeError(f"{name} must be numbers of at least 16 bits, or whole ones, got {x.dtype}")


def check_dense(name: str, x: Tensor) -> None:
    """Raise TypeError unless `is_held`, and say why not."""
    if is_held(x):
        return
    if type(x) in LAZY:
        raise TypeError(f"{name} must hold numbers, got a parameter of a lazy layer")
    if x.is_meta:
        raise TypeError(f"{name} must hold numbers, got a tensor of the device meta")
    raise TypeError(f"{name} must be dense, got {'a nested tensor' if x.layout == DENSE else x.layout}")


def check_floating(name: str, dtype: torch.dtype) -> None:
    """Raise TypeError for a dtype in which no loss can be computed."""
    if dtype not in FLOATS:
        width = " of at least 16 bits" if dtype.is_floating_point else ""
        raise TypeError(f"{name} must be floating point{width}, got {dtype}")


def refuse_learned(name: str, value: Tensor) -> None:
    """Raise ValueError for a tensor that requires a gradient where the loss has none."""
    if value.requires_grad:
        raise ValueError(f"{name} can not be learned by this loss, which has no gradient there: detach them")


def readable(x: Tensor) -> bool:
    """Whether values may be looked at: reading from an accelerator would wait for it, and a traced tensor has none."""
    return x.is_cpu and not transformed()
