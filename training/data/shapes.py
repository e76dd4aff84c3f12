"""Finds which axis of an array of pictures holds the channels, and moves it to the end."""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

Channels = Literal["first", "last"]
USUAL = (1, 3, 4)
"""Lengths that tell the axis of the channels: grey, colour, colour with transparency."""


def channels_last(pixels: Any, channels: Channels | None = None) -> Tensor:
    """Pixels (N, H, W, C), of bytes: True is 255.

    Raises:
        ValueError: if an axis of channels is not to be told from the shape, and `channels` does not say it.
    """
    stack = as_tensor(pixels)
    stack = stack.byte() * 255 if stack.dtype == torch.bool else stack
    if stack.ndim == 3:
        return stack[..., None]
    if stack.ndim == 4 and (channels or _axis(tuple(stack.shape))) == "first":
        return stack.permute(0, 2, 3, 1).contiguous()
    return stack


def as_tensor(pixels: Any) -> Tensor:
    """The numbers as a tensor on the CPU.

    Raises:
        ValueError: if they are no numbers, or pictures of several sizes.
    """
    if isinstance(pixels, Tensor):
        check_dense("images", pixels)
        return pixels.detach().cpu()
    try:
        array = np.asarray(pixels)
    except Exception as error:  # of whatever kind their own arrays raise
        raise ValueError(f"images must have one size: {' '.join(str(error).split())}") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(f"images must be uint8 or floats, got {array.dtype}")
    return torch.from_numpy(np.require(array, requirements=("C", "W")))


def check_dense(name: str, x: Tensor) -> None:
    """Raise ValueError for a tensor that is sparse, nested or of the device meta."""
    if x.is_meta or x.is_nested or x.layout != torch.strided:
        kind = "a nested tensor" if x.is_nested else x.layout
        raise ValueError(f"{name} must be dense and hold numbers, got {kind} on {x.device}")


def _axis(shape: tuple[int, ...]) -> Channels:
    """Which axis holds the channels: the one of a usual length, or the one beside a square."""
    _, first, middle, last = shape
    if (first in USUAL) != (last in USUAL):
        return "first" if first in USUAL else "last"
    if first not in USUAL and (first == middle) != (middle == last):
        return "last" if first == middle else "first"
    raise ValueError(f"images of shape {shape} may have their channels first or last: pass channels='first' or 'last'")


def refuse_bytes_in_floats(stack: Tensor) -> None:
    """Refuse pictures of floats that are bytes in truth.

    Raises:
        ValueError: if all of them are whole numbers, and some are above 1.
    """
    if stack.numel() and stack.max() > 1 and (stack == stack.round()).all():
        raise ValueError("images must be uint8, or floats on a scale of their own, got whole numbers stored as floats")
