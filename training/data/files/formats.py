"""Readers of idx and CIFAR files: sizes are checked before unpacking, and errors name the file and the remedy."""

import gzip
import math
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

REMEDY = "delete it and download it again"
PIXELS = 32 * 32 * 3
"""Bytes of one CIFAR image: its red, green and blue planes."""
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError)


def read_idx(path: Path, most: tuple[int, ...]) -> np.ndarray:
    """An idx file of unsigned bytes (MNIST's format), packed (.gz) or not.

    Args:
        path: the file.
        most: the shape that it has in full: (N,) for labels, (N, 28, 28) for images. It may hold fewer than N.

    Raises:
        ValueError: if the file is no gzip, is cut short, or holds something else or more than such an array.
        OSError: if it cannot be read.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _idx(file, path, most)
    except DAMAGE as error:
        raise ValueError(f"{path} is damaged ({error}); {REMEDY}") from error


def _idx(file: BinaryIO | gzip.GzipFile, path: Path, most: tuple[int, ...]) -> np.ndarray:
    if file.read(4) != bytes([0, 0, 8, len(most)]):
        raise ValueError(f"{path} is not an idx file of bytes in {len(most)} dimensions; {REMEDY}")
    header = file.read(4 * len(most))
    shape = tuple(np.frombuffer(header.ljust(4 * len(most), b"\0"), ">u4").astype(int).tolist())
    if len(header) == 4 * len(most) and (shape[0] > most[0] or shape[1:] != most[1:]):
        raise ValueError(f"{path} promises an array of {shape}, the data set has {most}; {REMEDY}")
    size = math.prod(shape)
    data = file.read(size + 1)  # the extra byte makes gzip read on to its checksum and notice a file that is too long
    if len(header) < 4 * len(most) or len(data) != size:
        found = f"more than {size}" if len(data) > size else len(data)
        raise ValueError(f"{path} holds {found} bytes of an array, its header promises one of {shape}; {REMEDY}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def read_cifar(place: Path, member: str, images: int, label_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 32, 32, 3) and (fine) labels (N,) of one CIFAR file in its binary layout.

    Args:
        place: the folder that holds the file, or the .tar.gz archive, which is read without unpacking it.
        member: the name of the file, without folders.
        images: the number of images that it must hold.
        label_bytes: 1 for CIFAR-10, 2 (coarse, fine) for CIFAR-100.

    Raises:
        ValueError: if the file has another size or the archive is damaged.
        OSError: if it is missing.
    """
    records = read_records(place, member, images, label_bytes + PIXELS)
    planes = records[:, label_bytes:].reshape(images, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, label_bytes - 1]


def read_records(place: Path, member: str, number: int, size: int) -> np.ndarray:
    """(number, size) bytes of a file in a folder, or in a .tar.gz archive; refused unread if it has more."""
    data = read_member(place, member, number * size)
    if len(data) != number * size:
        raise ValueError(f"{place / member} holds {len(data)} bytes, {number} images take {number * size}; {REMEDY}")
    return np.frombuffer(data, np.uint8).reshape(number, size)


def read_member(place: Path, member: str, most: int) -> bytes:
    """The file `member` of a folder or a .tar.gz archive.

    Raises:
        ValueError: if it holds more than `most` bytes or is no plain file, or the archive is damaged.
        OSError: if it is missing.
    """
    if place.is_file():
        return _of_archive(place, member, most)
    _refuse_more(place / member, (place / member).stat().st_size, most)
    return (place / member).read_bytes()


def check_labels(labels: np.ndarray, classes: int, file: Path) -> np.ndarray:
    """The labels if all are in 0 .. classes - 1; else ValueError with the name of the file."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise ValueError(
            f"{file} has label {labels[wrong[0]]} at image {wrong[0]}, labels end at {classes - 1}; {REMEDY}"
        )
    return labels


class _Bounded(gzip.GzipFile):
    """A gzip file that refuses to unpack too much in one call: tarfile reads a member's headers whole, however long."""

    most = 0

    def read(self, size: int | None = -1) -> bytes:
        """At most `most` bytes."""
        if size is None or not 0 <= size <= self.most:
            raise tarfile.ReadError(f"a part of {size} bytes, at most {self.most} are expected")
        return super().read(size)


def _of_archive(archive: Path, member: str, most: int) -> bytes:
    try:
        with _Bounded(archive) as packed:
            packed.most = most + tarfile.RECORDSIZE
            return _of_tar(packed, archive, member, most)
    except DAMAGE as error:
        raise ValueError(f"{archive} is damaged ({error}); {REMEDY}") from error


def _of_tar(packed: gzip.GzipFile, archive: Path, member: str, most: int) -> bytes:
    with tarfile.open(fileobj=packed, mode="r:") as tar:
        for entry in tar:
            if Path(entry.name).name != member or entry.isdir():
                continue
            stream = tar.extractfile(entry) if entry.isreg() else None
            if stream is None:
                raise ValueError(f"{archive / member} is a link or a device, not a file; {REMEDY}")
            _refuse_more(archive / member, entry.size, most)
            return stream.read()
    raise ValueError(f"{archive} does not contain {member}; {REMEDY}")


def _refuse_more(file: Path, size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"{file} holds {size} bytes, the data set has {most}; {REMEDY}")
