"""The data sets that a recipe can name, and where their files are found or downloaded."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from theory.typed import check_arguments
from training.data.files.download import Remote, fetch
from training.data.files.formats import check_labels, read_cifar, read_idx
from training.data.files.layouts import EMNIST, as_images, emnist, idx_places, npz, read_table, stl10, svhn
from training.data.files.pickles import read_cifar_pickle
from training.data.files.picture_folder import folder_source
from training.data.files.text_files import text_csv, text_folder
from training.recipe.recipe import Recipe

from .arrays import from_tensors
from .docstrings import docstrings
from .images import Images, Source, halves


def open_source(recipe: Recipe) -> Source:
    """The source that `recipe.data` names; files that are not under `recipe.data_root` are downloaded.

    Raises:
        ValueError: if the images are not named but handed over, or a file is damaged (when it is read).
        OSError: if a file is missing or cannot be downloaded.
    """
    check_arguments(open_source, locals())
    if recipe.data not in SOURCES:
        raise ValueError(f"data={recipe.data!r} needs a source: train(recipe, source=from_tensors(...))")
    return SOURCES[recipe.data](recipe)


def digits(recipe: Recipe) -> Source:
    """scikit-learn's 1797 handwritten digits, 8 x 8, 17 grey levels; a fixed stratified third is the test set."""
    return halves(lambda: _digits_halves()[0], lambda: _digits_halves()[1])


@cache
def _digits_halves() -> tuple[Images, Images]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    pixels = torch.from_numpy(images.reshape(-1, 8, 8, 1) * 15).to(torch.uint8)  # 0..16 to 0..240, exact
    parts = train_test_split(pixels.numpy(), labels, test_size=1 / 3, stratify=labels, random_state=0)
    source = from_tensors(parts[0], parts[2], parts[1], parts[3], classes=10)
    return source.train(), source.test()


@dataclass(frozen=True)
class Idx:
    """MNIST and the sets that took over its format: 28 x 28 grey pictures of 10 classes in four idx.gz files."""

    bases: tuple[str, ...]
    md5: dict[str, str]

    def __call__(self, recipe: Recipe) -> Source:
        tables = self._tables(recipe)
        if tables is not None:
            return halves(lambda: read_table(tables[0], 60_000), lambda: read_table(tables[1], 10_000))
        files = {name: self._locate(name, recipe) for name in self.md5}
        return halves(lambda: _idx_half(files, "train"), lambda: _idx_half(files, "t10k"))

    def _locate(self, name: str, recipe: Recipe) -> Path:
        remote = Remote(f"{recipe.data}-{name}", tuple(base + name for base in self.bases), self.md5[name])
        places = idx_places(name.removesuffix(".gz"), "MNIST" if recipe.data == "mnist" else "FashionMNIST")
        return locate(recipe.data_root, (name, f"{recipe.data}/{name}", *places)) or fetch(remote)

    def _tables(self, recipe: Recipe) -> tuple[Path, Path] | None:
        """Kaggle's tables of training and test pictures, if the data root holds them."""
        root = Path(recipe.data_root or ".")
        pairs = [(root / f"{name}train.csv", root / f"{name}test.csv") for name in (f"{recipe.data}_", "")]
        found = (pair for pair in pairs if all(path.is_file() for path in pair))
        return next(found, None) if recipe.data_root else None


def _idx_half(files: dict[str, Path], half: str) -> Images:
    most = 60_000 if half == "train" else 10_000
    pixels = read_idx(files[f"{half}-images-idx3-ubyte.gz"], (most, 28, 28))
    path = files[f"{half}-labels-idx1-ubyte.gz"]
    labels = check_labels(read_idx(path, (most,)), 10, path)
    return as_images(pixels[..., None], labels, 10, path)


