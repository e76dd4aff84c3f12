"""Sources from torch data sets."""

from typing import Any

import numpy as np

from .arrays import from_tensors
from .images import Source


def from_datasets(train: Any, test: Any, classes: int) -> Source:
    """A source from two torch `Dataset`s whose items are (uint8 picture, label); pictures (H, W[, C]) of one size."""
    parts = [_gather(train), _gather(test)]
    return from_tensors(*parts[0], *parts[1], classes)


def _gather(dataset: Any) -> tuple[np.ndarray, list[Any]]:
    items = [dataset[index] for index in range(len(dataset))]
    sizes = {np.asarray(picture).shape for picture, _ in items}
    if len(sizes) != 1:
        raise ValueError(f"a dataset's pictures must have one size, got {sorted(sizes)[:3]} in {len(items)} items")
    return np.stack([np.asarray(picture) for picture, _ in items]), [int(label) for _, label in items]
