"""Finds the files of a folder with a sub-folder a class: ROOT/train/CLASS, ROOT/test/CLASS, perhaps ROOT/val/CLASS."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.data.images import Images, Source, halves

VALIDATION = ("val", "valid", "validation")
SYSTEM = ("Thumbs.db", "desktop.ini")
Files = list[tuple[Path, int]]
"""Files with their classes."""


@dataclass(frozen=True)
class Kind:
    """What the files are: a noun for sentences, and the endings of their names (none: any)."""

    noun: str
    endings: tuple[str, ...] = ()

    def includes(self, path: Path) -> bool:
        """Whether a file is of this kind, by its name."""
        return not self.endings or path.suffix.lower() in self.endings

    @property
    def hint(self) -> str:
        """What names end in, to be put behind a sentence."""
        return f"; {self.noun}s end in {', '.join(self.endings)}" if self.endings else ""


def class_folders(root: Path, kind: Kind, read: Callable[[Files, tuple[str, ...]], Images]) -> Source:
    """The files of one kind under `root`.

    A class is a sub-folder of train that holds such files, at whatever depth. What is hidden or belongs to a system
    (a name that starts with . or __) is left out.

    Args:
        root: the folder.
        kind: which files count.
        read: makes a half from its files, given the names of the classes.

    Raises:
        OSError: if a part of the folder is missing.
        ValueError: if there are no classes, or a link leads to nothing; when a half is read: what `read` raises, or a
            class that train lacks.
    """
    for half in ("train", "test"):
        if not (root / half).is_dir():
            raise FileNotFoundError(
                f"{root / half} is missing; a folder of {kind.noun}s holds train/CLASS and test/CLASS, one a class"
            )
    names = tuple(sorted(_classes(root / "train", kind)))
    if len(names) < 2:
        raise ValueError(
            f"{root / 'train'} must hold one folder of {kind.noun}s a class, at least 2, got {len(names)}{kind.hint}"
        )
    held_out = [root / name for name in VALIDATION if (root / name).is_dir() and _classes(root / name, kind)]
    if len(held_out) > 1:
        raise ValueError(f"{root} must hold one validation part, got {' and '.join(part.name for part in held_out)}")
    return halves(
        lambda: read(_files(root / "train", names, kind), names),
        lambda: read(_files(root / "test", names, kind), names),
        (lambda: read(_files(held_out[0], names, kind), names)) if held_out else None,
    )


def _files(folder: Path, names: tuple[str, ...], kind: Kind) -> Files:
    found = _classes(folder, kind)
    strange = sorted(set(found) - set(names))
    if strange:
        raise ValueError(f"{folder / strange[0]} is a class that has no folder in train")
    files = [(path, names.index(name)) for name, paths in sorted(found.items()) for path in paths]
    if not files:
        raise ValueError(f"{folder} holds no {kind.noun}{kind.hint}")
    return files


def _classes(half: Path, kind: Kind) -> dict[str, list[Path]]:
    """The files of each sub-folder that is not empty."""
    stray = next((one for one in half.iterdir() if one.is_file() and _visible(one, half) and kind.includes(one)), None)
    if stray is not None:
        raise ValueError(f"{stray} lies in no class; put it into a sub-folder of {half}, or take it away")
    folders = [path for path in half.iterdir() if path.is_dir() and _visible(path, half)]
    return {path.name: files for path in folders if (files := _inside(path, kind)) is not None}


def _inside(folder: Path, kind: Kind) -> list[Path] | None:
    """The files of the kind at any depth; None if the folder has no visible file."""
    visible = sorted(path for path in folder.rglob("*") if _visible(path, folder))
    if lost := [path for path in visible if path.is_symlink() and kind.includes(path) and not path.exists()]:
        raise ValueError(f"{lost[0]} must lead to a {kind.noun}, got a link to nothing; take it away or mend it")
    files = [path for path in visible if path.is_file()]
    found = [path for path in files if kind.includes(path)]
    if files and not found:
        raise ValueError(f"{folder} holds {files[0].name} and no {kind.noun}{kind.hint}")
    return found or None


def _visible(path: Path, folder: Path) -> bool:
    return not any(part.startswith((".", "__")) or part in SYSTEM for part in path.relative_to(folder).parts)
