"""A folder of pictures, one sub-folder a class (see `walk`)."""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from training.data.images import Images, Source

from .pictures import FORMATS, read_picture
from .walk import Files, Kind, class_folders

PICTURE = Kind("picture", tuple(FORMATS))


def folder_source(root: Path, side: int | None) -> Source:
    """The pictures under `root`, in colour, resized to `side` x `side` pixels if asked.

    Raises:
        OSError: if a part of the folder is missing.
        ValueError: if there are no classes; when a half is read: an unreadable picture, pictures of several sizes, or
            of a class that train lacks.
    """
    return class_folders(root, PICTURE, partial(_stacked, side=side))


def _stacked(files: Files, names: tuple[str, ...], side: int | None) -> Images:
    pictures = [read_picture(path, side) for path, _ in files]
    odd = next((i for i, picture in enumerate(pictures) if picture.shape != pictures[0].shape), None)
    if odd is not None:
        sizes = " and ".join("x".join(map(str, pictures[i].shape[1::-1])) for i in (0, odd))
        raise ValueError(
            f"pictures must have one size, got {sizes} ({files[odd][0]}); pass --image-size to resize them"
        )
    labels = torch.tensor([label for _, label in files])
    return Images(torch.from_numpy(np.stack(pictures)), labels, len(names), names)
