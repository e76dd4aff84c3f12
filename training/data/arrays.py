"""`from_tensors`: a source of images from arrays or tensors of pictures and labels."""

from typing import Any

import torch
from torch import Tensor

from theory.typed import check_arguments

from .images import Images, Source, at_hand
from .labels import Classes
from .shapes import Channels, channels_last, refuse_bytes_in_floats
from .streams import Stream


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
        ValueError: if images are neither, or labels do not fit.

    >>> import numpy as np
    >>> pictures, names = np.zeros((6, 8, 8), np.uint8), ["cat", "dog"] * 3
    >>> source = from_tensors(pictures[:4], names[:4], pictures[4:], names[4:])
    >>> source.train().names, source.train().labels.tolist()
    (('cat', 'dog'), [0, 1, 0, 1])
    """
    check_arguments(from_tensors, locals())
    known = Classes.of(labels, classes)

    def half(pixels: Any, answers: Any) -> Images:
        stack, about = channels_last(pixels, channels), (known.encode(answers), len(known), known.names)
        return _floats(stack, *about) if stack.is_floating_point() and stack.ndim == 4 else Images(stack, *about)

    return at_hand(half(images, labels), half(test_images, test_labels), validation and half(*validation))


def _floats(stack: Tensor, labels: Tensor, classes: int, names: tuple[str, ...]) -> Images:
    if not stack.isfinite().all():
        raise ValueError("images must hold finite numbers, got nan or inf")
    refuse_bytes_in_floats(stack)
    height, width, channels = stack.shape[1:]
    pairs = list(zip(stack.float(), labels.tolist(), strict=False))  # unequal lengths are refused below
    return Stream(torch.arange(len(stack)), labels, classes, names, pairs, (height, width, channels), "last")
