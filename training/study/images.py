"""CIFAR-100 with its 20 superclasses as labels, averaged to 16 x 16 pixels."""

import torch
from torch import Tensor

from training.data.images import Images, Source, halves
from training.data.sources import open_source
from training.recipe.recipe import Recipe

SUPERCLASS = (
    4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7,
    6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10,
    16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16,
    12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13,
)  # fmt: skip
"""The superclass of each of the 100 classes (Krizhevsky 2009), as CIFAR-100's own files say."""
CLASSES = 20


def superclasses(recipe: Recipe) -> Source:
    """The source of `recipe.data_root` (CIFAR-100) with superclasses and a quarter of the pixels."""
    full = open_source(recipe)
    return halves(lambda: _coarse(full.train()), lambda: _coarse(full.test()))


def _coarse(images: Images) -> Images:
    return Images(halved(images.pixels), torch.tensor(SUPERCLASS)[images.labels], CLASSES)


def halved(pixels: Tensor) -> Tensor:
    """Pictures (N, H, W, C) of half the sides: the rounded means of 2 x 2 bytes."""
    height, width = pixels.shape[1] // 2, pixels.shape[2] // 2
    sums = pixels.int().unflatten(1, (height, 2)).unflatten(3, (width, 2)).sum((2, 4))
    return ((sums + 2) // 4).to(torch.uint8)
