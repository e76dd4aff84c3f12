"""MNIST, CIFAR and folders of pictures read from files, and damaged or oversized files refused by name."""

import gzip
import io
import tarfile
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

from training import Recipe
from training.data.files.download import Remote
from training.data.sources import Cifar, open_source

IDX = {"train-images-idx3-ubyte.gz": (20, 28, 28), "t10k-images-idx3-ubyte.gz": (10, 28, 28)}
IDX |= {"train-labels-idx1-ubyte.gz": (20,), "t10k-labels-idx1-ubyte.gz": (10,)}
SMALL = Cifar(Remote("small.tar.gz", (), ""), "small", (("a.bin", 20), ("b.bin", 10)), ("test.bin", 10), 100)
SIZES = {"a.bin": 20, "b.bin": 10, "test.bin": 10}


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def mnist(tmp_path):
    generator = np.random.default_rng(0)
    for name, shape in IDX.items():
        array = np.arange(shape[0]) % 10 if len(shape) == 1 else generator.integers(0, 256, shape)
        (tmp_path / name).write_bytes(gzip.compress(idx_bytes(array.astype(np.uint8))))
    return Recipe(data="mnist", data_root=str(tmp_path))


@pytest.fixture
def cifar(tmp_path):
    generator = np.random.default_rng(0)
    (tmp_path / "small").mkdir()
    for name, number in SIZES.items():
        records = generator.integers(0, 100, (number, 2 + 3072), dtype=np.uint8)
        (tmp_path / "small" / name).write_bytes(records.tobytes())
    return Recipe(data="cifar100", data_root=str(tmp_path))


def refusal(read, kind: type[Exception] = ValueError):
    with pytest.raises(kind) as error:
        read()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_mnist_reads_both_halves_of_its_four_files(mnist, tmp_path):
    train, test = open_source(mnist).train(), open_source(mnist).test()
    assert (train.pixels.shape, test.pixels.shape) == ((20, 28, 28, 1), (10, 28, 28, 1))
    raw = gzip.decompress((tmp_path / "train-images-idx3-ubyte.gz").read_bytes())
    assert bytes(train.pixels.flatten().tolist()) == raw[16:]


DAMAGE = {
    "cut short": (lambda data: data[: len(data) // 2], "is damaged"),
    "not gzip": (lambda data: b"<html>not found</html>", "is damaged"),
    "a byte flipped": (lambda data: data[:-6] + bytes([data[-6] ^ 255]) + data[-5:], "is damaged"),
    "of labels": (
        lambda data: gzip.compress(idx_bytes(np.zeros(20, np.uint8))),
        "is not an idx file of bytes in 3",
    ),
    "fewer bytes than its header promises": (
        lambda data: gzip.compress(gzip.decompress(data)[:-1]),
        "its header promises",
    ),
    "without a header": (lambda data: gzip.compress(bytes([0, 0, 8, 3, 0])), "its header promises"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_idx_file_is_named_with_the_remedy(mnist, tmp_path, how):
    damage, sentence = DAMAGE[how]
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    said = refusal(open_source(mnist).train)
    assert str(path) in said
    assert sentence in said
    assert "download it again" in said


BOMB = 2**31
"""Bytes that must not be unpacked, which would take seconds and gigabytes."""


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ((60_001, 28, 28), "promises an array of (60001, 28, 28), the data set has (60000, 28, 28)"),
        ((20, 10_000, 10_000), "promises an array of (20, 10000, 10000)"),
        ((20, 28, 28), "holds more than 15680 bytes"),
    ],
)
def test_a_packed_file_is_bounded_before_it_is_unpacked(mnist, tmp_path, header, sentence):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    zeros = gzip.compress(bytes(2**22))
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 3]) + np.array(header, ">u4").tobytes()) + zeros * (BOMB >> 22))
    tracemalloc.start()
    assert sentence in refusal(open_source(mnist).train)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def archive_of(path, member, content=b""):
    with tarfile.open(path / "small.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.addfile(member, io.BytesIO(content))
    return SMALL(Recipe(data="cifar100", data_root=str(path))).train


def test_a_member_larger_than_its_data_set_is_refused_unread(tmp_path):
    member = tarfile.TarInfo("small/a.bin")
    member.size = 20 * 3074 + 1
    said = refusal(archive_of(tmp_path, member, bytes(member.size)))
    assert f"{tmp_path / 'small.tar.gz' / 'a.bin'} holds 61481 bytes, the data set has 61480" in said


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "b.bin", "small/a.bin"])
def test_a_member_that_is_a_link_or_a_device_is_refused(tmp_path, kind, target):
    member = tarfile.TarInfo("small/a.bin")
    member.type, member.linkname = kind, target
    assert "a.bin is a link or a device, not a file" in refusal(archive_of(tmp_path, member))


def test_a_long_header_of_a_member_is_refused_unread(tmp_path):
    member = tarfile.TarInfo("././@PaxHeader")
    member.type, member.size = tarfile.XHDTYPE, 2**20
    read = archive_of(tmp_path, member, bytes(member.size))
    said = refusal(read)
    assert "small.tar.gz is damaged" in said
    assert "at most" in said


