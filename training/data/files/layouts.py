"""Readers of other data sets in their published layouts: EMNIST, SVHN, STL-10, MedMNIST's .npz and Kaggle's tables.

They are read from the data root, and nothing is downloaded.
"""

import string
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from training.data.arrays import from_tensors
from training.data.images import Images, Source, halves
from training.recipe.recipe import Recipe

from .formats import REMEDY, check_labels, read_idx, read_records


class Emnist(NamedTuple):
    """Sizes of one split of EMNIST."""

    train: int
    test: int
    classes: int


EMNIST = {
    "balanced": Emnist(112_800, 18_800, 47),
    "byclass": Emnist(697_932, 116_323, 62),
    "bymerge": Emnist(697_932, 116_323, 47),
    "digits": Emnist(240_000, 40_000, 10),
    "letters": Emnist(124_800, 20_800, 26),
    "mnist": Emnist(60_000, 10_000, 10),
}
STL = {"train": 5_000, "test": 8_000}
SVHN = {"train": 73_257, "test": 26_032}
LARGEST, RATIO = 2**34, 250
"""Limits of one array of a .npz: bytes (MedMNIST's PathMNIST at 224 pixels has 16.1e9), and times its packed size."""


def emnist(recipe: Recipe) -> Source:
    """A split of EMNIST; its files hold each picture transposed, and letters from 1 on."""
    name = recipe.data.removeprefix("emnist-")
    files = {
        (half, kind): located(recipe, *idx_places(f"emnist-{name}-{half}-{kind}-ubyte", "EMNIST"))
        for half in ("train", "test")
        for kind in ("images-idx3", "labels-idx1")
    }
    return halves(lambda: _emnist_half(files, name, "train"), lambda: _emnist_half(files, name, "test"))


def _emnist_half(files: dict[tuple[str, str], Path], name: str, half: str) -> Images:
    sizes, path = EMNIST[name], files[half, "labels-idx1"]
    most = sizes.train if half == "train" else sizes.test
    pixels = read_idx(files[half, "images-idx3"], (most, 28, 28)).transpose(0, 2, 1)[..., None]
    labels = read_idx(path, (most,)) - np.uint8(name == "letters")  # uint8: a label 0 becomes 255, which is refused
    names = tuple(string.ascii_uppercase) if name == "letters" else ()
    return as_images(pixels, check_labels(labels, sizes.classes, path), sizes.classes, path, names)


def svhn(recipe: Recipe) -> Source:
    """Street view house numbers, 32 x 32 in colour, from train_32x32.mat and test_32x32.mat."""
    files = {half: located(recipe, f"{half}_32x32.mat", f"svhn/{half}_32x32.mat") for half in SVHN}
    return halves(lambda: _svhn_half(files["train"], "train"), lambda: _svhn_half(files["test"], "test"))


def _svhn_half(path: Path, half: str) -> Images:
    from scipy.io import loadmat, whosmat

    try:
        shapes = {name: tuple(shape) for name, shape, _ in whosmat(str(path))}
        number = shapes["X"][3]
        if shapes["X"] != (32, 32, 3, number) or shapes["y"] != (number, 1) or number > SVHN[half]:
            raise ValueError(f"it holds arrays of {shapes}, at most {SVHN[half]} pictures are expected")
        arrays = loadmat(str(path), variable_names=["X", "y"])
        pixels, labels = arrays["X"].transpose(3, 0, 1, 2), arrays["y"][:, 0] % 10  # the digit 0 is labelled 10
    except Exception as error:  # scipy raises nearly everything on a damaged file
        raise ValueError(f"{path} is no file of SVHN ({error}); {REMEDY}") from error
    return as_images(pixels, check_labels(labels, 10, path), 10, path)


def stl10(recipe: Recipe) -> Source:
    """STL-10, 96 x 96 in colour: its labelled halves of 5000 and 8000 pictures, from its folder or archive."""
    found = located(recipe, "stl10_binary/test_X.bin", "test_X.bin", "stl10_binary.tar.gz")
    place = found.parent if found.name == "test_X.bin" else found
    return halves(lambda: _stl_half(place, "train"), lambda: _stl_half(place, "test"))


def _stl_half(place: Path, half: str) -> Images:
    pixels = read_records(place, f"{half}_X.bin", STL[half], 3 * 96 * 96).reshape(-1, 3, 96, 96)
    labels = read_records(place, f"{half}_y.bin", STL[half], 1)[:, 0] - np.uint8(1)  # stored from 1 to 10
    file = place / f"{half}_y.bin"
    return as_images(pixels.transpose(0, 3, 2, 1), check_labels(labels, 10, file), 10, file)  # columns come first