@dataclass(frozen=True)
class Cifar:
    """CIFAR-10 or CIFAR-100, 32 x 32 colour pictures; files are (name, number of images) of the binary layout.

    The python layout is read where the data root holds it instead.
    """

    remote: Remote
    folder: str
    train_files: tuple[tuple[str, int], ...]
    test_file: tuple[str, int]
    classes: int

    def __call__(self, recipe: Recipe) -> Source:
        test, _ = self.test_file
        python, archive = (name.replace("binary", "python") for name in (self.folder, self.remote.name))
        inside = [
            f"{self.folder}/{test}",
            test,
            f"{python.replace('-bin', '-py')}/{_python(test)}",
            _python(test),
        ]
        found = locate(recipe.data_root, (*inside, self.remote.name, archive))
        place = (
            found.parent if found is not None and found.name in (test, _python(test)) else found or fetch(self.remote)
        )
        pickled = found is not None and found.name in {_python(test), archive} - {self.remote.name}
        return halves(*(partial(self._read, place, files, pickled) for files in (self.train_files, (self.test_file,))))

    def _read(self, place: Path, files: tuple[tuple[str, int], ...], pickled: bool) -> Images:
        parts = [self._file(place, name, images, pickled) for name, images in files]
        pixels, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
        return as_images(pixels, labels, self.classes, place)

    def _file(self, place: Path, name: str, images: int, pickled: bool) -> tuple[np.ndarray, np.ndarray]:
        few = self.classes == 10
        if pickled:
            name = _python(name)
            pixels, labels = read_cifar_pickle(place, name, images, b"labels" if few else b"fine_labels")
        else:
            pixels, labels = read_cifar(place, name, images, 1 if few else 2)
        return pixels, check_labels(labels, self.classes, place / name)


def _python(name: str) -> str:
    """The name that a file of the binary layout has in the python layout."""
    return name.removesuffix(".bin")


def locate(root: str | None, names: tuple[str, ...]) -> Path | None:
    """The first of `names` that exists under the data root; None if there is no data root.

    Raises:
        FileNotFoundError: if there is a data root and it holds none of them.
    """
    if root is None:
        return None
    found = next((Path(root) / name for name in names if (Path(root) / name).is_file()), None)
    if found is None:
        raise FileNotFoundError(
            f"{root} holds none of {', '.join(names)}; put one there, or leave out --data-root to download it"
        )
    return found


def folder(recipe: Recipe) -> Source:
    """The pictures under the data root (see training.data.files.picture_folder)."""
    if recipe.data_root is None:
        raise ValueError("data=folder needs --data-root, the folder that holds train and test")
    return folder_source(Path(recipe.data_root), recipe.image_size)


TORONTO = "https://www.cs.toronto.edu/~kriz/"
MNIST_MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
FASHION_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
SOURCES: dict[str, Callable[[Recipe], Source]] = {
    "digits": digits,
    "mnist": Idx(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        MNIST_MD5,
    ),
    "fashion-mnist": Idx(
        ("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",), FASHION_MD5
    ),
    "cifar10": Cifar(
        Remote(
            "cifar-10-binary.tar.gz",
            (TORONTO + "cifar-10-binary.tar.gz",),
            "c32a1d4ab5d03f1284b67883e8d87530",
        ),
        "cifar-10-batches-bin",
        tuple((f"data_batch_{i}.bin", 10_000) for i in range(1, 6)),
        ("test_batch.bin", 10_000),
        10,
    ),
    "cifar100": Cifar(
        Remote(
            "cifar-100-binary.tar.gz",
            (TORONTO + "cifar-100-binary.tar.gz",),
            "03b5dce01913d631647c71ecec9e9cb8",
        ),
        "cifar-100-binary",
        (("train.bin", 50_000),),
        ("test.bin", 10_000),
        100,
    ),
    "folder": folder,
    "docstrings": docstrings,
    "text-folder": text_folder,
    "text-csv": text_csv,
    "npz": npz,
    "stl10": stl10,
    "svhn": svhn,
} | {f"emnist-{name}": emnist for name in EMNIST}
