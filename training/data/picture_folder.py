"""A folder of pictures, one sub-folder a class: ROOT/train/CLASS/*.png and ROOT/test/CLASS/*.png (or .jpg, ...)."""

from pathlib import Path

import numpy as np

from .images import Images, Source, from_tensors
from .pictures import FORMATS, read_picture


def folder_source(root: Path, side: int | None) -> Source:
    """The pictures under `root`, in colour, resized to `side` x `side` pixels if asked.

    Raises:
        OSError: if a part of the folder is missing.
        ValueError: when a half is read: no classes, an unreadable picture, or pictures of several sizes.
    """
    for half in ("train", "test"):
        if not (root / half).is_dir():
            raise FileNotFoundError(
                f"{root / half} is missing; an image folder holds train/CLASS/*.png and test/CLASS/*.png"
            )
    names = sorted(path.name for path in (root / "train").iterdir() if path.is_dir())
    if len(names) < 2:
        raise ValueError(f"{root / 'train'} must hold one folder a class, at least 2, got {len(names)}")
    return Source(lambda: _half(root / "train", names, side), lambda: _half(root / "test", names, side))


def _half(folder: Path, names: list[str], side: int | None) -> Images:
    strange = sorted({path.name for path in folder.iterdir() if path.is_dir()} - set(names))
    if strange:
        raise ValueError(f"{folder / strange[0]} is a class that has no folder in train")
    files = [(path, label) for label, name in enumerate(names) for path in _pictures(folder / name)]
    if not files:
        raise ValueError(f"{folder} holds no picture ({', '.join(FORMATS)})")
    pictures = [read_picture(path, side) for path, _ in files]
    odd = next((i for i, picture in enumerate(pictures) if picture.shape != pictures[0].shape), None)
    if odd is not None:
        sizes = " and ".join("x".join(map(str, pictures[i].shape[1::-1])) for i in (0, odd))
        raise ValueError(
            f"pictures must have one size, got {sizes} ({files[odd][0]}); pass --image-size to resize them"
        )
    labels = [label for _, label in files]
    source = from_tensors(np.stack(pictures), labels, pictures[:1], labels[:1], classes=len(names))
    return source.train()


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in FORMATS)