def npz(recipe: Recipe) -> Source:
    """A .npz in MedMNIST's form: train_images, train_labels, test_images, test_labels and perhaps val_ of both."""
    root = Path(recipe.data_root or "")
    found = [root] if root.is_file() else sorted(root.glob("*.npz")) if recipe.data_root else []
    if len(found) != 1:
        there = f"{root} with {len(found)} of them" if root.is_dir() else f"{root}, which does not exist"
        got = there if recipe.data_root else "none"
        raise FileNotFoundError(f"data=npz needs --data-root, a .npz file or a folder of one, got {got}")
    path, fields = found[0], _fields(found[0])
    parts = ("train", "test", *(("val",) if {"val_images", "val_labels"} & set(fields) else ()))
    missing = [name for part in parts for name in (f"{part}_images", f"{part}_labels") if name not in fields]
    if missing:
        raise ValueError(f"{path} has no array {missing[0]}; it has {', '.join(fields)}")
    train, test, held_out = (_npz_part(path, part, fields) for part in ("train", "test", "val"))
    assert train  # `_fields` found its names
    assert test
    return from_tensors(train[0], train[1], test[0], test[1], validation=held_out)


def _npz_part(path: Path, part: str, fields: list[str]) -> tuple[np.ndarray, np.ndarray] | None:
    names = (f"{part}_images", f"{part}_labels")
    return (_npz_array(path, names[0]), _npz_array(path, names[1])) if set(names) <= set(fields) else None


def _fields(path: Path) -> list[str]:
    """The names of the arrays of a .npz; refused if one would unpack to more than the limits above."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is no .npz ({error}); {REMEDY}") from error
    large = next((m for m in members if m.file_size > min(LARGEST, RATIO * m.compress_size + 2**20)), None)
    if large is not None:
        raise ValueError(f"{path} would unpack {large.filename} from {large.compress_size} to {large.file_size} bytes")
    return [member.filename.removesuffix(".npy") for member in members]


def _npz_array(path: Path, name: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[name]
    except Exception as error:  # numpy raises nearly everything on a damaged file
        raise ValueError(f"{path} has no readable array {name} ({error}); {REMEDY}") from error


def read_table(path: Path, most: int) -> Images:
    """28 x 28 pictures of 10 classes from a CSV file of label and 784 pixels a row, as Kaggle has them.

    Raises:
        ValueError: if it has no labels, more than `most` rows or other numbers.
    """
    if path.stat().st_size > (most + 1) * 785 * 10:
        raise ValueError(f"{path} is larger than {most} pictures; {REMEDY}")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline(20_000).strip().split(",")
    titled = not header[0].isdigit()
    if titled and header[0].strip('"') != "label":
        raise ValueError(
            f"{path} has no labels: its first column is {header[0]!r} (Kaggle keeps those of its test.csv)"
        )
    try:
        rows = np.loadtxt(path, np.uint8, delimiter=",", skiprows=int(titled), ndmin=2, encoding="utf-8-sig")
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} is damaged ({error}); {REMEDY}") from error
    if rows.shape[1] != 785 or len(rows) > most:
        raise ValueError(f"{path} must hold at most {most} rows of a label and 784 pixels, got {rows.shape}; {REMEDY}")
    return as_images(rows[:, 1:].reshape(-1, 28, 28, 1), check_labels(rows[:, 0], 10, path), 10, path)


def idx_places(name: str, folder: str) -> tuple[str, ...]:
    """Where an idx file may lie: packed or not, by itself or as torchvision keeps it."""
    return tuple(f"{place}{name}{end}" for place in ("", "gzip/", f"{folder}/raw/", "raw/") for end in (".gz", ""))


def located(recipe: Recipe, *names: str) -> Path:
    """The first of `names` under the data root.

    Raises:
        FileNotFoundError: if none is there.
    """
    root = Path(recipe.data_root or ".")
    found = next((root / name for name in names if (root / name).is_file()), None)
    if found is None:
        raise FileNotFoundError(f"data={recipe.data} needs one of {', '.join(names)} under --data-root, got {root}")
    return found


def as_images(pixels: Any, labels: Any, classes: int, path: Path, names: tuple[str, ...] = ()) -> Images:
    """Arrays of bytes and of labels as images."""
    if len(pixels) != len(labels):
        raise ValueError(f"{path} holds {len(labels)} labels for {len(pixels)} images; download both files again")
    own = torch.from_numpy(np.array(pixels, order="C"))
    return Images(own, torch.from_numpy(labels.astype(np.int64)), classes, names)
