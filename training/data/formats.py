"""Files of images as arrays; whatever is wrong with one is a sentence that names it and the remedy."""

import gzip
import math
import tarfile
import zlib
from pathlib import Path

import numpy as np

REMEDY = "delete it and download it again"
PIXELS = 32 * 32 * 3
"""Bytes of one CIFAR image: its red, green and blue planes."""


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """An idx.gz file of unsigned bytes (MNIST's format) with that many dimensions.

    Raises:
        ValueError: if the file is no gzip, is cut short, or holds something else than such an array.
        OSError: if it cannot be read.
    """
    try:
        data = gzip.decompress(path.read_bytes())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is damaged ({error}); {REMEDY}") from error
    if data[:4] != bytes([0, 0, 8, dimensions]):
        raise ValueError(f"{path} is not an idx file of bytes in {dimensions} dimensions; {REMEDY}")
    header = 4 + 4 * dimensions
    shape = tuple(np.frombuffer(data[4:header].ljust(4 * dimensions, b"\0"), ">u4").astype(int).tolist())
    if len(data) != header + math.prod(shape):
        raise ValueError(f"{path} holds {len(data)} bytes, its header promises an array of {shape}; {REMEDY}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


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
    data = _member_of_archive(place, member) if place.is_file() else (place / member).read_bytes()
    file, size = place / member, images * (label_bytes + PIXELS)
    if len(data) != size:
        raise ValueError(f"{file} holds {len(data)} bytes, {images} images take {size}; {REMEDY}")
    records = np.frombuffer(data, np.uint8).reshape(images, label_bytes + PIXELS)
    planes = records[:, label_bytes:].reshape(images, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, label_bytes - 1]


def check_labels(labels: np.ndarray, classes: int, file: Path) -> np.ndarray:
    """The labels, if they are those of that many classes; else a sentence that names the file."""
    wrong = np.flatnonzero(labels >= classes)
    if len(wrong):
        raise ValueError(
            f"{file} has label {labels[wrong[0]]} at image {wrong[0]}, labels end at {classes - 1}; {REMEDY}"
        )
    return labels


def _member_of_archive(archive: Path, member: str) -> bytes:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for entry in tar:
                stream = tar.extractfile(entry) if Path(entry.name).name == member else None
                if stream is not None:
                    return stream.read()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{archive} is damaged ({error}); {REMEDY}") from error
    raise ValueError(f"{archive} does not contain {member}; {REMEDY}")
