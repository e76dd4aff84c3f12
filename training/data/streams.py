"""Pictures that a data set makes item by item, by its own transforms, in the workers of a DataLoader."""

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.data.files.pictures import as_bytes

from .images import Images
from .shapes import Channels, as_tensor, channels_last

PICTURES = ("pixel_values", "image", "img", "picture", "images", "pixels", "input", "x")
LABELS = ("label", "labels", "fine_label", "target", "targets", "class", "y")
"""Names of the fields of an item; the first that it has is taken."""


@dataclass(frozen=True)
class Stream(Images):
    """N pictures of a data set, given by their indices and made anew every time that they are read.

    Attributes:
        pixels: (N,) int64, the places in `dataset`.
        dataset: its items are (picture, label), or have them in fields.
        size: height, width and channels of a picture.
        channels: which axis its channels are, where the shape leaves it open.
        floats: whether the pictures are floats (on their own scale) instead of bytes.
    """

    dataset: Any = None
    size: tuple[int, int, int] = (0, 0, 0)
    channels: Channels | None = None
    floats: bool = True

    def check_pixels(self) -> None:
        """Nothing: the pictures were checked when the data set was read."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a picture."""
        return self.size

    def batches(self, parts: Sequence[Tensor], seed: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures (B, C, H, W), float32 or uint8, and labels (B,) of each part, drawn by the seed only.

        Args:
            parts: which of the N pictures a batch holds.
            seed: decides what the data set's transforms draw, picture by picture.
            workers: processes that make them; 0: this one. They make the same pictures, however many there are.
        """
        keys = [[(place, (seed + 7_919 * place) % 2**63) for place in self.pixels[part].tolist()] for part in parts]
        own = torch.Generator()  # the default one is dropout's, whose numbers would change
        made: Any = DataLoader(_Made(self), batch_sampler=keys, num_workers=workers, generator=own)
        for part, pixels in zip(parts, made, strict=True):
            yield pixels, self.labels[part]


class _Made(Dataset[Tensor]):
    """Pictures by (place, seed)."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        place, seed = key
        with _seeded(seed):
            picture, _ = item(self._stream.dataset[place], self._stream.channels)
        if picture.shape != self._stream.size or picture.is_floating_point() != self._stream.floats:
            raise ValueError(
                f"picture {place} must be {self._stream.size} again, got {picture.dtype} {tuple(picture.shape)}"
            )
        return picture.permute(2, 0, 1).contiguous()


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the three generators that transforms draw from, and restore them: dropout draws from one of them too."""
    kept = random.getstate(), np.random.get_state()  # noqa: NPY002 - people's transforms use it
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(kept[0])
            np.random.set_state(kept[1])  # noqa: NPY002


def item(entry: Any, channels: Channels | None = None) -> tuple[Tensor, Any]:
    """Picture (H, W, C), uint8 or float32, and label of a data set's item.

    Raises:
        ValueError: if it has no picture and label, or the picture has other numbers.
    """
    fields = entry._asdict() if hasattr(entry, "_asdict") else entry
    if isinstance(fields, Mapping):
        picture, label = (_field(fields, names) for names in (PICTURES, LABELS))
    elif isinstance(entry, tuple | list) and len(entry) >= 2:
        picture, label = entry[:2]
    else:
        raise ValueError(f"an item must be (picture, label) or have them in fields, got {type(entry).__name__}")
    if isinstance(picture, Image.Image):
        picture, channels = np.array(as_bytes(picture)), "last"
    return channels_last(_numbers(picture)[None], channels)[0], label


def _field(fields: Mapping[str, Any], names: Sequence[str]) -> Any:
    found = next((name for name in names if name in fields), None)
    if found is None:
        raise ValueError(f"an item must have a field called {', '.join(names)}; it has {', '.join(map(str, fields))}")
    return fields[found]


def _numbers(picture: Any) -> Tensor:
    tensor = as_tensor(picture)
    if tensor.ndim not in (2, 3) or not (tensor.is_floating_point() or tensor.dtype in (torch.uint8, torch.bool)):
        raise ValueError(
            f"a picture must be uint8 or floats of 2 or 3 dimensions, got {tensor.dtype} of {tuple(tensor.shape)}"
        )
    if tensor.is_floating_point() and not tensor.isfinite().all():
        raise ValueError("a picture must hold finite numbers, got nan or inf")
    return tensor.float() if tensor.is_floating_point() else tensor
