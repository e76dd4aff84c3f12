"""The patches of pictures that a convolution's weights meet, and the way back; activations are as in `layers`."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

Window = tuple[int, int, int]
"""Stride, padding and size of a kernel along one axis."""


class Kept:
    """Arrays that a layer keeps from step to step: new ones would cost page faults, and their margins zeros."""

    def __init__(self) -> None:
        self._arrays: dict[str, Tensor] = {}

    def zeros(self, name: str, like: Tensor, shape: torch.Size) -> Tensor:
        """An array of zeros, and of what was written into it since then."""
        found = self._arrays.get(name)
        if found is None or (found.shape, found.dtype, found.device) != (shape, like.dtype, like.device):
            found = self._arrays[name] = like.new_zeros(shape)
        return found


def patches(x: Tensor, rows: Window, columns: Window, kept: Kept) -> Tensor:
    """(N, C, H, W, B) to (N, C, h, w, H', W', B): what each weight of a kernel meets, zeros outside the picture."""
    (down, top, height), (along, left, width) = rows, columns
    padded = _padded(x, top, left, kept) if top or left else x.contiguous()
    n, c, h, w, b = padded.stride()
    tall, wide = (padded.shape[2] - height) // down + 1, (padded.shape[3] - width) // along + 1
    shape = torch.Size((*x.shape[:2], height, width, tall, wide, x.shape[4]))
    return kept.zeros("patches", x, shape).copy_(padded.as_strided(shape, (n, c, h, w, down * h, along * w, b)))


def _padded(x: Tensor, top: int, left: int, kept: Kept) -> Tensor:
    """The pictures within a margin of zeros, which nothing writes into."""
    height, width = x.shape[2:4]
    found = kept.zeros("padded", x, torch.Size((*x.shape[:2], height + 2 * top, width + 2 * left, x.shape[4])))
    found[:, :, top : top + height, left : left + width].copy_(x)
    return found


def spread(g: Tensor, shape: torch.Size, rows: Window, columns: Window) -> Tensor:
    """The transpose of `patches`: each number is added to where it came from."""
    down, along = (_overlaps(*axis) for axis in ((shape[2], g.shape[4], rows), (shape[3], g.shape[5], columns)))
    first = down.whole & along.whole  # the numbers that come first are written, so that nothing need be zeroed
    found = g.new_empty(shape) if first else g.new_zeros(shape)
    for i, to_row, from_row, new_row in down.places:
        for j, to_column, from_column, new_column in along.places:
            there, here = found[:, :, to_row, to_column], g[:, :, i, j, from_row, from_column]
            there.copy_(here) if first and new_row and new_column else there.add_(here)
    return found


class _Overlaps(NamedTuple):
    """Which pixels each weight of a kernel meets along an axis, and for which outputs; the padding is left out.

    Attributes:
        places: (number of the weight, its pixels, their outputs, whether it comes first to these pixels); a weight that
            comes first meets every `stride`-th pixel, and those weights are at the front.
        whole: whether the weights that come first meet every pixel once.
    """

    places: list[tuple[int, slice, slice, bool]]
    whole: bool


@cache
def _overlaps(size: int, outputs: int, window: Window) -> _Overlaps:
    step, padding, kernel = window
    met = {i: [k for k in range(outputs) if 0 <= step * k + i - padding < size] for i in range(kernel)}
    places, seen = list[tuple[int, slice, slice, bool]](), set[int]()
    for i in sorted(filter(met.get, met), key=lambda i: -len(met[i])):
        low, high = (step * k + i - padding for k in (met[i][0], met[i][-1]))
        new = len(met[i]) == len(range(low % step, size, step)) and low % step not in seen
        seen |= {low % step} if new else set()
        places.append((i, slice(low, high + 1, step), slice(met[i][0], met[i][-1] + 1), new))
    return _Overlaps(sorted(places, key=lambda place: not place[3]), len(seen) == min(step, size))
