"""The batches of all runs: each run has the order, the augmentation and the labels that it has alone."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from training.data.images import Images
from training.data.loader import Batch, Loader, draw_plan
from training.recipe.recipe import Recipe

MADE_AT_ONCE = 1 << 22
"""Numbers of the images that are augmented together, for some steps in advance."""


class Batches:
    """Training batches and sweeps of R runs that see the same images.

    Args:
        loader: makes the images of a plan.
        images: the training images.
        recipe: batch size and augmentation.
        seeds: (R,), which decide order and augmentation.
        device: where batches come out.
    """

    def __init__(
        self, loader: Loader, images: Images, recipe: Recipe, seeds: Sequence[int], device: torch.device
    ) -> None:
        self._loader, self._images, self._recipe = loader, images, recipe
        self._seeds = sorted(set(seeds))
        self._own = torch.tensor([self._seeds.index(seed) for seed in seeds], device=device)

    def epoch(self, epoch: int, labels: Tensor, start: int = 0) -> Iterator[Batch]:
        """Batches (pixels (R, C, H, W, B), labels (R, B)) of an epoch, from step `start` on.

        Args:
            epoch: its number.
            labels: of all training images, (R, n).
            start: the first step.
        """
        size, steps = self._recipe.batch_size, len(self._loader)
        plans = [draw_plan(self._images, self._recipe, seed, epoch) for seed in self._seeds]
        orders = torch.stack([plan.order for plan in plans]).to(labels.device).index_select(0, self._own)
        at_once = max(1, MADE_AT_ONCE // (len(plans) * size * self._images.pixels[0].numel()))
        for first in range(start, steps, at_once):
            some = slice(first * size, min(first + at_once, steps) * size)
            made = torch.stack([_innermost(self._loader.pictures(plan[some]), size) for plan in plans], 1)
            for pixels, order in zip(made, orders[:, some].split(size, 1), strict=True):
                yield pixels.index_select(0, self._own), labels.gather(1, order)

    def sweep(self, images: Images, size: int) -> Iterator[Tensor]:
        """Pixels (R, C, H, W, b) of other images in their own order, b at most `size`."""
        for pixels, _ in self._loader.sweep(images, size):
            yield _innermost(pixels, len(pixels)).expand(len(self._own), *[-1] * 4)


def _innermost(pixels: Tensor, size: int) -> Tensor:
    """(n size, C, H, W) to (n, C, H, W, size)."""
    return pixels.unflatten(0, (-1, size)).permute(0, 2, 3, 4, 1).contiguous()