def test_labels_of_another_data_set_are_refused_with_file_and_index(mnist, tmp_path):
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.arange(20, dtype=np.uint8))))
    assert f"{path} has label 10 at image 10, labels end at 9" in refusal(open_source(mnist).train)


def test_labels_of_another_number_are_refused(mnist, tmp_path):
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros(19, np.uint8))))
    assert f"{path} holds 19 labels for 20 images" in refusal(open_source(mnist).train)


def test_a_missing_file_is_noticed_before_anything_is_read(mnist, tmp_path):
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    said = refusal(lambda: open_source(mnist), FileNotFoundError)
    assert "t10k-images-idx3-ubyte.gz" in said
    assert "--data-root" in said


def test_cifar_reads_planes_as_pixels_and_the_fine_label(cifar, tmp_path):
    train = SMALL(cifar).train()
    record = np.frombuffer((tmp_path / "small" / "b.bin").read_bytes(), np.uint8).reshape(10, -1)[3]
    assert train.labels[23] == record[1]
    red, green, blue = record[2:].reshape(3, 32, 32)
    assert torch.equal(train.pixels[23], torch.from_numpy(np.stack([red, green, blue], axis=-1)))


def test_cifar_reads_the_same_from_its_archive_without_unpacking(cifar, tmp_path):
    unpacked = SMALL(cifar)
    train, test = unpacked.train(), unpacked.test()
    with tarfile.open(tmp_path / "small.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "small", "small")
    for name in SIZES:
        (tmp_path / "small" / name).unlink()
    packed = SMALL(cifar)
    assert torch.equal(packed.train().pixels, train.pixels)
    assert torch.equal(packed.test().labels, test.labels)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small", "small.tar.gz"]


@pytest.mark.parametrize("change", [-1, 1, -3074])
def test_a_cifar_file_of_another_size_is_named(cifar, tmp_path, change):
    path = tmp_path / "small" / "a.bin"
    path.write_bytes((path.read_bytes() + b"x")[: 20 * 3074 + change])
    assert str(path) in refusal(SMALL(cifar).train)


def test_a_wrong_cifar_label_is_named_with_file_and_index(cifar, tmp_path):
    path = tmp_path / "small" / "b.bin"
    data = bytearray(path.read_bytes())
    data[2 * 3074 + 1] = 200
    path.write_bytes(data)
    assert f"{path} has label 200 at image 2, labels end at 99" in refusal(SMALL(cifar).train)


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_damaged_cifar_archive_is_named(tmp_path, content):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        noise = np.random.default_rng(0).bytes(5000)
        tar.addfile(tarfile.TarInfo("a.bin"), io.BytesIO(noise)) if content else None
    archive = tmp_path / "small.tar.gz"
    archive.write_bytes(stream.getvalue()[:20] if content is None else content)
    assert str(archive) in refusal(SMALL(Recipe(data="cifar100", data_root=str(tmp_path))).train)


def test_cifar_that_is_not_there_says_what_would_be_right(tmp_path):
    said = refusal(lambda: open_source(Recipe(data="cifar10", data_root=str(tmp_path))), FileNotFoundError)
    assert "cifar-10-batches-bin/test_batch.bin" in said
    assert "cifar-10-binary.tar.gz" in said


@pytest.fixture
def pictures(tmp_path):
    generator = np.random.default_rng(0)
    for half in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / half / name).mkdir(parents=True)
            for i in range(3):
                pixels = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / half / name / f"{i}.png")
    return Recipe(data="folder", data_root=str(tmp_path))


def test_a_folder_of_pictures_has_a_class_a_sub_folder(pictures, tmp_path):
    train = open_source(pictures).train()
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    dog = np.asarray(Image.open(tmp_path / "train" / "dog" / "1.png"))
    assert torch.equal(train.pixels[4], torch.from_numpy(dog.copy()))


def test_bad_folders_are_refused_by_name(pictures, tmp_path):
    (tmp_path / "train" / "cat" / "0.png").write_bytes(b"no picture")
    assert "cat/0.png is not a readable picture" in refusal(open_source(pictures).train)
    Image.new("RGB", (7, 6)).save(tmp_path / "train" / "cat" / "0.png")
    assert "--image-size" in refusal(open_source(pictures).train)
    (tmp_path / "test" / "cow").mkdir()
    Image.new("RGB", (6, 6)).save(tmp_path / "test" / "cow" / "0.png")
    assert "cow is a class that has no folder in train" in refusal(open_source(pictures).test)


def test_pictures_of_several_sizes_are_resized_on_request(pictures, tmp_path):
    Image.new("L", (9, 7)).save(tmp_path / "train" / "cat" / "0.png")
    recipe = Recipe(data="folder", data_root=pictures.data_root, image_size=5)
    assert open_source(recipe).train().pixels.shape == (6, 5, 5, 3)


def test_a_folder_without_its_halves_or_classes_is_refused(tmp_path):
    recipe = Recipe(data="folder", data_root=str(tmp_path))
    assert "train is missing" in refusal(lambda: open_source(recipe), FileNotFoundError)
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    assert "at least 2, got 0" in refusal(lambda: open_source(recipe))
    assert "--data-root" in refusal(lambda: open_source(Recipe(data="folder")))
