"""Images in memory and how they are split: training, stratified validation, and a test set that is read once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.recipe.recipe import Recipe

NOISE_STREAM = 0x6E6F
"""Keeps the noise of a seed apart from everything else that is drawn from that seed."""


@dataclass(frozen=True)
class Images:
    """N pictures of one size with their labels.

    Attributes:
        pixels: (N, H, W, C) uint8.
        labels: (N,) int64 in 0 .. classes - 1.
        classes: the number of classes.
    """

    pixels: Tensor
    labels: Tensor
    classes: int

    def __post_init__(self) -> None:
        if self.pixels.dtype != torch.uint8 or self.pixels.ndim != 4:
            raise ValueError(
                f"images must be uint8 of shape (N, H, W, C), got {self.pixels.dtype} of shape "
                f"{tuple(self.pixels.shape)}"
            )
        if self.labels.shape != self.pixels.shape[:1] or self.labels.dtype != torch.int64:
            raise ValueError(
                f"labels must be int64, one an image ({len(self.pixels)}), got {self.labels.dtype} of shape "
                f"{tuple(self.labels.shape)}"
            )
        outside = (self.labels < 0) | (self.labels >= self.classes)
        if outside.any():
            index = int(outside.nonzero()[0])
            raise ValueError(f"labels must be in 0..{self.classes - 1}, got {int(self.labels[index])} at index {index}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> "Images":
        return Images(self.pixels[index], self.labels[index], self.classes)


@dataclass(frozen=True)
class Source:
    """Where images come from; each half is read when it is called, so that the test set stays shut until the end."""

    train: Callable[[], Images]
    test: Callable[[], Images]


@dataclass(frozen=True)
class Splits:
    """The three parts of an experiment; `test` reads the test set and is called once, at the end."""

    train: Images
    validation: Images
    test: Callable[[], Images]


def split(recipe: Recipe, source: Source, seed: int = 0) -> Splits:
    """Carve a stratified validation set (and, if asked, a subset) out of the training half of `source`.

    The three parts depend on the recipe only, not on a run's seed: all seeds and variants see the same images. What
    `label_noise` does to the labels of the first two (see `noisy_labels`) depends on the seed and on nothing else:
    each seed has its own noise, which all variants share. The test set keeps its labels.

    Raises:
        ValueError: if a class has too few images to be split, the subset or batch is larger than the set, or labels
            of one class shall be noisy.
    """
    images = source.train()
    rest, held_out = _stratified(images.labels, recipe.validation, "validation")
    if recipe.subset is not None:
        rest = rest[_subset(images.labels[rest], recipe.subset)]
    if recipe.batch_size > len(rest):
        raise ValueError(f"batch_size must be at most the {len(rest)} training images, got {recipe.batch_size}")
    if recipe.label_noise:
        labels = noisy_labels(images.labels, images.classes, recipe.label_noise, seed)
        images = Images(images.pixels, labels, images.classes)
    return Splits(images[rest], images[held_out], source.test)


def noisy_labels(labels: Tensor, classes: int, share: float, seed: int) -> Tensor:
    """Symmetric label noise: each label becomes wrong with probability `share`, independently of the others.

    A wrong label is drawn uniformly from the *other* classes, so `share` is the expected share of wrong labels. (Some
    authors draw from all classes; their share s is (1 - 1/classes) s here.) The noise of an image depends on the seed
    and its place only, and what a small share makes wrong, a larger share makes wrong in the same way.

    Args:
        labels: (N,) int64 in 0 .. classes - 1.
        classes: how many there are, at least 2.
        share: in [0, 1).
        seed: any integer.

    Returns:
        New labels (N,).

    Raises:
        ValueError: a share outside [0, 1), or a single class.
    """
    if not 0 <= share < 1:
        raise ValueError(f"label_noise must be in [0, 1), got {share!r}")
    if classes < 2:
        raise ValueError(f"label_noise needs at least 2 classes to choose from, got {classes}")
    random = np.random.default_rng([seed % 2**63, NOISE_STREAM])
    wrong, shift = random.random(len(labels)) < share, random.integers(1, classes, len(labels))
    return torch.from_numpy(np.where(wrong, (labels.numpy() + shift) % classes, labels.numpy()))


def from_tensors(images: Any, labels: Any, test_images: Any, test_labels: Any, classes: int | None = None) -> Source:
    """A source from (N, H, W, C) or (N, H, W) uint8 images and integer labels, as tensors or arrays.

    Raises:
        ValueError: when a half is read, if its images are not uint8 or its labels do not fit.
    """
    number = int(max(np.max(np.asarray(labels)), np.max(np.asarray(test_labels)))) + 1 if classes is None else classes
    return Source(lambda: _images(images, labels, number), lambda: _images(test_images, test_labels, number))


def from_datasets(train: Any, test: Any, classes: int) -> Source:
    """A source from two torch `Dataset`s whose items are (uint8 picture, label); pictures (H, W[, C]) of one size."""
    return Source(lambda: _gather(train, classes), lambda: _gather(test, classes))


def _gather(dataset: Any, classes: int) -> Images:
    items = [dataset[index] for index in range(len(dataset))]
    sizes = {np.asarray(picture).shape for picture, _ in items}
    if len(sizes) != 1:
        raise ValueError(f"a dataset's pictures must have one size, got {sorted(sizes)[:3]} in {len(items)} items")
    return _images(np.stack([np.asarray(picture) for picture, _ in items]), [int(label) for _, label in items], classes)


def _images(pixels: Any, labels: Any, classes: int) -> Images:
    stack = torch.as_tensor(np.asarray(pixels))
    return Images(stack if stack.ndim != 3 else stack[..., None], torch.as_tensor(np.asarray(labels)).long(), classes)


def _stratified(labels: Tensor, share: float, name: str) -> tuple[Tensor, Tensor]:
    from sklearn.model_selection import train_test_split

    try:
        parts = train_test_split(np.arange(len(labels)), test_size=share, stratify=labels.numpy(), random_state=0)
    except ValueError as error:
        raise ValueError(f"{name}={share} cannot split {len(labels)} images by class: {error}") from error
    return torch.from_numpy(np.sort(parts[0])), torch.from_numpy(np.sort(parts[1]))


def _subset(labels: Tensor, number: int) -> Tensor:
    if number > len(labels):
        raise ValueError(f"subset must be at most the {len(labels)} training images, got {number}")
    return (
        torch.arange(len(labels)) if number == len(labels) else _stratified(labels, number / len(labels), "subset")[1]
    )
