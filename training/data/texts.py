"""Texts as numbers of their words; `from_texts`: a source of them from lists.

A word is a run of letters and digits, or a single mark, in lower case; each Chinese character and kana counts as one.
Its number is a hash of it (the "hashing trick" of Weinberger et al. 2009): nothing is learned from any part of the data
and nothing has to be kept, so a run that resumes or is evaluated later numbers words as it did, those that training
lacks included. Of V words over B numbers about V / B share theirs with a given one.
"""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from .images import Images, Source, halves
from .labels import Classes

HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{HAN}]|[^\W{HAN}]+|[^\w\s]")
WORDS, BUCKETS = 256, 2**14


@dataclass(frozen=True)
class Texts(Images):
    """N texts, each a row of numbers of its words, with their labels.

    Attributes:
        pixels: (N, W) int32 in 1 .. buckets - 1, and 0 behind a text's last word.
        buckets: what the numbers stay below.
    """

    noun: ClassVar[str] = "text"
    buckets: int = BUCKETS

    def check_pixels(self) -> None:
        """Raise ValueError unless the numbers are such rows."""
        if self.pixels.dtype != torch.int32 or self.pixels.ndim != 2:
            raise ValueError(
                f"texts must be int32 of shape (N, W), got {self.pixels.dtype} of shape {tuple(self.pixels.shape)}"
            )
        if self.pixels.numel() and not 0 <= self.pixels.min() <= self.pixels.max() < self.buckets:
            raise ValueError(f"words must have numbers in 0..{self.buckets - 1}, got {self.pixels.max()}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """1, words and buckets: a text is a row of words, each one of so many."""
        return 1, self.pixels.shape[1], self.buckets


def word_numbers(texts: Iterable[str], words: int = WORDS, buckets: int = BUCKETS) -> Tensor:
    """The numbers (N, words), int32, of the first words of each text; 0 behind the last.

    Raises:
        ValueError: if a text is no string, or has no word in it.
    """
    rows = [_row(text, place, words, buckets) for place, text in enumerate(texts)]
    return torch.from_numpy(np.stack(rows) if rows else np.empty((0, words), np.int32))


def _row(text: Any, place: int, words: int, buckets: int) -> np.ndarray:
    if not isinstance(text, str):
        raise ValueError(f"a text must be a string, got {type(text).__name__} at index {place}")
    found = [_number(word[0], buckets) for word in islice(WORD.finditer(text.lower()), words)]
    if not found:
        raise ValueError(f"a text must have a word in it, got {text[:20]!r} at index {place}")
    return np.array(found + [0] * (words - len(found)), np.int32)


def _number(word: str, buckets: int) -> int:
    return 1 + zlib.crc32(word.encode("utf-8", "surrogatepass")) % (buckets - 1)


def from_texts(
    texts: Iterable[str],
    labels: Any,
    test_texts: Iterable[str],
    test_labels: Any,
    classes: int | None = None,
    validation: tuple[Any, Any] | None = None,
    words: int = WORDS,
    buckets: int = BUCKETS,
) -> Source:
    """A source from texts and their labels, for the students of `training.networks.TEXT_MODELS`.

    Args:
        texts: N strings.
        labels: (N,) whole numbers or strings, or (N, C) one-hot rows; see `training.data.labels`.
        test_texts: more strings.
        test_labels: labels that also occur in training.
        classes: the number of classes, if the labels count them from 0; by default those that occur in training.
        validation: texts and labels of a validation part; by default it is taken from the training texts.
        words: how many of a text are read, from its beginning.
        buckets: how many numbers words are given, at least 2.

    Raises:
        ValueError: words or buckets below those; when a half is read, if a text is no string or is empty, or the labels
            do not fit.
    """
    if words < 1 or buckets < 2:
        raise ValueError(f"words must be at least 1 and buckets at least 2, got {words} and {buckets}")
    if isinstance(texts, str) or isinstance(test_texts, str):
        raise ValueError("texts must be a list of strings, got one string")
    known = cache(lambda: Classes.of(labels, classes))

    def half(some: Iterable[str], answers: Any) -> Texts:
        about = known().encode(answers), len(known()), known().names
        return Texts(word_numbers(some, words, buckets), *about, buckets)

    return halves(
        lambda: half(texts, labels),
        lambda: half(test_texts, test_labels),
        None if validation is None else lambda: half(*validation),
    )
