"""A folder of pictures, one sub-folder a class: ROOT/train/CLASS, ROOT/test/CLASS and perhaps ROOT/val/CLASS."""

from pathlib import Path

import numpy as np
import torch

from training.data.images import Images, Source, halves

from .pictures import FORMATS, read_picture

VALIDATION = ("val", "valid", "validation")
SYSTEM = ("Thumbs.db", "desktop.ini")


def folder_source(root: Path, side: int | None) -> Source:
    """The pictures under `root`, in colour, resized to `side` x `side` pixels if asked.

    A class is a sub-folder of train that holds pictures, at whatever depth. What is hidden or belongs to a system
    (a name that starts with . or __) is left out.

    Raises:
        OSError: if a part of the folder is missing.
        ValueError: if there are no classes; when a half is read: an unreadable picture, pictures of several sizes, or
            of a class that train lacks.
    """
    for half in ("train", "test"):
        if not (root / half).is_dir():
            raise FileNotFoundError(
                f"{root / half} is missing; an image folder holds train/CLASS/*.png and test/CLASS/*.png"
            )
    names = sorted(_classes(root / "train"))
    if len(names) < 2:
        raise ValueError(
            f"{root / 'train'} must hold one folder of pictures a class, at least 2, got {len(names)}; "
            f"pictures end in {', '.join(FORMATS)}"
        )
    held_out = [root / name for name in VALIDATION if (root / name).is_dir() and _classes(root / name)]
    if len(held_out) > 1:
        raise ValueError(f"{root} must hold one validation part, got {' and '.join(part.name for part in held_out)}")
    return halves(
        lambda: _half(root / "train", names, side),
        lambda: _half(root / "test", names, side),
        (lambda: _half(held_out[0], names, side)) if held_out else None,
    )


def _half(folder: Path, names: list[str], side: int | None) -> Images:
    found = _classes(folder)
    strange = sorted(set(found) - set(names))
    if strange:
        raise ValueError(f"{folder / strange[0]} is a class that has no folder in train")
    files = [(path, names.index(name)) for name, paths in sorted(found.items()) for path in paths]
    if not files:
        raise ValueError(f"{folder} holds no picture ({', '.join(FORMATS)})")
    pictures = [read_picture(path, side) for path, _ in files]
    odd = next((i for i, picture in enumerate(pictures) if picture.shape != pictures[0].shape), None)
    if odd is not None:
        sizes = " and ".join("x".join(map(str, pictures[i].shape[1::-1])) for i in (0, odd))
        raise ValueError(
            f"pictures must have one size, got {sizes} ({files[odd][0]}); pass --image-size to resize them"
        )
    labels = torch.tensor([label for _, label in files])
    return Images(torch.from_numpy(np.stack(pictures)), labels, len(names), tuple(names))


def _classes(half: Path) -> dict[str, list[Path]]:
    """The pictures of each sub-folder that is not empty."""
    stray = next(
        (path for path in half.iterdir() if path.is_file() and _visible(path, half) and _is_picture(path)), None
    )
    if stray is not None:
        raise ValueError(f"{stray} lies in no class; put it into a sub-folder of {half}, or take it away")
    found = {path.name: _pictures(path) for path in half.iterdir() if path.is_dir() and _visible(path, half)}
    return {name: paths for name, paths in found.items() if paths is not None}


def _pictures(folder: Path) -> list[Path] | None:
    """The pictures at any depth; None if the folder has no visible file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and _visible(path, folder))
    found = [path for path in files if _is_picture(path)]
    if files and not found:
        raise ValueError(f"{folder} holds {files[0].name} and no picture; pictures end in {', '.join(FORMATS)}")
    return found or None


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in FORMATS


def _visible(path: Path, folder: Path) -> bool:
    return not any(part.startswith((".", "__")) or part in SYSTEM for part in path.relative_to(folder).parts)
