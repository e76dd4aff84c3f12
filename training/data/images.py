"""Images (or texts) and how they are split: training, stratified validation, and a test set that is read once."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from theory.typed import check_arguments, check_call, check_fields, shown
from training.recipe.recipe import Recipe

from .labels import MOST, noisy_labels
from .shapes import check_dense


@dataclass(frozen=True)
class Images:
    """N pictures of one size with their labels.

    Attributes:
        pixels: (N, H, W, C) uint8.
        labels: (N,) int64 in 0 .. classes - 1.
        classes: the number of classes.
        names: what the classes are called; nothing where they are only counted.

    Raises:
        ValueError: pixels that are no bytes of that shape, labels of another number, dtype or range.

    >>> import torch
    >>> Images(torch.zeros(4, 8, 8, 1, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]), classes=2).shape
    (8, 8, 1)
    """

    noun: ClassVar[str] = "image"
    pixels: Tensor
    labels: Tensor
    classes: int
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (isinstance(self.pixels, Tensor) and isinstance(self.labels, Tensor)):
            kinds = f"{type(self.pixels).__name__} and {type(self.labels).__name__}"
            raise ValueError(f"{self.noun}s and labels must be tensors (from_tensors takes arrays, too), got {kinds}")
        check_dense(f"{self.noun}s", self.pixels)
        check_dense("labels", self.labels)
        check_fields(self)
        if not 1 <= self.classes <= MOST or len(self.names) not in (0, self.classes):
            raise ValueError(
                f"classes must be a positive number, and names one for each class or none, got {shown(self.classes)} "
                f"and {len(self.names)} names"
            )
        self.check_pixels()
        if self.labels.shape != self.pixels.shape[:1] or self.labels.dtype != torch.int64:
            raise ValueError(
                f"labels must be int64, one for each {self.noun} ({len(self.pixels)}), got {self.labels.dtype} of "
                f"shape {tuple(self.labels.shape)}"
            )
        outside = (self.labels < 0) | (self.labels >= self.classes)
        if outside.any():
            index = int(outside.nonzero()[0])
            raise ValueError(f"labels must be in 0..{self.classes - 1}, got {int(self.labels[index])} at index {index}")

    def check_pixels(self) -> None:
        """Raise ValueError unless the pixels are bytes of that shape."""
        if self.pixels.dtype != torch.uint8 or self.pixels.ndim != 4 or not all(self.pixels.shape[1:]):
            raise ValueError(
                f"images must be uint8 of shape (N, H, W, C), got {self.pixels.dtype} of shape "
                f"{tuple(self.pixels.shape)}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.pixels.shape[1:]
        return height, width, channels

    @property
    def fingerprint(self) -> str:
        """What tells them from others: number, shape, classes and a checksum of pixels, labels and names.

        Of a data set that makes its pictures anew, the checksum knows labels and names only: a picture read twice from
        one seed may agree and still be random, where a transform has a generator of its own that it seldom draws from,
        and the same data would then be refused later.
        """
        sum_of = hashlib.blake2b(repr(self.names).encode(), digest_size=8)
        for part in (self.pixels, self.labels):
            sum_of.update(part.contiguous().numpy().data)
        shape = "x".join(map(str, self.shape))
        return f"{len(self)} {self.noun}s of {shape} in {self.classes} classes, checksum {sum_of.hexdigest()}"

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> "Images":
        return replace(self, pixels=self.pixels[index], labels=self.labels[index])


@dataclass(frozen=True)
class Source:
    """Where images come from; each half is read when it is called.

    Attributes:
        train: reads the training half.
        test: reads the test half; it is called only at the end, unless a preview is allowed.
        validation: reads the validation part; without one it is taken from the training half.
        preview: whether `test` may be called before the first epoch as well, to find what is wrong with it; nothing
            is decided by what it reads.

    >>> import torch
    >>> black = Images(torch.zeros(4, 8, 8, 1, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]), classes=2)
    >>> len(Source(train=lambda: black, test=lambda: black).train().labels)
    4
    """

    train: Callable[[], Images]
    test: Callable[[], Images]
    validation: Callable[[], Images] | None = None
    preview: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("train", "test", "validation"):
            check_call(name, getattr(self, name))


def halves(
    train: Callable[[], Images], test: Callable[[], Images], validation: Callable[[], Images] | None = None
) -> Source:
    """A source whose test half is read once, before the first epoch, and then kept for the end."""
    return Source(train, cache(test), validation, preview=True)


def at_hand(train: Images, test: Images, validation: Images | None = None) -> Source:
    """A source of parts that are in memory, so that they are checked before anything is trained on them."""
    return halves(lambda: train, lambda: test, None if validation is None else lambda: validation)


@dataclass(frozen=True)
class Splits:
    """The three parts of an experiment, and the fingerprint of the training half that they were carved out of.

    Nothing is decided by what `test` reads.
    """

    train: Images
    validation: Images
    test: Callable[[], Images]
    data: str = ""


def split(recipe: Recipe, source: Source, seed: int = 0) -> Splits:
    """Carve a stratified validation set (and, if asked, a subset) out of the training half of `source`.

    A validation part that the source has of its own is taken as it is, and then the whole half is for training. The
    three parts depend on the recipe only, not on a run's seed: all seeds and variants see the same images. What
    `label_noise` does to the labels of training and validation (see `noisy_labels`) depends on the seed and on nothing
    else: each seed has its own noise, which all variants share. The test set keeps its labels.

    Raises:
        ValueError: if there are not two classes, a class has too few images to be split, the subset or batch is larger
            than the set, labels of one class shall be noisy, or another part has images of another size or of other
            classes (the test set: when it is read).
    """
    check_arguments(split, locals())
    images = _read(source, "train")
    if len(images) and len(there := images.labels.unique()) < 2:
        raise ValueError(f"training needs {images.noun}s of at least 2 classes, got class {int(there)} only")
    rest, held_out = _parts(images, recipe, source)
    if recipe.subset is not None:
        rest = _subset(images, rest, recipe.subset)
    if recipe.batch_size > len(rest):
        raise ValueError(f"batch_size must be at most the {len(rest)} training {images.noun}s, got {recipe.batch_size}")
    like, data = images[rest[:1]], images.fingerprint
    images = _with_noise(images, recipe, seed)
    validation = images[held_out]
    if source.validation is not None:
        own = _fitting(_read(source, "validation"), like, "validation", recipe.image_size)
        validation = _with_noise(own, recipe, seed)
    test = partial(_fitting_test, source, like, recipe.image_size)
    return Splits(images[rest], validation, test, data)


def _fitting_test(source: Source, like: Images, side: int | None) -> Images:
    return _fitting(_read(source, "test"), like, "test", side)


def _read(source: Source, part: str) -> Images:
    images = getattr(source, part)()
    if not isinstance(images, Images):
        raise ValueError(f"{part} of a source must give training.Images, got {type(images).__name__}")
    return images


def _with_noise(images: Images, recipe: Recipe, seed: int) -> Images:
    if not recipe.label_noise:
        return images
    return replace(images, labels=noisy_labels(images.labels, images.classes, recipe.label_noise, seed))


def _parts(images: Images, recipe: Recipe, source: Source) -> tuple[Tensor, Tensor]:
    """Indices of the images for training and of those held out of it."""
    if source.validation is not None:
        return torch.arange(len(images)), torch.arange(0)
    number = math.ceil(recipe.validation * len(images))
    return _stratified(images, torch.arange(len(images)), number, f"validation ({recipe.validation:g})")


def _fitting(part: Images, train: Images, name: str, side: int | None) -> Images:
    """The part, if it is not empty and is (or will be resized to) what the students are built for."""
    first = 0 if side is None else 2  # only the channels have to agree
    if part.shape[first:] != train.shape[first:]:
        wanted, shape = ("x".join(map(str, images.shape)) for images in (train, part))
        raise ValueError(
            f"the {name} images must be {wanted} (height x width x channels) as the training images are, got {shape}; "
            "resize them (--image-size)"
        )
    if (part.classes, part.names) != (train.classes, train.names):
        raise ValueError(f"the {name} part must have the {train.classes} classes of training, got {part.classes}")
    if getattr(part, "floats", False) != getattr(train, "floats", False):
        raise ValueError(f"the {name} images must be of one kind with the training images, got bytes and floats")
    if not len(part):
        raise ValueError(f"the {name} part must hold at least one {part.noun}, got none")
    return part


def _stratified(images: Images, rows: Tensor, number: int, name: str) -> tuple[Tensor, Tensor]:
    """The rows in two parts, the second of so many, that have every class."""
    from sklearn.model_selection import train_test_split

    labels = images.labels[rows].numpy()
    _check_classes(images, labels, number, name)
    parts = train_test_split(np.arange(len(labels)), test_size=number, stratify=labels, random_state=0)
    return rows[np.sort(parts[0])], rows[np.sort(parts[1])]


def _check_classes(images: Images, labels: np.ndarray, number: int, name: str) -> None:
    """Raise ValueError unless a part of so many items can have some of every class and leave some."""
    (classes, counts), noun = np.unique(labels, return_counts=True), images.noun
    few, most = len(classes), len(labels) - len(classes)
    if single := [images.names[c] if images.names else c for c in classes[counts < 2]]:
        raise ValueError(f"{name} needs 2 {noun}s of each class, got one of class {single[0]}; add one or leave it out")
    if not 0 < few <= number <= most:
        raise ValueError(f"{name} must hold {few} to {most} of {len(labels)} {noun}s, some of each class, got {number}")


def _subset(images: Images, rows: Tensor, number: int) -> Tensor:
    if number > len(rows):
        raise ValueError(
            f"subset must be at most the {len(rows)} {images.noun}s of the training part, got {number}; without "
            "--subset, that of the named recipe counts"
        )
    return rows if number == len(rows) else _stratified(images, rows, number, "subset")[1]
