"""Pictures and labels that are arrays or tensors already."""

from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from .images import Images, Source, halves
from .labels import Classes

Channels = Literal["first", "last"]
USUAL = (1, 3, 4)
"""Numbers of channels by which an axis is known: grey, colour, colour and one more."""


def from_tensors(
    images: Any,
    labels: Any,
    test_images: Any,
    test_labels: Any,
    classes: int | None = None,
    channels: Channels | None = None,
    validation: tuple[Any, Any] | None = None,
) -> Source:
    """A source from images and their labels, as tensors, arrays or lists.

    Images are uint8, or floats on a scale of their own, which are then not normalised.

    Args:
        images: (N, H, W), (N, H, W, C) or (N, C, H, W).
        labels: (N,) or (N, 1) whole numbers or strings, or (N, C) one-hot rows; see `training.data.labels`.
        test_images: images of the same size.
        test_labels: labels that also occur in training.
        classes: the number of classes, if the labels count them from 0; by default those that occur in training.
        channels: which axis the channels are, where the shape leaves it open.
        validation: images and labels of a validation part; by default it is taken from the training images.

    Raises:
        ValueError: when a half is read, if its images are neither or its labels do not fit.
    """
    if channels not in (None, "first", "last"):
        raise ValueError(f"channels must be 'first' or 'last', got {channels!r}")
    if validation is not None and not (isinstance(validation, tuple | list) and len(validation) == 2):
        raise ValueError(f"validation must be a pair of images and labels, got {type(validation).__name__}")
    known = cache(lambda: Classes.of(labels, classes))

    def half(pixels: Any, answers: Any) -> Images:
        stack, about = channels_last(pixels, channels), (known().encode(answers), len(known()), known().names)
        return _floats(stack, *about) if stack.is_floating_point() and stack.ndim == 4 else Images(stack, *about)

    return halves(
        lambda: half(images, labels),
        lambda: half(test_images, test_labels),
        None if validation is None else lambda: half(*validation),
    )


def _floats(stack: Tensor, labels: Tensor, classes: int, names: tuple[str, ...]) -> Images:
    from .streams import Stream  # which reads single pictures as this file does

    if not stack.isfinite().all():
        raise ValueError("images must hold finite numbers, got nan or inf")
    if stack.numel() and stack.max() > 1 and (stack == stack.round()).all():
        raise ValueError("images must be uint8, or floats on a scale of their own, got whole numbers stored as floats")
    height, width, channels = stack.shape[1:]
    pairs = list(zip(stack.float(), labels.tolist(), strict=False))  # other lengths are refused below
    return Stream(torch.arange(len(stack)), labels, classes, names, pairs, (height, width, channels), "last")


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
    """Numbers on the CPU.

    Raises:
        ValueError: if they are no numbers, or pictures of several sizes.
    """
    if isinstance(pixels, Tensor):
        return pixels.detach().cpu()
    try:
        array = np.asarray(pixels)
    except ValueError as error:
        raise ValueError(f"images must have one size: {error}") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(f"images must be uint8 or floats, got {array.dtype}")
    return torch.from_numpy(np.require(array, requirements=("C", "W")))


def _axis(shape: tuple[int, ...]) -> Channels:
    """Which axis holds the channels: the one of a usual length, or the one beside a square."""
    _, first, middle, last = shape
    if (first in USUAL) != (last in USUAL):
        return "first" if first in USUAL else "last"
    if first not in USUAL and (first == middle) != (middle == last):
        return "last" if first == middle else "first"
    raise ValueError(f"images of shape {shape} may have their channels first or last: pass channels='first' or 'last'")
