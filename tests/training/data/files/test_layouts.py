"""EMNIST, SVHN, STL-10, MedMNIST, Kaggle's tables and CIFAR's pickles in the layouts in which they are published."""

import datetime
import gzip
import io
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from scipy.io import savemat

from training import Recipe, train
from training.data.files import layouts
from training.data.files.download import Remote
from training.data.images import split
from training.data.sources import SOURCES, Cifar, open_source
from training.recipe.recipe import DATA_SETS

SMALL = Cifar(Remote("small-binary.tar.gz", (), ""), "small-binary", (("a.bin", 6),), ("test.bin", 4), 10)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def source(name, root):
    return open_source(Recipe(data=name, data_root=str(root)))


def written(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_mnist_is_read_as_torchvision_unpacks_it(tmp_path, name, folder):
    for half in ("train", "t10k"):
        written(tmp_path / folder / "raw" / f"{half}-images-idx3-ubyte", idx(noise(10, 28, 28)))
        written(tmp_path / folder / "raw" / f"{half}-labels-idx1-ubyte", idx(np.arange(10, dtype=np.uint8)))
    found = source(name, tmp_path).test()
    assert torch.equal(found.pixels[..., 0], torch.from_numpy(noise(10, 28, 28)))
    assert found.labels.tolist() == list(range(10))


def table(pixels, labels, title="label"):
    names = [title, *(f"pixel{i}" for i in range(784))] if title else []
    rows = [names, *([label, *row] for label, row in zip(labels, pixels.reshape(-1, 784), strict=True))]
    return "\n".join(",".join(map(str, row)) for row in rows if row).encode()


@pytest.mark.parametrize("name", ["", "mnist_"])
@pytest.mark.parametrize("title", ["label", ""])
def test_mnist_is_read_as_kaggle_lays_it_out(tmp_path, name, title):
    for half in ("train", "test"):
        written(tmp_path / f"{name}{half}.csv", table(noise(10, 28, 28), range(10), title))
    found = source("mnist", tmp_path).train()
    assert torch.equal(found.pixels[..., 0], torch.from_numpy(noise(10, 28, 28)))
    assert found.labels.tolist() == list(range(10))


TABLES = {
    "no labels": (
        table(noise(2, 28, 28), [1, 2], "pixel"),
        r"has no labels: its first column is 'pixel' \(Kaggle keeps",
    ),
    "a level of 256": (table(noise(2, 28, 28).astype(int) + 1, [1, 2]), r"is damaged"),
    "a label of 10": (table(noise(2, 28, 28), [1, 10]), r"has label 10 at image 1, labels end at 9"),
    "a short row": (table(noise(2, 28, 28), [1, 2]) + b"\n1,2", r"is damaged"),
    "other pictures": (b"label,pixel0\n1,2\n", r"must hold at most 10000 rows of a label and 784 pixels, got \(1, 2\)"),
    "nothing": (b"", r"has no labels"),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.filterwarnings("error")
def test_a_table_that_is_not_mnist_is_refused_by_name(tmp_path, kind):
    content, sentence = TABLES[kind]
    written(tmp_path / "train.csv", table(noise(10, 28, 28), range(10)))
    written(tmp_path / "test.csv", content)
    with pytest.raises(ValueError, match=rf"test.csv .*{sentence}|test.csv {sentence}"):
        source("mnist", tmp_path).test()


@pytest.mark.parametrize("place", ["", "gzip/", "EMNIST/raw/"])
def test_emnist_stands_upright_and_its_letters_count_from_a(tmp_path, place):
    stored, labels = noise(26, 28, 28), np.arange(1, 27, dtype=np.uint8)
    end, packed = ("", bytes) if "raw" in place else (".gz", gzip.compress)
    for half in ("train", "test"):
        written(tmp_path / place / f"emnist-letters-{half}-images-idx3-ubyte{end}", packed(idx(stored)))
        written(tmp_path / place / f"emnist-letters-{half}-labels-idx1-ubyte{end}", packed(idx(labels)))
    found = source("emnist-letters", tmp_path).train()
    assert torch.equal(found.pixels[..., 0], torch.from_numpy(stored).transpose(1, 2))
    assert [found.names[label] for label in found.labels] == list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def test_svhn_is_read_from_its_matlab_files(tmp_path):
    stored = noise(32, 32, 3, 4)
    for half in ("train", "test"):
        savemat(tmp_path / f"{half}_32x32.mat", {"X": stored, "y": np.array([[10], [1], [9], [10]], np.uint8)})
    found = source("svhn", tmp_path).test()
    assert torch.equal(found.pixels[2], torch.from_numpy(stored[..., 2].copy()))
    assert found.labels.tolist() == [0, 1, 9, 0]
    (tmp_path / "test_32x32.mat").write_bytes(b"no file of matlab")
    with pytest.raises(ValueError, match=r"test_32x32.mat is no file of SVHN"):
        source("svhn", tmp_path).test()


def test_stl_is_read_column_by_column(tmp_path, monkeypatch):
    upright = noise(3, 96, 96, 3)
    for half in ("train", "test"):
        monkeypatch.setitem(layouts.STL, half, 3)
        written(tmp_path / "stl10_binary" / f"{half}_X.bin", upright.transpose(0, 3, 2, 1).tobytes())
        written(tmp_path / "stl10_binary" / f"{half}_y.bin", bytes([1, 10, 2]))
    found = source("stl10", tmp_path).train()
    assert torch.equal(found.pixels, torch.from_numpy(upright))
    assert found.labels.tolist() == [0, 9, 1]
    written(tmp_path / "stl10_binary" / "train_y.bin", bytes([1, 0, 2]))
    with pytest.raises(ValueError, match=r"train_y.bin has label 255 at image 1"):
        source("stl10", tmp_path).train()


def cifar_pickle(number, protocol=2):
    labels = [i % 10 for i in range(number)]
    return pickle.dumps({b"data": noise(number, 3072), b"labels": labels, b"filenames": [b"x.png"]}, protocol)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("packed", [False, True])
def test_cifar_is_read_from_its_python_pickles(tmp_path, protocol, packed):
    contents = {"a": cifar_pickle(6, protocol), "test": cifar_pickle(4, protocol)}
    for name, data in contents.items():
        written(tmp_path / "small-python" / name, data)
    if packed:
        with tarfile.open(tmp_path / "small-python.tar.gz", "w:gz") as tar:
            tar.add(tmp_path / "small-python", "small-python")
        for name in contents:
            (tmp_path / "small-python" / name).unlink()
    found = SMALL(Recipe(data="cifar10", data_root=str(tmp_path)))
    planes = torch.from_numpy(noise(6, 3072)).view(6, 3, 32, 32)
    assert torch.equal(found.train().pixels, planes.permute(0, 2, 3, 1))
    assert found.test().labels.tolist() == [0, 1, 2, 3]


class Hostile:
    def __reduce__(self):
        return os.system, ("touch executed",)


HOSTILE = {
    "a command": (pickle.dumps(Hostile()), r"it names posix.system|it names nt.system"),
    "another class": (pickle.dumps(datetime.date(2020, 1, 1)), r"it names datetime.date"),
    "an array of a size of its own": (b"cnumpy\nndarray\n(I1000000000000\ntR.", r"not callable"),
    "another encoding": (b"c_codecs\nencode\n(Vx\nVrot13\ntR.", r"text is encoded in rot13"),
    "an attribute": (b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.", r"it names numpy.core.multiarray._rec"),
    "no pickle": (b"<html>", r"is no pickle of CIFAR"),
    "too few pictures": (cifar_pickle(5), r"must hold 6 images, got uint8 \(5, 3072\)"),
    "a label too many": (pickle.dumps({b"data": noise(6, 3072), b"labels": [0] * 5 + [10]}, 2), r"has label 10 at im"),
    "much more": (bytes(6 * 3072 + 2_000_000), r"holds 2018432 bytes, the data set has"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_pickle_is_read_and_never_executed(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    content, sentence = HOSTILE[kind]
    written(tmp_path / "small-python" / "a", content)
    written(tmp_path / "small-python" / "test", cifar_pickle(4))
    with pytest.raises(ValueError, match=sentence) as error:
        SMALL(Recipe(data="cifar10", data_root=str(tmp_path))).train()
    assert str(tmp_path / "small-python" / "a") in str(error.value)
    assert not (tmp_path / "executed").exists()


def medmnist(path, **changes):
    arrays = {}
    for part, number in (("train", 20), ("val", 6), ("test", 8)):
        arrays[f"{part}_images"] = noise(number, 6, 6, 3)
        arrays[f"{part}_labels"] = (np.arange(number) % 2)[:, None].astype(np.uint8)
    np.savez_compressed(path, **{name: array for name, array in (arrays | changes).items() if array is not None})
    return path


@pytest.mark.parametrize("in_folder", [True, False])
def test_a_npz_in_the_form_of_medmnist_has_three_parts(tmp_path, in_folder):
    path = medmnist(tmp_path / "pathmnist.npz")
    recipe = Recipe(data="npz", data_root=str(tmp_path if in_folder else path), epochs=1, batch_size=4)
    parts = split(recipe, open_source(recipe))
    assert [len(part) for part in (parts.train, parts.validation, parts.test())] == [20, 6, 8]
    assert torch.equal(parts.train.pixels, torch.from_numpy(noise(20, 6, 6, 3)))
    assert train(recipe).images == {"train": 20, "validation": 6, "test": 8}


FAULTS = {
    "no test labels": ({"test_labels": None}, r"has no array test_labels; it has train_images"),
    "half a validation part": ({"val_labels": None}, r"has no array val_labels"),
    "several labels a picture": ({"train_labels": np.ones((20, 14), np.uint8)}, r"must be one-hot"),
    "volumes": ({"train_images": noise(20, 6, 6, 6)}, r"channels first or last"),
    "objects": ({"test_labels": np.array([Hostile()] * 8, dtype=object)}, r"no readable array test_labels"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_npz_of_another_form_is_refused_before_the_first_epoch(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    changes, sentence = FAULTS[kind]
    path = medmnist(tmp_path / "pathmnist.npz", **changes)
    with pytest.raises(ValueError, match=sentence):
        train(Recipe(data="npz", data_root=str(path), epochs=1, batch_size=4))
    assert not (tmp_path / "executed").exists()


def test_a_npz_is_bounded_before_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_images.npy", bytes(2**24))
    with pytest.raises(ValueError, match=r"bomb.npz would unpack train_images.npy from \d+ to 16777216 bytes"):
        source("npz", tmp_path)
    (tmp_path / "bomb.npz").write_bytes(io.BytesIO(b"PK no zip").getvalue())
    with pytest.raises(ValueError, match=r"bomb.npz is no .npz"):
        source("npz", tmp_path)


def test_every_name_of_a_data_set_has_a_source():
    assert {*SOURCES, "tensors"} == set(DATA_SETS)


@pytest.mark.parametrize("name", ["emnist-digits", "svhn", "stl10", "npz"])
def test_missing_files_are_an_error_that_names_the_flag(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=rf"data={name} needs .*--data-root"):
        source(name, tmp_path)
