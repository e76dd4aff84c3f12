"""`from_datasets`: a source from a data set of torch or Hugging Face (map-style or iterable) or from its DataLoader."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, RandomSampler, SequentialSampler, Subset, SubsetRandomSampler
from torch.utils.data.dataloader import default_collate

from theory.typed import check_arguments

from .images import Images, Source, halves
from .labels import Classes, as_array
from .shapes import Channels, refuse_bytes_in_floats
from .streams import LABELS, Stream, item

SOME = 32
"""Items that are read again, to see whether they change (random flips go unnoticed once in 2^32 times) and on which
scale they are."""


def from_datasets(
    train: Any, test: Any, classes: int | None = None, channels: Channels | None = None, validation: Any = None
) -> Source:
    """A source from data sets whose items are (picture, label) or have them in fields (see `training.data.streams`).

    Every item is read once at the start. Pictures of bytes that do not change are kept, and live on the device. Those
    that the data set makes of floats (as ToTensor and Normalize do) or anew each time (as random transforms do) are
    made by DataLoader workers, batch by batch; floats are not normalised again, bytes are divided by 255. An iterable
    data set is read once.

    Args:
        train: a map-style or iterable data set with the transforms that it has; or a DataLoader of one, of which only
            the data set and the indices of a SubsetRandomSampler are taken: batches and order are the recipe's.
        test: another one, of pictures of the same size.
        classes: the number of classes, if the labels count them from 0; by default those that the data set names, or
            that occur in training.
        channels: which axis of a picture its channels are, where the shape leaves it open.
        validation: a validation part; by default it is taken from `train`, and then has its random transforms too.

    Raises:
        ValueError: at once for what is no data set; when a half is read, in a sentence that says what is wrong with an
            item.

    >>> import torch
    >>> from torch.utils.data import TensorDataset
    >>> pictures, labels = torch.zeros(6, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0, 1, 0, 1])
    >>> source = from_datasets(TensorDataset(pictures[:4], labels[:4]), TensorDataset(pictures[4:], labels[4:]))
    >>> source.train().classes
    2
    """
    check_arguments(from_datasets, locals())
    for part in (train, test, *([] if validation is None else [validation])):
        _check_kind(_without_loader(part))
    first, given = cache(lambda: _read(train, channels)), _class_names(train)
    known = cache(lambda: Classes.of(first()[1], classes if classes is not None or not given else len(given)))

    def half(part: tuple[Any, np.ndarray]) -> Images:
        pixels, labels = part
        names = given if known().counted and len(given) == len(known()) else known().names
        about = known().encode(labels), len(known()), names
        if isinstance(pixels, Tensor):
            return Images(pixels, *about)
        indexed, size, floats = pixels
        return Stream(torch.arange(len(labels)), *about, indexed, size, channels, floats)

    return halves(
        lambda: half(first()),
        lambda: half(_read(test, channels)),
        None if validation is None else lambda: half(_read(validation, channels)),
    )


def _read(dataset: Any, channels: Channels | None) -> tuple[Any, np.ndarray]:
    """Pixels (N, H, W, C) uint8, or (data set, size, whether floats) if they change or are floats; and labels."""
    indexed = _indexed(_without_loader(dataset))
    if not len(indexed):
        raise ValueError("a dataset must hold at least one item, got none")
    first, _ = item(_at(indexed, 0), channels)
    kept = first.dtype == torch.uint8 and not _changes_when_read_again(indexed, channels)
    pixels, labels = torch.empty(len(indexed) if kept else 0, *first.shape, dtype=torch.uint8), list[Any]()
    for index in range(len(indexed)):
        picture, label = item(_at(indexed, index), channels)
        if (picture.shape, picture.dtype) != (first.shape, first.dtype):
            sizes = " and ".join(f"{p.dtype} {tuple(p.shape)}" for p in (first, picture))
            raise ValueError(f"a dataset's pictures must have one size, got {sizes} at index {index}")
        labels.append(as_array(label))
        if kept:
            pixels[index] = picture
    if first.is_floating_point():
        refuse_bytes_in_floats(torch.stack([item(indexed[i], channels)[0] for i in range(min(SOME, len(indexed)))]))
    return pixels if kept else (indexed, tuple(first.shape), first.is_floating_point()), _stacked(labels)


def _at(indexed: Any, index: int) -> Any:
    try:
        return indexed[index]
    except (IndexError, KeyError) as error:  # a length that is not true, or a table, whose places are columns
        kind, told = type(indexed).__name__, f"{type(error).__name__}: {error}"
        raise ValueError(
            f"a dataset must have an item at each of its {len(indexed)} places, the {kind} has none at {index} ({told})"
        ) from error


def _stacked(labels: list[np.ndarray]) -> np.ndarray:
    odd = next((i for i, label in enumerate(labels) if label.shape != labels[0].shape), None)
    if odd is not None:
        raise ValueError(f"labels must be of one kind, got {labels[0]} and {labels[odd]} at index {odd}")
    return np.stack(labels)


def _changes_when_read_again(indexed: Any, channels: Channels | None) -> bool:
    some = range(min(SOME, len(indexed)))
    pairs = ((item(_at(indexed, i), channels)[0], item(_at(indexed, i), channels)[0]) for i in some)
    return not all(torch.equal(*pair) for pair in pairs)


def _check_kind(dataset: Any) -> None:
    if isinstance(dataset, Mapping):
        raise ValueError(f"a dataset must be one part, got several: {', '.join(map(str, dataset))}")
    known = (_has_index(dataset) or _is_iterable(dataset)) and getattr(dataset, "ndim", 1)
    if isinstance(dataset, str | bytes) or not known:
        raise ValueError(f"a dataset must be map-style or iterable, got {type(dataset).__name__}")


def _has_index(dataset: Any) -> bool:
    return hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")


def _is_iterable(dataset: Any) -> bool:
    return isinstance(dataset, IterableDataset) or (hasattr(dataset, "__iter__") and not _has_index(dataset))


def _indexed(dataset: Any) -> Any:
    """The data set by index; an iterable one as the list of its items."""
    return list(dataset) if _is_iterable(dataset) else dataset


def _without_loader(dataset: Any) -> Any:
    if not isinstance(dataset, DataLoader):
        return dataset
    sampler = dataset.sampler
    if isinstance(sampler, SubsetRandomSampler):
        return Subset(dataset.dataset, list(sampler.indices))
    shuffled = (
        isinstance(sampler, RandomSampler) and not sampler.replacement and len(sampler) == len(sampler.data_source)
    )
    plain = isinstance(dataset.dataset, IterableDataset) or shuffled or isinstance(sampler, SequentialSampler)
    if not plain or dataset.batch_size is None or dataset.collate_fn is not default_collate:
        raise ValueError(
            "a DataLoader with a sampler, batches or a collate_fn of its own: hand over its dataset instead"
        )
    return dataset.dataset


def _class_names(dataset: Any) -> tuple[str, ...]:
    """What a data set of Hugging Face (`features`) or torchvision (`classes`) calls its classes."""
    while isinstance(dataset, DataLoader | Subset):
        dataset = dataset.dataset
    features = getattr(dataset, "features", None)
    label = next((name for name in LABELS if name in features), None) if isinstance(features, Mapping) else None
    names = getattr(features[label], "names", None) if features and label else getattr(dataset, "classes", None)
    return tuple(names) if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names) else ()
